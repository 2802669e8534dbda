"""The rules of `sw.config.rules` under many combinations of the choices that decide what is used.

`tests.sw.config.test_every_field` checks that every field has an effect in some configuration; here what a rule calls
unused is refused wherever the rule holds, and its default is not.
"""

from __future__ import annotations

import itertools

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.field_rules import Unused, default_of
from spikeloom.sw.config.manual_page import configuration_page
from spikeloom.sw.config.rules import ONE_LAYER_RULES, RULES
from tests.fixtures.contexts import CHOICES, CONTEXTS, config, pairs_of
from tests.sw.config.test_every_field import CHANGES, fields

IMPOSSIBLE = {
    frozenset(pair)
    for pair in (
        *((("coding.input", "analog"), each) for each in (("device.cell", "tantalum"), ("lifetime.measure", True))),
        (("coding.input", "even"), ("coding.phases", 3)),
        *((("decision.readout", "membrane"), ("neuron.output_reset", reset)) for reset in ("subtract", "zero")),
        (("decision.rule", "fixed"), ("decision.strategy", "learned")),
        *((("device.cell", cell), ("lifetime.measure", True)) for cell in ("linear", "emulated")),
        *((("network", "one layer"), each) for each in (("neuron.reset", "zero"), ("neuron.reset", "none"))),
        (("network", "one layer"), ("train.activation", "relu")),
        *(
            (("network", "nir"), each)
            for each in (
                ("coding.phases", 3),
                ("convert.normalisation", "max"),
                ("convert.normalisation", "percentile"),
                ("convert.output_offset", "network"),
                ("decision.readout", "membrane"),
                ("neuron.reset", "none"),
                ("neuron.output_reset", "none"),
                ("train.activation", "relu"),
            )
        ),
    )
}
"""Pairs of choices that a rule refuses, or the network when it is known."""


def test_every_pair_of_choices_that_goes_together_is_in_a_context() -> None:
    there = set().union(*(pairs_of(config(**context)) for context in CONTEXTS.values()))
    wanted = {
        frozenset(((a, x), (b, y)))
        for a, b in itertools.combinations(CHOICES, 2)
        for x, y in itertools.product(CHOICES[a], CHOICES[b])
    }
    assert wanted - there == IMPOSSIBLE


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
