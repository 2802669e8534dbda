"""Weight images of chips with and without optional decision rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import spikeloom
from spikeloom.hw.params.decision_rules import DECISION_RULES, built_rules
from spikeloom.sw.common.errors import WeightImageError
from spikeloom.sw.weight_image.file import pack, unpack
from tests.fixtures.models import make_chip
from tests.sw.weight_image.test_file import CHIP, SETTINGS, drop_rules, joined, packed, parts_of


def test_version_10_is_read_without_a_stable_rule() -> None:
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    drop_rules(chip)
    assert packed(unpack(joined(content, metadata, chip, "10"), "x")) == content


def test_rules_that_are_missing_are_kept_and_named(tmp_path: Path) -> None:
    """A chip with the rule is read as it was, and does not fit hardware without it; nor the other way round."""
    path = tmp_path / "chip.loom"
    stable = make_chip(**{**SETTINGS, "decision": {"rule": "stable", "theta": 3.0}})
    assert packed(unpack(packed(stable), "x")) == packed(stable)
    stable.save(path)
    loaded = spikeloom.load(path)
    assert loaded.parameters.rules == DECISION_RULES.unit and loaded.programmed.stable_theta == 48
    remedy = (
        r"rules is fixed and winner_k and stable, but the design has fixed and winner_k; generate the hardware with"
    )
    with pytest.raises(WeightImageError, match=remedy + r" \[hardware\] decision_rules = \"all\", and compile"):
        spikeloom.load(path, replace(stable.parameters, rules=built_rules()))
    whole = make_chip(**SETTINGS, hardware={"decision_rules": "all"})
    whole.save(path)
    assert spikeloom.load(path).parameters == whole.parameters != CHIP.parameters
    CHIP.save(path)
    with pytest.raises(WeightImageError, match=r'; compile the network with \[hardware\] decision_rules = "all"$'):
        spikeloom.load(path, whole.parameters)
