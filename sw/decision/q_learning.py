"""Learning the stopping threshold k by Q-learning: Ma and Zhou, ASPDAC 2021, Algorithm 1 and Figure 5 [WK 4.1].

States: START before the first step; WIN_n when an image first leads by n; TER_n where it is stopped there; END where
T_max stops it. In START the only way is on. In WIN_n there are two actions, go on and terminate. With every image

    Q(s, a) <- (1 - alpha) Q(s, a) + alpha (R + gamma max over a' of Q(s', a'))                         [WK eq. 4]

where R is R_t for every step from s to s', plus R_c or R_p where s' is END; terminating gives R_c or R_p alone, and
nothing follows TER_n and END. k is the first n with Q(WIN_n, go on) < Q(WIN_n, terminate).

An image that leads by several more after one step passes the states between within that step; so "terminate in WIN_n"
is what the hardware does with k = n, whatever the coding. What the paper leaves open is in docs/strategy.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.arguments import check_progress, is_whole
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.decision.trajectories import Rewards, Trajectories

__all__ = ["CONTINUE", "TERMINATE", "Learning", "LearntQValues", "learn_q_values"]

CONTINUE, TERMINATE = 0, 1
"""Columns of a Q-table."""

Progress = Callable[[int, int, str], None]
"""Called with (images shown, most images, a text such as "k 3")."""


@dataclass(frozen=True)
class Learning:
    """How to learn.

    Parameters
    ----------
    rewards : R_c, R_p, R_t and gamma
    rate : alpha, the paper's constant
    rate_halves_at : updates of a Q value after which its alpha is half of `rate`, at twice as many a third, and so on;
        0 keeps alpha constant. With a constant alpha values never come to rest; with a falling one they do (Watkins and
        Dayan, "Q-learning", Machine Learning 8, 1992)
    epsilon, epsilon_factor, epsilon_min : probability of a random action, after every image multiplied by the factor
        down to the least; not stated in the paper
    report_interval : images between two looks at the table
    patience : intervals over which the table is averaged; converged when two consecutive averages of this kind agree
    tolerance : in k, and to this in all values that lead to it, unit of the rewards
    max_images : end of learning if it does not converge
    """

    rewards: Rewards = field(default_factory=Rewards)
    rate: float = 0.1
    rate_halves_at: int = 0
    epsilon: float = 1.0
    epsilon_factor: float = 0.9998
    epsilon_min: float = 0.4
    report_interval: int = 2000
    patience: int = 10
    tolerance: float = 0.5
    max_images: int = 400_000

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("epsilon_factor", self.epsilon_factor)):
            if not 0.0 < value <= 1.0:
                raise SpikeLoomError(f"{name} must be above 0 and at most 1, not {value!r}")
        if not 0.0 < self.epsilon_min <= self.epsilon <= 1.0:
            raise SpikeLoomError(
                "epsilon_min must be above 0 and at most epsilon, and epsilon at most 1, "
                f"not {self.epsilon_min!r} and {self.epsilon!r}"
            )
        if not self.tolerance > 0.0:
            raise SpikeLoomError(f"tolerance must be above 0, not {self.tolerance!r}")
        for name, count in (
            ("report_interval", self.report_interval),
            ("patience", self.patience),
            ("max_images", self.max_images),
        ):
            if not is_whole(count) or count < 1:
                raise SpikeLoomError(f"{name} must be a positive integer, not {count!r}")
        halves = self.rate_halves_at
        if not is_whole(halves) or halves < 0:
            raise SpikeLoomError(f"rate_halves_at must be a whole number of at least 0, not {halves!r}")


@dataclass(frozen=True, eq=False)
class LearntQValues:
    """What was learned.

    Parameters
    ----------
    k : lead that ends inference, as the hardware's register holds it; None: no lead is worth stopping for before T_max
    table : float64 [levels + 1, 2], Q averaged over the last `patience` intervals; row 0 is START, row n is WIN_n,
        columns CONTINUE and TERMINATE
    last : float64 [levels + 1, 2], Q after the last image; its own k is `last_k`
    visits : int64 [levels + 1, 2], updates of each entry
    history : float64 [intervals, levels + 1, 2], Q averaged over each interval
    shown : int64 [intervals], images shown until the end of each interval
    epsilons : float64 [intervals], epsilon after each interval
    converged : False if max_images ended learning
    unit : score of one level; WIN_n is a lead of n * unit
    """

    k: int | None
    table: NDArray[np.float64]
    last: NDArray[np.float64]
    visits: NDArray[np.int64]
    history: NDArray[np.float64]
    shown: NDArray[np.int64]
    epsilons: NDArray[np.float64]
    converged: bool
    unit: int

    __repr__ = short_repr

    @property
    def images(self) -> int:
        """Images shown in all."""
        return int(self.shown[-1])

    @property
    def last_k(self) -> int | None:
        """k of the table as the last image left it; with a constant alpha it still moves from image to image."""
        return _register(_first_terminate(self.last), self.unit)

    @property
    def history_k(self) -> tuple[int | None, ...]:
        """k of every interval's average."""
        return tuple(_register(_first_terminate(table), self.unit) for table in self.history)


