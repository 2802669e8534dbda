"""The file of a calibration in a configuration: what is in it takes effect, and what cannot be read is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import spikeloom
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from tests.fixtures.models import make_chip
from tests.sw.analysis.test_calibration import some

VALUES = some({"neurons": [1e-13, 2e-13, 3e-13], "clock": 2e-13}).model_dump(mode="json")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"calibration": VALUES, "images": []}))
    return path


def loaded(calibration: Any, **energy: Any) -> Config:
    return Config.load({"preset": "tiny", "energy": {"calibration": calibration, **energy}})


def test_a_file_is_read_from_the_current_folder(file: Path) -> None:
    found = loaded("mine.json").energy.calibration
    assert found is not None and found.said == "cells at slow, 1 V" and found == some(VALUES["parts"])
    assert found.parts == {"neurons": (1e-13, 2e-13, 3e-13), "clock": (2e-13,) * 3}
    assert loaded("").energy.calibration is None and loaded(VALUES).energy.calibration == found
    assert Config.load(loaded("mine.json")).energy.calibration == found, "checked again"


def test_a_weight_image_has_its_content(file: Path) -> None:
    chip = make_chip(4, 2, energy={"calibration": "mine.json"})
    chip.save("mine.loom")
    file.unlink()
    again = spikeloom.load("mine.loom")
    assert again.programmed.energy.calibration == some(VALUES["parts"]) == again.config.energy.calibration


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "calibration: there is no file 'mine.json'; write it with spikeloom calibrate, or correct the name"),
        ("{", "calibration: 'mine.json' cannot be read .Expecting"),
        ("[]", "calibration: 'mine.json' has no calibration; give a file that spikeloom calibrate wrote"),
        ({"parts": {"neuron": 1.0}}, "'mine.json' has a wrong parts .*parts has 'neuron', and parts are neurons, "),
        ({"parts": {"neurons": [3, 2, 1]}}, "parts 'neurons' must be a number of at least 0, or a list .low"),
        ({"parts": {"neurons": -1.0}}, "parts 'neurons' must be a number of at least 0"),
        ({"format": 1}, "'mine.json' has a wrong format .*; give a file that this version of"),
        ({"clock_Hz": 0.0}, "'mine.json' has a wrong clock_Hz"),
        ({"more": 1}, "'mine.json' has a wrong more"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(file: Path, content: Any, sentence: str) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_text(content if isinstance(content, str) else json.dumps({"calibration": {**VALUES, **content}}))
    with pytest.raises(ConfigError, match=sentence):
        loaded("mine.json")


@pytest.mark.parametrize("value", [3, True, [1]])
def test_another_kind_of_value_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="calibration must be the name of a file that spikeloom calibrate wrote, not"):
        loaded(value)


@pytest.mark.parametrize("name", ["adder_J_per_bit", "flip_flop_J_per_cycle"])
def test_coefficients_without_effect_are_refused(file: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[energy\] {name} does nothing with calibration, whose joules take its"):
        loaded("mine.json", **{name: 1e-14})
    assert loaded("mine.json", memory_J_per_bit=1e-13).energy.memory_J_per_bit == (1e-13,) * 3
