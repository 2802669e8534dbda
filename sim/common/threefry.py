"""Threefry-2x32-20: addressed random words without multiplications, for noise that hardware computes too.

Threefry [J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, where Philox is from too] turns a
counter of two 32-bit words and a key of two into two random words by additions, rotations and exclusive ors: an adder
and wires, where Philox takes 32-bit multipliers. As for Philox (`sim.common.random_words`), every draw has an address:

    key     = (seed, purpose << 16 | layer)
    counter = (image, read)    noise of conversions, `sim.crossbar.conversion_noise`

Twenty rounds; every fourth adds words of the key and the number of the addition.
"""

from __future__ import annotations

import numpy as np

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_words import Words

__all__ = ["threefry2x32", "threefry_rounds"]

_PARITY = np.uint64(0x1BD11BDA)
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_ROTATIONS = tuple(np.uint64(places) for places in (13, 15, 26, 6, 17, 29, 16, 24))


def threefry_rounds(c0: Words, c1: Words, k0: Words, k1: Words) -> tuple[Words, Words]:
    """One block, for words and for arrays of them alike; arguments and results are uint64 holding 32-bit words."""
    keys = (k0, k1, _PARITY ^ k0 ^ k1)
    x0 = (c0 + k0) & _MASK
    x1 = (c1 + k1) & _MASK
    for injection in range(1, 6):
        for turn in range(4):
            places = _ROTATIONS[(injection - 1) % 2 * 4 + turn]
            x0 = (x0 + x1) & _MASK
            x1 = (((x1 << places) | (x1 >> (_32 - places))) & _MASK) ^ x0
        x0 = (x0 + keys[injection % 3]) & _MASK
        x1 = (x1 + keys[(injection + 1) % 3] + np.uint64(injection)) & _MASK
    return x0, x1


threefry2x32 = kernel(inline="always")(threefry_rounds)
"""`threefry_rounds`, compiled, of one block."""
