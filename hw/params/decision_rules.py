"""Decision rules: when inference of an image ends. One class per kind; all of them are in `DECISION_RULES`.

The hardware is `hw.decision.terminator`, the reference `sim.reference.decision`. docs/extending.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from spikeloom.hw.params.kinds import Kind, KindRegister, Kinds

__all__ = ["DECISION_RULES", "SCORES", "DecisionRule", "K"]

SCORES = "score units"
"""Unit of a register that is compared with scores; any other has the same value in the network in real numbers."""


class DecisionRule(Kind):
    """A decision rule. Whatever the rule, an image ends after step t_max at the latest.

    ends_early : whether it may end an image before t_max
    """

    ends_early: ClassVar[bool] = True

    FIXED: ClassVar[DecisionRule]
    WINNER_K: ClassVar[DecisionRule]

    def in_words(self, chip: object) -> str:
        """The rule of a chip with its registers, such as "winner_k rule with k 3"."""
        held = " and ".join(f"{register.name} {getattr(chip, register.name)}" for register in self.registers)
        return f"{self.name} rule" + (f" with {held}" if held else "")


DECISION_RULES = Kinds(DecisionRule, "decision rule", "spikeloom.decision_rules")


class Fixed(DecisionRule):
    """All t_max steps."""

    name = "fixed"
    code = 0
    sentence = "always t_max steps"
    ends_early = False


K = KindRegister("k", 2, lambda p: p.margin_bits - 1, "margin at which winner-k stops", SCORES, 1)
"""The lead that ends an image; any rule may use it."""


class WinnerK(DecisionRule):
    """The first step after which the best class leads the second by k or more [WK 4.1]."""

    name = "winner_k"
    code = 1
    sentence = "stop when the best class leads the second by k"
    fields = ("decision.k",)
    registers = (K,)
    without = "which never stops before t_max"
    needs = (
        '`decision.k` is a whole number with `decision.readout = "spikes"`, and at most `decision.t_max` * '
        "2^(`coding.phases` - 1), the largest weighted spike count there can be"
    )

    def problems(self, config: Any) -> Iterator[str]:
        d, phases = config.decision, config.coding.phases
        if d.readout != "spikes":
            return
        if d.k != round(d.k):
            yield (
                f"[decision] k must be a whole number of spikes with readout 'spikes', not {d.k!r}; round it, or set "
                "readout 'membrane', with which k is in thresholds"
            )
        if d.strategy == "given" and d.k > d.t_max << (phases - 1):
            yield (
                f"[decision] k must be at most t_max * 2^(phases - 1) = {d.t_max << (phases - 1)} spikes, the largest "
                f"count there can be, not {d.k!r}; lower k or raise t_max"
            )


DecisionRule.FIXED = DECISION_RULES.built_in(Fixed)
DecisionRule.WINNER_K = DECISION_RULES.built_in(WinnerK)
