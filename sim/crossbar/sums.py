"""The exact sums of a crossbar's reads, on its integer grids as they are now.

Windows that overlap are summed by `sim.crossbar.window_sums`, all others by `sim.crossbar.row_sums`: the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.grids import Grid
from spikeloom.sim.crossbar.row_sums import ListedRows, add_rows, count_rows, list_rows
from spikeloom.sim.crossbar.stray import add_stray
from spikeloom.sim.crossbar.window_sums import SortedGrids, WindowScatter, scatter_rows
from spikeloom.sim.crossbar.windows import Driven

__all__ = ["GridSums", "RowSums"]


@dataclass(frozen=True, eq=False)
class RowSums:
    """What a batch of row vectors gives before noise and ADC; the same for every step that drives the same rows.

    Parameters
    ----------
    current, noise_variance : exact sums of x * W and x^2 * Q, integers [reads, row tiles, outputs]; the second is
        [reads, 1, 1] without noise; both undefined where a tile is not read
    unit : int64 [reads, row tiles], factor common to a tile's row codes and left out of its sums; 0 if it is not read
    rows, tiles : int64 [images], driven rows and row tiles that are read, in all reads of an image
    conductance : int64 [images], sum of x^2 * R likewise
    stray : int64 [images], see `sim.crossbar.stray`, likewise; 0 without wires
    """

    current: Grid
    noise_variance: Grid
    unit: NDArray[np.int64]
    rows: NDArray[np.int64]
    tiles: NDArray[np.int64]
    conductance: NDArray[np.int64]
    stray: NDArray[np.int64]

    __repr__ = short_repr


@dataclass(eq=False)
class GridSums:
    """Sums on grids that stay as they are while this is used.

    Parameters
    ----------
    parameters : of the layer
    w, q : W and Q of `sim.crossbar.array`, integers [inputs, outputs]; q is not looked at without noise
    noisy : whether the sums of Q are wanted
    types : of the sums of W and of Q, int32 or int64
    row_conductance : int64 [inputs], R
    stray_grid, stray_sums : C, int64 [row tiles, tile rows, tile rows], and its sums over the last axis; None without
        wires
    """

    parameters: LayerParameters
    w: Grid
    q: Grid
    noisy: bool
    types: tuple[type, type]
    row_conductance: NDArray[np.int64]
    stray_grid: NDArray[np.int64] | None
    stray_sums: NDArray[np.int64]
    _sorted: tuple[WindowScatter, SortedGrids] | None = field(default=None, init=False)

    __repr__ = short_repr

    def empty(self, images: int, positions: int) -> RowSums:
        """Products of reads without a driven row, in which those of the driven rows are then added up."""
        reads = images * positions
        shape = (reads, self.parameters.row_tiles, self.parameters.outputs)
        u_type, v_type = self.types
        return RowSums(
            current=np.empty(shape, u_type),
            noise_variance=np.empty(shape if self.noisy else (reads, 1, 1), v_type),
            unit=np.zeros(shape[:2], np.int64),
            rows=np.zeros(images, np.int64),
            tiles=np.zeros(images, np.int64),
            conductance=np.zeros(images, np.int64),
            stray=np.zeros(images, np.int64),
        )

    def products(self, driven: Driven, pulses: NDArray[np.int64] | None = None) -> RowSums:
        """Sums of every window of a batch of images, see `sim.crossbar.array.CrossbarArray.window_products`."""
        values, p = driven.values, self.parameters
        out = self.empty(len(values.first), len(driven.runs))
        pulses = np.empty(0, np.int64) if pulses is None else pulses
        if driven.spread is not None and self.stray_grid is None:  # which does not list the rows of a read together
            self._spread(driven, driven.spread, out, pulses)
            return out
        count_rows(driven.runs, values.first, out.rows)
        total = int(out.rows.sum())
        codes = np.empty(total if p.row_bits == 8 else 0, np.uint8)
        listed = tuple(ListedRows(np.empty(total, np.int32), codes, np.empty_like(out.unit)))
        list_rows(
            driven.runs, tuple(values), p.tile_rows, self.row_conductance, listed,
            out.unit, out.tiles, out.conductance, pulses,
        )  # fmt: skip
        add_rows(listed, 1, self.w, out.current)
        if self.noisy:
            add_rows(listed, 2, self.q, out.noise_variance)
        if self.stray_grid is not None:
            add_stray(listed, out.unit, p.tile_rows, self.stray_grid, self.stray_sums, len(driven.runs), out.stray)
        return out

    def _spread(self, driven: Driven, spread: WindowScatter, out: RowSums, pulses: NDArray[np.int64]) -> None:
        """Write the sums of windows that overlap."""
        if self._sorted is None or self._sorted[0] is not spread:
            order = spread.table.order
            tile_of = (order // self.parameters.tile_rows).astype(np.int32)
            q = self.q[order] if self.noisy else self.q
            self._sorted = spread, SortedGrids(tile_of, self.w[order], q, spread.loads(self.row_conductance))
        values = driven.values
        if self.parameters.row_bits != 8:
            values = values._replace(factors=values.factors[:, :0])
        scatter_rows(
            tuple(spread.table), tuple(self._sorted[1]), tuple(values),
            out.current.reshape(-1), out.noise_variance.reshape(-1), out.unit, out.rows,
            out.tiles, out.conductance, pulses,
        )  # fmt: skip
