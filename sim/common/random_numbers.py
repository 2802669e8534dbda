"""The addressed random numbers of `sim.common.random_words`, compiled: words and Gaussians.

A Gaussian is a quantile read from a table of 65,536 entries, indexed by a half word: no transcendental function is
evaluated at draw time, so scalar and vectorised code give the same bits.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_words import philox_rounds

__all__ = [
    "TABLE_SIZE",
    "cell_normals",
    "cell_words",
    "fill_words",
    "normal_table",
    "philox",
    "philox4x32",
]

TABLE_SIZE = 1 << 16
"""Entries of the table of normal quantiles."""

philox4x32 = kernel(inline="always")(philox_rounds)
"""`sim.common.random_words.philox_rounds`, compiled."""


@kernel()
def fill_words(
    words: NDArray[np.uint32], counters: NDArray[np.uint32], count: int, k0: np.uint64, k1: np.uint64
) -> None:
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
    """One random word per cell, uint32 [sides, rows, columns] (the result's shape is `shape`)."""
    sides, rows, columns = shape
    return _cell_blocks(key_words, (sides, rows, -(-columns // 4)), programming)[:, :, :columns]


def cell_normals(key_words: tuple[int, int], shape: tuple[int, int, int], programming: int = 0) -> NDArray[np.float64]:
    """One Gaussian per cell, float64 [sides, rows, columns], from the table's 65,536 quantiles (|x| < 4.33)."""
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
