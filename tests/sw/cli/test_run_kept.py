"""Commands that need a chip leave a finished run of other settings as it is, and a report takes other energies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spikeloom.sw.cli.command import chip_and_flow
from spikeloom.sw.common.errors import SpikeLoomWarning
from spikeloom.sw.flow.beside import CHIP_FOLDER
from tests.sw.cli.test_main import call

RUN = ("run", "tiny", "--to", "reference", "--set", "device.bits=2")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "build/tiny"


def content(folder: Path) -> dict[str, bytes]:
    """The run's own files."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {
        name: path.read_bytes()
        for path in paths
        if not (name := path.relative_to(folder).as_posix()).startswith(f"{CHIP_FOLDER}/")
    }


def test_a_chip_of_other_settings_is_made_beside_the_run(place: Path) -> None:
    call(*RUN)
    before = content(place)
    with pytest.warns(SpikeLoomWarning, match="a run with other settings, which stays as it is: the chip of these se"):
        chip, flow = chip_and_flow("tiny", None, True)
    assert flow is not None and flow.folder == Path("build/tiny") / CHIP_FOLDER and flow.skipped == ["data", "train"]
    assert chip.config.device.bits == 4 and content(place) == before
    call("report", "tiny", "--set", "device.bits=2")
    _, again = chip_and_flow("tiny", None, True, ["device.bits=2"])
    assert again is not None and again.folder == Path("build/tiny"), "that of the run itself"


def test_another_network_is_trained_beside_the_run(place: Path) -> None:
    call(*RUN)
    before = content(place)
    with pytest.warns(SpikeLoomWarning, match="holds a run with other settings"):
        _, flow = chip_and_flow("tiny", None, True, ["train.hidden=[6]"])
    assert flow is not None and flow.done == ["train", "convert"] and flow.skipped == ["data"]
    assert content(place) == before


def test_a_chip_without_a_run_is_made_anew(place: Path) -> None:
    """Nothing after it is lost."""
    call("run", "tiny", "--to", "convert", "--set", "device.bits=2")
    _, flow = chip_and_flow("tiny", None, True)
    assert flow is not None and flow.folder == Path("build/tiny") and flow.done == ["convert"]


def test_a_report_takes_other_energies_without_another_run(place: Path) -> None:
    call("run", "tiny", "--to", "reference")
    before = content(place)

    def adc(*settings: str) -> Any:
        summary = json.loads(call("report", "tiny", "--json", *settings).stdout)["summary"]
        (row,) = (row for row in summary["energy_J"]["events"] if row["part"] == "converters")
        return row["J_per_event"], summary["config"]["energy"]["adc_J_per_conversion"]

    costs, shown = adc("--set", "energy.adc_J_per_conversion=[1e-12, 3e-12, 4e-12]")
    assert costs == {"low": 1e-12, "typical": 3e-12, "high": 4e-12} and shown == [1e-12, 3e-12, 4e-12]
    made = {name for name in content(place) if not name.startswith("report/")} - {"state.json"}
    assert {name: content(place)[name] for name in made} == {name: before[name] for name in made}
    assert adc()[0]["typical"] == 2e-12
    assert "made with other settings" in call(
        "report", "tiny", "--set", "energy.sample_J=1e-15", "--set", "device.bits=2", code=2
    ).stderr  # fmt: skip


def test_a_run_after_it_writes_its_own_report(place: Path) -> None:
    arguments = ("run", "tiny", "--images", "4")
    call(*arguments)
    own = (place / "report/summary.json").read_bytes()
    call("report", "tiny", "--set", "energy.sample_J=1e-14")
    assert (place / "report/summary.json").read_bytes() != own
    call(*arguments)
    assert (place / "report/summary.json").read_bytes() == own
