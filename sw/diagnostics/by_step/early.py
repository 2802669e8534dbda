"""What the decision rule would have done with the scores of a run to t_max: its own settings, and weaker and stronger
ones, for the trade-off between accuracy and spikes ([WS Figure 12]).

Until an image ends, its scores are the same whatever the rule; so one run tells all of them, as in
`sw.decision.trajectories`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import SCORE_FRACTIONS, SCORES, DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.reference.decision import Decision

__all__ = ["EarlyRule", "Outcomes", "Stopping", "early_rules"]

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""What the rule's registers in units of scores, and of their fractions, are multiplied by."""


@dataclass(frozen=True)
class EarlyRule:
    """The rule of a chip with these registers; settings for `sim.reference.decision.Decision`.

    own : whether they are the chip's
    """

    rule: DecisionRule
    t_max: int
    registers: dict[str, int]
    own: bool

    @property
    def whole(self) -> bool:
        """Scores are those of the unit."""
        return True

    def setting(self, name: str) -> float:
        """A register."""
        return self.registers[name]


def early_rules(chip: ProgrammedChip) -> tuple[EarlyRule, ...]:
    """The chip's own rule and others of its kind, weakest first; none for a rule that never ends an image early."""
    if not chip.rule.ends_early:
        return ()
    found: dict[tuple[int, ...], EarlyRule] = {}
    own = {register.name: chip.setting(register.name) for register in chip.rule.registers}
    scaled = {register.name for register in chip.rule.registers if register.unit in (SCORES, SCORE_FRACTIONS)}
    for factor in FACTORS if scaled else (1.0,):
        registers = {name: max(1, round(factor * value)) if name in scaled else value for name, value in own.items()}
        key = tuple(registers.values())
        found.setdefault(key, EarlyRule(chip.rule, chip.t_max, registers, registers == own))
    return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What each of some rules gives for each image; arrays [rules, images].

    steps int32; right bool, whether the class is the true one; spikes int64 and crossbar_J float64 until then
    """

    steps: NDArray[np.int32]
    right: NDArray[np.bool_]
    spikes: NDArray[np.int64]
    crossbar_J: NDArray[np.float64]

    __repr__ = short_repr

    @classmethod
    def empty(cls, rules: int, images: int) -> Outcomes:
        """Zeros, to be filled."""
        shape = (rules, images)
        return cls(np.zeros(shape, np.int32), np.zeros(shape, bool), np.zeros(shape, np.int64), np.zeros(shape))


class Stopping:
    """The rules at work on a chunk of images, which start at row `start` of the outcomes."""

    def __init__(self, rules: Sequence[EarlyRule], images: int, start: int, outcomes: Outcomes) -> None:
        self._decisions = [Decision(rule, images) for rule in rules]
        self._live = [np.arange(images) for _ in rules]
        self._start, self._outcomes = start, outcomes

    def step(
        self,
        step: int,
        scores: NDArray[np.int64],
        truth: NDArray[np.int64],
        spikes: NDArray[np.int64],
        crossbar_J: NDArray[np.float64],
    ) -> None:
        """Take the scores [images, classes] after a step; true classes, and spikes and energy so far, [images]."""
        for rule, decision in enumerate(self._decisions):
            live = self._live[rule]
            if not len(live):
                continue
            verdict = decision.after(step, scores[live], live)
            done = live[verdict.stop]
            where = self._start + done
            self._outcomes.steps[rule, where] = step
            self._outcomes.right[rule, where] = verdict.winners[verdict.stop] == truth[done]
            self._outcomes.spikes[rule, where] = spikes[done]
            self._outcomes.crossbar_J[rule, where] = crossbar_J[done]
            self._live[rule] = live[~verdict.stop]
