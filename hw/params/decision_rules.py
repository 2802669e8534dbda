"""Decision rules: when inference of an image ends. One class per kind; all of them are in `DECISION_RULES`.

The hardware is `hw.decision.terminator`, the reference `sim.reference.decision`. docs/extending.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.kinds import Kind, KindRegister, Kinds

__all__ = [
    "DECISION_RULES",
    "FRACTION_BITS",
    "SCORES",
    "SCORE_UNITS",
    "STABLE_THETA",
    "DecisionRule",
    "K",
    "built_rules",
    "check_rule_built",
    "check_rules",
    "rule_bits",
    "stable_count_bits",
    "unit_rule",
    "verdict_cycles",
]

FRACTION_BITS = 4
"""Fraction bits of the rule STABLE's average lead. With readout spikes and rate coding leads are small whole numbers,
and the average of the first n steps is a whole number of 2^-n: with 4 bits it is exact for four steps, then too small
by less than 1/16 spike. Leads of membranes have thousands of units. Each further bit would halve the largest theta that
a register of 31 bits holds, which for theta_l = 1023 and K = 8 is 512 thresholds now."""
SCORES = "score units"
"""Unit of a register that is compared with scores."""
SCORE_FRACTIONS = f"score units / {1 << FRACTION_BITS}"
"""Unit of one that is compared with scores that have fraction bits."""
SCORE_UNITS = (SCORES, SCORE_FRACTIONS)
"""Units that are others in the network in real numbers; a register of any other unit has the same value there."""


class DecisionRule(Kind):
    """A decision rule. Whatever the rule, an image ends after step t_max at the latest.

    ends_early : whether it may end an image before t_max
    optional : whether a unit may be built without it
    """

    ends_early: ClassVar[bool] = True
    optional: ClassVar[bool] = False

    FIXED: ClassVar[DecisionRule]
    WINNER_K: ClassVar[DecisionRule]
    STABLE: ClassVar[DecisionRule]

    def cycles(self, parameters: Any) -> int:
        """Clock cycles that a unit of these `hw.params.parameters.NpuParameters` takes longer to a verdict by it."""
        return 0

    def added_bits(self, parameters: Any) -> int:
        """Bits that such a unit adds and compares for a verdict by it, besides the margin and its comparison with k."""
        return 0

    def when(self, chip: object) -> str:
        """When it ends an image on a chip, a clause."""
        return "may stop earlier"

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
    without = "which does not stop at a lead"
    needs = (
        '`decision.k` is a whole number with `decision.readout = "spikes"`, and at most `decision.t_max` * '
        "2^(`coding.phases` - 1), the largest weighted spike count there can be"
    )

    def when(self, chip: Any) -> str:
        """The lead."""
        return f"stops at a lead of k = {chip.k}"

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


def stable_count_bits(parameters: Any) -> int:
    """Bits of the number of steps for which a class has led, beyond the first: at most max_steps - 1."""
    return max(1, int(parameters.max_steps - 1).bit_length())


STABLE_THETA = KindRegister(
    "stable_theta",
    8,
    lambda p: p.margin_bits - 1 + FRACTION_BITS + stable_count_bits(p),
    "steps for which a class has led, times the average lead, at which stable stops",
    SCORE_FRACTIONS,
    1,
)
"""Theta of [WS Alg. 1]; any rule may use it."""


class Stable(DecisionRule):
    """The first step after which the class has been the same for theta / (average lead) steps [WS Alg. 1]."""

    name = "stable"
    code = 2
    sentence = "stop when the best class has stayed the same for theta / (moving average of its lead) steps"
    fields = ("decision.theta",)
    registers = (STABLE_THETA,)
    without = "which does not average leads"
    optional = True
    needs = (
        'with `decision.rule = "stable"` the output layer runs in two steps or more, since a class has to stay: '
        '`decision.t_max` is above `decision.skip` * `coding.phases` + 1; with `decision.readout = "spikes"` '
        "`decision.theta` is at most (steps - 1) * steps * 2^(`coding.phases` - 1), for these steps"
    )

    def cycles(self, parameters: Any) -> int:
        """Average, a cycle per bit of the product's factor, comparison (`hw.decision.terminator`)."""
        return stable_count_bits(parameters) + 2

    def added_bits(self, parameters: Any) -> int:
        """Average; the product, as often as its factor has bits, and its comparison."""
        average, count = int(parameters.margin_bits) + FRACTION_BITS, stable_count_bits(parameters)
        return average + (count + 1) * (average + count)

    def when(self, chip: Any) -> str:
        """The product, in units of the score."""
        theta = chip.stable_theta / (1 << FRACTION_BITS)
        return f"stops where (steps that a class has stayed) x (average lead) is {theta:g}"

    def problems(self, config: Any) -> Iterator[str]:
        d, phases = config.decision, config.coding.phases
        steps = d.t_max - d.skip * phases
        if steps < 2:
            yield (
                f"[decision] t_max must be above skip * phases + 1 = {d.skip * phases + 1} with rule 'stable', which "
                f"compares a step with the one before, not {d.t_max}; raise t_max or lower skip"
            )
            return
        most = (steps - 1) * steps << (phases - 1)
        if d.readout == "spikes" and d.theta > most:
            yield (
                f"[decision] theta must be at most {most} with readout 'spikes', {steps} steps and phases {phases}, "
                f"which no image can pass, not {d.theta!r}; lower theta or raise t_max"
            )


