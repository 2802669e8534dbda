"""Leads and decisions, compared with the definitions of `tests.models.plain`, and rules of somebody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import DecisionRule
from spikeloom.sim.reference.decision import Decider, Decision, Standing, leads_by, top_two


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


def settings(rule: DecisionRule, k: int, t_max: int) -> Any:
    """What a decision depends on."""
    return SimpleNamespace(rule=rule, t_max=t_max, setting={"k": k}.get)


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
