"""The early decision of [WS] Algorithm 1 on recorded scores, for every theta at a time.

The algorithm ends an image once count * E reaches theta, where count is how many steps the class has stayed the same
and E the moving average of its lead. Neither depends on theta, so the largest product so far says for every theta when
the image ends. The arithmetic is that of the unit's rule `stable` (docs/number-format.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import FRACTION_BITS
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.reference.decision import top_two
from spikeloom.sw.decision.recorded import stable_products
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording, Run

__all__ = ["THETAS", "Decided", "Trajectory", "register", "trajectory"]

THETAS: tuple[float, ...] = tuple(round(float(2.0 ** (number / 4)), 4) for number in range(-28, 33))
"""Values of theta that are tried, in units of tau = 1 of [WS]: four per octave, from 1/128 to 256."""


@dataclass(frozen=True, eq=False)
class Decided:
    """Where images end; arrays [images].

    steps : int64, from 1
    classes : int64
    """

    steps: NDArray[np.int64]
    classes: NDArray[np.int64]

    __repr__ = short_repr

    def at(self, sums: NDArray[Any]) -> NDArray[Any]:
        """What sums [images, steps] are when each image ends."""
        found: NDArray[Any] = sums[np.arange(len(self.steps)), self.steps - 1]
        return found


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Images with a number of skipped periods; arrays [images, steps].

    Parameters
    ----------
    first : the first step with scores
    classes : int64, the best class after each step; -1 before `first`
    strengths : int64, the largest count * E so far, at most 2^31 - 1; 0 before there is any
    """

    first: int
    classes: NDArray[np.int64]
    strengths: NDArray[np.int64]

    __repr__ = short_repr

    @property
    def steps(self) -> int:
        """T_max."""
        return int(self.classes.shape[1])

    def ends(self, theta: int) -> Decided:
        """Images that end at a register value of the rule, 1 or more; those that do not reach it end at T_max."""
        reached = self.strengths >= theta
        return self.fixed(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, self.steps))

    def fixed(self, steps: NDArray[np.int64] | int) -> Decided:
        """Images that end after given steps."""
        count = len(self.classes)
        ends = np.broadcast_to(np.asarray(steps, np.int64), (count,))
        return Decided(ends, self.classes[np.arange(count), ends - 1])

    def right(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Images whose class is the true one after every step, int64 [steps]."""
        right: NDArray[np.int64] = np.count_nonzero(self.classes == labels[:, None], axis=0)
        return right


def trajectory(run: Run) -> Trajectory:
    """What classes lead, and how firmly."""
    count, steps = run.scores.shape[:2]
    classes, leads = np.full((count, steps), -1, np.int64), np.zeros((count, steps), np.int64)
    for at in range(run.first - 1, steps):  # step by step: all scores at once take too much memory
        classes[:, at], leads[:, at] = top_two(run.scores[:, at])
    products = stable_products(classes, leads, run.first - 1)
    return Trajectory(run.first, classes, np.maximum.accumulate(products, axis=1))


def register(theta: float, recording: Recording) -> int:
    """The register value of a theta in units of tau = 1 of [WS]."""
    phases = int(recording.phases[0])
    tau = recording.unit[0] * (1 << phases if phases > 1 else 1)
    return max(1, round(float(theta * tau) * (1 << FRACTION_BITS)))