DecisionRule.FIXED = DECISION_RULES.built_in(Fixed)
DecisionRule.WINNER_K = DECISION_RULES.built_in(WinnerK)
DecisionRule.STABLE = DECISION_RULES.built_in(Stable)


def built_rules(rule: DecisionRule | None = None) -> tuple[DecisionRule, ...]:
    """What a unit is built for that runs this rule: all that are not optional, and it. One that runs in the reference
    only needs nothing.
    """
    own = None if rule is None or rule.code is None else DECISION_RULES[rule.code]
    return tuple(kind for kind in DECISION_RULES.unit if not kind.optional or kind is own)


def rule_bits(rules: tuple[DecisionRule, ...]) -> int:
    """Bits of the register that says which of these rules a chip has."""
    return max(1, max(int(rule) for rule in rules).bit_length())


def unit_rule(rule: DecisionRule) -> DecisionRule:
    """What a unit runs for a rule: its own rule with that code; FIXED for one that runs in the reference only."""
    return DecisionRule.FIXED if rule.code is None else DECISION_RULES[rule.code]


def verdict_cycles(rule: DecisionRule, parameters: Any) -> int:
    """Clock cycles that a unit with this rule takes longer to a verdict."""
    return unit_rule(rule).cycles(parameters)


def check_rules(rules: tuple[DecisionRule, ...]) -> None:
    """Check rules that a unit is to be built for.

    Raises
    ------
    TypeError : no tuple of rules
    ValueError : one is missing that every unit has, one that no unit has, or one twice or in another order than that of
        their codes
    """
    if not isinstance(rules, tuple) or not all(isinstance(kind, DecisionRule) for kind in rules):
        raise ArgumentTypeError(f"NPU parameter rules must be a tuple of decision rules, not {rules!r}")
    if rules != tuple(kind for kind in DECISION_RULES.unit if kind in rules or not kind.optional):
        optional = tuple(kind for kind in DECISION_RULES.unit if kind.optional)
        raise SpikeLoomError(
            f"NPU parameter rules must name {_listed(built_rules(), ' and ')}, and may name {_listed(optional)}, each "
            f"once and in this order, not {_listed(rules) or 'none'}"
        )


def check_rule_built(rule: DecisionRule, rules: tuple[DecisionRule, ...]) -> None:
    """Raise `ValueError` for a chip whose rule its unit is built without; one of the reference only is not."""
    if rule.code is not None and DECISION_RULES[rule.code] not in rules:
        raise SpikeLoomError(
            f"Programmed chip: rule must be {_listed(rules, ' or ')}, not {rule.name}, since its unit is built without "
            'it; build it with it, by [hardware] decision_rules = "all" or by the parameters of the unit'
        )


def _listed(rules: tuple[DecisionRule, ...], between: str = ", ") -> str:
    return between.join(kind.name for kind in rules)
