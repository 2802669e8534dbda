"""`spikeloom synth`: files, table, errors in one sentence, and what is said without OpenSTA."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from spikeloom.hw.standard_cells import cell_synthesis
from spikeloom.hw.standard_cells.cell_mapping import CellMapper
from spikeloom.hw.standard_cells.timing import opensta_version
from spikeloom.sw.cli import synth as synth_module
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.errors import FileError
from tests.fixtures.models import make_chip
from tests.fixtures.standard_cells import FEW, OSU018, osu018


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["synth", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2}).save(tmp_path / "small.loom")
    (tmp_path / "few.lib").write_text(FEW)
    (tmp_path / "hot.lib").write_text(FEW.replace("temperature : 125", "temperature : 150"))
    packed = gzip.compress(FEW.encode())
    (tmp_path / "bad.lib.gz").write_bytes(packed[:40] + b"\xff" * 40 + packed[80:])
    return tmp_path


@osu018
def test_results_are_printed_and_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[CellMapper] = []

    def once(*arguments: Any) -> CellMapper:
        known.extend([] if known else [CellMapper(*arguments)])
        return known[0]

    monkeypatch.setattr(cell_synthesis, "CellMapper", once)
    liberty = ("--liberty", str(OSU018))
    facts = json.loads(call("small.loom", *liberty, "--memory-bits", "20", "--json").stdout)
    folder = place / "build/small/standard_cells"
    assert facts["folder"] == "build/small/standard_cells"
    written = json.loads((folder / "synthesis.json").read_text())
    assert {**written, "folder": facts["folder"]} == facts
    assert {path.name for path in folder.iterdir()} >= {"netlist.v", "memories.v", "constraints.sdc", "files.json"}
    assert facts["components"][0]["with_inside"]["area_um2"] == facts["area_um2"] > 100_000
    assert sum(part["area_um2"] for part in facts["components"]) == pytest.approx(facts["area_um2"])
    kinds = {(memory["kind"], memory["words"] * memory["bits"] > 20) for memory in facts["memories"]}
    assert kinds == {("black box", True), ("flip-flops", False)}
    assert any(text.startswith("Corner: typical (process 1, 1.8 V, 25 degrees") for text in facts["assumptions"])
    if opensta_version() is not None:
        assert facts["clock_met"] and facts["largest_clock_Hz"] > 5e7 and facts["mapped_for_delay"] == []
        power = facts["power_W"]
        assert (power["clock_Hz"], power["activity"]) == (1e8, 0.1) and facts["timing"]["endpoints_too_slow"] == 0
        assert power["total_W"] == pytest.approx(power["clock_W"] + power["nets_W"] + power["leakage_W"])
        clock_J = power["clock_W"] / 1e8 / facts["flip_flops"]
        assert 1e-13 < clock_J < 3e-13, "of a flip-flop in a cycle"
        assert facts["assumptions"][-1].startswith("Power: at 100 MHz; assumed are 0.1 transitions of every net per cl")
        assert facts["timing"]["slowest"]["through"] and (folder / "opensta.log").exists()
        late = call("small.loom", *liberty, "--clock", "2e9", "--memory-bits", "20", "-o", "late", code=1).stdout
        assert "2 GHz, NOT met: slack -" in late and "slowest path, through" in late
        assert "Mapped for delay, since they were on paths that were too slow: " in late
        slow = json.loads((place / "late/synthesis.json").read_text())
        assert slow["power_W"]["clock_Hz"] == slow["largest_clock_Hz"] > facts["largest_clock_Hz"], "not at 2 GHz"
        assert "the highest clock; assumed are 0.1 transitions" in slow["assumptions"][-1]
        assert slow["timing"]["endpoints_too_slow"] > 0 and slow["mapped_for_delay"]
        assert "period_ns 0.5\n" in (place / "late/constraints.sdc").read_text()

    monkeypatch.setattr(cell_synthesis, "opensta_version", lambda: None)
    result = call("small.loom", *liberty, "--clock", "1e8", "--memory-bits", "20")
    assert "Warning: OpenSTA is not installed (program sta; Debian: apt-get install opensta)" in result.stderr
    assert "100 MHz, not known whether met: OpenSTA is missing" in result.stdout and "mm^2" in result.stdout
    assert not (folder / "opensta.log").exists(), "that of the run before"
    assert json.loads((folder / "synthesis.json").read_text())["timing"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--liberty", "none.lib"),
            "There is no Liberty file 'none.lib': give --liberty the .lib file of your library",
        ),
        (("--liberty", "."), "Cannot read '.': it is a folder"),
        (("--liberty", "small.loom"), "'small.loom', line 1, is not Liberty: "),
        (
            ("--liberty", "few.lib", "--clock", "0"),
            "The clock must be from 10000 to 1e+11 Hz, such as 100e6, not 0",
        ),
        (
            ("--liberty", "few.lib", "--clock", "nan"),
            "The clock must be from 10000 to 1e+11 Hz, such as 100e6, not nan",
        ),
        (
            ("--liberty", "few.lib", "--clock", "400"),
            "The clock must be from 10000 to 1e+11 Hz, such as 100e6, not 400",
        ),
        (
            ("--liberty", "few.lib", "--liberty", "hot.lib"),
            "The libraries are of different corners: the temperature of few is 125 degrees Celsius, that of few 150",
        ),
        (
            ("--liberty", "few.lib", "--liberty", "few.lib"),
            "The Liberty file 'few.lib' is given twice, and a cell such as INV must be there once: give",
        ),
        (("--liberty", "bad.lib.gz"), "'bad.lib.gz' is compressed and damaged"),
        (("--liberty", "few.lib", "--memory-bits", "-1"), "The size of memories that become flip-flops must be 0 bits"),
        (
            ("--liberty", "few.lib", "--corner", "typ"),
            "The library few has no operating conditions 'typ': it has fast, slow",
        ),
        (("--liberty", "few.lib", "-o", "few.lib/x"), "Cannot write 'few.lib/x': a part of the path is a file"),
        (("--liberty", "few.lib", "--data", "."), "--data: it would have no effect"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_sentence(arguments: tuple[str, ...], sentence: str, place: Path) -> None:
    said = call("small.loom", *arguments, code=2).stderr
    assert said.startswith(f"Error: {sentence}") and said.count("\n") == 1, said


def test_errors_come_before_the_training(place: Path) -> None:
    (place / "few.lib").write_text(FEW.replace(" ff ", " other "))
    assert "has no D flip-flop" in call("tiny", "--liberty", "few.lib", code=2).stderr
    assert "liberty" in call("tiny", code=2).stderr.lower()
    (place / "few.lib").write_text(FEW)
    (place / "there").mkdir()
    (place / "there" / "netlist.v").write_text("mine")
    said = call("tiny", "--liberty", "few.lib", "-o", "there", code=2).stderr
    assert said.startswith("Error: Cannot write 'there': it has a file 'netlist.v' that is not from an earlier export")
    assert not (place / "build").exists()


def test_the_unit_with_buses_has_a_folder_of_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what the report shows, the unit without buses, is not replaced."""
    asked: list[Path] = []

    def taken(folder: Path, _: str) -> None:
        asked.append(folder)
        raise FileError("enough")

    monkeypatch.setattr(synth_module, "writable_folder", taken)
    for options in ((), ("--bus",), ("--bus", "-o", "there")):
        call("small.loom", "--liberty", "few.lib", *options, code=2)
    own = Path("build/small")
    assert asked == [own / "standard_cells", own / "standard_cells_bus", Path("there")]
