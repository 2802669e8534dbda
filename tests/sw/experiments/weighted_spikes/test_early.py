"""The early decision on recorded scores is that of the unit, for every theta; by hand, and against real runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.decision_rules import FRACTION_BITS, DecisionRule
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.experiments.weighted_spikes.early import THETAS, register, trajectory
from spikeloom.sw.experiments.weighted_spikes.recordings import Run, record
from tests.sw.experiments.weighted_spikes.test_recordings import chip_of, pixels_of


def run_of(scores: list[list[list[int]]], first: int = 1) -> Run:
    values = np.array(scores, np.int64)
    sums = np.cumsum(np.ones(values.shape[:2], np.int64), axis=1)
    return Run(first, values, sums, 10 * sums, sums.astype(float))


def test_by_hand() -> None:
    """Leads 4, 4, 8 of one class: E = 2, 3, 5.5; count 0, 1, 2: products 0, 3, 11. The second image changes its class
    in the last step, and the product falls to 0."""
    path = trajectory(run_of([[[4, 0], [5, 1], [9, 1]], [[4, 0], [5, 1], [0, 9]]]))
    assert path.strengths.tolist() == [[0, 3 << FRACTION_BITS, 11 << FRACTION_BITS], [0, 48, 48]]
    assert path.classes.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert path.ends(3 << FRACTION_BITS).steps.tolist() == [2, 2]
    late = path.ends(49)
    assert late.steps.tolist() == [3, 3] and late.classes.tolist() == [0, 1]
    assert path.right(np.array([0, 1])).tolist() == [1, 1, 2]
    assert late.at(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [3, 6]


def test_skipped_steps_have_no_class() -> None:
    path = trajectory(run_of([[[0, 0], [0, 7], [0, 8]]], first=2))
    assert path.classes.tolist() == [[-1, 1, 1]] and path.strengths[0, :2].tolist() == [0, 0]
    assert path.right(np.array([1])).tolist() == [0, 1, 1]


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("theta", [1, 300, 2000, 20000])
def test_images_end_where_those_of_a_real_run_end(skip: int, theta: int) -> None:
    chip = chip_of(5, decision_rules="all", read_sigma=0.05)
    pixels = pixels_of(20)
    real = run_reference(replace(chip, rule=DecisionRule.STABLE, stable_theta=theta, skip=skip), pixels)
    run = record(chip, pixels).skipped(skip)
    decided = trajectory(run).ends(theta)
    assert (decided.steps == real.steps).all() and (decided.classes == real.classes).all()
    tiles = np.array([shape.column_tiles for shape in chip.parameters.layers])
    cells = np.array([shape.outputs for shape in chip.parameters.layers])
    assert (decided.at(run.operations) == (real.activity["row_pulses"] // tiles * cells).sum(axis=1)).all()


def test_theta_is_in_units_of_the_paper() -> None:
    """tau is the threshold of the last phase, shifted by K; without phases the threshold itself."""
    made = record(chip_of(0, theta=10), pixels_of(1))
    assert register(0.5, made) == round(0.5 * 10 * 8) << FRACTION_BITS
    single = replace(made, phases=np.array([1]))
    assert register(0.5, single) == 5 << FRACTION_BITS
    assert register(1e-9, made) == 1
    assert THETAS[0] == pytest.approx(1 / 128, abs=1e-4) and THETAS[-1] == 256.0
