"""The decision rule STABLE by its definition, in plain integers, for one image."""

from __future__ import annotations

from spikeloom.hw.params.decision_rules import FRACTION_BITS

__all__ = ["StableModel"]


class StableModel:
    """Of an image: `after` a step whether it ends.

    theta : the register's value
    """

    def __init__(self, theta: int) -> None:
        self.theta, self.winner, self.count, self.average = theta, None, 0, 0

    def after(self, winner: int, margin: int) -> bool:
        """Whether the rule ends the image after a step with this class and margin."""
        self.average = (margin * 2**FRACTION_BITS + self.average) // 2
        same = winner == self.winner
        self.count = self.count + 1 if same else 0
        self.winner = winner
        return same and self.count * self.average >= self.theta
