"""Score trajectories of labelled images, and the outcome of every WINNER-K rule on them.

One run with the fixed rule tells all rules apart: until an image stops, its draws and scores are the same whatever the
rule. So the lead of the best class after every step, and whether that class is the right one, give the exact decision
and number of steps of every k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule, Readout
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import check_ids, check_labels, check_progress, check_whole, is_whole
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sim.reference.decision import leads_by, scores_by_step, top_two
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["Rewards", "Search", "Trajectories", "record_leads", "record_trajectories", "search_k"]

_MOST_LEVELS = 64


@dataclass(frozen=True)
class Rewards:
    """What an image's decision is worth: `correct` (R_c) or `wrong` (R_p) at the end, `step` (R_t) for every time step.

    `discount` is gamma, for every passage from a state to the next; see `sw.decision.q_learning`.
    """

    correct: float = 50.0
    wrong: float = -50.0
    step: float = -1.0
    discount: float = 0.9

    def __post_init__(self) -> None:
        if not all(np.isfinite(value) for value in (self.correct, self.wrong, self.step)):
            raise SpikeLoomError(f"Rewards must be finite numbers, not {self.correct!r}, {self.wrong!r}, {self.step!r}")
        if not self.correct > self.wrong:
            raise SpikeLoomError(
                f"The reward of a right class must be above that of a wrong one ({self.wrong!r}), not {self.correct!r}"
            )
        if self.step > 0.0:
            raise SpikeLoomError(f"The reward of a time step must be at most 0, not {self.step!r}")
        if not 0.0 < self.discount <= 1.0:
            raise SpikeLoomError(f"The discount must be above 0 and at most 1, not {self.discount!r}")


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Images that ran to T_max.

    Parameters
    ----------
    leads : int64 [images, steps], score of the best class less that of the second, after each step
    right : bool [images, steps], whether the best class is the label
    unit : score of one level; the rules looked at are k = unit, 2 unit, ...
    """

    leads: NDArray[np.int64]
    right: NDArray[np.bool_]
    unit: int = 1

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if self.leads.ndim != 2 or 0 in self.leads.shape:
            raise SpikeLoomError(
                f"Leads must have shape [images, steps] with at least one of each, not {self.leads.shape}"
            )
        if self.right.shape != self.leads.shape or self.right.dtype != np.bool_:
            raise SpikeLoomError(
                f"Right must be bool {self.leads.shape} as leads, not {self.right.dtype} {self.right.shape}"
            )
        if not is_whole(self.unit) or self.unit < 1:
            raise SpikeLoomError(f"unit must be a positive integer, not {self.unit!r}")

    def __len__(self) -> int:
        return len(self.leads)

    @property
    def t_max(self) -> int:
        """Steps recorded."""
        return int(self.leads.shape[1])

    @property
    def levels(self) -> int:
        """The largest n such that some image leads by n units at some step; 0 if none leads by one."""
        return max(0, int(self.leads.max()) // self.unit)

    def first_steps(self) -> NDArray[np.int32]:
        """Step, from 1, after which an image first leads by n units or more; int32 [images, levels], column n - 1.

        T_max + 1 where it never does. Rows do not fall.
        """
        running = np.maximum.accumulate(self.leads // self.unit, axis=1)
        first = np.empty((len(self), self.levels), np.int32)
        for n in range(1, self.levels + 1):
            first[:, n - 1] = 1 + np.count_nonzero(running < n, axis=1)
        return first

    def stopped(self, k: int | None) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Steps int64 [images] and right bool [images] with the rule WINNER-K, or with T_max alone if k is None."""
        steps = np.full(len(self), self.t_max, np.int64)
        if k is not None:
            reached = leads_by(self.leads, k)
            steps = np.where(reached.any(axis=1), 1 + np.argmax(reached, axis=1), self.t_max).astype(np.int64)
        return steps, self.right[np.arange(len(self)), steps - 1]


@dataclass(frozen=True, eq=False)
class Search:
    """Every k on the same trajectories, ascending; the last entry is no rule at all: T_max.

    Parameters
    ----------
    ks : the rules; None is T_max
    accuracy : float64 [rules], 0 .. 1
    mean_steps : float64 [rules]
    reward : float64 [rules], mean of R_c or R_p plus R_t per step, without discount
    discounted : float64 [rules], mean of the return that Q-learning maximises
    """

    ks: tuple[int | None, ...]
    accuracy: NDArray[np.float64]
    mean_steps: NDArray[np.float64]
    reward: NDArray[np.float64]
    discounted: NDArray[np.float64]

    __repr__ = short_repr

    @property
    def best(self) -> int | None:
        """The rule with the largest discounted return: what learning should find."""
        return self.ks[int(np.argmax(self.discounted))]

    @property
    def best_undiscounted(self) -> int | None:
        """The rule with the largest reward."""
        return self.ks[int(np.argmax(self.reward))]


def search_k(trajectories: Trajectories, rewards: Rewards | None = None) -> Search:
    """Accuracy, mean steps and expected reward of every k, by counting.

    The discounted return of an image that reaches leads 1, 2, .. after steps f_1 <= f_2 <= .. and stops at lead k is

        sum over n = 1 .. k of gamma^(n - 1) R_t (f_n - f_(n-1))  +  gamma^k R,    f_0 = 0,  R = R_c or R_p

    and one that never reaches k, but m < k, adds gamma^m (R_t (T_max - f_m) + R) to its first m terms.
    """
    rewards = Rewards() if rewards is None else rewards
    t_max, count = trajectories.t_max, len(trajectories)
    first = trajectories.first_steps()
    ks = (*(n * trajectories.unit for n in range(1, trajectories.levels + 1)), None)
    accuracy, steps, reward, discounted = (np.empty(len(ks)) for _ in range(4))
    path = np.zeros(count)  # discounted time penalties on the way to the latest lead reached
    before = np.zeros(count, np.int64)
    factor = np.ones(count)
    for index, k in enumerate(ks):
        used, right = trajectories.stopped(k)
        final = np.where(right, rewards.correct, rewards.wrong)
        reached = first[:, index] <= t_max if k is not None else np.zeros(count, bool)
        at_end = path + factor * (rewards.step * (t_max - before) + final)
        if k is not None:
            path = np.where(reached, path + factor * rewards.step * (first[:, index] - before), path)
            before = np.where(reached, first[:, index], before)
            factor = np.where(reached, factor * rewards.discount, factor)
        accuracy[index], steps[index] = np.mean(right), np.mean(used)
        reward[index] = np.mean(final + rewards.step * used)
        discounted[index] = np.mean(np.where(reached, path + factor * final, at_end))
    return Search(ks, accuracy, steps, reward, discounted)


def record_trajectories(
    chip: ProgrammedChip,
    images: Any,
    labels: Any,
    ids: Any = None,
    arrays: tuple[CrossbarArray, ...] | None = None,
    unit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch: int = 1000,
) -> Trajectories:
    """Trajectories of labelled images on a chip, from the integer reference with the fixed rule.

    Parameters
    ----------
    images, ids, arrays : as in `sim.reference.run.run_reference`
    labels : integers [images], classes; images and labels must be kept out of training and of testing
    unit : score of a level; by default the smallest with which there are at most 64
    progress : called as progress(images done, images in all)
    batch : images traced together; bounds the memory

    Raises `TypeError` or `ValueError` for images, labels or numbers that do not fit.
    """
    pixels = check_images(images, image_shape(chip.parameters))
    known = check_labels(labels, len(pixels), chip.parameters.classes)
    winners, leads = record_leads(chip, pixels, ids, arrays, progress, batch)
    if unit is None:
        unit = max(1, -(-int(leads.max()) // _MOST_LEVELS))
    return Trajectories(leads, winners == known[:, None], unit)


def record_leads(
    chip: ProgrammedChip,
    images: Any,
    ids: Any = None,
    arrays: tuple[CrossbarArray, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch: int = 1000,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Best class after each step and its lead, int64 [images, steps] both, of images that run to T_max; parameters as
    for `record_trajectories`.
    """
    check_progress(progress)
    check_whole("batch", batch)
    pixels = check_images(images, image_shape(chip.parameters))
    numbers = check_ids(ids, len(pixels))
    fixed = replace(chip, rule=DecisionRule.FIXED)
    programmed = build_arrays(fixed) if arrays is None else arrays
    kind = "spikes" if chip.readout == Readout.SPIKES else "full"
    winners, leads = np.empty((2, len(pixels), chip.t_max), np.int64)
    for start in range(0, len(pixels), batch):
        part = slice(start, start + batch)
        result = run_reference(fixed, pixels[part], numbers[part], kind, programmed)  # type: ignore[arg-type]
        assert result.trace is not None
        winners[part], leads[part] = top_two(scores_by_step(chip, result.trace))
        if progress is not None:
            progress(min(start + batch, len(pixels)), len(pixels))
    return winners, leads
