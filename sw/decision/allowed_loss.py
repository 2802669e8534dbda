"""Choosing when to stop for an allowed loss of accuracy, as a pass: skipped periods, and the threshold of the rule.

For each number of skipped periods the validation images run once to T_max, on the chip's own devices; on these runs
every threshold is evaluated exactly (`sw.decision.recorded`). Cells that drift are held where programming left them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sw.common.errors import warn
from spikeloom.sw.decision.learn_rule import without_drift
from spikeloom.sw.decision.recorded import THRESHOLDS, Curve, Recorded, curve_of
from spikeloom.sw.decision.trajectories import record_leads

__all__ = ["LOSSES", "ChosenRule", "StopChoice", "best_of", "choose_rule", "skips_of"]

LOSSES = (0.0, 0.001, 0.01)
"""Allowed losses for which the rules are compared; [WS 7.2] has results for these."""
_SKIPS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True)
class StopChoice:
    """A choice: the rule's name, skipped periods and threshold (None: T_max alone), the loss that it was made for, and
    what came of it on the validation images.
    """

    rule: str
    skip: int
    threshold: int | None
    loss: float
    accuracy: float
    mean_steps: float


@dataclass(frozen=True, eq=False)
class ChosenRule:
    """How the chip's rule came about.

    Parameters
    ----------
    choice : what the chip has
    accuracy, skip : the base: accuracy of the chip on the same images if all run to T_max, with the number of skipped
        periods for which it is highest (the smallest of equals)
    images : validation images
    compared : the best choice of each rule for each of `LOSSES`
    curves : of each rule and number of skipped periods
    """

    choice: StopChoice
    accuracy: float
    skip: int
    images: int
    compared: tuple[StopChoice, ...]
    curves: tuple[Curve, ...]

    __repr__ = short_repr

    def applied(self, chip: ProgrammedChip) -> ProgrammedChip:
        """A chip with this rule, threshold and skipped periods."""
        choice = self.choice
        if choice.threshold is None:
            return replace(chip, rule=DecisionRule.FIXED, skip=choice.skip)
        rule = DECISION_RULES[choice.rule]
        return replace(chip, rule=rule, skip=choice.skip, **{THRESHOLDS[rule].name: choice.threshold})  # type: ignore[arg-type]


def skips_of(chip: ProgrammedChip) -> list[int]:
    """Numbers of skipped periods to try: those with which the output layer runs in two steps or more."""
    last = max(0, (chip.t_max - 2) // chip.parameters.phases)
    return [skip for skip in _SKIPS if skip <= last]


def best_of(curves: Sequence[Curve], images: int, base: int, loss: float) -> StopChoice:
    """The choice with the fewest mean steps of those that lose at most `loss` of the images, from `base` correct ones
    at T_max; of equal ones the most accurate, then the one that skips least.
    """
    least = base - int(loss * images + 1e-9)
    found = [
        (float(curve.mean_steps[n]), -int(curve.correct[n]), curve.skip, index, n)
        for index, curve in enumerate(curves)
        for n in np.flatnonzero(curve.correct >= least).tolist()
    ]
    steps, wrong, skip, index, n = min(found)
    return StopChoice(curves[index].rule, skip, curves[index].thresholds[n], loss, -wrong / images, steps)


def choose_rule(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    rule: DecisionRule,
    loss: float,
    progress: Callable[[int, int, str], Any] | None = None,
) -> ChosenRule:
    """Choose skipped periods and threshold of `rule`; the chip's own do not matter.

    Parameters
    ----------
    images, labels : uint8 [images, inputs] and int64 [images], kept out of training and testing
    loss : share of the images that may be lost, 0 .. 1

    Warns where one image is more than the loss: then none may be lost.
    """
    count = len(images)
    if 0.0 < loss < 1.0 / count:
        warn(
            f"An allowed loss of {loss:g} is less than one of {count} validation images, so that none may be lost; "
            f"give {int(np.ceil(1.0 / loss))} or more ([data] validation_images), or allow more"
        )
    steady = replace(without_drift(chip), rule=DecisionRule.FIXED)
    arrays, skips = build_arrays(steady), skips_of(chip)
    runs = []
    for number, skip in enumerate(skips):
        at = replace(steady, skip=skip)
        winners, leads = record_leads(at, images, arrays=arrays)
        runs.append(Recorded(skip, skip * chip.parameters.phases, winners, leads, np.asarray(labels, np.int64)))
        if progress is not None:
            progress(number + 1, len(skips), "numbers of skipped periods tried")
    reference = max(runs, key=lambda run: (run.correct, -run.skip))
    curves = {
        kind: [curve_of(kind, run, _largest(chip, kind)) for run in runs]
        for kind in (DecisionRule.WINNER_K, DecisionRule.STABLE)
    }
    compared = [best_of(own, count, reference.correct, each) for each in LOSSES for own in curves.values()]
    return ChosenRule(
        best_of(curves[rule], count, reference.correct, loss),
        reference.correct / count,
        reference.skip,
        count,
        tuple(compared),
        tuple(curve for own in curves.values() for curve in own),
    )


def _largest(chip: ProgrammedChip, rule: DecisionRule) -> int:
    """The largest threshold that the register holds."""
    return int(min((1 << min(32, THRESHOLDS[rule].bits(chip.parameters))) - 1, 2**31 - 1))
