from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.core import TyperOption
from typer.testing import CliRunner, Result

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export import synthesis
from spikeloom.sim.chip.result import Mismatch
from spikeloom.sim.common.cache import cache_folder
from spikeloom.sim.cosim.tools import ToolError
from spikeloom.sw.cli import doctor
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.shipped import driver_files, example_files
from spikeloom.sw.config.config import PRESETS, Config
from spikeloom.sw.flow import steps
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.weight_image.file import load
from tests.checks.energy_check import check_energy

TINY_TESTS = Config.load("tiny").data.test_limit
COMMANDS = (
    "doctor", "demo", "run", "verilog", "synth", "calibrate", "firmware", "nir", "cosim", "diagnose", "by-step",
    "lifetime", "report", "paper", "examples",
)  # fmt: skip


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own to work in; trained networks are shared by this file's tests, simulator builds by all."""
    cache = tmp_path_factory.getbasetemp() / "cli-cache"
    if not (cache / "simulators").exists():
        cache.mkdir(exist_ok=True)
        cache_folder("simulators").mkdir(parents=True, exist_ok=True)
        (cache / "simulators").symlink_to(cache_folder("simulators"))
    monkeypatch.setenv("SPIKELOOM_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def error(*arguments: str, code: int = 2) -> str:
    """The one line that a failing command says."""
    result = call(*arguments, code=code)
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1 and "Traceback" not in result.output
    assert result.stdout == ""
    return lines[0].removeprefix("Error: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    text = call(command, "--help").stdout
    assert "Example" in text and f"spikeloom {command}" in text


def test_no_word_of_a_help_text_is_taken_for_markup() -> None:
    for command in typer.main.get_group(app).commands.values():  # type: ignore[attr-defined]
        for text in [command.help, *(each.help for each in command.params if isinstance(each, TyperOption))]:
            assert Text.from_markup(text or "").plain == (text or ""), command.name


def test_help_names_every_command() -> None:
    text = call("--help").stdout
    assert all(command in text for command in COMMANDS)


def test_the_module_runs_as_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "spikeloom", "--help"], capture_output=True, text=True, check=True)
    assert "doctor" in ran.stdout


def test_doctor_tells_versions_and_speaks_json() -> None:
    assert "verilator" in call("doctor").stdout
    values = json.loads(call("doctor", "--json").stdout)
    assert values["ok"] is True and {"name", "version", "remedy"} <= set(values["tools"][0])


def test_doctor_fails_where_something_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "verilator_folder", lambda: None)
    text = call("doctor", code=1).stdout
    assert "missing" in text and "apt-get install g++" in text
    assert json.loads(call("doctor", "--json", code=1).stdout)["ok"] is False


def test_a_run_that_stops_early_says_what_it_did_and_is_kept() -> None:
    first = json.loads(call("run", "tiny", "--to", "reference", "--json").stdout)
    assert first["done"] == ["data", "train", "convert", "reference"] and first["summary"] is None
    second = json.loads(call("run", "tiny", "--to", "reference", "--json").stdout)
    assert second["skipped"] == first["done"] and second["done"] == []
    assert Path("build/tiny/reference/reference.npz").exists()
    again = json.loads(call("run", "tiny", "--from", "convert", "--to", "convert", "--json").stdout)
    assert again["done"] == ["convert"]
    assert "Outputs: build/tiny" in call("run", "tiny", "--to", "reference").stdout


