"""Philox against the published vectors, and the draws against a plain-integer twin."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from spikeloom.sim.common.random_numbers import TABLE_SIZE, cell_normals, cell_words, normal_table, philox
from spikeloom.sim.common.random_words import Purpose, key, philox_blocks

MASK = 0xFFFFFFFF


def plain_philox(counter: tuple[int, ...], key_words: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x32-10 in plain integers, written from the paper."""
    c0, c1, c2, c3 = counter
    k0, k1 = key_words
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


@pytest.mark.parametrize(
    ("counter", "key_words", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_random123_vectors(counter: str, key_words: str, expected: str) -> None:
    c = [int(word, 16) for word in counter.split()]
    k0, k1 = (int(word, 16) for word in key_words.split())
    words = [int(word, 16) for word in expected.split()]
    for blocks in (philox, philox_blocks):
        assert blocks(np.array(c, np.uint32), (k0, k1)).tolist() == words
    assert list(plain_philox(tuple(c), (k0, k1))) == words


def test_many_counters() -> None:
    rng = np.random.default_rng(1)
    counters = rng.integers(0, 1 << 32, (3, 5, 4), dtype=np.uint32)
    words = philox(counters, (123, 456))
    for place in np.ndindex(3, 5):
        assert tuple(words[place]) == plain_philox(tuple(int(c) for c in counters[place]), (123, 456))
    np.testing.assert_array_equal(philox_blocks(counters, (123, 456)), words)


def test_normal_table() -> None:
    table = normal_table().astype(np.float64)
    assert table.shape == (TABLE_SIZE,)
    for index in (0, 1, 77, 32767, 32768, 50000, 65535):
        assert table[index] == pytest.approx(NormalDist().inv_cdf((index + 0.5) / TABLE_SIZE), rel=1e-6)
    assert np.array_equal(table, -table[::-1])
    assert np.all(np.diff(table) > 0)
    assert np.mean(table**2) == pytest.approx(1.0, abs=1e-3)


def test_cell_draws_addresses() -> None:
    """A cell's draw depends on its place only, not on the size of the array."""
    key_words = key(5, Purpose.DEVICE, 1)
    words = cell_words(key_words, (2, 3, 10))
    normals = cell_normals(key_words, (2, 3, 10), programming=4)
    assert np.array_equal(words[:, :2, :6], cell_words(key_words, (2, 2, 6)))
    for side, row, column in ((0, 0, 0), (1, 2, 9), (0, 1, 7)):
        assert words[side, row, column] == plain_philox((row, column // 4, side, 0), key_words)[column % 4]
        word = plain_philox((row, column // 8, side, 4), key_words)[column % 8 // 2]
        assert normals[side, row, column] == normal_table()[word >> 16 if column % 2 else word & 0xFFFF]


def test_keys_of_purposes_and_layers_differ() -> None:
    assert len({key(1, purpose, layer) for purpose in Purpose for layer in range(5)}) == 5 * len(Purpose)


def test_cell_normals_are_normal() -> None:
    x = cell_normals(key(0, Purpose.PROGRAM), (2, 200, 200))
    assert x.mean() == pytest.approx(0.0, abs=0.02)
    assert x.std() == pytest.approx(1.0, abs=0.02)
    assert abs(np.corrcoef(x[0].ravel(), x[1].ravel())[0, 1]) < 0.02


def test_key_ranges() -> None:
    with pytest.raises(ValueError, match=r"^A seed must be in 0 \.\. 4294967295, not -1$"):
        key(-1, Purpose.READ)
    with pytest.raises(ValueError, match=r"^A layer's number must be in 0 \.\. 65535, not 65536$"):
        key(0, Purpose.READ, 65536)
