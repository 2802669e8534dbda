"""Read noise, noise of the conversion and ADC: exact integer column sums in, codes out.

One function turns sums into codes, for a batch and for a single read alike; all of its arithmetic is elementwise in
float64, so both give the same bits. Floating-point shortcuts (fastmath) are off.

With u = sum x * W and v = sum x^2 * Q over the driven rows of a tile (`sim.crossbar.row_sums`), full scale S = 255 for
8-bit row codes and 1 else, read noise sigma and one Gaussian N per column, and A t of the conversion's noise:

    I    = (u + A t S 2^g) * 2^-10 / S + sigma * sqrt(v * 2^-4) / S * N        in units of V_read * dG
    code = clip(round_half_even(I / 2^g), low, high)

u + A t S 2^g is a whole number below 2^53, so double precision holds it, and the only rounding before that of the code
is that of the division by S: as long as a code is in the range, exact enough never to take it to or from a tie. Without
read noise codes are those of whole numbers, as hardware computes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_numbers import fill_words
from spikeloom.sim.crossbar.conversion_noise import draw, fill_products, multiply, read_words
from spikeloom.sim.crossbar.grids import Grid
from spikeloom.sim.crossbar.row_sums import add_rows, list_driven, list_rows

__all__ = ["Converted", "Converter", "ReadGrids", "Sums", "convert_single", "digitise"]

_CURRENT_LSB = 2.0**-CURRENT_BITS
_TOGETHER = 1024
"""Blocks of random words that are drawn together."""


class Converter(NamedTuple):
    """The converters of a crossbar, and the noise of its reads.

    words : uint64 [6]: keys, of two words each, of the random numbers of read noise and of conversions; A S 2^g above,
        0 of conversions without noise; lanes of a row tile. One array: Numba takes its time for every argument
    table : float32 [65536], normal quantiles
    full_scale : S above
    sigma, noise_lsb : read noise, relative to a cell; unit of v, squared conductance steps
    inverse_lsb : 2^-g, codes per conductance step
    low, high : range of the codes
    """

    words: NDArray[np.uint64]
    table: NDArray[np.float32]
    full_scale: float
    sigma: float
    noise_lsb: float
    inverse_lsb: float
    low: float
    high: float


class Sums(NamedTuple):
    """Sums of reads, as `list_rows` and `add_rows` leave them: int64 [reads, row tiles], integers [reads, row tiles,
    columns] twice; v is not looked at unless sigma > 0.
    """

    units: NDArray[np.int64]
    u: Grid
    v: Grid


class Converted(NamedTuple):
    """What is written: codes int16 and over flags bool, both [reads, row tiles, columns], flags int64 [images]."""

    codes: NDArray[np.int16]
    over: NDArray[np.bool_]
    overs: NDArray[np.int64]


class ReadGrids(NamedTuple):
    """A crossbar as single reads need it: rows of a tile, R int64 [rows], W and Q integers [rows, columns], and whether
    Q is looked at.
    """

    tile_rows: int
    row_conductance: NDArray[np.int64]
    w: Grid
    q: Grid
    noisy: bool


class _Noise(NamedTuple):
    """Scratch of the noise: counters and words uint32 [4, blocks], Gaussians float32 [8 * blocks of a read]; of the
    conversions' noise products uint32 [columns], or nothing without it.
    """

    counters: NDArray[np.uint32]
    words: NDArray[np.uint32]
    normals: NDArray[np.float32]
    products: NDArray[np.uint32]


@kernel()
def _digitise_tiles(
    which: NDArray[np.int64],
    tiles: NDArray[np.int64],
    count: int,
    sums: Sums,
    source: NDArray[np.int64],
    images: NDArray[np.uint32],
    first: int,
    converter: Converter,
    converted: Converted,
    noise: _Noise,
) -> None:
    """Codes and over flags of the row tiles `tiles[e]` of the reads `which[e]`, e < count."""
    units, u, v = sums
    keys, table, full_scale, sigma, noise_lsb, inverse_lsb, low, high = converter
    codes, over, overs = converted
    counters, words, normals, products = noise
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
        fill_words(words, counters, count * blocks, keys[0], keys[1])
    noise_step = np.float64(keys[4])
    drawn, a, of_tiles, of_tile = np.int64(-1), np.uint64(0), np.uint64(0), np.uint32(0)
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
        if noise_step > 0.0:
            if read != drawn:
                a, b = read_words(images[read // positions], first + read % positions, keys[2], keys[3])
                of_tiles = fill_products(products, np.int64(keys[5]), b)
                drawn = read
            of_tile = np.uint32(a ^ multiply(of_tiles, np.uint64(tile)))
        for i in range(columns):
            current = np.float64(u[at, tile, i]) * unit
            if noise_step > 0.0:
                current += noise_step * np.float64(draw(products[i] ^ of_tile))
            current = current * _CURRENT_LSB / full_scale
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
def digitise(
    sums: Sums,
    source: NDArray[np.int64],
    images: NDArray[np.uint32],
    first: int,
    converter: Converter,
    converted: Converted,
) -> None:
    """Noise and ADC of the reads of a batch of images, each with as many reads, one after another.

    sums, converter, converted : a `Sums`, a `Converter`, a `Converted`
    source : int64 [images], the image in the sums
    images, first : uint32 [images], and the number of each image's first read here, which address the noise

    Random words are drawn for many row tiles together, so that the compiler can draw them side by side.
    """
    units, _, _ = sums
    codes, over, overs = converted
    positions = codes.shape[0] // source.shape[0]
    blocks = (codes.shape[2] + 7) // 8
    most = max(1, _TOGETHER // blocks)
    counters = np.empty((4, most * blocks), np.uint32)
    products = np.empty(codes.shape[2] if converter[0][4] else 0, np.uint32)
    noise = _Noise(counters, np.empty_like(counters), np.empty(8 * blocks, np.float32), products)
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
                _digitise_tiles(which, tiles, count, sums, source, images, first, converter, converted, noise)
                count = 0
    _digitise_tiles(which, tiles, count, sums, source, images, first, converter, converted, noise)


@kernel(nogil=True)
def convert_single(
    row_codes: NDArray[np.uint8],
    last: NDArray[np.uint8],
    grids: ReadGrids,
    sums: Sums,
    tiles: NDArray[np.int64],
    conductance: NDArray[np.int64],
    image: int,
    read: int,
    converter: Converter,
    converted: Converted,
) -> None:
    """One read: add up the driven rows and digitise.

    row_codes : uint8 [1, rows]; image, read : integers, which address the noise
    grids, sums, converter, converted : a `ReadGrids`, a `Sums`, a `Converter`, a `Converted`
    last, sums, tiles, conductance : kept from read to read: row codes of the last read, and its sums; a read of the
        same row codes uses them again
    """
    tile_rows, row_conductance, w, q, noisy = grids
    units, u, v = sums
    same = True
    for j in range(row_codes.shape[1]):
        same = same and row_codes[0, j] == last[0, j]
    if not same:
        last[:] = row_codes
        size = last.shape[1]
        runs = np.zeros((1, 1, 3), np.int32)
        runs[0, 0, 1] = 1
        first = np.empty((1, 2), np.int32)
        where, factors = np.empty((1, size + 1), np.int32), np.empty((1, size + 1), np.uint8)
        list_driven(row_codes, size, 0, np.zeros(1, np.int32), first, where, factors)
        values = (first, where, factors)
        count = first[0, 1]
        listed = (np.empty(count, np.int32), np.empty(count, np.uint8), np.empty(units.shape, np.int64))
        list_rows(runs, values, tile_rows, row_conductance, listed, units, tiles, conductance, np.empty(0, np.int64))
        add_rows(listed, 1, w, u)
        if noisy:
            add_rows(listed, 2, q, v)
    digitise(sums, np.zeros(1, np.int64), np.full(1, image, np.uint32), read, converter, converted)
