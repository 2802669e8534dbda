"""Threefry-2x32-20 against its known answers, and against a plain-integer twin."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.threefry import threefry2x32, threefry_rounds
from tests.models.conversions import plain_threefry


@kernel()
def compiled(c0: np.uint64, c1: np.uint64, k0: np.uint64, k1: np.uint64) -> tuple[np.uint64, np.uint64]:
    """As kernels use it, in line."""
    return threefry2x32(c0, c1, k0, k1)


@pytest.mark.parametrize(
    ("counter", "key_words", "expected"),
    [
        ("00000000 00000000", "00000000 00000000", "6b200159 99ba4efe"),
        ("ffffffff ffffffff", "ffffffff ffffffff", "1cb996fc bb002be7"),
        ("243f6a88 85a308d3", "13198a2e 03707344", "c4923a9c 483df7a0"),
    ],
)
def test_random123_answers(counter: str, key_words: str, expected: str) -> None:
    numbers = [int(word, 16) for word in (counter + " " + key_words).split()]
    words = [int(word, 16) for word in expected.split()]
    given = [np.uint64(number) for number in numbers]
    for function in (threefry_rounds, threefry2x32, compiled):
        assert [int(word) for word in function(*given)] == words
    assert list(plain_threefry(*numbers)) == words


def test_many_counters() -> None:
    rng = np.random.default_rng(2)
    c0, c1 = rng.integers(0, 1 << 32, (2, 50), dtype=np.uint64)
    k0, k1 = np.uint64(0xFFFFFFFF), np.uint64(8 << 16 | 3)
    words = np.stack(threefry_rounds(c0, c1, k0, k1), axis=1)
    for i in range(50):
        assert tuple(words[i].tolist()) == plain_threefry(int(c0[i]), int(c1[i]), int(k0), int(k1))
        assert tuple(int(word) for word in compiled(c0[i], c1[i], k0, k1)) == tuple(words[i].tolist())
