"""Under every combination of the choices that decide what is used, a field that is set changes something or is refused.

`tests.sw.test_every_field` holds every field to an effect in some configuration. Here each is set in many, by the rules
of `sw.config_rules`: what they do not refuse has to change what a run gives.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

import sw
from sw.compile_images import needs_validation
from sw.config import Config
from sw.config_page import configuration_page
from sw.config_rules import ONE_LAYER_RULES, RULES
from sw.data import load_data
from sw.errors import ConfigError, SpikeLoomError
from sw.field_rules import Unused, default_of
from sw.training import train
from tests.sw.test_every_field import (
    CHANGES,
    DRIFT,
    LEARNED,
    MAPS,
    PLAIN,
    PULSES,
    TIMED,
    TUNED,
    config,
    fields,
    outcome,
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
# What a run is measured on, and how; each has checks of its own in test_every_field.py, test_nir_flow.py, test_cli.py.
ELSEWHERE = ("data", "cosim", "nir", "lifetime", "name", "train.augment")
# Effects that depend on numbers, not on choices: (field, context or "*", why)
NUMERIC: set[tuple[str, str]] = set()


def changed(field: str, context: dict[str, Any]) -> dict[str, Any]:
    """The context with another value of the field."""
    before, base = config(**context), Config.load("tiny")
    section, _, name = field.partition(".")
    current = getattr(getattr(before, section), name) if name else getattr(before, section)
    value = CHANGES[field][0]
    if (tuple(value) if isinstance(value, list) else value) == current:
        value = default_of(base, field) if name else 7
        value = list(value) if isinstance(value, tuple) else value
    return {**context, field: value}


def structure(settings: Config) -> str:
    """What the clock cycles of a chip follow from."""
    data, validation = load_data(settings.data.set).split(settings.data.validation_images)
    model = train(settings.train, data, settings.seed)
    chip = sw.compile(model, data.train_images[:50], settings, validation if needs_validation(settings) else None)
    image = chip.image
    return repr((image.parameters, image.settle_cycles, image.adc_cycles, image.energy.control_J_per_cycle))


@functools.cache
def digest(settings: str, timed: bool) -> str:
    loaded = Config.load(json.loads(settings))
    return structure(loaded) if timed else outcome(loaded, False)


def digest_of(settings: Config, timed: bool) -> str:
    return digest(json.dumps(settings.model_dump(mode="json")), timed)


def useless(context: str) -> list[str]:
    """Fields that are accepted in the context and change nothing."""
    found = []
    before = config(**CONTEXTS[context])
    for field in sorted(CHANGES):
        if field.startswith(ELSEWHERE) or (field, context) in NUMERIC or (field, "*") in NUMERIC:
            continue
        timed = field in TIMED
        try:
            after = config(**changed(field, CONTEXTS[context]))
            if before != after and digest_of(before, timed) == digest_of(after, timed):
                found.append(field)
        except SpikeLoomError:
            continue
    return found


def test_the_contexts_are_configurations() -> None:
    for context in CONTEXTS.values():
        config(**context)


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_field_takes_effect_or_is_refused(context: str) -> None:
    assert useless(context) == []


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
