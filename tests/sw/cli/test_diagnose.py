"""`spikeloom diagnose`, and what a run says of its chip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import spikeloom
from spikeloom.sw.cli.main import app
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.flow.run_folder import load_chip
from spikeloom.sw.flow.steps import make_flow
from tests.fixtures.models import make_chip, make_config, make_images


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


BROKEN = 'name = "broken"\n' + "".join(
    f"[{table}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    for table, values in {
        "data": {"test_limit": 40, "calibration_images": 100},
        "train": {"hidden": [20], "epochs": 5, "learning_rate": 1e-2},
        "device": {"stuck_on": 0.5},
    }.items()
)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a chip with half of its cells stuck."""
    path = tmp_path_factory.mktemp("broken") / "broken.toml"
    path.write_text(BROKEN)
    return path


def test_a_run_warns_and_keeps_what_it_found(broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line while it converts, and in the report, which comes later, maybe in another process."""
    monkeypatch.chdir(tmp_path)
    run = command("run", str(broken), "--to", "convert")
    assert run.exit_code == 0, run.output
    sentence = "The network does not tolerate the effect 'stuck cells'; agreement with the network falls from "
    assert run.output.count(f"Warning: {sentence}") == 1
    flow = make_flow(spikeloom.Config.load(broken), tmp_path / "build" / "broken")
    assert [finding.name for finding in load_chip(flow).findings or ()] == ["device-loss"]
    report = command("report", str(broken))
    assert report.exit_code == 0 and "device-loss: see the report" in " ".join(report.output.split())
    summary = json.loads((tmp_path / "build/broken/report/summary.json").read_text())["diagnosis"]
    assert [finding["name"] for finding in summary["findings"]] == ["device-loss"]
    assert summary["images"] == 100 and summary["source"] == "calibration images"
    page = (tmp_path / "build/broken/report/report.html").read_text()
    assert "fault: device-loss" in page and "does not tolerate the effect &#39;stuck cells&#39;" in page

    told = command("diagnose", str(broken))
    assert told.exit_code == 0 and "1 finding, measured on 100 calibration images:" in told.output
    as_json = command("diagnose", str(broken), "--json")
    assert json.loads(as_json.stdout)["findings"] == summary["findings"]
    refused = command("diagnose", str(broken), "--images", "5")
    assert refused.exit_code == 2 and "--images and --data-set are only for a FILE.loom" in refused.output


def test_a_weight_image_is_judged_by_its_data_set(tmp_path: Path) -> None:
    from spikeloom.sw.training.training import train

    config, data = make_config(), load_data("digits")
    chip = spikeloom.compile(train(config.train, data, config.seed), data.train_images[:200], config)
    path = str(chip.save(tmp_path / "tiny.loom"))
    unknown = command("diagnose", path)
    assert unknown.exit_code == 2 and "does not say which images it is for" in unknown.output
    told = command("diagnose", path, "--data-set", "digits")
    assert told.exit_code == 0, told.output
    accuracy = chip.predict(data.test_images).accuracy(data.test_labels)
    assert told.output == (
        f"No findings, measured on {len(data.test_images)} test images of 'digits'.\n"
        f"Accuracy: {accuracy:.2%} at stage 'quantised', {accuracy:.2%} at stage 'chip'.\n"
    )
    found = json.loads(command("diagnose", path, "--data-set", "digits", "--images", "50", "--json").stdout)
    assert found["images"] == 50 and found["findings"] == []
    assert found["stages"][-1]["accuracy"] == chip.predict(data.test_images[:50]).accuracy(data.test_labels[:50])
    refused = command("diagnose", path, "--images", "0")
    assert refused.exit_code == 2 and "--images must be at least 1, not 0" in refused.output
    refused = command("diagnose", path, "--data-set", "digits", "--set", "device.stuck_on=0.5")
    assert refused.exit_code == 2 and "a weight image is a finished chip" in refused.output


def test_a_weight_image_is_judged_by_images_of_a_file(tmp_path: Path) -> None:
    path = str(make_chip().save(tmp_path / "chip.loom"))
    images = make_images(40, 20)
    files = {}
    for name, arrays in {"bright": {"images": images}, "dark": {"images": images // 16}}.items():
        files[name] = str(tmp_path / f"{name}.npz")
        np.savez(files[name], **arrays)
    told = command("diagnose", path, "--images", files["bright"], "--images", "30")
    assert told.exit_code == 0 and "measured on 30 images of 'bright.npz'" in told.output
    told = command("diagnose", path, "--images", files["dark"])
    assert (
        "fault, dark-input" in told.stdout
        and told.stderr.count("Warning: Images of '") == told.stderr.count("Warning") == 1
    )
    assert "dark.npz' are nearly black" in told.stderr


def test_settings_of_the_command_line_are_those_of_the_chip(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mended = command("diagnose", str(broken), "--set", "device.stuck_on=0.0")
    assert mended.exit_code == 0 and mended.stdout == "No findings, measured on 100 calibration images.\n"
