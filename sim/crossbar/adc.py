"""Read noise and ADC: exact integer column sums in, codes out.

One function turns sums into codes, for a batch and for a single read alike; all of its arithmetic is elementwise in
float64, so both give the same bits. Floating-point shortcuts (fastmath) are off.

With u = sum x * W and v = sum x^2 * Q over the driven rows of a tile (`sim.crossbar.row_sums`), full scale S = 255 for
8-bit row codes and 1 else, read noise sigma and one Gaussian N per column:

    I    = u * 2^-10 / S + sigma * sqrt(v * 2^-4) / S * N          in units of V_read * dG
    code = clip(round_half_even(I / 2^g), low, high)
"""

from __future__ import annotations

import numpy as np

from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_numbers import fill_words
from spikeloom.sim.crossbar.row_sums import add_rows, list_driven, list_rows

__all__ = ["convert_single", "digitise"]

_CURRENT_LSB = 2.0**-CURRENT_BITS
_TOGETHER = 1024
"""Blocks of random words that are drawn together."""


@kernel()
def _digitise_tiles(  # type: ignore[no-untyped-def]
    which, tiles, count, units, u, v, source, images, first, k0, k1, table, full_scale, sigma, noise_lsb, inverse_lsb,
    low, high, codes, over, overs, counters, words, normals,
):  # fmt: skip
    """Codes and over flags of the row tiles `tiles[e]` of the reads `which[e]`, e < count; the last three are
    scratch.
    """
    positions = codes.shape[0] // source.shape[0]
    columns = codes.shape[2]
    blocks = (columns + 7) // 8
    if sigma > 0.0:
        for e in range(count):
            for block in range(blocks):
                counters[0, e * blocks + block] = images[which[e] // positions]
                counters[1, e * blocks + block] = first + which[e] % positions
                counters[2, e * blocks + block] = tiles[e]
                counters[3, e * blocks + block] = block
        fill_words(words, counters, count * blocks, k0, k1)
    for e in range(count):
        read, tile = which[e], tiles[e]
        at = source[read // positions] * positions + read % positions
        flags = 0
        unit = np.float64(units[at, tile])
        if sigma > 0.0:
            for block in range(blocks):
                for part in range(4):
                    word = words[part, e * blocks + block]
                    normals[8 * block + 2 * part] = table[word & np.uint32(0xFFFF)]
                    normals[8 * block + 2 * part + 1] = table[word >> np.uint32(16)]
        for i in range(columns):
            current = (np.float64(u[at, tile, i]) * unit) * _CURRENT_LSB / full_scale
            if sigma > 0.0:
                spread = np.sqrt((np.float64(v[at, tile, i]) * (unit * unit)) * noise_lsb)
                current += sigma * spread / full_scale * np.float64(normals[i])
            rounded = np.rint(current * inverse_lsb)
            outside = (rounded < low) | (rounded > high)
            codes[read, tile, i] = np.int16(min(max(rounded, low), high))
            over[read, tile, i] = outside
            flags += int(outside)
        overs[read // positions] += flags


@kernel(nogil=True)
def digitise(  # type: ignore[no-untyped-def]
    units, u, v, source, images, first, k0, k1, table, full_scale, sigma, noise_lsb, inverse_lsb, low, high, codes,
    over, overs,
):  # fmt: skip
    """Noise and ADC of the reads of a batch of images, each with as many reads, one after another.

    units, u, v : as `list_rows` and `add_rows` leave them; v is not looked at unless sigma > 0
    sigma, noise_lsb : read noise, relative to a cell; unit of v, squared conductance steps
    source : int64 [images], the image in units, u and v
    images, first : uint32 [images], and the number of each image's first read here, which address the noise
    k0, k1 : uint64
    codes : int16 [reads, row tiles, columns], over : bool likewise, overs : int64 [images]; all are written

    Random words are drawn for many row tiles together, so that the compiler can draw them side by side.
    """
    positions = codes.shape[0] // source.shape[0]
    blocks = (codes.shape[2] + 7) // 8
    most = max(1, _TOGETHER // blocks)
    counters = np.empty((4, most * blocks), np.uint32)
    words = np.empty_like(counters)
    normals = np.empty(8 * blocks, np.float32)
    which, tiles = np.empty(most, np.int64), np.empty(most, np.int64)
    count = 0
    overs[:] = 0
    for read in range(codes.shape[0]):
        at = source[read // positions] * positions + read % positions
        for tile in range(codes.shape[1]):
            if units[at, tile] == 0:
                for i in range(codes.shape[2]):
                    codes[read, tile, i] = 0
                    over[read, tile, i] = False
                continue
            which[count] = read
            tiles[count] = tile
            count += 1
            if count == most:
                _digitise_tiles(
                    which, tiles, count, units, u, v, source, images, first, k0, k1, table, full_scale, sigma,
                    noise_lsb, inverse_lsb, low, high, codes, over, overs, counters, words, normals,
                )  # fmt: skip
                count = 0
    _digitise_tiles(
        which, tiles, count, units, u, v, source, images, first, k0, k1, table, full_scale, sigma, noise_lsb,
        inverse_lsb, low, high, codes, over, overs, counters, words, normals,
    )  # fmt: skip


@kernel(nogil=True)
def convert_single(  # type: ignore[no-untyped-def]
    row_codes, last, tile_rows, row_conductance, w, q, noisy, units, u, v, tiles, conductance, image, read, k0, k1,
    table, full_scale, sigma, noise_lsb, inverse_lsb, low, high, codes, over,
):  # fmt: skip
    """One read: add up the driven rows and digitise.

    row_codes : uint8 [1, rows]; image, read : integers, which address the noise
    last, units, u, v, tiles, conductance : kept from read to read: row codes of the last read, and its sums; a read of
        the same row codes uses them again
    """
    same = True
    for j in range(row_codes.shape[1]):
        same = same and row_codes[0, j] == last[0, j]
    if not same:
        last[:] = row_codes
        runs = np.zeros((1, 1, 3), np.int32)
        runs[0, 0, 1] = 1
        first = np.empty((1, 2), np.int32)
        where, factors = np.empty((1, last.shape[1] + 1), np.int32), np.empty((1, last.shape[1] + 1), np.uint8)
        list_driven(row_codes, last.shape[1], 0, np.zeros(1, np.int32), first, where, factors)
        rows, factors_left = np.empty(first[0, 1], np.int32), np.empty(first[0, 1], np.uint8)
        ends = np.empty(units.shape, np.int64)
        list_rows(
            runs, first, where, factors, tile_rows, row_conductance, rows, factors_left, ends, units, tiles,
            conductance, np.empty(0, np.int64),
        )  # fmt: skip
        add_rows(rows, factors_left, ends, 1, w, u)
        if noisy:
            add_rows(rows, factors_left, ends, 2, q, v)
    digitise(
        units, u, v, np.zeros(1, np.int64), np.full(1, image, np.uint32), read, k0, k1, table, full_scale, sigma,
        noise_lsb, inverse_lsb, low, high, codes, over, np.empty(1, np.int64),
    )  # fmt: skip
