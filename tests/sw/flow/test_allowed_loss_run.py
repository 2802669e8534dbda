"""A whole run that chooses its rule for an allowed loss: files, Verilog, report; and settings that cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.decision_files import load_stopping, stopping_json
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from tests.fixtures.models import make_config, make_images, make_model

SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"validation_images": 200, "test_limit": 20},
    "decision": {"rule": "stable", "strategy": "allowed_loss", "allowed_loss": 0.02},
    "device": {"read_sigma": 0.01},
}


def test_a_run_from_data_to_report(tmp_path: Path) -> None:
    told: list[str] = []
    flow = make_flow(Config.load("tiny").updated(SETTINGS), tmp_path)
    flow.progress = lambda step, done, total, text: told.append(f"{step}: {text}")
    flow.run()
    assert "convert: numbers of skipped periods tried" in told
    chip = load_chip(flow)
    found = chip.chosen_rule
    assert found is not None and chip.learnt_rule is None and found.images == 200
    choice = found.choice
    assert (choice.rule, choice.loss) == ("stable", 0.02) and choice.accuracy >= found.accuracy - 0.02
    assert chip.programmed.rule is DecisionRule.STABLE and chip.programmed.stable_theta == choice.threshold
    assert (chip.programmed.skip, chip.config.decision.skip) == (choice.skip, 0)
    place = tmp_path / "convert/stopping.json"
    assert stopping_json(load_stopping(place)) == place.read_text()
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    stopping = summary["stopping"]
    assert stopping["choice"]["threshold"] == choice.threshold == 16 * stopping["choice"]["score"]
    assert {row["rule"] for row in stopping["compared"]} == {"winner_k", "stable"}
    assert [len(curve["accuracy"]) for curve in stopping["curves"]] == [len(curve.thresholds) for curve in found.curves]
    assert summary["bit_exact"]["mismatches"] == 0 and summary["decision"] is None
    page = (tmp_path / "report/report.html").read_text()
    assert "Stopping for an allowed loss</h2>" in page and "Accuracy against mean steps" in page
    again = make_flow(Config.load("tiny").updated(SETTINGS), tmp_path)
    again.run()
    assert again.done == []


@pytest.mark.parametrize("rule", ["winner_k", "stable"])
def test_the_chosen_rule_makes_the_chip_that_the_same_given_makes(rule: str) -> None:
    """With fixed converters, which would else be calibrated anew for the rule."""
    model, images = make_model(20, 12, 7, 5), make_images(60, 20)
    labels = np.arange(60) % 5
    fixed = {"normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network"}
    decision = {"rule": rule, "strategy": "allowed_loss", "allowed_loss": 0.1}
    chip = spikeloom.compile(model, images, make_config(decision=decision, convert=fixed), (images, labels))
    assert chip.chosen_rule is not None
    choice, programmed = chip.chosen_rule.choice, chip.programmed
    assert choice.threshold is not None and programmed.rule.name == rule
    value = choice.threshold / 16 if rule == "stable" else choice.threshold
    given = {"rule": rule, "skip": choice.skip, {"winner_k": "k", "stable": "theta"}[rule]: value}
    other = spikeloom.compile(model, images, make_config(decision=given, convert=fixed)).programmed
    names = ("rule", "stable_theta" if rule == "stable" else "k", "skip")
    assert [getattr(programmed, name) for name in names] == [getattr(other, name) for name in names]
    assert programmed.parameters == other.parameters


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"rule": "fixed"}, r"\[decision\] rule must be 'winner_k' or 'stable' with strategy 'allowed_loss'"),
        ({"k": 3.0}, r"\[decision\] k must be 2.0 with strategy 'allowed_loss', which finds k itself"),
        ({"rule": "stable", "theta": 3.0}, r"\[decision\] theta must be 1.0 with strategy 'allowed_loss', which finds"),
        ({"skip": 1}, r"\[decision\] skip must be 0 with strategy 'allowed_loss', which finds it itself"),
        ({"strategy": "given", "allowed_loss": 0.1}, r"allowed_loss must be 0.001 with strategy 'given', which allows"),
        ({"allowed_loss": 2}, r"\[decision\] allowed_loss must be at most 1.0, not 2: 0.02 is 2 %"),
    ],
)
def test_settings_that_cannot_work(decision: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.load("tiny").updated({"decision": {"strategy": "allowed_loss", **decision}})


def test_a_choice_needs_images() -> None:
    settings = make_config(decision={"strategy": "allowed_loss"})
    with pytest.raises(ConfigError, match=r"\[decision\] strategy 'allowed_loss' needs labelled validation images"):
        spikeloom.compile(make_model(20, 12, 7, 5), make_images(20, 20), settings)
