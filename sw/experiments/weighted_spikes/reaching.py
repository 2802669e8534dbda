"""After how many steps the accuracy of a converted network is that of the original one, less an allowed loss."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOSSES", "Reached", "needed", "reached"]

LOSSES = (0.0, 0.1, 1.0)
"""Allowed losses of [WS] Table 2 in points of accuracy: none; less than 0.1; less than 1."""


class Reached(NamedTuple):
    """Steps, from 1; None where it does not come to it.

    first : the first step with that accuracy
    stays : the first step from which no later one has less
    """

    first: int | None
    stays: int | None


def needed(network_right: int, images: int, loss_points: float) -> int:
    """Images that have to be right where `network_right` of them are with the original network.

    A loss of 0 allows none; another one must stay below its points, as the tables of [WS] have it ("< 1 %p").
    """
    if loss_points == 0.0:
        return network_right
    least = network_right - loss_points * images / 100.0
    whole = round(least)
    return whole + 1 if math.isclose(least, whole, abs_tol=1e-9) else math.ceil(least)


def reached(right: NDArray[np.int64], wanted: int, first: int) -> Reached:
    """When as many images are right as wanted.

    right : int64 [steps], images that are right after every step; only those from step `first` on count
    """
    enough = right >= wanted
    enough[: first - 1] = False
    if not enough.any():
        return Reached(None, None)
    short = np.flatnonzero(~enough)
    stays = int(short[-1]) + 2 if len(short) else 1
    return Reached(int(enough.argmax()) + 1, stays if stays <= len(right) else None)
