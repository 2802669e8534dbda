"""The rules of `sw.config_rules` under many combinations of the choices that decide what is used.

`tests.sw.test_every_field` holds every field to an effect in some configuration; here what a rule calls unused is
refused wherever the rule holds, and its default is not.
"""

from __future__ import annotations

from typing import Any

import pytest

from sw.config import Config
from sw.config_page import configuration_page
from sw.config_rules import ONE_LAYER_RULES, RULES
from sw.errors import ConfigError
from sw.field_rules import Unused, default_of
from tests.sw.test_every_field import (
    CHANGES,
    DRIFT,
    LEARNED,
    MAPS,
    PLAIN,
    PULSES,
    TUNED,
    config,
    fields,
)

RATE = {"coding.input": "rate"}
PHASE = {"coding.input": "phase", "coding.phases": 3}
MEMBRANE = {"decision.readout": "membrane", "neuron.output_reset": "none"}
NOISY = {"device.device_sigma": 0.1, "device.read_sigma": 0.02}
FIXED = {"decision.rule": "fixed"}
# Choices in pairs of every kind: rule, strategy, tuning, input, method, cell, normalisation, network, readout, reset.
CONTEXTS: dict[str, dict[str, Any]] = {
    "fixed, rate": {**FIXED, "coding.input": "rate"},
    "fixed, membrane, zero": {**FIXED, **MEMBRANE, "neuron.reset": "zero"},
    "fixed, verify": {**FIXED, **PULSES, "device.pulse_sigma": 0.5},
    "learned, phase": {**LEARNED, **PHASE},
    "learned, tuned, relu": {**LEARNED, **TUNED, **PLAIN},
    "tuned, verify, phase": {**TUNED, **PULSES, **PHASE, "device.pulse_sigma": 0.5},
    "analog, membrane": {"coding.input": "analog", **MEMBRANE, **NOISY},
    "analog, maps, verify": {"coding.input": "analog", **MAPS, **PULSES, "device.pulse_sigma": 0.5},
    "analog, one layer": {"coding.input": "analog", "train.hidden": []},
    "one layer, fixed": {**FIXED, "train.hidden": []},
    "rate, phases, percentile": {**RATE, "coding.phases": 2, "convert.normalisation": "percentile", **PLAIN},
    "drift, rate": {**DRIFT, "coding.input": "rate"},
    "drift, verify, membrane": {**DRIFT, **PULSES, **MEMBRANE},
    "maps, phase, resets": {**MAPS, **PHASE, "neuron.reset": "zero", "neuron.output_reset": "none"},
    "maps, average, fixed": {**MAPS, **FIXED, "train.pooling": "average"},
}  # fmt: skip


def test_the_contexts_are_configurations() -> None:
    for context in CONTEXTS.values():
        config(**context)


def test_what_a_rule_calls_unused_is_refused_and_its_default_is_not() -> None:
    """Every field of every rule, in every context in which the rule holds."""
    refused = set()
    for rule in (each for each in RULES if isinstance(each, Unused)):
        for name, context in CONTEXTS.items():
            before = config(**context)
            if not rule.holds(before):
                continue
            for field in rule.names(Config):
                if field not in CHANGES:
                    continue
                default = default_of(before, field)
                config(**{**context, field: list(default) if isinstance(default, tuple) else default})
                value = CHANGES[field][0]
                value = value if value != default else {"convert.normalisation": "max"}.get(field, value)
                if value == default:
                    continue
                with pytest.raises(ConfigError) as caught:
                    config(**{**context, field: value})
                table, _, key = field.partition(".")
                assert f"[{table}] {key} must be" in str(caught.value), (name, field)
                refused.add(field)
    assert len(refused) >= 45


def test_every_rule_is_a_sentence_of_the_page() -> None:
    page = " ".join(configuration_page().split())
    for rule in (*RULES, *ONE_LAYER_RULES):
        assert rule.text() in page
        assert rule.text()[0] in "`TA" and not rule.text().endswith(".")


def test_the_fields_of_rules_exist() -> None:
    known = fields()
    for rule in (*RULES, *ONE_LAYER_RULES):
        if isinstance(rule, Unused):
            assert set(rule.names(Config)) <= known and {choice.field for choice in rule.choices} <= known
