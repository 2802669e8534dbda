"""Every threshold of a decision rule on recorded images, exactly: what it makes of accuracy and steps.

Until an image stops, nothing depends on its rule, so that a run to T_max holds the decision of every rule. After each
step a rule compares one number of the image with its threshold: WINNER-K the lead with k, STABLE the product of stable
steps and average lead with theta. The first step in which that number reaches a threshold is the one that this
threshold stops at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import STABLE_THETA, DecisionRule, K
from spikeloom.hw.params.kinds import KindRegister
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.reference.decision import average_lead
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["THRESHOLDS", "Curve", "Recorded", "curve_of", "numbers_of", "stable_products"]

THRESHOLDS: dict[DecisionRule, KindRegister] = {DecisionRule.WINNER_K: K, DecisionRule.STABLE: STABLE_THETA}
"""Rules with a threshold that can be chosen so, and its register."""
_MOST = 2**31 - 1
_CANDIDATES = 512


@dataclass(frozen=True, eq=False)
class Recorded:
    """Images that ran to T_max on a chip that skips so many periods.

    Parameters
    ----------
    skip : periods
    first : steps before the output layer runs
    winners, leads : int64 [images, steps], best class after each step, and its lead
    labels : int64 [images]
    """

    skip: int
    first: int
    winners: NDArray[np.int64]
    leads: NDArray[np.int64]
    labels: NDArray[np.int64]

    __repr__ = short_repr

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best class is the label, bool [images, steps]."""
        return np.equal(self.winners, self.labels[:, None])

    @property
    def correct(self) -> int:
        """Images that are classified correctly at T_max."""
        return int(np.count_nonzero(self.right[:, -1]))


@dataclass(frozen=True, eq=False)
class Curve:
    """What thresholds make of a rule, ascending; the last entry is T_max alone (None).

    Parameters
    ----------
    rule, skip : name of the rule, periods
    thresholds : register values
    correct : int64 [thresholds], images classified correctly
    mean_steps : float64 [thresholds]
    """

    rule: str
    skip: int
    thresholds: tuple[int | None, ...]
    correct: NDArray[np.int64]
    mean_steps: NDArray[np.float64]

    __repr__ = short_repr


def numbers_of(rule: DecisionRule, recorded: Recorded) -> NDArray[np.int64]:
    """What the rule compares with its threshold, int64 [images, steps]; below 1 where it cannot stop. Numbers beyond
    31 bits are 2^31 - 1, which no threshold is above.
    """
    if rule is DecisionRule.WINNER_K:
        found: NDArray[np.int64] = np.minimum(recorded.leads, _MOST)
    elif rule is DecisionRule.STABLE:
        found = stable_products(recorded.winners, recorded.leads, recorded.first)
    else:
        names = " or ".join(f"'{kind.name}'" for kind in THRESHOLDS)
        raise SpikeLoomError(f"The rule must be {names} to choose its threshold, not '{rule.name}'")
    found[:, : recorded.first] = 0
    return found


def stable_products(winners: NDArray[np.int64], leads: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """What STABLE compares with theta, stable steps times average lead, int64 [images, steps], at most 2^31 - 1.

    winners, leads, first : as those of `Recorded`; products are 0 in the first steps
    """
    products = np.zeros(leads.shape, np.int64)
    average, count = np.zeros(len(leads), np.int64), np.zeros(len(leads), np.int64)
    before = np.full(len(leads), -1, np.int64)
    for step in range(first, leads.shape[1]):
        count = np.where(winners[:, step] == before, count + 1, 0)
        average = average_lead(average, leads[:, step])
        products[:, step] = np.minimum(count * np.clip(average, 0, _MOST), _MOST)
        before = winners[:, step]
    return products


def curve_of(rule: DecisionRule, recorded: Recorded, most: int = _MOST) -> Curve:
    """Correct images and mean steps with every threshold up to `most` at which something changes; of more than 512 of
    those, 512 at equal distances in their order.
    """
    running = np.maximum.accumulate(numbers_of(rule, recorded), axis=1)
    values = np.unique(running)
    values = values[(values >= 1) & (values <= most)]
    if len(values) > _CANDIDATES:
        values = values[np.linspace(0, len(values) - 1, _CANDIDATES).round().astype(int)]
    right, rows = recorded.right, np.arange(len(running))
    t_max: int = recorded.leads.shape[1]
    correct, steps = [], []
    for value in values:
        stopped = np.minimum(np.count_nonzero(running < value, axis=1), t_max - 1)
        correct.append(np.count_nonzero(right[rows, stopped]))
        steps.append(np.mean(stopped + 1))
    return Curve(
        rule.name,
        recorded.skip,
        (*values.tolist(), None),
        np.array([*correct, recorded.correct], np.int64),
        np.array([*steps, t_max], np.float64),
    )
