"""Noise of conversions, in whole numbers: what a readout and its ADC add, to the bit the same in hardware.

    A = rint(adc_sigma 2^10 / sqrt(170))                    amplitude, in 2^-10 codes per unit of t
    (a, b) = Threefry of the counter (image, read)          once per read, key (seed, CONVERT << 16 | layer)
    w = a xor e * b, in GF(2^32)                            e = tile << 20 | group << 10 | lane
    t = (sum of the eight 4-bit digits of w) - 60           mean 0, variance 170, -60 .. 60

The code of a conversion is that of its current plus A t 2^-10 codes (`sim.crossbar.adc`). Column i is converted by lane
i % lanes in group i // lanes. The field is that of x^32 + x^22 + x^2 + x + 1, bit i of a word being the coefficient of
x^i.

For uniform a and b the words of a read are pairwise independent: a + e b is a family of M. N. Wegman and J. L. Carter
(J. Comput. Syst. Sci. 22, 1981), since the difference of two e has an inverse. e * b is linear in e: lane, group and
tile each add a product. The sum of eight digits is close to a Gaussian: excess kurtosis -0.15, largest value 4.6 sigma.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.shape import LARGEST_NOISE
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.threefry import threefry2x32

__all__ = [
    "conversion_noise",
    "draw",
    "fill_products",
    "multiply",
    "read_words",
]

_REDUCTION = np.uint64(0x00400007)
_MASK = np.uint64(0xFFFFFFFF)
_1 = np.uint64(1)
_31 = np.uint64(31)
_4, _8, _16 = np.uint32(4), np.uint32(8), np.uint32(16)
_DIGITS = np.uint32(0x0F0F0F0F)
_BYTE = np.uint32(0xFF)


@kernel(inline="always")
def _times_x(word: np.uint64) -> np.uint64:
    """A word times x."""
    return ((word << _1) & _MASK) ^ (_REDUCTION * (word >> _31))


@kernel()
def multiply(word: np.uint64, e: np.uint64) -> np.uint64:
    """e * word, in GF(2^32); both are uint64 holding 32-bit words."""
    product = np.uint64(0)
    while e:
        product ^= word * (e & _1)
        word = _times_x(word)
        e >>= _1
    return product


@kernel()
def read_words(image: int, read: int, k0: np.uint64, k1: np.uint64) -> tuple[np.uint64, np.uint64]:
    """a and b of a read."""
    a, b = threefry2x32(np.uint64(image) & _MASK, np.uint64(read) & _MASK, k0, k1)
    return a, b


@kernel()
def fill_products(products: NDArray[np.uint32], lanes: int, b: np.uint64) -> np.uint64:
    """group << 10 | lane times b for every column, into uint32 [columns]; returns 2^20 times b, to be multiplied by
    the number of a tile.

    Lanes by doubling, since 2^n + j times b is the sum of both products; then the further groups.
    """
    columns = products.shape[0]
    products[0] = 0
    done, power = 1, b
    for _ in range(10):
        if done < lanes:
            for j in range(min(done, lanes - done)):
                products[done + j] = products[j] ^ np.uint32(power)
            done = min(2 * done, lanes)
        power = _times_x(power)
    group = 1
    for start in range(lanes, columns, lanes):
        of_group = np.uint32(multiply(power, np.uint64(group)))
        for j in range(min(lanes, columns - start)):
            products[start + j] = products[j] ^ of_group
        group += 1
    for _ in range(10):
        power = _times_x(power)
    return power


@kernel(inline="always")
def draw(word: np.uint32) -> np.int32:
    """t of a conversion's word w."""
    digits = np.uint32((word & _DIGITS) + ((word >> _4) & _DIGITS))
    digits = np.uint32(digits + (digits >> _16))
    digits = np.uint32(digits + (digits >> _8))
    return np.int32(digits & _BYTE) - np.int32(LARGEST_NOISE)


@kernel()
def _fill_read(t: NDArray[np.int64], image: int, read: int, lanes: int, k0: np.uint64, k1: np.uint64) -> None:
    """t of all conversions of a read, into [tiles, columns]."""
    a, b = read_words(image, read, k0, k1)
    products = np.empty(t.shape[1], np.uint32)
    of_tiles = fill_products(products, lanes, b)
    for tile in range(t.shape[0]):
        word = np.uint32(a ^ multiply(of_tiles, np.uint64(tile)))
        for i in range(t.shape[1]):
            t[tile, i] = draw(products[i] ^ word)


def conversion_noise(
    key_words: tuple[int, int], image: int, read: int, tiles: int, groups: int, lanes: int
) -> NDArray[np.int64]:
    """t of all conversions of a read, int64 [tiles, groups * lanes].

    key_words : `sim.common.random_words.key` of the seed, `Purpose.CONVERT` and the layer
    image, read : number of the image, and of the layer's read of it: step * positions + position
    """
    t = np.empty((tiles, groups * lanes), np.int64)
    _fill_read(t, image, read, lanes, np.uint64(key_words[0]), np.uint64(key_words[1]))
    return t
