"""ADC calibration: the smallest gain shift with which the calibration images' column currents fit the converters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.params import Coding, LayerParameters
from sim.encoder import Encoder
from sim.image import ChipImage
from sw.float_snn import Codes, spiking_network

__all__ = ["MAX_GAIN_SHIFT", "calibrate_adc", "row_codes"]

MAX_GAIN_SHIFT = 15


def calibrate_adc(wide: ChipImage, images: NDArray[np.uint8], adc_bits: int, quantile: float) -> tuple[int, ...]:
    """Gain shift of every layer.

    The images run through ideal cells with converters that neither saturate nor round. A current I fits shift g if
    round(I / 2^g) is a code; at least the share `quantile` of all tile-column currents of tiles that are read must fit.

    Parameters
    ----------
    wide : the chip with gain shift 0 everywhere
    images : uint8 [images, inputs]
    quantile : 0 .. 1; with 1 no current of the calibration images saturates (as far as shift 15 reaches)
    """
    fit = [_Misfits(shape, adc_bits) for shape in wide.parameters.layers]
    network = spiking_network(wide)
    fixed = wide.coding == Coding.ANALOG

    def observe(layer: int, step: int, rows: NDArray[np.float32]) -> None:
        if layer or step == 1 or not fixed:
            fit[layer].add(rows, network.layers[layer].weight)

    for start in range(0, len(images), 250):
        part = images[start : start + 250]
        network.run(len(part), row_codes(wide, part, start), observe)
    return tuple(counter.smallest_shift(quantile) for counter in fit)


def row_codes(image: ChipImage, pixels: NDArray[np.uint8], first_id: int = 0) -> Codes:
    """The reference encoder's rows as real numbers, 1 for full scale."""
    encoder = Encoder(image, pixels, np.arange(first_id, first_id + len(pixels), dtype=np.int64))
    full = 255.0 if image.parameters.layers[0].row_bits == 8 else 1.0

    def codes(alive: NDArray[np.intp], step: int) -> NDArray[np.float32]:
        return encoder.step(alive, step).astype(np.float32) / np.float32(full)

    return codes


class _Misfits:
    """Counts, for one layer, the currents that need each gain shift."""

    def __init__(self, shape: LayerParameters, adc_bits: int) -> None:
        self.shape = shape
        top = 1 if adc_bits == 1 else (1 << (adc_bits - 1)) - 1
        # half-even rounding: top + 1/2 goes up to an even code, out of range; -(top + 1) - 1/2 goes up, into it
        self.high = top + 0.5
        self.low = 1.5 if adc_bits == 1 else top + 1.5
        self.needed = np.zeros(MAX_GAIN_SHIFT + 1, np.int64)

    def add(self, rows: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
        for start in range(0, self.shape.inputs, self.shape.tile_rows):
            tile = slice(start, start + self.shape.tile_rows)
            read = rows[:, tile].any(axis=1)
            if not read.any():
                continue
            current = rows[read, tile] @ weight[tile]
            total = current.size
            for shift in range(MAX_GAIN_SHIFT + 1):
                scale = 1 << shift
                outside = (current >= self.high * scale) | (current < -self.low * scale)
                over = int(np.count_nonzero(outside))
                self.needed[shift] += total - over
                total = over
                if not over:
                    break
                current = current[outside]
            else:
                self.needed[-1] += total

    def smallest_shift(self, quantile: float) -> int:
        """Smallest shift that enough currents fit; 0 if there were none."""
        fitting = np.cumsum(self.needed)
        return int(np.argmax(fitting >= quantile * fitting[-1]))
