"""The decision in the reference: which class leads, by how much, and whether the rule ends the image.

Every level in Python decides here: the integer reference, the network in real numbers, learning and evidence. A class
per rule of `hw.params.decision_rules`; the hardware is `hw.decision.terminator`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import FRACTION_BITS, STABLE_THETA, DecisionRule, K
from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Trace

__all__ = [
    "Decider",
    "Decision",
    "Fixed",
    "Settings",
    "Stable",
    "Standing",
    "Verdict",
    "WinnerK",
    "average_lead",
    "lasts",
    "leads_by",
    "scores_by_step",
    "top_two",
]

Scores = NDArray[Any]
"""Integers or real numbers: the chip's scores, or those of the network in real numbers."""


class Settings(Protocol):
    """What a decision depends on: a `sim.chip.programmed_chip.ProgrammedChip`, or a network in real numbers."""

    @property
    def rule(self) -> DecisionRule:
        """The decision rule."""
        ...

    @property
    def t_max(self) -> int:
        """Most steps of an image."""
        ...

    @property
    def whole(self) -> bool:
        """Scores are whole numbers, and averages of them are rounded down, as the unit does."""
        ...

    def setting(self, name: str) -> float:
        """A register of the rule, in the unit of the scores."""
        ...


class Standing(NamedTuple):
    """Where images stand after a step."""

    scores: Scores
    """[images, classes]"""
    winners: NDArray[np.int64]
    """The best class of each image; of equals the one with the lowest index."""
    margins: Scores
    """Its score less that of the second, or less 0 with a single class; [images]."""


class Verdict(NamedTuple):
    """What was decided of images after a step; arrays [images]."""

    winners: NDArray[np.int64]
    margins: Scores
    by_rule: NDArray[np.bool_]
    """The rule asks to stop."""
    stop: NDArray[np.bool_]
    """The image ends: by the rule, or because this was the last step."""


class Decider:
    """A decision rule at work on a batch of images. It may keep a state per image, in arrays of `count` rows.

    Parameters
    ----------
    settings : of the rule
    count : images of the batch
    """

    def __init__(self, settings: Settings, count: int) -> None:
        self.settings = settings

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        """Which images the rule ends after step `step` (1, 2, ...), bool [live].

        Called after every step in which the output layer was run, for the images that have not ended. `live` is their
        numbers in the batch: row b of `standing` is image live[b].
        """
        raise NotImplementedError


class Fixed(Decider):
    """Ends none before t_max."""

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        """None, bool [live]."""
        return np.zeros(len(live), bool)


class WinnerK(Decider):
    """Ends an image at a margin of k."""

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        """Those whose margin is at least k, bool [live]."""
        return leads_by(standing.margins, self.settings.setting(K.name))


class Stable(Decider):
    """Ends an image whose class has stayed the same for theta / (average margin) steps [WS Alg. 1].

    The product of both is compared with theta, so that there is no division.
    """

    def __init__(self, settings: Settings, count: int) -> None:
        super().__init__(settings, count)
        self._kind = np.int64 if settings.whole else np.float64
        self._winners = np.full(count, -1, np.int64)
        self._counts = np.zeros(count, np.int64)
        self._averages = np.zeros(count, self._kind)

    def ends(self, standing: Standing, live: NDArray[np.intp], step: int) -> NDArray[np.bool_]:
        """Those with the class of the step before, and the product at least theta, bool [live]."""
        same = standing.winners == self._winners[live]
        counts = np.where(same, self._counts[live] + 1, 0)
        averages = average_lead(self._averages[live], standing.margins)
        self._winners[live], self._counts[live], self._averages[live] = standing.winners, counts, averages
        return lasts(counts, averages, self.settings.setting(STABLE_THETA.name))


_BY_CODE: dict[int, type[Decider]] = {
    int(DecisionRule.FIXED): Fixed,
    int(DecisionRule.WINNER_K): WinnerK,
    int(DecisionRule.STABLE): Stable,
}
"""Models of the unit's terminator, by the value of its register."""


class Decision:
    """The decisions of a batch of images: the rule, and t_max steps at most."""

    def __init__(self, settings: Settings, count: int) -> None:
        rule = settings.rule
        kind: type[Decider] = _BY_CODE[int(rule)] if rule.reference is None else rule.reference
        self._decider, self._t_max = kind(settings, count), settings.t_max

    def after(self, step: int, scores: Scores, live: NDArray[np.intp]) -> Verdict:
        """What is decided after a step, from the scores [live, classes] of the images that have not ended."""
        winners, margins = top_two(scores)
        by_rule = self._decider.ends(Standing(scores, winners, margins), live, step)
        return Verdict(winners, margins, by_rule, by_rule | (step == self._t_max))


def top_two(scores: Scores) -> tuple[NDArray[np.int64], Scores]:
    """The best class over the last axis (the lowest index of equals) and its lead on the second, or on 0 with a single
    class; [..., classes] -> [...] twice.
    """
    winners = np.argmax(scores, axis=-1)
    if scores.shape[-1] == 1:
        return winners, scores[..., 0]
    top = np.partition(scores, -2, axis=-1)
    return winners, top[..., -1] - top[..., -2]


def leads_by(margins: Scores, k: float) -> NDArray[np.bool_]:
    """WINNER-K's condition: whether the best class leads the second by k or more."""
    return margins >= k


def average_lead(averages: Scores, margins: Scores) -> Scores:
    """STABLE's moving average after a step, from that after the step before, with fraction bits in both: the mean of it
    and the margin, rounded down if averages are whole numbers.
    """
    if averages.dtype == np.float64:
        return (margins.astype(np.float64) * (1 << FRACTION_BITS) + averages) / 2.0
    return ((margins.astype(np.int64) << FRACTION_BITS) + averages) >> 1


def lasts(counts: NDArray[np.int64], averages: Scores, theta: float) -> NDArray[np.bool_]:
    """STABLE's condition: the product is at least theta, in a step with the class of the step before. An average above
    theta counts as theta, which changes nothing, and keeps the product of integers in 64 bits.
    """
    return (counts > 0) & (counts * np.minimum(averages, theta) >= theta)


def scores_by_step(chip: ProgrammedChip, trace: Trace) -> NDArray[np.int64]:
    """Scores of the classes after every step of traced images that ran to t_max, int64 [images, steps, classes].

    0 in steps that skip the last layer. With readout MEMBRANE the trace has to hold the membranes.
    """
    last = len(chip.layers) - 1
    if chip.readout == Readout.MEMBRANE:
        assert trace.membranes is not None
        return trace.membranes[last].astype(np.int64)
    phases = chip.parameters.phases
    gains = 1 << (phases - 1 - np.arange(chip.t_max) % phases)
    return np.cumsum(trace.unpacked(last) * gains[None, :, None], axis=1, dtype=np.int64)
