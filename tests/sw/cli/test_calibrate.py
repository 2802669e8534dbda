"""`spikeloom calibrate`: the file, the table, errors in one sentence, and [energy] with the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import spikeloom
from spikeloom.hw.standard_cells import gates
from spikeloom.hw.standard_cells.cell_mapping import Mapped
from spikeloom.hw.standard_cells.gates import Gates
from spikeloom.hw.standard_cells.timing import opensta_version
from spikeloom.sw.analysis import calibration_run
from spikeloom.sw.analysis.calibration import Fit
from spikeloom.sw.analysis.calibration_images import HeldOut
from spikeloom.sw.analysis.calibration_run import Calibrated
from spikeloom.sw.cli.main import app
from tests.fixtures.models import make_chip
from tests.fixtures.standard_cells import FEW, OSU018, osu018
from tests.sw.analysis.test_calibration import some

opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["calibrate", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2}).save(tmp_path / "small.loom")
    np.savez(tmp_path / "images.npz", images=np.zeros((40, 4), np.uint8), labels=np.zeros(40, np.int64))
    (tmp_path / "few.lib").write_text(FEW)
    return tmp_path


def found(error: float) -> Calibrated:
    calibration = some({"neurons": [1e-13, 2e-13, 3e-13], "clock": 2e-13}, error=0.1 * error, error_of_data=error)
    image = np.array([1e-9, 2e-9])
    parts = {"neurons": 0.1 * image, "clock": 0.9 * image}
    held = HeldOut(np.array([False, True]), np.array([False, False]), np.array([False, True]))
    fit = Fit(
        calibration, image, image, 0.1 * image, 0.1 * image, np.array([7, 9]), held, parts, {"": 1.5e-9}, 1e-11, 1e-6
    )
    unused: Any = None
    gates = Gates(Mapped("", (), (), ""), unused, {}, unused, unused, 1.0)
    return Calibrated(fit, gates, np.arange(2), 1234)


@pytest.fixture
def without_tools(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's outcome is known, and OpenSTA is there."""
    monkeypatch.setattr(gates, "opensta_version", lambda: "2.0.17")
    monkeypatch.setattr("spikeloom.sim.cosim.tools.check_simulator", lambda name: "5.048")
    monkeypatch.setattr("spikeloom.sw.cli.calibrate.images_for", lambda *given: _Images())
    return place


class _Images:
    images = np.zeros((40, 4), np.uint8)


def test_the_file_is_written_and_energy_takes_it(without_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_run, "run_calibration", lambda *given, **named: found(0.02))
    result = call("small.loom", "--liberty", "few.lib", "--output", "mine.json")
    assert "mine calibrated with cells at slow, 1 V" in result.stdout and "Output: mine.json" in result.stdout
    assert "energy of an image, netlist" in result.stdout and "90.0 % of it" in result.stdout
    assert "largest error of an image not in the fit, without them" in result.stdout and "2.00 %" in result.stdout
    assert "10, 4 of them less or more active than all that are" in result.stdout
    assert "values equal to the reference's" in result.stdout and "1,234, all that were compared" in result.stdout
    facts = json.loads(call("small.loom", "--liberty", "few.lib", "--json").stdout)
    assert facts.pop("file") == "build/small/calibration.json"
    assert (
        facts
        == json.loads(Path("mine.json").read_text())
        == json.loads(Path("build/small/calibration.json").read_text())
    )
    assert [(image["image"], image["is"]) for image in facts["images"]] == [(7, "in the fit"), (9, "most active")]
    assert facts["values_compared"] == 1234 and facts["images"][0]["simulated_data_J"] == 0.1 * 1e-9
    energy = spikeloom.Config.load({"preset": "tiny", "energy": {"calibration": "mine.json"}}).energy
    assert energy.calibration == found(0.02).fit.calibration


def test_a_fit_that_misses_is_none(without_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_run, "run_calibration", lambda *given, **named: found(0.1))
    result = call("small.loom", "--liberty", "few.lib", "--output", "mine.json", code=1)
    assert (
        "the fit misses the energy of an image that is not in it, without clock and leakage, by 10.0 %" in result.stderr
    )
    assert not Path("mine.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--images", "31"), "A calibration needs at least 32 images, 16 of them for its fit, not 31"),
        (("--images", "1001"), "first 1,000 test images, so that --images must be at most 1,000, not 1,001"),
        (
            ("--images", "50"),
            "A calibration of 50 images needs as many, and there are 40 test images: give at most 40 with --images or "
            "name a larger set with --data-set",
        ),
        (("--corner", "cold"), "The library few has no operating conditions 'cold': it has fast, slow"),
        (("--clock", "0"), "The clock must be from 10000 to 1e+11 Hz, such as 100e6, not 0"),
        (("--memory-bits", "-1"), "The size of memories that become flip-flops must be 0 bits or more, not -1"),
        (("--output", "."), "a folder"),
        (("--set", "energy.sample_J=1e-15"), "energies are what is found out here; leave it out"),
    ],
)
def test_wrong_options_are_one_sentence(without_tools: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = call("small.loom", "--liberty", "few.lib", *arguments, code=2)
    assert sentence in result.stderr and "Traceback" not in result.stderr


def test_more_images_than_the_limit_are_refused_before_the_training(without_tools: Path) -> None:
    """The preset tiny has a limit of 100; with a lower one than a calibration needs, only a higher one helps."""
    said = call("tiny", "--liberty", "few.lib", "--images", "200", code=2).stderr
    assert said == (
        "Error: A calibration of 200 images needs as many, and there are 100 test images, the limit data.test_limit: "
        "give at most 100 with --images or raise the limit with --set data.test_limit=200\n"
    )
    said = call("tiny", "--liberty", "few.lib", "--set", "data.test_limit=20", code=2).stderr
    assert said.endswith("20 test images, the limit data.test_limit: raise the limit with --set data.test_limit=40\n")
    assert not (without_tools / "build").exists()


def test_without_opensta_or_a_voltage_it_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikeloom.sim.cosim.tools.check_simulator", lambda name: "5.048")
    monkeypatch.setattr(gates, "opensta_version", lambda: None)
    assert "need OpenSTA (program sta; Debian: apt-get install opensta), which is not installed" in call(
        "small.loom", "--liberty", "few.lib", code=2
    ).stderr  # fmt: skip
    Path("few.lib").write_text(FEW.replace("voltage : 1.0; ", ""))
    assert "does not say the voltage of its corner" in call("small.loom", "--liberty", "few.lib", code=2).stderr


@osu018
@opensta
@pytest.mark.slow
def test_a_chip_is_calibrated_and_its_report_says_so(place: Path) -> None:
    """The preset tiny from beginning to end, twice: the file is the same, and a run takes it."""
    arguments = ("tiny", "--liberty", str(OSU018), "--memory-bits", "1000000", "--images", "40")
    call(*arguments, "--output", "first.json")
    call(*arguments, "--output", "second.json")
    assert Path("first.json").read_bytes() == Path("second.json").read_bytes()
    facts = json.loads(Path("first.json").read_text())
    assert facts["calibration"]["error"] < 0.02 and facts["calibration"]["error_of_data"] < 0.1
    assert facts["calibration"]["library"] == "osu018_stdcells" and facts["leakage_W"] < 1e-4
    result = CliRunner().invoke(app, ["run", "tiny", "--set", "energy.calibration=first.json", "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(Path("build/tiny/report/summary.json").read_text())
    assert summary["energy_J"]["calibration"]["same_design"]
    page = next(Path("build/tiny/report").glob("*.html")).read_text()
    assert "Digital parts are calibrated with osu018_stdcells at typical" in page
