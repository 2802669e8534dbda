"""Differences of many numbers, each with a bound of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Compared:
    """A difference and its bound, of every neuron that was compared."""

    differences: list[np.ndarray] = field(default_factory=list)
    bounds: list[np.ndarray] = field(default_factory=list)

    def add(self, difference: np.ndarray, bound: np.ndarray) -> None:
        self.differences.append(np.abs(difference).ravel())
        self.bounds.append(np.broadcast_to(bound, difference.shape).ravel())

    @property
    def all(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([np.zeros(0), *self.differences]), np.concatenate([np.zeros(0), *self.bounds])

    @property
    def worst(self) -> float:
        """Largest difference in bounds."""
        difference, bound = self.all
        return float((difference / (bound + 1e-9)).max(initial=0.0))

    def largest(self) -> tuple[float, float]:
        """The largest difference, and the bound of it."""
        difference, bound = self.all
        at = int(np.argmax(difference)) if len(difference) else -1
        return (float(difference[at]), float(bound[at])) if len(difference) else (0.0, 0.0)