def test_everything_once(place: Path) -> None:
    """The whole flow on Verilator, then a report from what is there, then nothing left to do."""
    values = json.loads(call("run", "tiny", "--images", "4", "--json").stdout)
    summary = values["summary"]
    assert summary["bit_exact"]["mismatches"] == 0 and summary["bit_exact"]["images"] == 4
    assert summary["accuracy"]["rtl"] is not None and summary["cycles"]["mean"] > 0
    assert summary["cells"] and summary["energy_J"]["total"]["low"] > 0
    check_energy(summary, load(Path("build/tiny/convert/chip.loom")).programmed.parameters)
    every, four = ({"set": "test images of 'digits'", "count": count, "of": 500} for count in (TINY_TESTS, 4))
    assert summary["measured_on"] == summary["steps"]["measured_on"] == summary["waterfall_measured_on"] == every
    for group in ("bit_exact", "cycles", "latency_s", "energy_J"):
        assert summary[group]["measured_on"] == four, group
    assert summary["provenance"]["source"] == "trained" and summary["provenance"]["data_set"] == "digits"
    assert "train" in summary["config"] and "nir" not in summary["config"]
    page = place / "build/tiny/report/report.html"
    assert Path(values["report"]) == Path("build/tiny/report/report.html")
    before = page.read_bytes()
    assert json.loads(call("run", "tiny", "--images", "4", "--json").stdout)["done"] == []
    page.unlink()
    said = call("report", "tiny", "--json").stderr
    assert "has the results of the run in 'build/tiny', with cosim.images = 4, not 8 of the configuration." in said
    assert "Warning" not in said
    said = call("report", "tiny", "--set", "cosim.images=6").stderr
    assert "with cosim.images = 4, not 6: for results of the settings" in said and "Warning" in said
    assert page.read_bytes() == before and len(before) > 100_000
    assert "Warning" not in call("report", "tiny", "--set", "cosim.images=4").stderr and page.read_bytes() == before
    table = call("run", "tiny", "--images", "4").stdout
    assert "mismatches" in table and "Report: build/tiny/report/report.html" in table
    assert (
        "4 of 500 test images of 'digits'" in table and "energy, mean (modelled), of the 4 through the Verilog" in table
    )
    chip = "build/tiny/convert/chip.loom"
    files = json.loads(call("verilog", chip, "--output", "rtl", "--json").stdout)["files"]
    assert "chip.sv" in files and (place / "rtl/ports.json").exists()
    values = json.loads(call("cosim", chip, "--images", "3", "--json").stdout)
    assert values["images"] == 3 and values["mismatches"] == 0 and values["simulator"] == "verilator"
    assert values["measured_on"] == {**four, "count": 3}
    share = f"{100 * values['accuracy']:.2f} %"
    assert share in call("cosim", chip, "--images", "3").stdout


BUS = """name = "bus"
seed = 1
[data]
set = "digits"
test_limit = 100
calibration_images = 200
[train]
hidden = [20]
epochs = 5
learning_rate = 1e-2
[decision]
t_max = 8
[crossbar]
tile_rows = 32
tile_columns = 16
[device]
pulse_sigma = 0.1
stuck_on = 0.02
stuck_off = 0.01
[programming]
method = "write-verify"
fault_aware = true
[hardware]
lanes = 4
encoder_lanes = 8
[cosim]
images = 6
trace_images = 2
through_bus = true
"""


@pytest.mark.slow
def test_everything_once_through_the_bus(place: Path) -> None:
    """Every cell programmed by pulses over the bus, images through the stream; then the chip's file, loaded fast."""
    (place / "bus.toml").write_text(BUS)
    summary = json.loads(call("run", "bus.toml", "--json").stdout)["summary"]
    bus, programming = summary["bit_exact"]["through_bus"], summary["programming"]
    assert summary["bit_exact"]["mismatches"] == 0 and bus["method"] == "pulses"
    assert bus["cells_compared"] == programming["cells"] == 2 * (64 * 20 + 20 * 10)
    for name in ("pulses", "verify_reads", "failed_cells"):
        assert bus[name] == programming[name] > 0
    assert 0 <= bus["gap_mean"] <= bus["gap_max"] <= 8
    assert programming["cycles"] < bus["load_cycles"]
    assert json.loads(call("run", "bus.toml", "--json").stdout)["done"] == []
    table = call("run", "bus.toml").stdout
    assert "idle cycles between images, most" in table
    assert f"{programming['failed_cells']} of {programming['cells']:,}" in table
    lines = [line for line in BUS.splitlines() if not line.startswith(("pulse", "method", "fault", "through", "stuck"))]
    (place / "levels.toml").write_text("\n".join(lines).replace('name = "bus"', 'name = "levels"'))
    call("run", "levels.toml", "--to", "convert")
    arguments = ("cosim", "build/levels/convert/chip.loom", "--images", "4", "--through-bus")
    values = json.loads(call(*arguments, "--json").stdout)
    assert values["mismatches"] == 0 and values["through_bus"]["method"] == "fast"
    assert values["through_bus"]["gap_max"] <= 8
    table = call(*arguments).stdout
    assert "bus, method" in table and "fast" in table and "cells compared" not in table


