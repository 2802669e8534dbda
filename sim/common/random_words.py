"""Counter-based random numbers: every draw has an address, and any subset in any order sees the same draws.

Philox4x32-10 [J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011] turns a counter of four
32-bit words and a key of two into four random words. Here

    key     = (seed, purpose << 16 | layer)
    counter = (image, read, row tile, column // 8)    read noise: column % 8 picks a 16-bit half word, low half first
    counter = (row, column // 8 or // 4, side, programming)    cells: 16-bit halves for normals, words for uniforms
    counter = (row, column // 8, side, k)    k-th programming pulse, or k-th verify read, of a cell's life
    counter = (image, 0, 0, 0)    seed of an image's rate encoder

and the noise of conversions has two words from Threefry at (image, read) (`sim.common.threefry`).

A layer's reads of an image are counted as step * positions + position (step 1, 2, ..., position 0, 1, ...), which is
the step where the layer has a single position.

The rounds are plain arithmetic, for words and for arrays of them alike; `sim.common.random_numbers` compiles them.
"""

from __future__ import annotations

import enum
import zlib

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["Purpose", "Words", "key", "own_purpose", "philox_blocks", "philox_rounds"]

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


Words = np.uint64 | NDArray[np.uint64]
"""A word of 32 bits, or many."""
FourWords = tuple[Words, Words, Words, Words]


class Purpose(enum.IntEnum):
    """What a draw is for; draws of two purposes never share an address."""

    DEVICE = 1
    PROGRAM = 2
    STUCK = 3
    READ = 4
    ENCODER = 5
    PULSE = 6
    VERIFY = 7
    CONVERT = 8


_OWN: dict[int, str] = {}


def own_purpose(name: str) -> int:
    """A purpose for the draws of what is registered from outside: its number, 256 .. 65535, follows from its name.

    Raises ValueError in the rare case that another name has this number.
    """
    number = 256 + zlib.crc32(name.encode()) % (65536 - 256)
    other = _OWN.setdefault(number, name)
    if other != name:
        raise SpikeLoomError(f"The purposes '{name}' and '{other}' have the same number; give one another name")
    return number


def key(seed: int, purpose: Purpose | int, layer: int = 0) -> tuple[int, int]:
    """The key words (seed, purpose << 16 | layer); seed 0 .. 2^32 - 1, layer 0 .. 65535."""
    if not 0 <= seed < 1 << 32:
        raise SpikeLoomError(f"A seed must be in 0 .. 4294967295, not {seed!r}")
    if not 0 <= layer < 1 << 16:
        raise SpikeLoomError(f"A layer's number must be in 0 .. 65535, not {layer!r}")
    return seed, int(purpose) << 16 | layer


def philox_rounds(c0: Words, c1: Words, c2: Words, c3: Words, k0: Words, k1: Words) -> FourWords:
    """One block, ten rounds. All arguments and the four results are uint64 holding 32-bit words."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def philox_blocks(counters: NDArray[np.uint32], key_words: tuple[int, int]) -> NDArray[np.uint32]:
    """Blocks of counters without a compiler: uint32 [..., 4] -> uint32 [..., 4]; see
    `sim.common.random_numbers.philox`."""
    words = np.asarray(counters, np.uint32).astype(np.uint64)
    c0, c1, c2, c3 = (words[..., place] for place in range(4))
    blocks = philox_rounds(c0, c1, c2, c3, np.uint64(key_words[0]), np.uint64(key_words[1]))
    return np.stack(blocks, axis=-1).astype(np.uint32)
