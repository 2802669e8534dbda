"""Noise of conversions: against the definition, and that its distribution is what the definition promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.sim.chip.adc_noise import VARIANCE, amplitude, realised_sigma
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.crossbar.conversion_noise import (
    conversion_noise,
    fill_products,
    multiply,
)
from tests.models.conversions import FIELD, field_product, plain_conversion_noise

KEY = key(7, Purpose.CONVERT, 1)


@pytest.mark.parametrize(("tiles", "groups", "lanes"), [(1, 1, 1), (3, 4, 5), (5, 1, 17), (2, 9, 1), (2, 3, 16)])
def test_definition(tiles: int, groups: int, lanes: int) -> None:
    for image, read in ((0, 0), (5, 77), (0xFFFFFFFF, 0xFFFFFFFE)):
        t = conversion_noise(KEY, image, read, tiles, groups, lanes)
        assert t.shape == (tiles, groups * lanes) and t.dtype == np.int64
        for tile, column in np.ndindex(*t.shape):
            assert t[tile, column] == plain_conversion_noise(KEY, image, read, tile, column, lanes)


def test_largest_tiles_groups_and_lanes() -> None:
    """Every bit of e has its own product, up to the last tile, group and lane."""
    t = conversion_noise(KEY, 3, 4, 1 << 12, 2, 1 << 10)
    for tile, column in ((4095, 2047), (4095, 0), (2048, 1024), (1, 1023), (2730, 1365)):
        assert t[tile, column] == plain_conversion_noise(KEY, 3, 4, tile, column, 1 << 10)
    t = conversion_noise(KEY, 3, 4, 1, 1 << 10, 3)
    for column in (3071, 1536, 1535, 5):
        assert t[0, column] == plain_conversion_noise(KEY, 3, 4, 0, column, 3)


def test_products_of_columns_that_fill_no_group() -> None:
    products = np.empty(11, np.uint32)
    b = 0x9ABCDEF1
    assert fill_products(products, 4, np.uint64(b)) == field_product(1 << 20, b)
    assert products.tolist() == [field_product(i // 4 << 10 | i % 4, b) for i in range(11)]


def test_polynomial_is_irreducible() -> None:
    """x^(2^32) = x, and x^(2^16) + x has no factor in common with it [M. O. Rabin, 1980]: so words are a field."""
    square = 2
    for i in range(32):
        square = field_product(square, square)
        if i == 15:
            a, b = FIELD, square ^ 2
            while b:
                while a.bit_length() >= b.bit_length():
                    a ^= b << (a.bit_length() - b.bit_length())
                a, b = b, a
            assert a == 1
    assert square == 2


def _rank(rows: list[int]) -> int:
    """Of a matrix over GF(2), its rows as bits."""
    rank, rows = 0, list(rows)
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank


def test_words_are_pairwise_independent() -> None:
    """The 64 bits of the words of any two conversions are a map of full rank of the 64 bits of a and b: uniform (a, b)
    make every pair of words equally likely."""
    numbers = [0, 1, 2, 3, 7, 1023, 1 << 10, 3 << 10 | 5, 1 << 20, 4095 << 20 | 1023 << 10 | 1023]
    columns = {e: [int(multiply(np.uint64(1 << i), np.uint64(e))) for i in range(32)] for e in numbers}
    for e in numbers:
        assert columns[e] == [field_product(e, 1 << i) for i in range(32)]
    for e, other in itertools.combinations(numbers, 2):
        from_a = [1 << i | 1 << (32 + i) for i in range(32)]
        from_b = [x | y << 32 for x, y in zip(columns[e], columns[other], strict=True)]
        assert _rank(from_a + from_b) == 64


def _digit_sums() -> NDArray[np.float64]:
    """How often t + 60 is 0 .. 120, of the 16^8 words; exact."""
    counts = np.ones(1)
    for _ in range(8):
        counts = np.convolve(counts, np.ones(16))
    return counts


def test_distribution_of_a_word() -> None:
    counts = _digit_sums()
    t = np.arange(121) - 60.0
    p = counts / 16.0**8
    assert counts.sum() == 16.0**8 and len(counts) == 121
    assert (p * t).sum() == 0.0 and (p * t**2).sum() == VARIANCE
    assert (p * t**4).sum() / VARIANCE**2 - 3.0 == pytest.approx(-0.151, abs=0.001)
    gauss = np.array([math.erf((x + 0.5) / math.sqrt(2 * VARIANCE)) / 2 + 0.5 for x in t])
    assert np.abs(np.cumsum(p) - gauss).max() < 0.0036


def test_moments_and_frequencies_of_draws() -> None:
    """Of 2^20 conversions: mean, variance and every frequency within five standard errors."""
    t = np.stack([conversion_noise(KEY, image, read, 8, 4, 16) for image in range(64) for read in range(32)])
    n = t.size
    assert n == 1 << 20
    assert abs(t.mean()) < 5 * math.sqrt(VARIANCE / n)
    assert abs(t.var() / VARIANCE - 1) < 5 * math.sqrt(1.85 / n)
    expected = n * _digit_sums() / 16.0**8
    seen = np.bincount(t.ravel() + 60, minlength=121)
    assert np.all(np.abs(seen - expected) < 5 * np.sqrt(expected) + 5)
    likely = expected > 5
    chi2 = ((seen - expected)[likely] ** 2 / expected[likely]).sum()
    assert abs(chi2 - likely.sum()) < 5 * math.sqrt(2 * likely.sum())


def test_draws_of_different_places_are_not_correlated() -> None:
    """Correlations of neighbouring and of random columns, lanes and groups, tiles, reads, images, layers and seeds;
    also of squares, of which means alone would tell nothing."""
    images, reads = 128, 64

    def noise(key_words: tuple[int, int]) -> NDArray[np.float64]:
        draws = [conversion_noise(key_words, image, read, 3, 3, 4) for image in range(images) for read in range(reads)]
        return np.stack(draws).reshape(images, reads, 3, 12) / math.sqrt(VARIANCE)

    t = noise(KEY)
    for x in (t, (t**2 - 1) / math.sqrt(1.85)):
        flat = x.reshape(images * reads, 36)
        bound = 5.5 / math.sqrt(len(flat))
        between = flat.T @ flat / len(flat)
        assert np.abs(between - np.eye(36))[~np.eye(36, dtype=bool)].max() < bound  # all pairs of a read
        for axis in (0, 1):  # images, reads
            for apart in (1, 2, 7):
                size = x.shape[axis]
                first, second = x.take(range(size - apart), axis), x.take(range(apart, size), axis)
                assert abs((first * second).mean()) < 5.5 / math.sqrt(first.size)
    for other in (key(7, Purpose.CONVERT, 2), key(8, Purpose.CONVERT, 1), key(7, Purpose.READ, 1)):
        assert abs((t * noise(other)).mean()) < 5.5 / math.sqrt(t.size)


def test_amplitudes() -> None:
    assert amplitude(0.0) == 0 and amplitude(0.0127) == 1 and amplitude(0.5) == 39 and amplitude(16.0) == 1257
    assert realised_sigma(1) == pytest.approx(0.01273, abs=1e-5)
    for sigma in (0.0127, 0.1, 0.25, 1.0, 3.3, 16.0):
        assert abs(realised_sigma(amplitude(sigma)) - sigma) <= realised_sigma(1) / 2


@pytest.mark.parametrize("sigma", [0.006, 0.0126, 16.1, -0.5, math.nan, math.inf])
def test_amplitudes_that_cannot_be_made(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"^adc_sigma must be 0 \(no noise\) or in 0\.0127 \.\. 16 codes, not "):
        amplitude(sigma)
