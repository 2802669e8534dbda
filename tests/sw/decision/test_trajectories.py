"""Recorded trajectories give the exact decision of every rule; the search counts what it says."""

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.decision.trajectories import Rewards, Trajectories, record_trajectories, search_k
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(90, 20, seed=6)
LABELS = np.random.default_rng(3).integers(0, 5, 90)
CASES = {
    "even": {},
    "rate, zero": {"coding": {"input": "rate"}, "neuron": {"reset": "zero"}},
    "phase, skip": {"coding": {"input": "phase", "phases": 4}, "decision": {"t_max": 20, "k": 6, "skip": 1}},
    "membrane": {"neuron": {"output_reset": "none", "reset": "none"}, "decision": {"readout": "membrane", "k": 0.6}},
    "noisy": {"device": {"read_sigma": 0.1, "device_sigma": 0.1}},
}


@pytest.mark.parametrize("tables", CASES.values(), ids=CASES)
def test_every_rule_is_what_the_reference_does_with_it(tables):
    chip = make_chip(**tables).programmed
    ids = np.arange(100, 190)
    seen = []
    found = record_trajectories(chip, IMAGES, LABELS, ids, batch=40, progress=lambda *a: seen.append(a))
    assert seen == [(40, 90), (80, 90), (90, 90)]
    ks = search_k(found).ks
    assert len(ks) > 2 and ks[-1] is None and ks[0] == found.unit
    for k in (*ks[:4], ks[-2], None):
        rule = replace(chip, rule=DecisionRule.FIXED) if k is None else replace(chip, rule=DecisionRule.WINNER_K, k=k)
        expected = run_reference(rule, IMAGES, ids)
        steps, right = found.stopped(k)
        np.testing.assert_array_equal(steps, expected.steps)
        np.testing.assert_array_equal(right, expected.classes == LABELS)


def test_a_single_class_leads_by_its_own_count():
    chip = make_chip(20, 8, 1).programmed
    found = record_trajectories(chip, IMAGES, np.zeros(90, int))
    assert found.right.all()
    steps, _ = found.stopped(2)
    np.testing.assert_array_equal(steps, run_reference(replace(chip, k=2), IMAGES).steps)


def test_membranes_are_looked_at_in_at_most_64_levels():
    chip = make_chip(**CASES["membrane"]).programmed
    found = record_trajectories(chip, IMAGES, LABELS)
    assert found.unit > 1 and 32 <= found.levels <= 64
    assert record_trajectories(chip, IMAGES, LABELS, unit=50).unit == 50


def test_first_steps_never_fall_and_count_jumps():
    leads = np.array([[0, 1, 3, 2, 3], [0, 0, 0, 1, 0], [0, -2, 0, 0, 0]])
    found = Trajectories(leads, np.ones((3, 5), bool))
    np.testing.assert_array_equal(found.first_steps(), [[2, 3, 3], [4, 6, 6], [6, 6, 6]])
    halves = Trajectories(leads, np.ones((3, 5), bool), unit=2)
    assert halves.levels == 1
    np.testing.assert_array_equal(halves.first_steps(), [[3], [6], [6]])


def test_search_by_hand():
    """Image 0 leads by 1 after step 1 (wrong) and by 2 after step 3 (right); image 1 by 1 after step 2 (right) only."""
    leads = np.array([[1, 1, 2, 2], [0, 1, 1, 1]])
    right = np.array([[0, 0, 1, 1], [0, 1, 1, 0]], bool)
    found = search_k(Trajectories(leads, right), Rewards(10.0, -20.0, -1.0, 0.5))
    assert found.ks == (1, 2, None)
    np.testing.assert_array_equal(found.accuracy, [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(found.mean_steps, [1.5, 3.5, 4.0])
    np.testing.assert_array_equal(found.reward, [-6.5, -8.5, -9.0])
    one = ((-1 + 0.5 * -20) + (-2 + 0.5 * 10)) / 2
    two = ((-1 + 0.5 * (-2 + 0.5 * 10)) + (-2 + 0.5 * (-2 - 20))) / 2
    never = ((-1 + 0.5 * (-2 + 0.5 * (-1 + 10))) + (-2 + 0.5 * (-2 - 20))) / 2
    np.testing.assert_allclose(found.discounted, [one, two, never])
    assert found.best == 1 and found.best_undiscounted == 1


def test_without_discount_both_objectives_are_one():
    rng = np.random.default_rng(0)
    leads = rng.integers(-1, 3, (200, 12)).cumsum(axis=1)
    found = search_k(Trajectories(leads, rng.random((200, 12)) < 0.6), Rewards(discount=1.0))
    np.testing.assert_allclose(found.discounted, found.reward)
    assert np.all(np.diff(found.mean_steps) >= 0)


def test_errors_say_what_is_wrong():
    chip = make_chip().programmed
    with pytest.raises(ValueError, match=r"^Labels must lie in 0 .. 4, the chip's classes, but that of image 0 is 5"):
        record_trajectories(chip, IMAGES, LABELS + 5 - LABELS[0])
    with pytest.raises(ValueError, match=r"^Labels must have shape \(90,\)"):
        record_trajectories(chip, IMAGES, LABELS[:5])
    with pytest.raises(ValueError, match=r"^Leads must have shape \[images, steps\]"):
        Trajectories(np.zeros((0, 3), int), np.zeros((0, 3), bool))
    with pytest.raises(ValueError, match=r"^Right must be bool \(2, 3\) as leads, not int64 \(2, 3\)"):
        Trajectories(np.zeros((2, 3), int), np.zeros((2, 3), int))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^unit must be a positive integer, not 0"):
        Trajectories(np.zeros((2, 3), int), np.zeros((2, 3), bool), 0)
    for values, words in (
        ({"discount": 0.0}, "^The discount must be above 0 and at most 1, not 0.0"),
        ({"step": 1.0}, "^The reward of a time step must be at most 0, not 1.0"),
        ({"correct": -60.0}, r"^The reward of a right class must be above that of a wrong one \(-50.0\), not -60.0"),
        ({"wrong": float("nan")}, "^Rewards must be finite numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            Rewards(**values)
