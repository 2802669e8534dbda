"""Labels that are valid but almost certainly a mistake: the classes, shifted by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST", "SHIFTED", "shift_in_words", "shift_of"]

FEWEST = 16
"""Images without which nothing is said about labels."""
SHIFTED = 0.5
"""Share of the labels that must be the class moved by one."""
_TIMES = 2.0
"""How many times as many as those that are the class itself."""


def shift_of(classes: NDArray[np.integer], labels: NDArray[np.integer]) -> tuple[int, float] | None:
    """By how much labels, int64 [images], are the classes, int64 [images], moved: (1 or -1, share of the images that it
    holds for); None where they are not, or of few images.
    """
    if len(labels) < FEWEST:
        return None
    share, shift = max((float(np.mean(classes + by == labels)), by) for by in (-1, 1))
    return (shift, share) if share >= SHIFTED and share >= _TIMES * float(np.mean(classes == labels)) else None


def shift_in_words(shift: int, share: float, whose: str) -> str:
    """A clause: "the labels look moved by one: 97% of them are the class of the network + 1"."""
    sign = "+" if shift > 0 else "-"
    return f"the labels look moved by one: {share:.0%} of them are the class of {whose} {sign} 1"
