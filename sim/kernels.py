"""Compiled inner loops of the crossbar: sums of driven rows, read noise, ADC.

One function, `_digitise`, turns exact integer column sums into ADC codes, for a batch and for a single read alike; all
of its arithmetic is elementwise in float64, so both give the same bits. Floating-point shortcuts (fastmath) are off.

Symbols: u = sum x * W, v = sum x^2 * Q over the driven rows of a tile, exact integers on the grids of `sim.crossbar`;
full_scale S is 255 for 8-bit row codes and 1 else. Where all row codes of a tile are equal (spikes), their value `unit`
is taken out of the sums, and its square out of v. Rows are added one by one: spikes are sparse, so this is faster than
a matrix product over all rows, and needs no argument about rounding. All kernels run outside Python's interpreter lock.

    I    = u * 2^-10 / S + sigma * sqrt(v * 2^-4) / S * N          in units of V_read * dG
    code = clip(round_half_even(I / 2^g), low, high)
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.philox import fill_normals

__all__ = ["CURRENT_BITS", "NOISE_BITS", "convert_single", "digitise_batch", "row_counts", "sum_batch"]

CURRENT_BITS = 10
"""Fraction bits of the current grid: W = rint((Gp - Gn) / dG * 2^10)."""
NOISE_BITS = 4
"""Fraction bits of the noise grid: Q = rint((Gp^2 + Gn^2) / dG^2 * 2^4)."""

_CURRENT_LSB = 2.0**-CURRENT_BITS
_NOISE_LSB = 2.0**-NOISE_BITS


@njit(cache=True)
def _digitise(u, v, normals, unit, full_scale, sigma, inverse_lsb, low, high, codes, over):  # type: ignore[no-untyped-def]
    """Codes and over flags of one row tile (all arrays [columns]); returns the number of flags."""
    count = 0
    for i in range(codes.shape[0]):
        current = (np.float64(u[i]) * unit) * _CURRENT_LSB / full_scale
        if sigma > 0.0:
            spread = np.sqrt((np.float64(v[i]) * (unit * unit)) * _NOISE_LSB)
            current += sigma * spread / full_scale * np.float64(normals[i])
        rounded = np.rint(current * inverse_lsb)
        outside = (rounded < low) | (rounded > high)
        codes[i] = np.int16(min(max(rounded, low), high))
        over[i] = outside
        count += int(outside)
    return count


@njit(cache=True)
def _add_rows(rows, count, grid, total):  # type: ignore[no-untyped-def]
    """total = sum of the grid's listed rows."""
    total[:] = 0
    k = 0
    while k + 4 <= count:
        a, b, c, d = grid[rows[k]], grid[rows[k + 1]], grid[rows[k + 2]], grid[rows[k + 3]]
        for i in range(total.shape[0]):
            total[i] += np.int32((a[i] + b[i]) + (c[i] + d[i]))
        k += 4
    while k < count:
        a = grid[rows[k]]
        for i in range(total.shape[0]):
            total[i] += a[i]
        k += 1


@njit(cache=True)
def _add_weighted(rows, count, factors, grid, total):  # type: ignore[no-untyped-def]
    """total = sum of the grid's listed rows times `factors` (int32 [rows])."""
    total[:] = 0
    k = 0
    while k + 2 <= count:
        a, b = grid[rows[k]], grid[rows[k + 1]]
        x, y = factors[k], factors[k + 1]
        for i in range(total.shape[0]):
            total[i] += x * a[i] + y * b[i]
        k += 2
    if k < count:
        a = grid[rows[k]]
        x = factors[k]
        for i in range(total.shape[0]):
            total[i] += x * a[i]


@njit(cache=True)
def _tile_sums(row_codes, w, q, noisy, tile_rows, units, u, v, rows, factors, squares):  # type: ignore[no-untyped-def]
    """Sums of one read: u, v [row tiles, columns] and units [row tiles] are written, the last three are scratch."""
    for tile in range(u.shape[0]):
        count = 0
        unit = 0
        equal = True
        for j in range(tile * tile_rows, min((tile + 1) * tile_rows, row_codes.shape[0])):
            x = int(row_codes[j])
            if x != 0:
                rows[count] = j
                factors[count] = x
                squares[count] = x * x
                equal = equal and (count == 0 or x == unit)
                unit = x
                count += 1
        if equal:
            units[tile] = unit
            _add_rows(rows, count, w, u[tile])
            if noisy:
                _add_rows(rows, count, q, v[tile])
        else:
            units[tile] = 1
            _add_weighted(rows, count, factors, w, u[tile])
            if noisy:
                _add_weighted(rows, count, squares, q, v[tile])


