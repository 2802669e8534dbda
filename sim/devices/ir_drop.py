"""IR drop: the exact effect of the wires' resistance, as effective conductances.

A tile of R rows and M physical columns (the p and n columns of a weight side by side: p0 n0 p1 n1 ...):

    driver --r--o--r--o--r--o ...      row wire; the driver is at the left end (V_read or 0 V)
                |     |     |          a cell G[row, column] from each row node to the column node below it
                o     o     o
                r     r     r          column wires, ending at the bottom ...
                o     o     o
                r     r     r
               ADC   ADC   ADC         ... in virtual ground (0 V)

With linear cells the network is linear, so each column's current is sum over rows of V[row] * g_eff[row, column], for
any pattern of driven rows, silent ones held at 0 V (the nodal equations are those of A. Chen, "A comprehensive crossbar
array model", IEEE TED 60(4), 2013). They are solved exactly, by elimination from the top row to the bottom one. With
w = 1/r, row j's cells G_j (a diagonal matrix), T_j the tridiagonal matrix of its row wire (its nodes against the
driver), n_j the column wires at its nodes (1 or 2), and row j driven with 1 V:

    S_j = G_j + n_j w - G_j T_j^-1 G_j - w^2 S_(j-1)^-1        Schur complement of the rows down to j, dense [M, M]
    f_j = w G_j T_j^-1 e_0                                     what its driver sends into the column nodes
    g_eff[j] = w S_(R-1)^-1 (w S_(R-2)^-1) ... (w S_j^-1) f_j

This takes 2 R inversions of [M, M] per tile, once per programming; every later read is an ordinary sum. T and S are
symmetric, diagonally dominant and positive, so elimination without pivoting is stable.

Wires also join the rows: driver i sends a current of K[i, j] (V[i] - V[j]) that comes out at driver j, through cells of
both rows and the column wires between them. With F the columns f_j and A the matrix that the S_j come from,

    K = F^T A^-1 F = sum over rows j of P_j^T S_j^-1 P_j,    P_j = f_j and w S_(j-1)^-1 P_(j-1) side by side

off the diagonal; these are minus the mutual admittances of the drivers, all of them positive, without any difference of
large numbers. So the power that the drivers give, which is all that cells and wires dissipate, is

    P = sum over rows of V^2 sum over columns of g_eff + sum over pairs of rows of K[i, j] (V[i] - V[j])^2

The first sum is V_row times what its driver sends to the ADCs, the second is what goes astray between rows.

Valid for cells that are linear at the read voltage, in the static state (a pulse much longer than the wires' RC time),
with ideal drivers and ADC inputs. A tile smaller than the array (the last rows or columns of a layer) lies at the
drivers and at the ADCs: its wires are as long as its own rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from spikeloom.sim.common.threads import in_order

__all__ = ["IrDrop", "solved_tile", "transfer"]


def transfer(g_S: NDArray[np.float64], wire_ohm: float) -> NDArray[np.float64]:
    """Effective conductances of one tile, [R, M] physical cells -> [R, M], siemens; identity for 0 ohm."""
    return solved_tile(g_S, wire_ohm)[0]


def solved_tile(g_S: NDArray[np.float64], wire_ohm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Effective conductances of one tile, [R, M] physical cells -> [R, M], and K between its rows, symmetric [R, R]
    with 0 on the diagonal, siemens. Without wires (0 ohm) those are the cells', and 0.
    """
    rows, columns = g_S.shape
    coupling = np.zeros((rows, rows))
    if wire_ohm == 0.0:
        return g_S.copy(), coupling
    wire = 1.0 / wire_ohm
    neighbours = np.full(columns, 2.0)
    neighbours[-1] = 1.0
    row_wire = np.diag(neighbours) - np.eye(columns, k=1) - np.eye(columns, k=-1)
    diagonal = np.arange(columns)
    pushed = np.empty((columns, rows))
    inverse = np.zeros((columns, columns))
    for row, g in enumerate(g_S):
        tridiagonal = wire * row_wire
        tridiagonal[diagonal, diagonal] += g
        resistance = np.linalg.inv(tridiagonal)
        schur = -(g[:, None] * resistance * g) - wire * wire * inverse
        column_wires = (row > 0) + 1
        schur[diagonal, diagonal] += g + column_wires * wire
        inverse = np.linalg.inv(schur)
        pushed[:, row] = wire * g * resistance[:, 0]
        before = pushed[:, : row + 1]
        after = inverse @ before
        coupling[: row + 1, : row + 1] += before.T @ after
        pushed[:, : row + 1] = wire * after
    np.fill_diagonal(coupling, 0.0)
    return np.ascontiguousarray(pushed.T), (coupling + coupling.T) / 2.0


@dataclass
class IrDrop:
    """Effective conductances of a layer, tile by tile; `progress(done, total)` counts tiles.

    `coupling_S`, float64 [row tiles, tile rows, tile rows], is K between the rows of a row tile as `apply` has found it
    last, summed over its column tiles, siemens; rows that are not there have 0.
    """

    wire_ohm: float
    tile_rows: int
    tile_columns: int
    progress: Callable[[int, int], None] | None = None
    coupling_S: NDArray[np.float64] | None = field(default=None, init=False, repr=False, compare=False)

    def apply(self, g_S: NDArray[np.float64], cells: object) -> NDArray[np.float64]:
        """[2, inputs, outputs] -> the same shape, siemens. `cells` is not used: nothing is random here."""
        _, inputs, outputs = g_S.shape
        tiles = [
            (slice(row, row + self.tile_rows), slice(column, column + self.tile_columns))
            for row in range(0, inputs, self.tile_rows)
            for column in range(0, outputs, self.tile_columns)
        ]
        out = np.empty_like(g_S)
        tile_rows = min(self.tile_rows, inputs)
        joined = np.zeros((-(-inputs // self.tile_rows), tile_rows, tile_rows))

        def work(place: tuple[slice, slice]) -> tuple[int, NDArray[np.float64]]:
            rows, columns = place
            tile = g_S[:, rows, columns]
            _, height, width = tile.shape
            physical = np.ascontiguousarray(tile.transpose(1, 2, 0)).reshape(height, 2 * width)
            effective, coupling = solved_tile(physical, self.wire_ohm)
            out[:, rows, columns] = effective.reshape(height, width, 2).transpose(2, 0, 1)
            return rows.start // self.tile_rows, coupling

        # A thread per tile; the small inversions lose more than they gain by threads of their own.
        with threadpool_limits(1):
            for done, (number, coupling) in enumerate(in_order(work, tiles), 1):
                joined[number, : len(coupling), : len(coupling)] += coupling
                if self.progress is not None:
                    self.progress(done, len(tiles))
        self.coupling_S = joined
        return out
