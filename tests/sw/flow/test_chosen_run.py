"""A whole run that learns its k and tunes its thresholds: files, Verilog, report; and settings that cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow

SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"validation_images": 200, "test_limit": 20},
    "decision": {"strategy": "learned"},
    "convert": {"tune": True},
    "tuning": {"reductions": 1, "repeats": 1, "batch": 100, "relearn": True},
    "device": {"read_sigma": 0.01},
}


def config(**tables: dict[str, Any]) -> Config:
    return Config.load("tiny").updated({**SETTINGS, **tables})


def test_a_run_from_data_to_report(tmp_path: Path) -> None:
    told: list[str] = []
    flow = make_flow(config(), tmp_path)
    flow.progress = lambda step, done, total, text: told.append(f"{step}: {text}")
    flow.run()
    for text in ("images shown, learning k: k ", "factors, tuning: loss ", "accuracy "):
        assert any(line.startswith(f"convert: {text}") for line in told), text
    chip = load_chip(flow)
    assert chip.learnt_rule is not None and chip.tuned is not None and chip.learnt_rule.before is not None
    assert chip.programmed.k == chip.learnt_rule.k and chip.learnt_rule.images == 200 and chip.tuned.images == 100
    assert chip.config.decision.strategy == "learned"
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    assert summary["decision"]["k"] == chip.learnt_rule.k
    assert summary["decision"]["register"] == {"rule": "winner_k", "k": chip.programmed.k}
    assert [layer["factor"] for layer in summary["tuning"]["layers"]] == list(chip.tuned.factors)
    assert [layer["theta"] for layer in summary["layers"]] == [layer.theta for layer in chip.programmed.layers]
    assert "tuned" in [stage["stage"] for stage in summary["waterfall"]]
    assert summary["bit_exact"]["mismatches"] == 0 and summary["bit_exact"]["images"] == 8
    again = make_flow(config(), tmp_path)
    again.run()
    assert again.done == []
    (tmp_path / "convert/decision.json").unlink()  # an output like any other: it is made again
    again.run()
    assert again.done == ["convert"] and load_chip(again).learnt_rule is not None


def test_other_settings_leave_nothing_of_the_earlier_ones(tmp_path: Path) -> None:
    make_flow(config(), tmp_path).run(stop="convert")
    plain = Config.load("tiny").updated({"data": SETTINGS["data"]})
    flow = make_flow(plain, tmp_path)
    flow.run(stop="convert")
    assert flow.skipped == ["data", "train"] and flow.done == ["convert"]
    kept = {path.name for path in (tmp_path / "convert").iterdir()}
    assert kept == {"chip.loom", "convert.json", "network.npz"}
    assert load_chip(flow).learnt_rule is None


def test_the_network_of_a_run_never_sees_the_validation_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeloom.sw.training import training

    seen = {}
    real = training.train

    def train(section: Any, data: Any, *others: Any, **more: Any) -> Any:
        seen["images"], seen["labels"] = data.train_images, data.train_labels
        return real(section, data, *others, **more)

    monkeypatch.setattr(training, "train", train)
    flow = make_flow(config(), tmp_path)
    flow.run(stop="train")
    whole = load_data("digits")
    assert len(seen["images"]) == len(seen["labels"]) == 1097
    assert (seen["images"] == whole.train_images[:1097]).all()


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        (
            {"decision": {"strategy": "learned"}},
            r"^tiny: \[decision\] strategy 'learned' needs labelled validation images: set \[data\] validation_images$",
        ),
        (
            {"convert": {"tune": True}},
            r"^tiny: \[convert\] tune true needs labelled validation images: set \[data\] validation_images$",
        ),
    ],
)
def test_without_validation_images_nothing_is_begun(tables: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make_flow(Config.load("tiny").updated(tables), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("calibration", "validation"), [(200, 1098), (1298, 0), (1, 1297)])
def test_more_images_than_there_are(calibration: int, validation: int, tmp_path: Path) -> None:
    data = {"calibration_images": calibration, "validation_images": validation}
    sentence = (
        rf"^tiny: \[data\] calibration_images \({calibration}\) \+ validation_images \({validation}\) must be at most "
        rf"the 1297 training images of 'digits', not {calibration + validation}$"
    )
    with pytest.raises(ConfigError, match=sentence):
        make_flow(Config.load("tiny").updated({"data": data}), tmp_path).run(stop="data")
