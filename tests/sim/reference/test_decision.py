"""Leads and decisions, compared with the definitions of `tests.models.plain`, and rules of somebody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import DecisionRule
from spikeloom.sim.reference.decision import Decider, Decision, Standing, lasts, leads_by, top_two
from tests.models.stable import StableModel


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("classes", [1, 2, 7])
def test_the_best_and_its_lead(classes: int, dtype: Any) -> None:
    """By sorting; draws have many ties, whose winner is the lowest index."""
    scores = np.random.default_rng(classes).integers(-3, 4, (5, 40, classes)).astype(dtype)
    winners, margins = top_two(scores)
    assert winners.shape == margins.shape == (5, 40) and margins.dtype == dtype
    for place in np.ndindex(5, 40):
        ranked = sorted(scores[place], reverse=True)
        assert winners[place] == list(scores[place]).index(ranked[0])
        assert margins[place] == ranked[0] - (ranked[1] if classes > 1 else 0)
    assert leads_by(margins, 2).sum() == (margins >= 2).sum() > 0


def settings(rule: DecisionRule, k: int, t_max: int, theta: float = 1, whole: bool = True) -> Any:
    """What a decision depends on."""
    return SimpleNamespace(rule=rule, t_max=t_max, whole=whole, setting={"k": k, "stable_theta": theta}.get)


def test_rules_and_the_last_step() -> None:
    scores = np.array([[5, 2], [4, 4], [0, 2]])
    live = np.arange(3)
    fixed = Decision(settings(DecisionRule.FIXED, 1, 2), 3)
    assert not fixed.after(1, scores, live).stop.any()
    last = fixed.after(2, scores, live)
    assert last.stop.all() and not last.by_rule.any()
    winner = Decision(settings(DecisionRule.WINNER_K, 2, 9), 3).after(1, scores, live)
    assert winner.by_rule.tolist() == winner.stop.tolist() == [True, False, True]
    assert winner.winners.tolist() == [0, 0, 1] and winner.margins.tolist() == [3, 0, 2]


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("first", [1, 9])
def test_a_stable_class(classes: int, first: int) -> None:
    """Images of a batch, which leave it as they end, against the definition of each by itself."""
    rng, count, steps = np.random.default_rng(classes), 60, 12
    scores = np.cumsum(rng.integers(-3, 5, (steps, count, classes)), axis=0)
    theta = 70
    decision, live = Decision(settings(DecisionRule.STABLE, 1, first + steps - 1, theta), count), np.arange(count)
    models, ended, changed = [StableModel(theta) for _ in range(count)], 0, 0
    for index in range(steps):
        verdict = decision.after(first + index, scores[index, live], live)
        for row, image in enumerate(live):
            before = models[image].winner
            lasts = models[image].after(int(verdict.winners[row]), int(verdict.margins[row]))
            changed += before not in (None, models[image].winner)
            assert verdict.by_rule[row] == lasts
            assert verdict.stop[row] == (lasts or index == steps - 1)
        if index == 0:
            assert not verdict.by_rule.any()
        ended += int(verdict.by_rule.sum())
        live = live[~verdict.stop]
    assert ended > 10 and (changed > 10) == (classes > 1)


def test_a_stable_class_among_wide_scores() -> None:
    """Membranes of 48 bits, averaged with their fractions, times a count of 15 bits: no product leaves 64 bits."""
    scores = np.array([[2**48, 0], [2**48, -(2**48)], [5, 4]], np.int64)
    for theta, lasting in ((2**31 - 1, [True, True, False]), (1, [True] * 3)):
        decision, live = Decision(settings(DecisionRule.STABLE, 1, 32767, theta), 3), np.arange(3)
        assert not decision.after(1, scores, live).by_rule.any()
        for step in (2, 3, 4):
            assert decision.after(step, scores, live).by_rule.tolist() == lasting
    assert lasts(np.array([2**15]), np.array([2**53]), 2**31 - 1).all()


def test_a_stable_class_in_real_numbers() -> None:
    """The same scores, scaled: the same decisions, but for what whole numbers round off."""
    rng = np.random.default_rng(3)
    scores = np.cumsum(rng.normal(size=(9, 40, 4)), axis=0)
    for scale in (1.0, 0.001):
        theta = 2.3 * 16 * scale
        decision = Decision(settings(DecisionRule.STABLE, 1, 99, theta, whole=False), 40)
        found = [decision.after(step + 1, scores[step] * scale, np.arange(40)).by_rule for step in range(9)]
        average, count, before = np.zeros(40), np.zeros(40), np.full(40, -1)
        for step in range(9):
            winners, margins = top_two(scores[step])
            average = (margins + average) / 2
            count = np.where(winners == before, count + 1, 0)
            before = winners
            assert found[step].tolist() == ((count > 0) & (count * average >= 2.3)).tolist()


class LastWinner(Decider):
    """Stops where the same class leads as after the step before: state per image."""

    def __init__(self, settings: Any, count: int) -> None:
        super().__init__(settings, count)
        self.before = np.full(count, -1)

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        same = self.before[live] == standing.winners
        self.before[live] = standing.winners
        return same


def test_a_state_per_image_outlives_those_that_have_ended() -> None:
    class Settled(DecisionRule):
        name, code, reference = "settled", None, LastWinner

    decision = Decision(settings(Settled(), 1, 9), 3)
    first = decision.after(1, np.array([[1, 0], [0, 1], [1, 0]]), np.arange(3))
    assert not first.stop.any()
    second = decision.after(2, np.array([[1, 0], [1, 0], [0, 1]]), np.arange(3))
    assert second.by_rule.tolist() == [True, False, False]
    third = decision.after(3, np.array([[1, 0], [1, 0]]), np.array([1, 2]))
    assert third.by_rule.tolist() == [True, False]
