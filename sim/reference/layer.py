"""One layer of the reference, for a chunk of images: its windows are read, digitised and passed to its neurons.

The reads of an image in a step are taken position by position. Sums, codes and flags of the reads live only within a
block of images that fits into a processor's cache, so memory does not grow with the number of positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray
from spikeloom.sim.crossbar.sums import RowSums
from spikeloom.sim.crossbar.windows import LayerWindows, MapLists
from spikeloom.sim.reference.neuron import NeuronLayer

__all__ = ["LayerRun", "LayerStep", "Observe"]

Observe = Callable[[int, RowSums, NDArray[np.int64], NDArray[np.int16], NDArray[np.uint8]], None]
"""Called after every block of reads with (layer, its sums, which of their images are read, codes int16 [reads, row
tiles, outputs], spikes uint8 [images, positions * outputs]); none of them may be changed or kept.
"""

_BLOCK = 1 << 18
"""Column sums (reads x row tiles x outputs) of a block; at least those of one image."""


@dataclass(frozen=True, eq=False)
class LayerStep:
    """What a layer did in one step, for every live image.

    Parameters
    ----------
    spikes : uint8 [live, positions * outputs] of 0 and 1
    fired : int64 [live], their number
    activity : int64 [live] for each of `sim.chip.result.ACTIVITIES`, summed over the positions
    """

    spikes: NDArray[np.uint8]
    fired: NDArray[np.int64]
    activity: dict[str, NDArray[np.int64]]

    __repr__ = short_repr


class LayerRun:
    """A layer's crossbar, and the neurons of a chunk of images.

    Parameters
    ----------
    layer : its neurons' settings; those of the chip that `array` was programmed for may be others
    array : the programmed crossbar, which is only read
    windows : what it is read for
    images : of the chunk
    fixed : the sums of all images of the chunk, for a layer that reads the same rows in every step
    observe : called with every block of reads
    """

    def __init__(
        self,
        layer: ProgrammedLayer,
        array: CrossbarArray,
        windows: LayerWindows,
        images: int,
        fixed: RowSums | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._array = array
        self._observe = observe
        self._windows = windows
        self._neurons = NeuronLayer(layer, array.parameters, images)
        self._fixed = fixed
        p = array.parameters
        self._block = max(1, _BLOCK // (p.positions * p.row_tiles * p.outputs))

    def membranes(self, live: NDArray[np.int64]) -> NDArray[np.int64]:
        """Membranes of the images numbered `live`, int64 [live, positions * outputs]."""
        return self._neurons.membranes[live]

    def step(
        self,
        maps: MapLists,
        live: NDArray[np.int64],
        ids: NDArray[np.int64],
        step: int,
        shift: int,
        pulses: NDArray[np.int64] | None,
    ) -> LayerStep:
        """One step of the images numbered `live` in the chunk.

        maps : of the live images; not looked at where the sums are fixed
        ids : int64 [live], which address the noise
        shift : K - 1 - phase
        pulses : int64 [inputs], the times that each row is driven are added; None counts nothing
        """
        p, count = self._array.parameters, len(live)
        spikes = np.empty((count, p.neurons), np.uint8)
        names = ("fired", "saturations", "rows", "tiles", "conductance", "stray")
        sums = {name: np.empty(count, np.int64) for name in names}
        for start in range(0, count, self._block):
            part = slice(start, min(start + self._block, count))
            if self._fixed is None:
                products = self._array.window_products(maps.driven(self._windows, part), pulses)
                source = np.arange(part.stop - part.start)
            else:
                products, source = self._fixed, live[part]
            codes, _, overs = self._array.sample(products, ids[part], step * p.positions, source)
            spikes[part], fired = self._neurons.step(codes, live[part], shift)
            if self._observe is not None:
                self._observe(self._array.index, products, source, codes, spikes[part])
            found = (
                fired, overs, products.rows[source], products.tiles[source], products.conductance[source],
                products.stray[source],
            )  # fmt: skip
            for name, values in zip(names, found, strict=True):
                sums[name][part] = values
        activity = {
            "row_pulses": sums["rows"] * p.column_tiles,
            "tile_reads": sums["tiles"] * p.column_tiles,
            "conversions": sums["tiles"] * p.outputs,
            "saturations": sums["saturations"],
            "conductance": sums["conductance"],
            "stray": sums["stray"],
        }
        return LayerStep(spikes, sums["fired"], activity)
