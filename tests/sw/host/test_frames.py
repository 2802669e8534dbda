"""Frames of the streams: seeds and pixels out, answers and activity in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.image_seeds import image_seeds
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.frames import decoded, image_frames
from tests.fixtures.host_chips import PIXELS, host_chip

CHIP = host_chip()


def test_a_frame_begins_with_its_seed() -> None:
    """Little-endian, padded to whole words; only with rate coding."""
    ids = np.array([5, 9])
    frames = image_frames(CHIP, PIXELS[:2], ids, 0xFFFF)
    assert frames.words.shape == (2, 6 + 3, 3) and frames.tags.tolist() == [0xFFFF, 0] and len(frames) == 2
    content = frames.words.reshape(2, -1)
    for row, words in zip(content, image_seeds(CHIP.seed, ids), strict=True):
        assert int.from_bytes(bytes(row[:16]), "little") == sum(int(word) << 32 * i for i, word in enumerate(words))
    assert content[:, 16:18].tolist() == [[0, 0]] * 2 and np.array_equal(content[:, 18:26], PIXELS[:2])
    plain = image_frames(replace(CHIP, coding=Coding.EVEN), PIXELS[:2], ids, 0)
    assert np.array_equal(plain.words.reshape(2, -1), content[:, 18:])


def test_an_answer() -> None:
    """Every field at its place, a negative margin, largest counters; a stray word before is left out."""
    answer = 0x7ABC | 1 << 15 | 0x1234 << 16 | 1 << 31 | (1 << 32) - 5 << 32
    words = [answer, 7 << 32 | 0xFFFFFFFF]
    words += [2 << 32 | 1, 4 << 32 | 3, 5, 7 << 32 | 6, 9 << 32 | 8, 10]
    fields = decoded([words, [99, *words]], CHIP.parameters)
    assert fields["classes"].tolist() == [0x7ABC] * 2 and fields["overflow"].all()
    assert fields["steps"].tolist() == [0x1234] * 2 and fields["reasons"].tolist() == [1, 1]
    assert fields["margins"].tolist() == [-5, -5]
    assert fields["cycles"].tolist() == [0xFFFFFFFF] * 2 and fields["gaps"].tolist() == [7, 7]
    assert fields["spikes"].tolist() == [[5, 10]] * 2
    activity = {name: values[0].tolist() for name, values in fields["activity"].items()}
    assert activity == {
        "row_pulses": [1, 6], "tile_reads": [2, 7], "conversions": [3, 8], "saturations": [4, 9],
    }  # fmt: skip


def test_a_short_frame() -> None:
    with pytest.raises(HostError, match=r"^The chip gave a result frame of 2 words, but 8 are due$"):
        decoded([[0] * 8, [0, 1]], CHIP.parameters)
