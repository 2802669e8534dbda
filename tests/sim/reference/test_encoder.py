"""The encoders against plain integers, and their long-run properties."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.image_seeds import image_seed
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sim.reference.encoder import encoder_of
from tests.fixtures.networks import random_chip, random_pixels
from tests.models.plain import plain_row_codes
from tests.sim.common.test_random_numbers import plain_philox


@pytest.mark.parametrize("row_bits", [1, 8])
@pytest.mark.parametrize("coding", list(CODINGS))
def test_against_plain_integers(coding: Coding, row_bits: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        row_bits = 8 if coding == Coding.ANALOG else row_bits
        chip = random_chip(rng, coding=coding, row_bits=row_bits, wire_ohm=0.0)
        pixels = random_pixels(rng, 6, chip.parameters.inputs)
        ids = rng.integers(0, 1 << 32, 6)
        steps = 14
        encoder = encoder_of(chip, pixels, ids)
        live = np.arange(6)
        expected = [plain_row_codes(chip, pixels[b].tolist(), int(ids[b]), steps) for b in range(6)]
        for step in range(1, steps + 1):
            codes = encoder.step(live, step)
            assert codes.dtype == np.uint8
            assert codes.tolist() == [expected[b][step - 1] for b in live]
            if step in (5, 9):
                live = np.delete(live, 1)


def test_phase_sends_the_bits_first_the_highest() -> None:
    chip = random_chip(np.random.default_rng(0), coding=Coding.PHASE, row_bits=1, phases=11, sizes=[256, 1])
    pixels = np.arange(256, dtype=np.uint8)[None]
    encoder = encoder_of(chip, pixels, np.zeros(1, np.int64))
    bits = [encoder.step(np.arange(1), step)[0].astype(int) for step in range(1, 12)]
    assert np.array_equal(sum(bit << (7 - p) for p, bit in enumerate(bits[:8])), np.arange(256))
    assert not np.any(bits[8:])


@pytest.mark.parametrize("start", [0, 127, 254])
def test_even_spreads_spikes_evenly(start: int) -> None:
    """After t steps a pixel x has sent floor((start + t x) / 255) spikes."""
    chip = random_chip(np.random.default_rng(0), coding=Coding.EVEN, row_bits=1, even_start=start, sizes=[256, 1])
    pixels = np.arange(256, dtype=np.uint8)[None]
    encoder = encoder_of(chip, pixels, np.zeros(1, np.int64))
    total = np.zeros(256, int)
    for step in range(1, 60):
        total += encoder.step(np.arange(1), step)[0]
        assert np.array_equal(total, (start + step * np.arange(256)) // 255)


def test_rate_has_the_rate_and_no_neighbours() -> None:
    chip = random_chip(
        np.random.default_rng(0), coding=Coding.RATE, row_bits=1, sizes=[256, 1], encoder_lanes=16, phases=1
    )
    pixels = np.tile(np.arange(256, dtype=np.uint8), (400, 1))
    encoder = encoder_of(chip, pixels, np.arange(400))
    spikes = np.array([encoder.step(np.arange(400), step) for step in range(1, 11)]).reshape(-1, 256).astype(float)
    assert not spikes[:, 0].any() and spikes[:, 255].all()
    rates = (np.arange(256) + (np.arange(256) >> 7)) / 256
    assert np.abs(spikes.mean(axis=0) - rates).max() < 0.04
    middle = spikes[:, 96:160]
    correlation = np.corrcoef(middle.T) - np.eye(64)
    assert np.abs(correlation).max() < 0.08


def test_image_seed() -> None:
    words = plain_philox((77, 0, 0, 0), (5, Purpose.ENCODER << 16))
    assert image_seed(5, 77) == words[0] | words[1] << 32 | words[2] << 64 | words[3] << 96