def test_firmware_writes_the_headers(place: Path) -> None:
    values = json.loads(call("firmware", "tiny", "-o", "c", "--images", "2", "--json").stdout)
    taken = {"set": "test images of 'digits'", "count": 2, "of": 500}
    names = sorted([*driver_files(), "network.h", "spikeloom_registers.h"])
    assert values == {"folder": "c", "files": names, "images": 2, "measured_on": taken}
    text = (place / "c/network.h").read_text()
    head = " ".join(text[: text.index("*/")].replace("\n *", " ").split())
    assert "trained by SpikeLoom, for the data set 'digits', calibrated with 200 images. Images: 2 of 500 test" in head
    assert "#define NETWORK_IMAGES 2" in text and "cells are taken as programmed" in text
    call("run", "tiny", "--to", "convert")
    call("firmware", "build/tiny/convert/chip.loom", "--output", "again", "--images", "2")
    assert (place / "again/network.h").read_text() == text
    assert 'needs [programming] method = "write-verify"' in error("firmware", "tiny", "-o", "c", "--programming")
    for number in ("0", "-3", "65537"):
        assert f"1 .. 65536 images, not {number}" in error("firmware", "tiny", "-o", "c", "--images", number)
    values = json.loads(call("verilog", "tiny", "-o", "ip", "--bus", "--json").stdout)
    assert {"axi_chip.sv", "spikeloom_registers.h", "registers.rdl"} <= set(values["files"])


def test_the_driver_comes_along_and_what_a_user_changed_in_it_stays(place: Path) -> None:
    call("firmware", "tiny", "-o", "c", "--images", "1")
    assert all((place / "c" / name).read_bytes() == content for name, content in driver_files().items())
    call("firmware", "tiny", "-o", "c", "--images", "2")
    (place / "c/pipe_port.c").write_text("/* my board */\n")
    said = error("firmware", "tiny", "-o", "c", "--images", "3")
    assert "'pipe_port.c' was edited after an earlier export" in said and "choose another folder" in said
    assert (place / "c/pipe_port.c").read_text() == "/* my board */\n"
    assert "#define NETWORK_IMAGES 2" in (place / "c/network.h").read_text()


def test_examples_are_listed_and_copied(place: Path) -> None:
    assert "firmware/spikeloom.c" in call("examples").stdout.splitlines()
    values = json.loads(call("examples", "examples", "--json").stdout)
    assert values == {"folder": "examples", "files": list(example_files())}
    for name, content in example_files().items():
        assert (place / "examples" / name).read_bytes() == content
    call("examples", "examples")
    (place / "examples/digits.toml").write_text("mine")
    assert "'digits.toml' was edited" in error("examples", "examples")


def test_the_report_says_what_was_not_run() -> None:
    assert "start `spikeloom run tiny` first" in error("report", "tiny")
    call("run", "tiny", "--to", "convert")
    values = json.loads(call("report", "tiny", "--json").stdout)
    assert values["summary"]["accuracy"]["rtl"] is None
    assert "not run" in Path(values["report"]).read_text()


def test_a_report_names_results_that_it_leaves_out(place: Path) -> None:
    call("run", "tiny", "--to", "reference")
    assert "Warning" not in call("report", "tiny").stderr
    (place / "build/tiny/reference/reference.npz").write_bytes(b"damaged")
    assert (
        "Warning: The report leaves out the results of the step 'reference' in 'build/tiny', which are damaged, of "
        "other settings, or of another version: for new ones, repeat `spikeloom run tiny`"
    ) in call("report", "tiny").stderr


def test_a_report_is_not_made_of_another_chip(place: Path) -> None:
    """With other settings it would make the chip anew, over the one that was run."""
    call("run", "tiny", "--to", "convert")
    chip = (place / "build/tiny/convert/chip.loom").read_bytes()
    said = error("report", "tiny", "--set", "device.bits=2")
    assert said.startswith(
        "The run in 'build/tiny' was made with other settings, or by another version: a report would"
    )
    assert (place / "build/tiny/convert/chip.loom").read_bytes() == chip
    assert call("report", "tiny").exit_code == 0


