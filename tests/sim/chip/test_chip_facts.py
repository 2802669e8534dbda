from __future__ import annotations

from dataclasses import replace

from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.chip.chip_facts import chip_facts, chip_line, chip_rows
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from tests.fixtures.synthetic import make_chip, make_programmed_chip

CHIP = make_chip()


def stable_chip() -> ProgrammedChip:
    """The chip with the rule STABLE."""
    parameters = replace(CHIP.parameters, rules=DECISION_RULES.unit)
    return replace(CHIP, parameters=parameters, rule=DecisionRule.STABLE, stable_theta=40)


def test_facts_of_a_chip() -> None:
    assert chip_facts(CHIP) == {
        "sizes": [64, 40, 10],
        "inputs": 64,
        "classes": 10,
        "coding": "even",
        "phases": 1,
        "rule": "winner_k",
        "k": 2,
        "stable_theta": None,
        "t_max": 8,
        "skip": 0,
        "readout": "spikes",
        "cell": "linear",
        "cell_bits": 4,
        "cells": 2 * (64 * 40 + 40 * 10),
        "tiles": 2 * 3 + 2 * 1,  # of 32 rows and 16 columns
        "effects": {"device_sigma": 0.05, "read_sigma": 0.01},
        "wire_ohm": 0.0,
        "programming": "direct",
        "clock_Hz": 1e8,
    }
    stuck = chip_facts(make_programmed_chip())
    assert stuck["effects"]["stuck_on"] == 0.01 and stuck["programming"] == "write-verify"
    assert chip_facts(replace(CHIP, rule=DecisionRule.FIXED))["k"] is None
    facts = chip_facts(stable_chip())
    assert (facts["rule"], facts["k"], facts["stable_theta"]) == ("stable", None, 40)


def test_a_stable_rule_in_words() -> None:
    chip = stable_chip()
    assert "stable rule with stable_theta 40, at most 8 steps" in chip_line(chip)
    stops = "stops where (steps that a class has stayed) x (average lead) is 2.5, after 8 steps at most, by spikes"
    assert dict(chip_rows(chip))["decision rule"] == f"stable: {stops}"


def test_a_chip_in_a_line_and_in_rows() -> None:
    assert chip_line(CHIP) == ("synthetic: 64-40-10, 4-bit cells; even coding, winner_k rule with k 2, at most 8 steps")
    assert dict(chip_rows(CHIP)) == {
        "network": "64-40-10",
        "layers": "layer0: 64 x 40; layer1: 40 x 10",
        "input coding": "even",
        "decision rule": "winner_k: stops at a lead of k = 2, after 8 steps at most, by spikes",
        "devices": "4-bit linear cells, device_sigma 5 %, read_sigma 1 %",
        "cells": "5,920 in 8 crossbar tiles",
        "clock": "100 MHz",
    }
    plain = dict(chip_rows(replace(CHIP, rule=DecisionRule.FIXED, device=Device(wire_ohm=0.5))))
    assert plain["decision rule"] == "fixed: 8 steps, by spikes" and plain["devices"].endswith("wires of 0.5 ohm")
    assert dict(chip_rows(CHIP.with_device(Device())))["devices"] == "4-bit linear cells, ideal"


def test_a_deep_network_does_not_fill_the_page() -> None:
    rows = dict(chip_rows(make_chip((16, *(4,) * 12))))
    assert rows["layers"].count(";") == 8 and rows["layers"].endswith("layer7: 4 x 4; and 4 more")


def test_notebooks_show_a_chip_as_a_table() -> None:
    text = replace(CHIP, name="<b>")._repr_html_()
    assert text.startswith("<table") and "&lt;b&gt;" in text and "<b>" not in text and "64-40-10" in text
