"""One recording says what real runs with skipped periods and with the rule STABLE do, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.estimates.energy import energy
from spikeloom.sim.reference.decision import scores_by_step
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording, record
from tests.fixtures.networks import random_chip, random_pixels

IMAGES, INPUTS = 7, 20


def chip_of(seed: int, **changes: Any) -> ProgrammedChip:
    rng = np.random.default_rng(seed)
    settings: dict[str, Any] = {
        "sizes": [INPUTS, 12, 9, 5], "coding": Coding.PHASE, "phases": 3, "max_steps": 24, "t_max": 20, "clip": 0,
        "leak": 0, "reset": Reset.SUBTRACT, "output_reset": Reset.NONE, "readout": Readout.MEMBRANE,
        "rule": DecisionRule.FIXED, "skip": 0, "read_sigma": 0.2, "device_sigma": 0.1, "row_bits": 1, "v0": 3,
    }  # fmt: skip
    return random_chip(rng, **{**settings, **changes})


def pixels_of(count: int = IMAGES) -> np.ndarray:
    return random_pixels(np.random.default_rng(9), count, INPUTS)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("skip", [0, 1, 4])
@pytest.mark.parametrize(("coding", "phases"), [(Coding.PHASE, 3), (Coding.RATE, 1)])
def test_a_recording_says_what_a_chip_that_skips_periods_does(
    seed: int, skip: int, coding: Coding, phases: int
) -> None:
    chip, pixels = chip_of(seed, coding=coding, phases=phases), pixels_of()
    run = record(chip, pixels).skipped(skip)
    real = run_reference(replace(chip, skip=skip), pixels, trace="full")
    assert real.trace is not None
    before = skip * phases
    assert run.first == before + 1
    traced = scores_by_step(replace(chip, skip=skip), real.trace)
    assert (run.scores[:, before:] == traced[:, before:]).all()
    assert run.scores.any() and not run.scores[:, :before].any()
    hidden = range(len(chip.layers) - 1)
    fired = sum(real.trace.unpacked(layer).sum(axis=2, dtype=np.int64) for layer in hidden)
    made = record(chip, pixels)
    assert (made.spikes == np.cumsum(fired, axis=1)).all()
    assert (run.spikes == made.spikes + made.input_spikes).all()
    tiles = np.array([shape.column_tiles for shape in chip.parameters.layers])
    cells = np.array([shape.outputs for shape in chip.parameters.layers])
    assert (run.operations[:, -1] == (real.activity["row_pulses"] // tiles * cells).sum(axis=1)).all()
    assert run.crossbar_J[:, -1] == pytest.approx(energy(chip, real)["crossbar"], rel=1e-12)


@pytest.mark.parametrize("ends", [5, 11])
def test_sums_up_to_a_step_are_those_of_a_run_with_so_many_steps(ends: int) -> None:
    chip, pixels = chip_of(1), pixels_of()
    run = record(chip, pixels).skipped(1)
    short = replace(chip, skip=1, t_max=ends)
    real = run_reference(short, pixels)
    assert run.crossbar_J[:, ends - 1] == pytest.approx(energy(short, real)["crossbar"], rel=1e-12)
    assert (run.scores[:, ends - 1].argmax(axis=1) == real.classes).all()


def test_averages_are_activations() -> None:
    """Scores without their start value, over threshold and weight: by hand for two steps after a skipped period."""
    chip, pixels = chip_of(2), pixels_of()
    made = record(chip, pixels)
    found = made.averages(1, 4)
    assert np.isnan(found[:3]).all()
    scores, theta = made.scores[4].astype(float), chip.layers[-1].theta
    assert found[3] == pytest.approx((scores[3] - scores[2]) / (4 * theta))
    assert found[4] == pytest.approx((scores[4] - scores[2]) / (6 * theta))


def test_parts_and_files_give_the_same_recording() -> None:
    chip, pixels = chip_of(3), pixels_of()
    whole = record(chip, pixels)
    parts = [record(chip, pixels[a:b], np.arange(a, b)) for a, b in ((0, 4), (4, IMAGES))]
    joined = Recording.joined([Recording.from_bytes(part.to_bytes()) for part in parts])
    for name in Recording.__dataclass_fields__:
        assert (getattr(joined, name) == getattr(whole, name)).all(), name
    assert len(joined) == IMAGES and joined.steps == 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"readout": Readout.SPIKES}, "must be read as membranes"),
        ({"output_reset": Reset.ZERO}, "output_reset = 'none'"),
        ({"clip": 1}, "neither a clip nor a leak"),
        ({"leak": 2}, "neither a clip nor a leak"),
    ],
)
def test_other_outputs_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpikeLoomError, match=said):
        record(chip_of(0, **changes), pixels_of(2))


def test_too_many_skipped_periods_and_parts_of_other_chips_are_refused() -> None:
    made = record(chip_of(0), pixels_of(2))
    with pytest.raises(SpikeLoomError, match="leave none of the 20 steps"):
        made.skipped(7)
    other = record(chip_of(0, phases=2), pixels_of(2))
    with pytest.raises(SpikeLoomError, match="of one chip"):
        Recording.joined([made, other])
