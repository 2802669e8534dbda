"""ADC calibration: the smallest gain shift with which the calibration images' column currents fit the converters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.readouts import readout_of
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sw.ir.neuron_steps import count_shifts
from spikeloom.sw.passes.float_snn import Codes, FloatLayer, Maps, spiking_network

__all__ = ["MAX_GAIN_SHIFT", "Misfits", "TileCurrents", "calibrate_adc", "evenly", "misfits", "row_codes"]

MAX_GAIN_SHIFT = 15


def calibrate_adc(wide: ProgrammedChip, images: NDArray[np.uint8], adc_bits: int, quantile: float) -> tuple[int, ...]:
    """Gain shift of every layer of the network: replicas of a crossbar have the same.

    The images run through ideal cells with converters that neither saturate nor round. A current I fits shift g if
    round(I / 2^g) is a code; at least the share `quantile` of all tile-column currents of tiles that are read must fit.

    Parameters
    ----------
    wide : the chip with gain shift 0 everywhere
    images : uint8 [images, inputs]
    quantile : 0 .. 1; with 1 no current of the calibration images saturates (as far as shift 15 reaches)
    """
    return tuple(counter.smallest_shift(quantile) for counter in misfits(wide, images, adc_bits))


def misfits(wide: ProgrammedChip, images: NDArray[np.uint8], adc_bits: int) -> list[Misfits]:
    """Of every layer, counts of the currents by the gain shift that they need; arguments as in `calibrate_adc`."""
    network = spiking_network(wide)
    shapes = [wide.parameters.layers[stage.layer] for _, stage in wide.parameters.plan.crossbar_stages]
    fit = [Misfits(shape, layer, adc_bits) for shape, layer in zip(shapes, network.layers, strict=True)]
    fixed = wide.coding.steady
    # the same in every step: once is enough, in the first step that the layer is run in
    first = 1 if len(fit) > 1 else wide.skip * wide.parameters.phases + 1

    def observe(layer: int, step: int, maps: Maps) -> NDArray[np.floating] | None:
        return fit[layer].add(maps) if layer or step == first or not fixed else None

    size = min(250, network.batch)
    for start in range(0, len(images), size):
        part = images[start : start + size]
        network.run(len(part), row_codes(wide, part, start), observe)
    return fit


def row_codes(chip: ProgrammedChip, pixels: NDArray[np.uint8], first_id: int = 0) -> Codes:
    """The reference encoder's row codes, as real numbers."""
    encoder = encoder_of(chip, pixels, np.arange(first_id, first_id + len(pixels), dtype=np.int64))

    def codes(alive: NDArray[np.intp], step: int) -> NDArray[np.float32]:
        return encoder.step(alive, step).astype(np.float32)

    return codes


def evenly(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """About that many of the images, evenly taken, in case they are sorted."""
    return images[:: -(-len(images) // count)]


class TileCurrents:
    """The currents that a layer's converters read: of all images, positions and columns, tile by tile of rows."""

    def __init__(self, shape: LayerParameters, layer: FloatLayer) -> None:
        self.layer = layer
        self.tiles = [
            slice(start, min(start + shape.tile_rows, shape.inputs))
            for start in range(0, shape.inputs, shape.tile_rows)
        ]

    def of(self, maps: Maps) -> Iterator[NDArray[np.floating]]:
        """[images, positions * outputs] of each row tile; 0 where a tile is not read."""
        for tile in self.tiles:
            yield self.layer.read(maps, tile)[0]

    def read(self, maps: Maps) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
        """As `of`, and those of them that are read, [reads, outputs]."""
        for tile in self.tiles:
            sums, driven = self.layer.read(maps, tile)
            currents, read = sums.reshape(-1, self.layer.reader.outputs), driven.ravel() > 0
            yield sums, currents if read.all() else currents[read]


class Misfits:
    """Counts, for one layer, the currents that need each gain shift."""

    def __init__(self, shape: LayerParameters, layer: FloatLayer, adc_bits: int) -> None:
        self.currents = TileCurrents(shape, layer)
        readout = readout_of(adc_bits)
        self.high, self.low = readout.clips_above(adc_bits), readout.clips_below(adc_bits)
        self.needed = np.zeros(MAX_GAIN_SHIFT + 1, np.int64)

    def add(self, maps: Maps) -> NDArray[np.floating]:
        """Count the currents of a step, of all images, positions and tiles that are read; returns the layer's sums."""
        total: NDArray[np.floating] | None = None
        for sums, current in self.currents.read(maps):
            count_shifts(current, self.high, self.low, self.needed)
            total = sums if total is None else total + sums
        assert total is not None
        return total

    def smallest_shift(self, quantile: float) -> int:
        """Smallest shift that enough currents fit; 0 if there were none."""
        fitting = np.cumsum(self.needed)
        return int(np.argmax(fitting >= quantile * fitting[-1]))
