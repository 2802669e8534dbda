"""Which images a calibration runs, and which of them are not in its fit.

The fit is checked within and beyond what it has seen: the least and the most active images are not in it, nor is every
third of those between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["CHECKED_EVERY", "END_SHARE", "HeldOut", "activity_of", "chosen_images", "held_out"]

CHECKED_EVERY = 3
"""Of so many images in the order of their activity, the last is not in the fit."""
END_SHARE = 10
"""One of so many images is held out at either end of the order, one at least."""


def activity_of(result: Result) -> NDArray[np.int64]:
    """What images are ordered by, int64 [images]: steps, and among equal ones row pulses."""
    pulses: NDArray[np.int64] = result.activity["row_pulses"].sum(axis=1)
    return result.steps.astype(np.int64) * 2**32 + pulses


def _order(activity: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.lexsort((np.arange(len(activity)), activity))


def chosen_images(activity: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of `count` images of different activity, rising: even steps through their order by it.

    Raises `ValueError` where there are not so many.
    """
    if len(activity) < count:
        raise SpikeLoomError(
            f"A calibration of {count} images needs as many, and there are {len(activity)}: ask for fewer, or give more"
        )
    order = _order(activity)
    return np.sort(order[np.linspace(0, len(order) - 1, count).round().astype(int)])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Images that are not in the fit.

    Parameters
    ----------
    checked : bool [images], all of them
    least, most : bool [images], those of them that no image of the fit is less, or more, active than
    """

    checked: NDArray[np.bool_]
    least: NDArray[np.bool_]
    most: NDArray[np.bool_]

    __repr__ = short_repr

    @property
    def words(self) -> list[str]:
        """What every image is: "in the fit", "least active", "most active" or "between"."""
        return [
            "in the fit" if not checked else "least active" if least else "most active" if most else "between"
            for checked, least, most in zip(self.checked, self.least, self.most, strict=True)
        ]


def held_out(activity: NDArray[np.int64]) -> HeldOut:
    """Of images of this activity, int64 [images]."""
    order = _order(activity)
    ends = max(1, len(order) // END_SHARE)
    checked, least, most = (np.zeros(len(order), np.bool_) for _ in range(3))
    least[order[:ends]] = most[order[-ends:]] = True
    checked[order[ends:-ends][CHECKED_EVERY - 1 :: CHECKED_EVERY]] = True
    return HeldOut(checked | least | most, least, most)
