"""Compiled inner loops of the crossbar: the rows that reads drive, and their exact sums.

A read is a window of maps at one output position (`sim.crossbar.windows`); a row vector is the map of a single
position, all of it the window. What is not silent is listed in two steps, so that no window is ever copied whole:

    list_driven    the values of a map that are not 0, position by position
    list_rows      of every read its driven rows, cut into row tiles
    add_rows       their sums: u = sum x * W, v = sum x^2 * Q, integers on the grids of `sim.crossbar.array`

Where all row codes of a tile are equal (spikes), their value `unit` is taken out of u, and its square out of v. Rows
are added one by one: spikes are sparse, so this is faster than a matrix product over all rows, and needs no argument
about rounding. All kernels run outside Python's interpreter lock.

The inner loops are written out, with full indices: a call or a slice of an array there costs as much as dozens of
additions, since Numba counts the references to arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.crossbar.grids import Grid

__all__ = ["ListedRows", "ListedValues", "add_rows", "count_rows", "list_driven", "list_rows"]


class ListedValues(NamedTuple):
    """The values of maps that are not 0, as `list_driven` leaves them.

    first : int32 [images, positions + 1], listed values before each position, and before the end
    where, factors : int32 and uint8 [images, more than all values]: place in the map, and row code
    """

    first: NDArray[np.int32]
    where: NDArray[np.int32]
    factors: NDArray[np.uint8]


class ListedRows(NamedTuple):
    """The driven rows of all reads, one read after another, as `list_rows` leaves them.

    rows, codes : int32 and uint8 [sum of `count_rows`]: rows, and their codes divided by the unit of their tile; codes
        of length 0 say that all are 1
    ends : int64 [reads, row tiles], listed rows up to the end of each tile
    """

    rows: NDArray[np.int32]
    codes: NDArray[np.uint8]
    ends: NDArray[np.int64]


@kernel(nogil=True)
def list_driven(
    codes: NDArray[np.uint8],
    channels: int,
    start: int,
    counts: NDArray[np.int32],
    first: NDArray[np.int32],
    where: NDArray[np.int32],
    factors: NDArray[np.uint8],
) -> None:
    """List the values of a map that are not 0, position by position, behind what is listed already.

    codes : uint8 [images, positions * channels]
    start : where the map's positions begin in `first`
    counts : int32 [images], values listed so far, counted on
    first : int32 [images, >= start + positions + 1], written: listed values before each position, and before the end
    where, factors : int32 and uint8 [images, more than all values], written: place in the map, and row code;
        factors [images, 0] are left alone
    """
    positions = codes.shape[1] // channels
    coded = factors.shape[1] > 0
    for b in range(codes.shape[0]):
        count = counts[b]
        for position in range(positions):
            first[b, start + position] = count
            for at in range(position * channels, (position + 1) * channels):
                where[b, count] = at
                if coded:
                    factors[b, count] = codes[b, at]
                count += np.int32(codes[b, at] != 0)
        first[b, start + positions] = count
        counts[b] = count


@kernel(nogil=True)
def count_rows(runs: NDArray[np.int32], first: NDArray[np.int32], driven: NDArray[np.int64]) -> None:
    """Driven rows of all reads of each image, int64 [images]; see `list_rows`."""
    for b in range(first.shape[0]):
        total = 0
        for position in range(runs.shape[0]):
            for run in range(runs.shape[1]):
                total += first[b, runs[position, run, 1]] - first[b, runs[position, run, 0]]
        driven[b] = total


@kernel(nogil=True)
def list_rows(
    runs: NDArray[np.int32],
    values: ListedValues,
    tile_rows: int,
    row_conductance: NDArray[np.int64],
    listed: ListedRows,
    units: NDArray[np.int64],
    tiles: NDArray[np.int64],
    conductance: NDArray[np.int64],
    pulses: NDArray[np.int64],
) -> None:
    """List the driven rows of the reads of every image at every position, position fastest.

    runs : int32 [positions, runs, 3], from and to in `first`, and what to add to a place for its row; rows rise
    values : a `ListedValues`; its factors are not looked at if `listed` has no codes
    row_conductance : int64 [rows]
    listed : a `ListedRows`, written
    units : int64 [reads, row tiles], written: common factor of a tile's row codes, 1 if there is none, 0 where silent
    tiles, conductance : int64 [images], written: row tiles that are driven, and sum of x^2 * row_conductance, of all
        reads of an image
    pulses : int64 [rows], how often a row is driven is added; of length 0 if that is not asked for
    """
    first, where, factors = values
    rows, codes, ends = listed
    positions = runs.shape[0]
    weighted = codes.shape[0] > 0
    count = 0
    for b in range(first.shape[0]):
        total, active = np.int64(0), np.int64(0)
        for position in range(positions):
            read = b * positions + position
            start = count
            for run in range(runs.shape[1]):
                shift = runs[position, run, 2]
                for k in range(first[b, runs[position, run, 0]], first[b, runs[position, run, 1]]):
                    row = where[b, k] + shift
                    rows[count] = row
                    if weighted:
                        x = np.int64(factors[b, k])
                        codes[count] = factors[b, k]
                        total += x * x * row_conductance[row]
                    else:
                        total += row_conductance[row]
                    count += 1
            if len(pulses):
                for k in range(start, count):
                    pulses[rows[k]] += 1
            for tile in range(ends.shape[1]):
                end = count
                if tile < ends.shape[1] - 1:
                    end = start
                    while end < count and rows[end] < (tile + 1) * tile_rows:
                        end += 1
                ends[read, tile] = end
                units[read, tile] = np.int64(end > start)
                active += np.int64(end > start)
                if weighted and end > start:
                    unit = codes[start]
                    equal = True
                    for k in range(start, end):
                        equal = equal and codes[k] == unit
                    if equal:
                        units[read, tile] = unit
                        codes[start:end] = 1
                start = end
        tiles[b] = active
        conductance[b] = total


@kernel(nogil=True)
def add_rows(listed: ListedRows, power: int, grid: Grid, totals: Grid) -> None:
    """Sums of the grid's listed rows, each times its code to the power of 1 or 2.

    listed : a `ListedRows`; grid : integers [rows, columns]
    totals : int32 or int64 [reads, row tiles, columns], written where a tile is not silent
    """
    rows, codes, ends = listed
    columns = grid.shape[1]
    start = 0
    for read in range(ends.shape[0]):
        for tile in range(ends.shape[1]):
            end = ends[read, tile]
            if end == start:
                continue
            plain = True
            if len(codes):
                for k in range(start, end):
                    plain = plain and codes[k] == 1
            for i in range(columns):
                totals[read, tile, i] = 0
            k = start
            while plain and k + 4 <= end:
                a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
                for i in range(columns):
                    totals[read, tile, i] += np.int32((grid[a, i] + grid[b, i]) + (grid[c, i] + grid[d, i]))
                k += 4
            while plain and k < end:
                a = rows[k]
                for i in range(columns):
                    totals[read, tile, i] += grid[a, i]
                k += 1
            while k < end:
                a = rows[k]
                x = np.int32(codes[k])
                if power == 2:
                    x *= x
                for i in range(columns):
                    totals[read, tile, i] += x * grid[a, i]
                k += 1
            start = end
