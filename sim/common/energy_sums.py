"""Energies with low, typical and high values, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum

__all__ = ["ENDS", "summed"]

ENDS = ("low", "typical", "high")
"""Values of a coefficient, and of what is made of it."""


def summed(energies: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums of energies with `ENDS`, end by end, exact before they are rounded (`math.fsum`)."""
    found = list(energies)
    return {end: fsum(each[end] for each in found) for end in ENDS}
