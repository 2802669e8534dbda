"""Counter-based random numbers: every draw has an address, and any subset in any order sees the same draws.

Philox4x32-10 [J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011] turns a counter of four
32-bit words and a key of two into four random words. Here

    key     = (seed, purpose << 16 | layer)
    counter = (image, read, row tile, column // 8)    read noise: column % 8 picks a 16-bit half word, low half first
    counter = (row, column // 8 or // 4, side, programming)    cells: 16-bit halves for normals, words for uniforms
    counter = (row, column // 8, side, k)    k-th programming pulse, or k-th verify read, of a cell's life
    counter = (image, 0, 0, 0)    seed of an image's rate encoder

A layer's reads of an image are counted as step * positions + position (step 1, 2, ..., position 0, 1, ...), which is
the step where the layer has a single position.

A Gaussian is a quantile read from a table of 65,536 entries, indexed by a half word: no transcendental function is
evaluated at draw time, so scalar and vectorised code give the same bits.

Compiled kernels elsewhere inline these functions, and Numba's on-disk cache follows only the file of the kernel itself:
after a change here, delete `sim/__pycache__`.
"""

from __future__ import annotations

import enum
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = [
    "TABLE_SIZE",
    "Purpose",
    "cell_normals",
    "cell_words",
    "fill_normals",
    "fill_words",
    "key",
    "normal_table",
    "philox",
    "philox4x32",
]

TABLE_SIZE = 1 << 16
"""Entries of the table of normal quantiles."""

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_16 = np.uint64(16)
_HALF = np.uint64(0xFFFF)


class Purpose(enum.IntEnum):
    """What a draw is for; draws of two purposes never share an address."""

    DEVICE = 1
    PROGRAM = 2
    STUCK = 3
    READ = 4
    ENCODER = 5
    PULSE = 6
    VERIFY = 7


def key(seed: int, purpose: Purpose, layer: int = 0) -> tuple[int, int]:
    """The key words (seed, purpose << 16 | layer); seed 0 .. 2^32 - 1, layer 0 .. 65535."""
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"A seed must be in 0 .. 4294967295, not {seed!r}")
    if not 0 <= layer < 1 << 16:
        raise ValueError(f"A layer's number must be in 0 .. 65535, not {layer!r}")
    return seed, int(purpose) << 16 | layer


@njit(cache=True, inline="always")
def philox4x32(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """One block, ten rounds. All arguments and the four results are uint64 holding 32-bit words."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@njit(cache=True)
def fill_words(words, counters, count, k0, k1):  # type: ignore[no-untyped-def]
    """The first `count` blocks of counters, uint32 [4, >= count], into `words` of the same shape; k0, k1 are uint64."""
    for i in range(count):
        w0, w1, w2, w3 = philox4x32(
            np.uint64(counters[0, i]), np.uint64(counters[1, i]), np.uint64(counters[2, i]), np.uint64(counters[3, i]),
            k0, k1,
        )  # fmt: skip
        words[0, i] = np.uint32(w0)
        words[1, i] = np.uint32(w1)
        words[2, i] = np.uint32(w2)
        words[3, i] = np.uint32(w3)


@njit(cache=True)
def fill_normals(out, words, first, table):  # type: ignore[no-untyped-def]
    """One Gaussian a column into `out`, float32 [columns], from the blocks `words[:, first:]`; see `fill_words`."""
    columns = out.shape[0]
    full = columns // 8
    for block in range(full):
        for part in range(4):
            word = words[part, first + block]
            out[8 * block + 2 * part] = table[word & np.uint32(0xFFFF)]
            out[8 * block + 2 * part + 1] = table[word >> np.uint32(16)]
    for column in range(8 * full, columns):
        word = words[(column % 8) // 2, first + full]
        out[column] = table[word >> np.uint32(16) if column % 2 else word & np.uint32(0xFFFF)]


def philox(counters: NDArray[np.uint32], key_words: tuple[int, int]) -> NDArray[np.uint32]:
    """Blocks of many counters: uint32 [..., 4] -> uint32 [..., 4]."""
    counters = np.ascontiguousarray(counters, np.uint32)
    flat = np.ascontiguousarray(counters.reshape(-1, 4).T)
    words = np.empty_like(flat)
    fill_words(words, flat, flat.shape[1], np.uint64(key_words[0]), np.uint64(key_words[1]))
    return np.ascontiguousarray(words.T).reshape(counters.shape)


@lru_cache(maxsize=1)
def normal_table() -> NDArray[np.float32]:
    """Normal quantiles at (i + 0.5) / 65536, float32 [65536], read-only; largest magnitude 4.33.

    Computed in double precision for the lower half, mirrored, and rounded to single, so that the last bits of a
    mathematical library do not matter.
    """
    lower = ndtri((np.arange(TABLE_SIZE // 2) + 0.5) / TABLE_SIZE).astype(np.float32)
    table = np.concatenate([lower, -lower[::-1]])
    table.setflags(write=False)
    return table


def cell_words(key_words: tuple[int, int], shape: tuple[int, int, int], programming: int = 0) -> NDArray[np.uint32]:
    """One random word a cell, uint32 [sides, rows, columns] (the result's shape is `shape`)."""
    sides, rows, columns = shape
    return _cell_blocks(key_words, (sides, rows, -(-columns // 4)), programming)[:, :, :columns]


def cell_normals(key_words: tuple[int, int], shape: tuple[int, int, int], programming: int = 0) -> NDArray[np.float64]:
    """One Gaussian a cell, float64 [sides, rows, columns], from the table's 65,536 quantiles (|x| < 4.33)."""
    sides, rows, columns = shape
    words = _cell_blocks(key_words, (sides, rows, -(-columns // 8)), programming)
    halves = np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=-1).reshape(sides, rows, -1)
    return normal_table()[halves[:, :, :columns]].astype(np.float64)


def _cell_blocks(key_words: tuple[int, int], shape: tuple[int, int, int], programming: int) -> NDArray[np.uint32]:
    sides, rows, blocks = shape
    counters = np.empty((sides, rows, blocks, 4), np.uint32)
    counters[..., 0] = np.arange(rows)[None, :, None]
    counters[..., 1] = np.arange(blocks)[None, None, :]
    counters[..., 2] = np.arange(sides)[:, None, None]
    counters[..., 3] = programming
    return philox(counters, key_words).reshape(sides, rows, blocks * 4)
