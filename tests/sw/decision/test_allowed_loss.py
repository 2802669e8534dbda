"""Choosing when to stop for an allowed loss: every threshold is what the reference does with it, and the choice is the
best of all that are allowed.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.slips import SpikeLoomWarning
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.decision.allowed_loss import LOSSES, best_of, choose_rule, skips_of
from spikeloom.sw.decision.recorded import THRESHOLDS, Curve, Recorded, curve_of, numbers_of
from spikeloom.sw.decision.trajectories import record_leads
from tests.fixtures.models import make_chip, make_images

IMAGES = make_images(90, 20, seed=6)
LABELS = make_chip().predict(IMAGES).classes  # so that most are right
CASES: dict[str, dict[str, Any]] = {
    "even": {},
    "phase": {"coding": {"input": "phase", "phases": 4}, "decision": {"t_max": 20}},
    "membrane": {"neuron": {"output_reset": "none", "reset": "none"}, "decision": {"readout": "membrane"}},
    "noisy": {"device": {"read_sigma": 0.1, "device_sigma": 0.1}},
}


def chip_of(name: str) -> ProgrammedChip:
    """A chip that has all rules."""
    chip = make_chip(**CASES[name]).programmed
    return replace(chip, parameters=replace(chip.parameters, rules=DECISION_RULES.unit))


def recorded(chip: ProgrammedChip, skip: int) -> Recorded:
    winners, leads = record_leads(replace(chip, skip=skip), IMAGES)
    return Recorded(skip, skip * chip.parameters.phases, winners, leads, LABELS)


@pytest.mark.parametrize("rule", THRESHOLDS, ids=lambda rule: rule.name)
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("name", CASES)
def test_every_threshold_is_what_the_reference_does_with_it(name: str, skip: int, rule: DecisionRule) -> None:
    chip = replace(chip_of(name), skip=skip)
    curve = curve_of(rule, recorded(chip, skip))
    last = len(curve.thresholds) - 1
    assert last > 3 and curve.thresholds[-1] is None
    for n in sorted({0, 1, last // 3, last // 2, last - 1, last}):
        value = curve.thresholds[n]
        own = {"rule": DecisionRule.FIXED} if value is None else {"rule": rule, THRESHOLDS[rule].name: value}
        expected = run_reference(replace(chip, **own), IMAGES)
        assert curve.mean_steps[n] == expected.steps.mean()
        assert curve.correct[n] == np.count_nonzero(expected.classes == LABELS)
    assert (np.diff(curve.mean_steps) >= 0).all()


def test_numbers_beyond_a_register_do_not_wrap() -> None:
    leads = np.full((1, 5), 2**49, np.int64)
    run = Recorded(0, 0, np.zeros((1, 5), np.int64), leads, np.zeros(1, np.int64))
    assert numbers_of(DecisionRule.STABLE, run).tolist() == [[0, *[2**31 - 1] * 4]]
    assert numbers_of(DecisionRule.WINNER_K, run).tolist() == [[2**31 - 1] * 5]
    with pytest.raises(
        ValueError, match=r"^The rule must be 'winner_k' or 'stable' to choose its threshold, not 'fixed'"
    ):
        numbers_of(DecisionRule.FIXED, run)


def test_many_thresholds_are_looked_at_in_512() -> None:
    rng = np.random.default_rng(1)
    run = Recorded(0, 0, rng.integers(0, 3, (300, 20)), rng.integers(0, 10**6, (300, 20)), rng.integers(0, 3, 300))
    found = curve_of(DecisionRule.WINNER_K, run)
    assert len(found.thresholds) == 513 and len(set(found.thresholds)) == 513
    assert all(value is None or value <= 1000 for value in curve_of(DecisionRule.WINNER_K, run, 1000).thresholds)


def curve(skip: int, correct: list[int], steps: list[float]) -> Curve:
    values = (*range(1, len(correct)), None)
    return Curve("stable", skip, values, np.array(correct), np.array(steps))


def test_the_fewest_steps_that_are_allowed() -> None:
    """Of 100 images with 90 right at T_max; one image is 0.01."""
    curves = [curve(0, [80, 89, 88, 90], [2.0, 3.0, 4.0, 9.0]), curve(2, [70, 90, 89, 90], [2.5, 5.0, 3.0, 9.0])]
    found = {loss: best_of(curves, 100, 90, loss) for loss in (0.0, 0.005, 0.01, 0.1, 0.2)}
    assert [(c.skip, c.threshold, c.mean_steps) for c in found.values()] == [
        (2, 2, 5.0), (2, 2, 5.0), (0, 2, 3.0), (0, 1, 2.0), (0, 1, 2.0)
    ]  # fmt: skip
    assert found[0.01].accuracy == 0.89 and found[0.01].loss == 0.01
    assert best_of([curve(0, [10, 90], [2.0, 9.0])], 100, 90, 0.0).threshold is None


@pytest.mark.parametrize("rule", THRESHOLDS, ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", ["even", "phase"])
def test_the_chosen_rule_against_all_chips(name: str, rule: DecisionRule) -> None:
    chip, loss = chip_of(name), 0.05
    told: list[Any] = []
    found = choose_rule(chip, IMAGES, LABELS, rule, loss, lambda *a: told.append(a))
    assert len(told) == len(skips_of(chip)) and {c.skip for c in found.curves} == set(skips_of(chip))
    ends = [run_reference(replace(chip, rule=DecisionRule.FIXED, skip=skip), IMAGES) for skip in skips_of(chip)]
    rights = [np.count_nonzero(end.classes == LABELS) for end in ends]
    assert found.accuracy == max(rights) / 90 and found.skip == skips_of(chip)[int(np.argmax(rights))]
    result = run_reference(found.applied(chip), IMAGES)
    assert result.steps.mean() == found.choice.mean_steps
    assert np.mean(result.classes == LABELS) == found.choice.accuracy >= found.accuracy - loss
    for own in found.curves:
        if own.rule == rule.name:
            allowed = own.correct >= max(rights) - 4
            assert own.mean_steps[allowed].min(initial=np.inf) >= found.choice.mean_steps
    pairs = [(choice.loss, choice.rule) for choice in found.compared]
    assert pairs == list(itertools.product(LOSSES, ("winner_k", "stable")))


def test_a_loss_below_an_image_is_warned_of() -> None:
    chip = chip_of("even")
    with pytest.warns(
        SpikeLoomWarning, match=r"loss of 0.001 is less than one of 90 .* none may be lost; give 1000 or"
    ):
        choose_rule(chip, IMAGES, LABELS, DecisionRule.STABLE, 0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_rule(chip, IMAGES, LABELS, DecisionRule.STABLE, 0.0)


def test_skipped_periods_leave_two_steps() -> None:
    chip = chip_of("phase")
    assert skips_of(chip) == [0, 1, 2, 3, 4]
    assert skips_of(replace(chip, t_max=5, skip=0)) == [0]
    assert skips_of(replace(chip, t_max=1, skip=0)) == [0]
