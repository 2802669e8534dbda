"""Skipped periods and theta for an allowed loss: those with which images end earliest and enough of them are right.

[WS] 5.1 and 5.3 tune both empirically and do not say on which images; its figures look as if it had been on the test
images. Here they are chosen on held-out validation images, and also on the test images, as an upper bound of what the
choice can give.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.experiments.weighted_spikes.early import THETAS, register, trajectory
from spikeloom.sw.experiments.weighted_spikes.reaching import reached
from spikeloom.sw.experiments.weighted_spikes.recordings import Recording

__all__ = ["Choice", "Option", "best_early", "best_fixed", "early_options"]


class Choice(NamedTuple):
    """How images end.

    skip : periods in which the outputs are not updated
    theta : of the early decision, in units of tau = 1 of [WS]; None ends all after the same step
    steps : that step, or None
    """

    skip: int
    theta: float | None
    steps: int | None


class Option(NamedTuple):
    """What a skip and a theta give: images that are right, and the mean of their steps."""

    skip: int
    theta: float
    right: int
    steps_mean: float


def early_options(recording: Recording, labels: NDArray[np.int64], skips: Sequence[int]) -> list[Option]:
    """All of them, skip by skip, with growing theta."""
    found = []
    for skip in skips:
        path = trajectory(recording.skipped(skip))
        for theta in THETAS:
            decided = path.ends(register(theta, recording))
            right = int(np.count_nonzero(decided.classes == labels))
            found.append(Option(skip, theta, right, float(decided.steps.mean())))
    return found


def best_early(options: Sequence[Option], wanted: int) -> Choice | None:
    """The one with the fewest steps with which as many images are right as wanted; of equals the first. None if with
    none of them enough are.
    """
    enough = [option for option in options if option.right >= wanted]
    if not enough:
        return None
    best = min(enough, key=lambda option: option.steps_mean)
    return Choice(best.skip, best.theta, None)


def best_fixed(recording: Recording, labels: NDArray[np.int64], skips: Sequence[int], wanted: int) -> Choice | None:
    """The skip with which accuracy stays high enough from the earliest step on, and that step; None if with none."""
    best: Choice | None = None
    for skip in skips:
        path = trajectory(recording.skipped(skip))
        stays = reached(path.right(labels), wanted, path.first).stays
        if stays is not None and (best is None or best.steps is None or stays < best.steps):
            best = Choice(skip, None, stays)
    return best