DRIFTING = """\
name = "drifting"
[data]
test_limit = 40
[train]
hidden = [20]
epochs = 10
[device]
cell = "tantalum"
g_min_S = 1e-4
g_max_S = 0.025
acceleration = 1e8
[hardware]
lanes = 4
"""


def test_lifetime_of_a_configuration_and_of_a_chip(place: Path) -> None:
    (place / "my.toml").write_text(DRIFTING)
    shown = call("lifetime", "my.toml", "--threshold", "0.6")
    assert "lifetime, back to back" in shown.stdout and "refresh every" in shown.stdout
    assert "lifetime: accuracy" in shown.stderr
    found = json.loads(call("lifetime", "my.toml", "--threshold", "0.6", "--json").stdout)
    assert found["threshold"] == 0.6 and found["images"] > 1 and found["test_images"] == 40
    chip = "build/drifting/convert/chip.loom"
    assert json.loads(call("lifetime", chip, "--threshold", "0.6", "--json").stdout) == found
    less = json.loads(call("lifetime", chip, "--threshold", "0.6", "--images", "20", "--limit", "1", "--json").stdout)
    assert less["test_images"] == 20 and less["limit"] == 1
    assert "images_per_s must be at most" in error("lifetime", chip, "--images-per-s", "1e12")
    assert "programmings must be 1 with [device] program_sigma 0" in error("lifetime", chip, "--programmings", "3")
    said = error("lifetime", "tiny")
    assert "The cells of 'tiny' do not drift ([device] cell is 'linear')" in said and "'tantalum'" in said
    assert "measure" not in said


def test_configuration_errors_are_sentences(place: Path) -> None:
    assert f"presets are {', '.join(PRESETS)}; did you mean the preset 'digits'?" in error("run", "digit")
    (place / "my.toml").write_text("[decision]\nt_mx = 3\n")
    assert error("run", "my.toml") == "my.toml: Unknown key 't_mx' in [decision]; did you mean 't_max'?"
    assert "there is no step 'refrence'" in error("run", "tiny", "--to", "refrence")
    assert "images" in error("run", "tiny", "--images", "-3")
    assert "nothing.loom" in error("verilog", "nothing.loom", "--output", "x")
    (place / "foreign.loom").write_bytes(b"not a weight image")
    assert "foreign.loom" in error("cosim", "foreign.loom")
    assert not (place / "build").exists()


def test_options_that_do_not_exist_are_usage_errors() -> None:
    assert "No such option" in call("run", "tiny", "--imagse", "3", code=2).stderr
    for arguments, sentence in (
        (("cosim", "tiny", "--simulator", "vcs"), "for '--simulator': 'vcs' is not one of 'verilator', 'icarus'."),
        (("paper", "foo"), "for 'PAPER': 'foo' is not one of 'winner-k', 'weighted-spikes'."),
        (("paper", "winner-k", "--seeds", "200"), "for '--seeds': must be at most 100, not '200'"),
        (("cosim", "tiny", "--trace-images", "x"), "for '--trace-images': must be a whole number, not 'x'"),
        (("lifetime", "tiny", "--threshold", "x"), "for '--threshold': must be a number, not 'x'"),
    ):
        said = " ".join(call(*arguments, code=2).stderr.split())
        assert f"Invalid value {sentence}" in said and "Value error" not in said and "Input should" not in said


def test_debug_shows_where_an_error_comes_from() -> None:
    for arguments in (("--debug", "run", "digit"), ("run", "digit", "--debug")):
        text = call(*arguments, code=2).stderr
        assert "Traceback" in text and text.splitlines()[-1].startswith("Error: digit")


