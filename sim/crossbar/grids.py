"""Conductances on integer grids, in the narrowest types in which their sums are exact; see `sim.crossbar.array`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.units import CURRENT_BITS, NOISE_BITS

__all__ = ["Grids", "currents", "loads", "noise_powers"]

Grid = NDArray[np.signedinteger]
GridOf = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def currents(p: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """W of conductances in steps."""
    return np.rint((p - n) * 2.0**CURRENT_BITS)


def noise_powers(p: NDArray[np.float64], n: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Q of conductances in steps."""
    return np.rint((p * p + n * n) * 2.0**bits)


def loads(p: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.int64]:
    """R of rows of conductances in steps, [rows, outputs]."""
    rows: NDArray[np.int64] = np.rint((p + n) * 2.0**CURRENT_BITS).astype(np.int64).sum(axis=1)
    return rows


@dataclass(frozen=True)
class Grids:
    """The types of a layer's grids.

    Parameters
    ----------
    index, parameters, device : of the layer
    moved_S : highest conductance that a cell can come to while its grid stays, siemens; None if cells do not move, or
        the grid is made anew each time
    added : most that the noise of a conversion adds to a column sum of currents, which is then to be exact as well
    """

    index: int
    parameters: LayerParameters
    device: Device
    moved_S: float | None
    added: int = 0

    def narrow(self, values: NDArray[np.float64], largest: int, grid_of: GridOf) -> tuple[Grid, type]:
        """A grid of whole numbers in the narrowest type, and the type of its sums with factors up to `largest`.

        The types also hold what cells can move to. `grid_of` is the function that the values come from. Raises
        `ValueError` where sums would not be exact.
        """
        p = self.parameters
        grid = values.astype(np.int64)
        tiles = range(0, p.inputs, p.tile_rows)
        bound = max(int(np.abs(grid[start : start + p.tile_rows]).sum(axis=0).max()) for start in tiles) * largest
        top = int(np.abs(grid).max())
        if self.moved_S is not None:
            high = np.full((), self.moved_S / self.device.step_S)
            top = int(max(grid_of(high, high), grid_of(high, 0.0 * high))) + 1
            bound = top * min(p.tile_rows, p.inputs) * largest
        if bound + self.added >= 1 << 53 or top >= 1 << 29:
            raise SpikeLoomError(self.not_exact("cells" if bound + self.added < 1 << 53 else "column sums"))
        narrow: Grid = grid.astype(np.int16 if top < 1 << 15 else np.int32, order="C")  # rows are what is added up
        return narrow, np.int32 if bound < 1 << 31 else np.int64

    def noise(self, p: NDArray[np.float64], n: NDArray[np.float64], largest: int) -> tuple[Grid, type, int]:
        """The noise grid, the type of its sums and its fraction bits: the most that leave sums in 32 bits, or, where
        that would be few, that leave them exact.
        """
        most, fewest = NOISE_BITS
        in_32_bits, exact = range(most, fewest - 1, -1), range(most, 0, -1)
        for wanted, candidates in (((np.int32,), in_32_bits), ((np.int32, np.int64), exact)):
            for bits in candidates:
                grid_of = functools.partial(noise_powers, bits=bits)
                with contextlib.suppress(ValueError):
                    grid, kind = self.narrow(grid_of(p, n), largest, grid_of)
                    if kind in wanted:
                        return grid, kind, bits
        grid_of = functools.partial(noise_powers, bits=0)
        return *self.narrow(grid_of(p, n), largest, grid_of), 0

    def not_exact(self, what: str) -> str:
        """The sentence for conductances of which `what` is not exact."""
        return (
            f"Layer {self.index}: g_min_S ({self.device.g_min_S!r}) is so near g_max_S ({self.device.g_max_S!r}) that "
            f"{what}, counted in conductance steps, are not exact"
        )
