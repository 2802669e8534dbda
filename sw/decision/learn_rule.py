"""Learning the decision rule from validation images, as a pass: trajectories, Q-learning, and the direct search.

Learnt on the chip's own devices, with cells that drift held where programming left them: the rule must not depend on
the order of the images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sw.config.search_sections import LearningSection
from spikeloom.sw.decision.q_learning import Learning, LearntQValues, learn_q_values
from spikeloom.sw.decision.trajectories import Rewards, Search, record_trajectories, search_k

__all__ = ["LearntRule", "learn_rule", "with_rule", "without_drift"]

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, what)."""


@dataclass(frozen=True, eq=False)
class LearntRule:
    """How the chip's rule came about.

    Parameters
    ----------
    q_values : what was learned; its k is in the chip's register, and the chip runs to T_max if it is None
    search : every k on the same images, counted
    images : validation images learned from
    before : what was learned before tuning, if k was learned again
    """

    q_values: LearntQValues
    search: Search
    images: int
    before: LearntRule | None = None

    __repr__ = short_repr

    @property
    def k(self) -> int | None:
        """The register's value; None if no lead is worth stopping for."""
        return self.q_values.k


def learn_rule(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    section: LearningSection,
    seed: int,
    progress: Progress | None = None,
) -> LearntRule:
    """Learn when to stop; the chip's own rule and k do not matter.

    Parameters
    ----------
    images, labels : uint8 [images, inputs] and int64 [images], kept out of training and testing
    seed : of order and exploration
    """
    tell = progress if progress is not None else _silent
    trajectories = record_trajectories(
        without_drift(chip), images, labels, progress=lambda done, total: tell(done, total, "images run to learn from")
    )
    rewards = Rewards(section.reward_correct, section.reward_wrong, section.reward_step, section.discount)
    names = ("rate", "rate_halves_at", "epsilon", "epsilon_factor", "epsilon_min", "max_images")
    learning = Learning(rewards, **{name: getattr(section, name) for name in names})
    q_values = learn_q_values(
        trajectories, learning, seed, lambda done, total, text: tell(done, total, f"images shown, learning k: {text}")
    )
    return LearntRule(q_values, search_k(trajectories, rewards), len(trajectories))


def with_rule(chip: ProgrammedChip, k: int | None) -> ProgrammedChip:
    """The chip with WINNER-K and this register value, or with the fixed rule for None."""
    return replace(chip, rule=DecisionRule.FIXED) if k is None else replace(chip, rule=DecisionRule.WINNER_K, k=k)


def without_drift(chip: ProgrammedChip) -> ProgrammedChip:
    """The chip as programmed: cells that drift do not."""
    return frozen(chip) if chip.device.drifts else chip


def _silent(done: int, total: int, what: str) -> None:
    pass