def raising(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    """Let every flow fail in its first step."""

    def work(flow: Flow, *_: Any) -> None:
        raise problem

    monkeypatch.setattr(Flow, "run_one", work)


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize("problem", [ValueError("too many"), TypeError("no int"), KeyError("k"), RuntimeError("a bug")])
def test_a_fault_of_the_program_is_shown_and_not_blamed_on_the_input(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, debug: tuple[str, ...]
) -> None:
    raising(monkeypatch, problem)
    text = call("run", "tiny", "--json", *debug, code=70)
    kind = type(problem).__name__
    lines = text.stderr.splitlines()
    assert lines[-1] == (
        f"Error: This is a bug in SpikeLoom ({kind}), not in your input: please report it with the traceback "
        "above and the command."
    )
    assert lines[-2] == f"{kind}: {problem}" and text.stderr.count("Traceback") == 1 and "in work" in text.stderr
    assert text.stdout == ""


def test_a_fault_in_a_check_of_the_configuration_is_not_taken_for_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydantic takes every `ValueError` for one of a check."""

    def broken(_: Any) -> list[str]:
        raise ValueError("not enough values to unpack")

    monkeypatch.setattr("spikeloom.sw.config.config.broken_rules", broken)
    text = call("run", "tiny", code=70).stderr
    assert "\nValueError: not enough values to unpack\nError: This is a bug in SpikeLoom (ValueError)" in text


def test_numbers_of_thousands_of_digits_are_refused_in_one_sentence(place: Path) -> None:
    """Python itself does not read them."""
    digits = "9" * 5000
    assert "seed must be a whole number" in error("run", "tiny", "--set", f"seed={digits}")
    (place / "long.toml").write_text(f"seed = {digits}")
    assert error("run", "long.toml").startswith("long.toml: a value cannot be read: ")


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    text = call("run", "tiny", code=130).stderr
    assert "Interrupted." in text and "run the same command again" in text and "Traceback" not in text


def test_a_mismatch_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(
        monkeypatch, Mismatch("Image 3, layer 1, step 2, neuron 5: spike is 1 in the reference and 0 in the Verilog")
    )
    assert "Image 3, layer 1, step 2, neuron 5" in error("run", "tiny", code=1)


@pytest.mark.parametrize("command", ["run", "cosim"])
def test_a_missing_compiler_is_named_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, place: Path, command: str
) -> None:
    (place / "bin").mkdir()
    for program in ("perl", "make"):
        (place / "bin" / program).symlink_to(str(shutil.which(program)))
    monkeypatch.setenv("PATH", str(place / "bin"))
    text = error(command, "tiny")
    assert text.startswith("g++ is not on PATH") and "apt-get install g++" in text
    assert not (place / "build").exists()


def test_a_simulator_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    call("run", "tiny", "--to", "convert")

    def missing(*_: object, **__: object) -> None:
        raise ToolError("make is not on PATH: install it (Debian: apt-get install make)")

    monkeypatch.setattr("spikeloom.sim.cosim.run.run_cosim", missing)
    assert "apt-get install make" in error("cosim", "tiny", "--images", "1")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "there is no space left on the device"), (errno.EACCES, "permission is denied")],
)
def test_what_cannot_be_written_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, place: Path, number: int, sentence: str
) -> None:
    real = os.replace

    def refuse(source: str, target: str) -> None:
        if "convert" in str(target):
            raise OSError(number, os.strerror(number))
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    text = error("run", "tiny", "--to", "convert")
    assert sentence in text and "chip.loom" in text
    assert [path.name for path in (place / "build/tiny/convert").iterdir()] == []
    monkeypatch.undo()
    os.chdir(place)
    call("run", "tiny", "--to", "convert")


def test_a_file_in_the_way_of_the_folder(place: Path) -> None:
    (place / "build").write_text("")
    assert "build" in error("run", "tiny", "--to", "data")


def test_mnist_without_its_files_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    steps._read.cache_clear()
    assert "'missing' (--data or SPIKELOOM_DATA) is not there" in error("run", "mnist", "--data", "missing")


def test_the_simplest_mistakes(place: Path) -> None:
    """Each is one line, exit code 2, and nothing is written."""
    (place / "folder.toml").mkdir()
    (place / "broken.toml").write_text("[decision\nk = 3")
    (place / "file").write_text("mine")
    (place / "png.loom").write_bytes(b"\x89PNG\r\n\x1a\n")
    (place / "empty.loom").write_bytes(b"")
    (place / "dots.toml").write_text('name = ".."')
    for arguments, sentence in (
        (("run", "folder.toml"), "folder.toml: cannot be read: it is a folder"),
        (("run", "broken.toml"), "broken.toml: not a TOML file: Expected ']' at the end of a table declaration"),
        (("run", "dots.toml", "--fresh"), "dots.toml: name must be made of letters, digits"),
        (("run", "mine.loom"), "mine.loom: a weight image cannot stand in a configuration's place"),
        (("run", "tiny", "--images", "-1"), "command line: [cosim] images must be at least 0, not -1"),
        (
            ("cosim", "tiny", "--images", "2", "--trace-images", "3"),
            "command line: [cosim] trace_images must be at most",
        ),
        (("run", "tiny", "--from", "report", "--to", "data"), "run: --from report comes after --to data"),
        (("cosim", "png.loom"), "'png.loom' is not a SpikeLoom weight image"),
        (("verilog", "empty.loom", "-o", "out"), "'empty.loom' is not a SpikeLoom weight image"),
        (("cosim", "nothing.loom"), "There is no weight image 'nothing.loom'"),
        (("run", "tiny", "-o", "file"), "Cannot write 'file': a part of the path is a file, not a folder"),
        (
            ("run", "mnist", "--to", "data", "--data", "file"),
            "The data folder 'file' (--data or SPIKELOOM_DATA) is not",
        ),
    ):
        assert error(*arguments).startswith(sentence), arguments
    for name in ("--output", "--data"):
        assert "path that is not empty" in " ".join(call("run", "tiny", name, "", code=2).stderr.split())
    left = {path.name for path in place.iterdir()}
    assert left <= {"folder.toml", "broken.toml", "dots.toml", "file", "png.loom", "empty.loom", "build"}
    assert (place / "file").read_text() == "mine"


def test_an_output_that_cannot_be_is_told_before_the_training(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, AssertionError("the work has begun"))
    (place / "file").write_text("mine")
    (place / "dir").mkdir()
    for folder in ("run/report", "run/waves"):
        (place / folder).parent.mkdir(exist_ok=True)
        (place / folder).write_text("mine")
    not_a_folder = ": a part of the path is a file, not a folder; choose another path"
    for arguments, sentence in (
        (("nir", "tiny", "-o", "dir"), "Cannot write 'dir': it is a folder; give the path of a file"),
        (("nir", "tiny", "-o", "file/x.nir"), f"Cannot write 'file/x.nir'{not_a_folder}"),
        (("verilog", "tiny", "-o", "file"), f"Cannot write 'file'{not_a_folder}"),
        (("firmware", "tiny", "-o", "file"), f"Cannot write 'file'{not_a_folder}"),
        (("cosim", "tiny", "-o", "run", "--waves"), f"Cannot write 'run/waves'{not_a_folder}"),
        (("run", "tiny", "-o", "run"), f"Cannot write 'run/report'{not_a_folder}"),
    ):
        assert error(*arguments).startswith(sentence), arguments
    assert (place / "file").read_text() == "mine" and not list((place / "dir").iterdir())


def test_fresh_leaves_the_users_files_alone(place: Path) -> None:
    for name in ("data/mine.txt", "verilog/README.md", "report/thesis.tex"):
        (place / name).parent.mkdir()
        (place / name).write_text("mine")
    call("run", "tiny", "--to", "data", "--output", ".", "--fresh")
    call("run", "tiny", "--to", "data", "--output", ".", "--fresh")
    assert all((place / name).exists() for name in ("data/mine.txt", "verilog/README.md", "report/thesis.tex"))
    assert "'README.md' that is not from an earlier export" in error("verilog", "tiny", "--output", "verilog")
    assert (place / "verilog/README.md").read_text() == "mine"


def test_yosys_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: object) -> None:
        raise synthesis.SynthesisError("Yosys could not read the design: ERROR: Parser error")

    monkeypatch.setattr(synthesis, "cell_counts", fail)
    text = error("run", "tiny", "--to", "verilog")
    assert text.startswith("The cells of the Verilog in 'build/tiny/verilog' cannot be counted: Yosys could not read")


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (MemoryError(), "There is not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "There is not enough memory"),
        (OSError(errno.ENOSPC, "full"), "Cannot read or write 'the output': there is no space left on the device"),
        (PermissionError(errno.EACCES, "no", "place/x"), "Cannot read or write 'place/x': permission is denied"),
        (SpikeLoomError("two\n   lines"), "two lines"),
    ],
)
def test_what_goes_wrong_inside_is_one_line(
    monkeypatch: pytest.MonkeyPatch, problem: BaseException, sentence: str
) -> None:
    raising(monkeypatch, problem)
    assert error("run", "tiny").startswith(sentence)