def learn_q_values(
    trajectories: Trajectories,
    learning: Learning | None = None,
    seed: int | np.random.Generator = 0,
    progress: Progress | None = None,
) -> LearntQValues:
    """Learn when to stop, from images that were kept out of training and testing.

    The images are shown in random order, all once before any a second time.

    Parameters
    ----------
    seed : of order and exploration; the same values, bit for bit, for the same seed. A generator is used as it is
    """
    check_progress(progress)
    learning = Learning() if learning is None else learning
    rewards = learning.rewards
    rng = np.random.default_rng(seed)
    first = trajectories.first_steps()
    right = np.ascontiguousarray(trajectories.right)
    table = np.zeros((trajectories.levels + 1, 2))
    visits = np.zeros(table.shape, np.int64)
    history: list[NDArray[np.float64]] = []
    counts: list[int] = []
    epsilons: list[float] = []
    epsilon, shown, settled = learning.epsilon, 0, 0
    rule = _Rule(
        factor=learning.epsilon_factor,
        least=learning.epsilon_min,
        rate=learning.rate,
        halves_at=learning.rate_halves_at,
        discount=rewards.discount,
        correct=rewards.correct,
        wrong=rewards.wrong,
        step=rewards.step,
    )
    waiting = np.empty(0, np.int64)
    converged = False
    while shown < learning.max_images and not converged:
        count = min(learning.report_interval, learning.max_images - shown)
        while len(waiting) < count:
            waiting = np.concatenate([waiting, rng.permutation(len(trajectories))])
        total = np.zeros(table.shape)
        epsilon = _show(waiting[:count], first, right, table, visits, total, rng, epsilon, rule)
        waiting = waiting[count:]
        shown += count
        history.append(total / count)
        counts.append(shown)
        epsilons.append(epsilon)
        settled += epsilon <= learning.epsilon_min
        if settled >= 2 * learning.patience:
            now = np.mean(history[-learning.patience :], axis=0)
            before = np.mean(history[-2 * learning.patience : -learning.patience], axis=0)
            converged = _agree(now, before, learning.tolerance)
        if progress is not None:
            progress(shown, learning.max_images, f"k {_register(_first_terminate(history[-1]), trajectories.unit)}")
    average = np.mean(history[-learning.patience :], axis=0)
    k = _register(_first_terminate(average), trajectories.unit)
    return LearntQValues(
        k=k,
        table=average,
        last=table,
        visits=visits,
        history=np.array(history),
        shown=np.array(counts),
        epsilons=np.array(epsilons),
        converged=converged,
        unit=trajectories.unit,
    )


def _first_terminate(table: NDArray[np.float64]) -> int | None:
    """The first n with Q(WIN_n, go on) < Q(WIN_n, terminate)."""
    better = np.flatnonzero(table[1:, CONTINUE] < table[1:, TERMINATE])
    return int(better[0]) + 1 if len(better) else None


def _register(level: int | None, unit: int) -> int | None:
    return None if level is None else level * unit


def _agree(now: NDArray[np.float64], before: NDArray[np.float64], tolerance: float) -> bool:
    """Whether two averages choose the same n, and agree on all values up to it."""
    chosen = _first_terminate(now)
    if chosen != _first_terminate(before):
        return False
    rows = slice(None) if chosen is None else slice(chosen + 1)
    return bool(np.abs(now[rows] - before[rows]).max() <= tolerance)


class _Rule(NamedTuple):
    """What learning goes by: how epsilon falls and its least, the rate and how it falls, and the rewards."""

    factor: float
    least: float
    rate: float
    halves_at: int
    discount: float
    correct: float
    wrong: float
    step: float


@kernel(nogil=True)
def _update(table, visits, state, action, target, rate, halves_at):  # type: ignore[no-untyped-def]
    """Equation 4 for one state and action, in place."""
    if halves_at:
        rate = rate / (1.0 + visits[state, action] / halves_at)
    table[state, action] += rate * (target - table[state, action])
    visits[state, action] += 1


@kernel(nogil=True)
def _show(  # type: ignore[no-untyped-def]
    order, first, right, table, visits, total, rng, epsilon, rule
):
    """Show images in this order; table, visits and total (sum of the table after every image) in place; epsilon.

    rule : a `_Rule`
    """
    factor, least, rate, halves_at, discount, correct, wrong, step = rule
    t_max, levels = right.shape[1], first.shape[1]
    for image in order:
        state, now, stopped = 0, 0, False
        for n in range(1, levels + 1):
            reached = first[image, n - 1]
            if reached > t_max:
                break
            target = step * (reached - now) + discount * max(table[n, 0], table[n, 1])
            _update(table, visits, state, 0, target, rate, halves_at)
            state, now = n, reached
            if rng.random() < epsilon:
                stopped = rng.random() < 0.5
            else:
                stopped = table[n, 1] > table[n, 0]
            if stopped:
                _update(table, visits, n, 1, correct if right[image, now - 1] else wrong, rate, halves_at)
                break
        if not stopped:
            target = step * (t_max - now) + (correct if right[image, t_max - 1] else wrong)
            _update(table, visits, state, 0, target, rate, halves_at)
        epsilon = max(least, epsilon * factor)
        total += table
    return epsilon
