"""Noise spikes: the paper's example, and every count against a search for the fewest spikes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.config.config import Config
from spikeloom.sw.diagnostics.by_step.measure import measure_by_step
from spikeloom.sw.diagnostics.by_step.noise import RATE_WINDOW
from tests.fixtures.models import make_chip, make_images
from tests.fixtures.networks import random_chip


def figure_3(periods: int, **changes: Any) -> ProgrammedChip:
    """Two inputs with the weights 1 and -1 on one neuron with a threshold of 1, K = 8; behind it an output."""
    return random_chip(
        np.random.default_rng(0), sizes=(2, 1, 1), weights=[np.array([[1], [-1]]), np.array([[1]])], theta=1, bias=0,
        v0=0, clip=0, leak=0, reset=Reset.SUBTRACT, output_reset=Reset.SUBTRACT, gain_shift=0, phases=8, adc_bits=8,
        coding=Coding.PHASE, row_bits=1, rule=DecisionRule.FIXED, readout=Readout.SPIKES, skip=0, device=Device(),
        max_steps=8 * periods, t_max=8 * periods, **changes,
    )  # fmt: skip


def by_step(chip: ProgrammedChip, pixels: np.ndarray, **options: Any) -> Any:
    return measure_by_step(Compiled(chip, Config.load("tiny")), pixels, **options)


@pytest.mark.parametrize("periods", [1, 2, 100])
def test_the_example_of_the_paper_has_one_noise_spike(periods: int) -> None:
    chip = figure_3(periods)
    pixels = np.array([[0b10000000, 0b01111111]], np.uint8)
    result = run_reference(chip, pixels, trace="full")
    assert result.trace is not None and result.trace.membranes is not None
    spikes, membranes = result.trace.unpacked(0)[0, :, 0], result.trace.membranes[0][0, :, 0]
    assert spikes[:8].tolist() == [True] + 7 * [False] and not spikes[8:].any()
    assert membranes[7::8].tolist() == list(range(-127, -127 + periods))
    found = by_step(chip, pixels)
    assert found.window == 8 and found.counted.tolist() == [True, True]
    assert found.spikes.sum(axis=0)[0] == 1
    assert found.noise[:, 0].tolist() == [0] * 7 + [1] + [0] * (8 * periods - 8)
    assert found.noise_shares[0] == 1.0


def test_values_that_are_said_at_once_have_no_noise_spikes() -> None:
    pixels = np.array([[x, 0] for x in range(256)], np.uint8)
    found = by_step(figure_3(3), pixels)
    assert found.noise.sum() == 0
    assert found.spikes[:, 0].sum() == 3 * sum(bin(x).count("1") for x in range(256))
    assert found.mean_absolute_error[7::8, 0].tolist() == [0.0] * 3  # what is said is exact after every period


def fewest(weights: list[int], debt: int) -> int:
    """The fewest of the weights that add up to the debt, by trying all; all of them if that is not enough."""
    if debt <= 0:
        return 0
    for count in range(1, len(weights) + 1):
        if any(sum(chosen) >= debt for chosen in combinations(weights, count)):
            return count
    return len(weights)


def plain_noise(chip: ProgrammedChip, pixels: np.ndarray, layer: int) -> list[int]:
    """Noise spikes of every window, from a trace of spikes and membranes."""
    result = run_reference(replace(chip, rule=DecisionRule.FIXED), pixels, trace="full")
    assert result.trace is not None and result.trace.membranes is not None
    spikes, membranes = result.trace.unpacked(layer), result.trace.membranes[layer].astype(int)
    phases, theta = chip.parameters.phases, chip.layers[layer].theta
    window = phases if phases > 1 else RATE_WINDOW
    found = []
    for start in range(0, chip.t_max - window + 1, window):
        count = 0
        for image in range(len(pixels)):
            for neuron in range(spikes.shape[2]):
                before = membranes[image, start - 1, neuron] if start else chip.layers[layer].v0
                weights = [
                    theta << (phases - 1 - step % phases)
                    for step in range(start, start + window)
                    if spikes[image, step, neuron]
                ]
                count += fewest(weights, min(int(before), 0) - int(membranes[image, start + window - 1, neuron]))
        found.append(count)
    return found


@pytest.mark.parametrize(
    "tables",
    [
        {"coding": {"input": "phase", "phases": 4}, "decision": {"t_max": 22}},
        {"coding": {"input": "rate"}, "decision": {"t_max": 21}},
        {"coding": {"input": "even"}, "neuron": {"v0": 0.5}, "device": {"read_sigma": 0.3, "device_sigma": 0.2}},
    ],
)
def test_counts_are_those_of_a_search(tables: dict[str, Any]) -> None:
    chip = make_chip(20, 30, 25, 5, seed=5, **tables)
    pixels = make_images(25, 20, seed=1)
    found = chip.by_step(pixels)
    for layer in range(3):
        expected = plain_noise(chip.programmed, pixels, layer)
        assert found.noise[found.window - 1 :: found.window, layer].tolist() == expected
        assert found.noise[:, layer].sum() == sum(expected)
    assert found.noise.sum() > 10


@pytest.mark.parametrize("neuron", [{"leak": 3}, {"clip": 2.0}, {"reset": "zero"}])
def test_there_is_no_count_where_membranes_are_no_account(neuron: dict[str, Any]) -> None:
    found = make_chip(neuron=neuron).by_step(make_images(4, 20))
    assert not found.counted[:2].any() and np.isnan(found.noise_shares[:2]).all() and not found.noise[:, :2].any()
    assert any("noise spikes are not counted there" in note for note in found.notes)
    assert "stage0_noise_spikes" not in found.columns()
