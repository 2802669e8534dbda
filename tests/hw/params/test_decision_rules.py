"""Decision rules that a unit is built for: registers, logic, host's word and build number."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.host.part_word import part_word, rules_of
from spikeloom.hw.host.register_map import host_map
from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, global_registers
from spikeloom.hw.params.cycles import image_bound
from spikeloom.hw.params.decision_rules import (
    DECISION_RULES,
    STABLE_THETA,
    DecisionRule,
    built_rules,
    check_rule_built,
    rule_bits,
    unit_rule,
    verdict_cycles,
)
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

UNIT = NpuParameters(
    layers=(LayerParameters(inputs=5, outputs=2, lanes=2, max_steps=20),), max_steps=20, encoder_lanes=2
)
WHOLE = replace(UNIT, rules=DECISION_RULES.unit)
BASIC = (DecisionRule.FIXED, DecisionRule.WINNER_K)


class Alias(DecisionRule):
    """Somebody else's, which the unit runs as its own."""

    name = "alias"
    code = int(DecisionRule.STABLE)


class Foreign(DecisionRule):
    """Somebody else's, of the reference only."""

    name = "foreign"
    code = None


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ((), ValueError, "must name fixed and winner_k, and may name stable, each once and in this order, not none"),
        ((DecisionRule.FIXED, DecisionRule.STABLE), ValueError, "must name fixed and winner_k, .*, not fixed, stable"),
        ((*BASIC, DecisionRule.STABLE, DecisionRule.STABLE), ValueError, "must name .*, stable, stable"),
        (BASIC[::-1], ValueError, "must name .*, not winner_k, fixed"),
        (list(BASIC), TypeError, "must be a tuple of decision rules, not "),
        ((0, 1), TypeError, r"must be a tuple of decision rules, not \(0, 1\)"),
    ],
)
def test_rules_are_checked(rules: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^NPU parameter rules {message}"):
        replace(UNIT, rules=rules)


def test_what_a_unit_for_a_rule_is_built_for() -> None:
    assert UNIT.rules == built_rules() == built_rules(DecisionRule.FIXED) == built_rules(Foreign()) == BASIC
    assert built_rules(DecisionRule.STABLE) == built_rules(Alias()) == DECISION_RULES.unit
    assert (rule_bits(BASIC), rule_bits(DECISION_RULES.unit)) == (1, 2)
    assert [unit_rule(rule) for rule in (Alias(), Foreign())] == [DecisionRule.STABLE, DecisionRule.FIXED]


def test_registers_and_ports_of_what_is_not_built_are_not_there() -> None:
    assert global_registers(WHOLE) == GLOBAL_REGISTERS
    assert [r.name for r in GLOBAL_REGISTERS if r not in global_registers(UNIT)] == [STABLE_THETA.name]
    assert {entry.name for entry in host_map(WHOLE)} - {entry.name for entry in host_map(UNIT)} == {STABLE_THETA.name}


def test_what_is_not_built_has_no_logic() -> None:
    lean, whole = ("".join(export_verilog(unit).values()) for unit in (UNIT, WHOLE))
    for word in (r"\baverage\b", rf"\b{STABLE_THETA.name}\b", r"\bAVERAGE\b"):
        assert re.search(word, whole) and not re.search(word, lean)


def test_the_word_gives_the_rules_back() -> None:
    for unit in (UNIT, WHOLE):
        word = part_word(unit)
        assert rules_of(word) == unit.rules
        assert [entry.init for entry in host_map(unit) if entry.name == "parts"] == [word]
    assert (part_word(UNIT), part_word(WHOLE)) == (3, 7)


def test_builds_have_numbers_of_their_own() -> None:
    assert build_id(UNIT) != build_id(WHOLE)


def test_bounds_hold_the_longest_verdict() -> None:
    """Verdicts take the average, a cycle per bit of 19 steps, and a comparison longer."""
    assert [verdict_cycles(rule, WHOLE) for rule in (*DECISION_RULES.unit, Alias(), Foreign())] == [0, 0, 7, 7, 0]
    assert image_bound(WHOLE, 2, 1) - image_bound(UNIT, 2, 1) == 21 * 7


def test_a_chip_needs_its_rule() -> None:
    for rule in (*BASIC, Foreign()):
        check_rule_built(rule, BASIC)
    check_rule_built(Alias(), DECISION_RULES.unit)
    for rule in (DecisionRule.STABLE, Alias()):
        with pytest.raises(ValueError) as refused:
            check_rule_built(rule, BASIC)
        assert str(refused.value) == (
            f"Programmed chip: rule must be fixed or winner_k, not {rule.name}, since its unit is built without it; "
            'build it with it, by [hardware] decision_rules = "all" or by the parameters of the unit'
        )
