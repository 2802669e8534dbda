"""The arithmetic of docs/deviations.md: what differs from the papers' equations, counted and worked out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.encoder.random_source import RANDOM_BITS, taps, xorshift128
from spikeloom.hw.params.parameters import Coding, LayerParameters, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.neuron import NeuronLayer
from tests.fixtures.networks import random_chip

PAGE = (Path(__file__).parents[3] / "docs" / "deviations.md").read_text(encoding="utf-8")
X = np.arange(256)
STATE_BITS = 128


def rank(rows: list[int]) -> int:
    """Rank over GF(2) of rows of bits."""
    found, rows = 0, list(rows)
    while rows:
        pivot = rows.pop()
        if pivot:
            found += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return found


def step_matrix() -> list[int]:
    """The generator's step as a matrix over GF(2): what each bit of the state becomes."""
    columns = []
    for bit in range(STATE_BITS):
        state = 1 << bit
        words = xorshift128(tuple(state >> (32 * k) & 0xFFFF_FFFF for k in range(4)))  # type: ignore[arg-type]
        columns.append(sum(word << (32 * k) for k, word in enumerate(words)))
    return columns


def test_a_lanes_numbers_are_even_over_the_generators_whole_period() -> None:
    """All states but 0 come once per period, and a lane's 8 bits are independent sums of state bits: each number comes
    2^120 times, and 0 once less.
    """
    assert rank(step_matrix()) == STATE_BITS  # a step loses nothing
    for lane in taps(64):
        assert rank([sum(1 << tap for tap in triple) for triple in lane]) == RANDOM_BITS


def probability(x: np.ndarray) -> np.ndarray:
    """Share of the period in which a pixel fires: numbers u < x + (x >> 7), of which 0 comes once less."""
    numbers = x + (x >> 7)
    counts = [int(n) * 2**120 - int(n > 0) for n in numbers]
    return np.array([count / (2**128 - 1) for count in counts])


def test_a_rate_coded_pixel_fires_as_the_page_says() -> None:
    exact = (X + (X >> 7)) / 256
    np.testing.assert_allclose(probability(X), exact, rtol=0, atol=2.0**-120)
    distance = exact - X / 255
    assert exact[0] == 0.0 and exact[255] == 1.0 and exact[128] == 129 / 256
    largest = np.abs(distance).max()
    assert largest == pytest.approx(0.00195, abs=1e-5) and "at most 0.00195" in PAGE
    assert set(X[np.isclose(np.abs(distance), largest)]) == {127, 128}
    assert abs(distance.mean()) < 1e-12 or "0 in the mean" not in PAGE


def encoding(coding: Coding) -> ProgrammedChip:
    """A chip whose 256 pixels have every value."""
    return random_chip(
        np.random.default_rng(0), sizes=[256, 4], coding=coding, phases=1, row_bits=1, encoder_lanes=16, even_start=127
    )


def test_the_encoder_fires_with_these_probabilities() -> None:
    """Every pixel value in 2,000 steps of the encoder itself: within 5 standard deviations."""
    chip = encoding(Coding.RATE)
    pixels = X.astype(np.uint8)[None]
    encoder = encoder_of(chip, pixels, np.zeros(1, np.int64))
    steps, live = 2000, np.zeros(1, np.int64)
    counts = sum(encoder.step(live, step)[0].astype(np.int64) for step in range(1, steps + 1))
    p = probability(X)
    assert (np.abs(counts - steps * p) <= 5 * np.sqrt(steps * p * (1 - p)) + 1e-9).all()


def test_even_pixels_fire_with_their_value_over_the_period_and_may_stay_in_one_phase() -> None:
    chip = encoding(Coding.EVEN)
    encoder = encoder_of(chip, X.astype(np.uint8)[None], np.zeros(1, np.int64))
    live = np.zeros(1, np.int64)
    spikes = np.array([encoder.step(live, step)[0] for step in range(1, 256)])
    assert (spikes.sum(axis=0) == X).all()  # x spikes in 255 steps, exactly
    weights = np.tile([2, 1], 128)[:254, None] / 3 * 2  # two phases, mean weight 1
    carried = (weights * spikes[:254]).sum(axis=0) / 254
    assert np.abs(carried - X / 255).max() > 0.15  # so that phases are refused with this coding


def layer(leak: int, theta: int = 100) -> NeuronLayer:
    """One neuron that starts at 0, without a bias."""
    level, bias = np.zeros((1, 1), np.uint8), np.zeros(1, np.int32)
    shape = LayerParameters(inputs=1, outputs=1, lanes=1, max_steps=32, max_theta=1023, adc_bits=16)
    return NeuronLayer(ProgrammedLayer("n", level, level, bias, theta, 0, 0, leak, Reset.SUBTRACT, 0, 1.0), shape, 1)


def run(neurons: NeuronLayer, z: list[int]) -> tuple[list[int], list[int]]:
    """Spikes and membranes for column sums z."""
    live, spikes, membranes = np.zeros(1, np.int64), [], []
    for value in z:
        fired, _ = neurons.step(np.full((1, 1, 1), value, np.int16), live, 0)
        spikes.append(int(fired[0, 0]))
        membranes.append(int(neurons.membranes[0, 0]))
    return spikes, membranes


@pytest.mark.parametrize("leak", [1, 2, 3, 4])
def test_leak_after_reset_takes_beta_theta_where_the_paper_takes_theta(leak: int) -> None:
    """[BS] eq. 1 and 2 next to ours: the same until the first spike, then theta / 2^leak apart one step later."""
    beta, theta = 1.0 - 2.0**-leak, 1000
    z = [900, 900, 0, 0]
    spikes, membranes = run(layer(leak, theta), z)
    u, fired, paper = 0.0, 0, []
    for value in z:
        u = beta * u + value - fired * theta
        fired = int(u >= theta)
        paper.append(u)
    first = spikes.index(1)
    assert membranes[:first] == pytest.approx(paper[:first], abs=1.0)
    assert membranes[first] == pytest.approx(paper[first] - theta, abs=1.0)  # ours is stored after the reset
    assert membranes[first + 1] - paper[first + 1] == pytest.approx(theta * 2.0**-leak, abs=2.0)


def test_small_positive_membranes_do_not_leak_and_negative_ones_reach_zero() -> None:
    assert run(layer(3), [7, 0, 0])[1] == [7, 7, 7]
    assert run(layer(3), [-7, *[0] * 7])[1] == [-7, -6, -5, -4, -3, -2, -1, 0]
    assert "2^leak - 1" in PAGE


def test_a_neuron_fires_at_its_threshold_not_above_it() -> None:
    assert run(layer(0), [100])[0] == [1] and run(layer(0), [99])[0] == [0]


def test_the_page_has_a_row_for_every_paper() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    for paper in ("[WK]", "[WS]", "[BS]", "[TD]"):
        assert sum(paper in re.split(r"(?<!\\)\|", row)[1] for row in rows) >= 1, paper
