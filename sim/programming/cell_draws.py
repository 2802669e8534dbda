"""Random draws of single cells in compiled functions: those of `sim.common.random_numbers`, by address."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_numbers import philox4x32

__all__ = ["normal_of", "word_of"]

_MASK = np.uint64(0xFFFFFFFF)


@kernel(inline="always")
def word_of(row: int, block: int, side: int, k: int, keys: NDArray[np.uint64], purpose: int, place: int) -> Any:
    """Word `place` of the block at counter (row, block, side, k), uint64 holding 32 bits."""
    w0, w1, w2, w3 = philox4x32(
        np.uint64(row), np.uint64(block), np.uint64(side), np.uint64(k) & _MASK, keys[purpose, 0], keys[purpose, 1]
    )
    if place < 2:
        return w0 if place == 0 else w1
    return w2 if place == 2 else w3


@kernel(inline="always")
def normal_of(
    row: int, column: int, side: int, k: int, keys: NDArray[np.uint64], purpose: int, table: NDArray[np.float32]
) -> np.float64:
    """The Gaussian of `sim.common.random_numbers.cell_normals` of one cell, k its `programming`."""
    word = word_of(row, column >> 3, side, k, keys, purpose, (column & 7) >> 1)
    half = word >> np.uint64(16) if column & 1 else word & np.uint64(0xFFFF)
    return np.float64(table[half])
