"""Currents diverted by wires: from driven rows into undriven ones, or from rows with larger codes into smaller ones.

With K of `sim.devices.ir_drop` on an integer grid, C = rint(K / dG * 2^20), and row codes x of a read of a row tile,

    stray = sum over pairs of rows of C[i, j] (x[i] - x[j])^2

so V_read^2 * t_read * dG * 2^-20 / S^2 * stray is what the drivers give beyond what reaches the ADCs (S = 255 for 8-bit
row codes, or 1). With A[i] = sum over j of C[i, j] this is sum x[i] (x[i] A[i] - sum over driven j of C[i, j] x[j]), so
only driven rows are looked at, pair by pair. Sums of integers: the same in a batch and alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.crossbar.row_sums import ListedRows

__all__ = ["STRAY_BITS", "add_stray", "stray_grid"]

STRAY_BITS = 20
"""Fraction bits of the grid C: pairs are many, and most of them small."""
_LARGEST = 1 << 62


def stray_grid(coupling_S: NDArray[np.float64], step_S: float, largest: int) -> NDArray[np.int64] | None:
    """C, int64 [row tiles, tile rows, tile rows], of K in siemens and conductance steps of `step_S`; `largest` is the
    largest row code. None where sums over a tile could be inexact.
    """
    values = np.rint(coupling_S / step_S * 2.0**STRAY_BITS)
    if float(values.sum(axis=(1, 2)).max(initial=0.0)) * largest**2 >= _LARGEST:
        return None
    return values.astype(np.int64)


@kernel(nogil=True)
def add_stray(
    listed: ListedRows,
    units: NDArray[np.int64],
    tile_rows: int,
    grid: NDArray[np.int64],
    sums: NDArray[np.int64],
    positions: int,
    stray: NDArray[np.int64],
) -> None:
    """Stray of all reads of each image.

    listed, units : as `sim.crossbar.row_sums.list_rows` leaves them
    grid, sums : C, and A [row tiles, tile rows]
    positions : reads of an image, one after another
    stray : int64 [images], added to
    """
    rows, codes, ends = listed
    start = 0
    for read in range(ends.shape[0]):
        for tile in range(ends.shape[1]):
            end = ends[read, tile]
            unit = units[read, tile]
            total = np.int64(0)
            for k in range(start, end):
                i = rows[k] - tile * tile_rows
                x = unit * np.int64(codes[k]) if len(codes) else np.int64(1)
                joined = np.int64(0)
                for other in range(start, end):
                    j = rows[other] - tile * tile_rows
                    y = unit * np.int64(codes[other]) if len(codes) else np.int64(1)
                    joined += grid[tile, i, j] * y
                total += x * (x * sums[tile, i] - joined)
            stray[read // positions] += total
            start = end