@njit(cache=True)
def _digitise_tiles(  # type: ignore[no-untyped-def]
    units, u, v, image, step, k0, k1, table, full_scale, sigma, inverse_lsb, low, high, codes, over, normals, words
):
    """Codes and over flags [row tiles, columns] of one read from its sums; returns the number of flags."""
    total = 0
    for tile in range(codes.shape[0]):
        if units[tile] == 0:
            codes[tile] = 0
            over[tile] = False
            continue
        at = 0
        if sigma > 0.0:
            at = tile
            fill_normals(normals, words, table, image, step, np.uint64(tile), k0, k1)
        total += _digitise(
            u[tile], v[at], normals, np.float64(units[tile]), full_scale, sigma, inverse_lsb, low, high,
            codes[tile], over[tile],
        )  # fmt: skip
    return total


@njit(cache=True, nogil=True)
def sum_batch(row_codes, w, q, noisy, tile_rows, units, u, v):  # type: ignore[no-untyped-def]
    """Sums of a batch of row vectors.

    row_codes : uint8 [images, rows]; w, q : integer grids [rows, columns] (q is not looked at unless noisy)
    units : int64 [images, row tiles], common factor of a tile's row codes, 0 where silent
    u, v : int32 or int64 [images, row tiles, columns] (v [.., 1, 1] unless noisy); units, u and v are written
    """
    rows = np.empty(tile_rows, np.int64)
    factors = np.empty(tile_rows, np.int32)
    squares = np.empty(tile_rows, np.int32)
    for b in range(row_codes.shape[0]):
        _tile_sums(row_codes[b], w, q, noisy, tile_rows, units[b], u[b], v[b], rows, factors, squares)


@njit(cache=True, nogil=True)
def digitise_batch(  # type: ignore[no-untyped-def]
    units, u, v, source, images, step, k0, k1, table, full_scale, sigma, inverse_lsb, low, high, codes, over, overs
):
    """Noise and ADC of a batch; image b's sums are at `source[b]` of units, u and v (see `sum_batch`).

    images : uint32 [images]; step, k0, k1 : uint64
    codes : int16 [images, row tiles, columns], over : bool likewise, overs : int64 [images]; all are written
    """
    columns = codes.shape[2]
    normals = np.empty(columns, np.float32)
    words = np.empty((4, (columns + 7) // 8), np.uint32)
    for b in range(codes.shape[0]):
        at = source[b]
        overs[b] = _digitise_tiles(
            units[at], u[at], v[at], np.uint64(images[b]), step, k0, k1, table, full_scale, sigma, inverse_lsb,
            low, high, codes[b], over[b], normals, words,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def convert_single(  # type: ignore[no-untyped-def]
    row_codes, last, units, w, q, noisy, u, v, tile_rows, image, step, k0, k1, table, full_scale, sigma, inverse_lsb,
    low, high, codes, over,
):  # fmt: skip
    """One read: add up the driven rows and digitise; returns the number of over flags.

    last, units, u, v : kept from read to read: row codes of the last read (uint8 [rows]), and its sums as in
    `sum_batch`, without the first axis; a read of the same row codes uses them again
    """
    columns = w.shape[1]
    same = True
    for j in range(row_codes.shape[0]):
        same = same and row_codes[j] == last[j]
    if not same:
        rows = np.empty(tile_rows, np.int64)
        factors = np.empty(tile_rows, np.int32)
        squares = np.empty(tile_rows, np.int32)
        _tile_sums(row_codes, w, q, noisy, tile_rows, units, u, v, rows, factors, squares)
        last[:] = row_codes
    normals = np.empty(columns, np.float32)
    words = np.empty((4, (columns + 7) // 8), np.uint32)
    return _digitise_tiles(
        units, u, v, image, step, k0, k1, table, full_scale, sigma, inverse_lsb, low, high, codes, over, normals, words
    )


@njit(cache=True, nogil=True)
def row_counts(row_codes, conductance, counts, totals):  # type: ignore[no-untyped-def]
    """Driven rows and sum of x^2 * conductance of each read, uint8 [images, rows] -> int64 [images] twice."""
    for b in range(row_codes.shape[0]):
        count = 0
        total = 0
        for j in range(row_codes.shape[1]):
            x = int(row_codes[b, j])
            count += int(x != 0)
            total += x * x * conductance[j]
        counts[b] = count
        totals[b] = total
