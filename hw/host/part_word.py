"""Which optional parts the unit is built with, as a word of 32 bits that a chip shows to its host."""

from __future__ import annotations

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.layouts import pack, unpack, word_layout
from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["PART_MEANINGS", "PART_WORD", "part_word", "parts_of", "rules_of"]

_RULES = {f"rule_{rule.name}": rule for rule in DECISION_RULES.unit if rule.optional}
"""Decision rules that a unit may be built without, by the names of their bits."""


def _rule_meaning(rule: DecisionRule) -> str:
    registers = " and ".join(register.name for register in rule.registers)
    return f"the decision rule {rule.name}, and its register {registers}"


_BITS = (*ALL_OPTIONAL, *_RULES)
PART_WORD = word_layout([(name, bit, 1) for bit, name in enumerate(_BITS)])
"""The word of the unit: a bit for each part that there is."""
PART_MEANINGS = {
    "programmer": "programmers of the cells, and their registers, windows, settings, event and interrupt",
    "activity_counters": "activity counters of the layers, their registers, and their words in result frames",
    **{name: _rule_meaning(rule) for name, rule in _RULES.items()},
}
"""What a bit of each field says, in words."""


def part_word(parameters: NpuParameters) -> int:
    """The word of a unit's parts."""
    there = {name: int(getattr(parameters, name)) for name in ALL_OPTIONAL}
    return pack(PART_WORD, there | {name: int(rule in parameters.rules) for name, rule in _RULES.items()})


def parts_of(word: int) -> dict[str, bool]:
    """The parts of layers that `part_word` gives this word for, as arguments of `LayerParameters`.

    Raises
    ------
    ValueError : a bit that stands for no part
    """
    if word >> len(_BITS):
        raise SpikeLoomError(f"Bits 0 .. {len(_BITS) - 1} of the unit's parts have a meaning, not {word:#x}")
    there = unpack(PART_WORD, word)
    return {name: bool(there[name]) for name in ALL_OPTIONAL}


def rules_of(word: int) -> tuple[DecisionRule, ...]:
    """The decision rules of the unit that `part_word` gives this word for."""
    there = unpack(PART_WORD, word)
    missing = [rule for name, rule in _RULES.items() if not there[name]]
    return tuple(rule for rule in DECISION_RULES.unit if rule not in missing)
