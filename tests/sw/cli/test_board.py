"""`spikeloom board`: files, tables, what is resumed, and errors in one sentence; with programs that do nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from spikeloom.hw.boards import toolchain
from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.project import unit_text
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.export.structure import structure_of
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.sim.common.lock import locked
from spikeloom.sim.estimates.emulated_reads import board_run
from spikeloom.sw.cli import board as module
from spikeloom.sw.cli.command_images import TestImages
from spikeloom.sw.cli.main import app
from spikeloom.sw.common.files import MANIFEST
from spikeloom.sw.config.board_section import BoardSection
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import DATA_SETS
from spikeloom.sw.datasets.image_set import ImageSet
from spikeloom.sw.export.board_design import check_crossbars, check_devices
from spikeloom.sw.report.board import Speed
from tests.fixtures.models import make_chip
from tests.hw.boards.fake_tools import FakeTools
from tests.hw.boards.stand_in import StandIn

HX8K = "ice40-hx8k-evn"
ROOT = Path(__file__).parents[3]
FOLDER = f"build/small/board/{HX8K}"


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["board", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


class Bench:
    """The command in a folder with a chip, with a stand-in for its unit."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tools = FakeTools(folder / "tools")
        self.units: list[tuple[Any, ...]] = []
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(toolchain, "programs_of", lambda family: self.tools.programs())
        monkeypatch.setattr(module, "unit_of", self._unit)
        self.chip = make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2, "programmer": False})
        self.chip.save(folder / "small.loom")

    def _unit(self, chip: Any, section: Any, chosen: Any, clock: Any) -> StandIn:
        cycles = chosen.clocks_per_bit(clock, section.baud or None)
        self.units.append((section.rows_per_cycle, section.gain, chosen.name, cycles))
        return StandIn(cycles)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_bitstream_its_report_and_what_is_printed(bench: Bench) -> None:
    speed = Speed(1800.0, 1440.0, 20, "the reference, on 20 images", 2.5, 0.975, 125.0)
    bench.monkeypatch.setattr(module, "_tests", lambda chip, source, flow: "images")
    bench.monkeypatch.setattr(module, "speed_of", lambda chip, unit, tests, progress: speed if tests == "images" else 0)
    result = call("small.loom", "--board", HX8K)
    assert "36 MHz, met: highest 100 MHz" in result.stdout and "7.5 ns in receiver, sender" in result.stdout
    assert "1,000,000 baud, 36 clock cycles per bit" in result.stdout
    printed = " ".join(result.stdout.split())
    assert "50 µs (1,800.0 cycles) from its first pixel word to its result" in printed
    assert "25,000 images per second in the accelerator, one every 40 µs (1,440.0 cycles)" in printed
    assert "the bytes of the serial line have room for at most 800" in printed and "97.50 %" in printed
    assert f"cells='{FOLDER}/cells.safetensors').load('{FOLDER}/chip.loom')" in result.stdout
    assert f"Bitstream: {FOLDER}/{HX8K}.bin" in result.stdout
    names = {str(path.relative_to(FOLDER)) for path in Path(FOLDER).rglob("*") if path.is_file()}
    assert names >= {f"{HX8K}.bin", "report.json", "report.html", "cells.png", MANIFEST, "logs/place-1.log"}
    assert {"design/top.il", "design/top.pcf", "design/spikeloom_board.sv", "chip.loom", "cells.safetensors"} <= names
    assert json.loads(json.loads(Path(FOLDER, f"{HX8K}.bin").read_text())["packed"]) == {"seed": "1"}
    facts = json.loads(Path(FOLDER, "report.json").read_text())
    assert facts["speed"]["latency_s"] == pytest.approx(50e-6) and facts["speed"]["images_per_s"] == 25_000
    assert facts["speed"]["interval_s"] == pytest.approx(40e-6)
    assert facts["clock_Hz"] == 36e6 and facts["highest_clock_Hz"] == 100e6 and facts["seed"] == 1
    assert facts["parts"]["sender"] == {"luts": 1, "flip_flops": 0, "carry": 0, "block_rams": 1, "dsps": 0}
    assert facts["cells"]["luts"] == 2 and facts["capacity"]["luts"] == 7680
    page = Path(FOLDER, "report.html").read_text()
    assert (
        "small on ice40-hx8k-evn" in page and "data:image/png" in page and "50 µs" in page and "40 µs, 1,440.0" in page
    )
    assert (
        "Accuracy 97.50 % in 2.50 time steps" in page
        and "room for at most 800 images per second at 1,000,000 baud" in page
    )


def test_finished_steps_are_not_repeated_and_json_is_all(bench: Bench) -> None:
    call("small.loom", "--board", HX8K)
    assert bench.tools.calls() == ["yosys", "nextpnr1", "packer"]
    result = call("small.loom", "--board", HX8K, "--json")
    facts = json.loads(result.stdout)
    assert bench.tools.calls() == [] and result.stderr == ""
    assert facts["folder"] == FOLDER and facts["bitstream"] == f"{FOLDER}/{HX8K}.bin" and not facts["programmed"]
    assert {name: facts[name] for name in json.loads(Path(FOLDER, "report.json").read_text())} == json.loads(
        Path(FOLDER, "report.json").read_text()
    )
    call("small.loom", "--board", HX8K, "--seed", "5", "-o", "there")
    assert "nextpnr5" in bench.tools.calls() and Path("there", f"{HX8K}.bin").exists()


def test_every_option_takes_effect(bench: Bench) -> None:
    bench.tools.order(highest={"1": 1.0, "2": 1.0, "3": 1.0})
    options = ("--set", "board.rows_per_cycle=2", "--set", "board.gain=loaded", "--set", "board.tries=3")
    said = call("small.loom", *options, "--set", "board.name=icebreaker", "--clock", "24e6", "--baud", "3e6", code=2)
    assert "Invalid value" in said.stderr, "a rate is a whole number"
    said = call(
        "small.loom", *options, "--set", "board.name=icebreaker", "--clock", "24e6", "--baud", "3000000", code=2
    )
    assert "The clock of 24 MHz is not met: the best of 3 placements (seeds 1, 2, 3) reaches 1 MHz" in said.stderr
    assert bench.units == [(2, "loaded", "icebreaker", 8)]
    bench.tools.order()
    facts = json.loads(call("small.loom", *options, "--board", HX8K, "--json").stdout)
    assert (facts["rows_per_cycle"], facts["gain"], facts["baud"]) == (2, "loaded", 1_000_000)


def test_a_missed_clock_leaves_the_bitstream_that_was_there(bench: Bench) -> None:
    call("small.loom", "--board", HX8K)
    before = Path(FOLDER, f"{HX8K}.bin").read_bytes()
    bench.tools.order(highest={str(seed): 20.0 for seed in range(1, 9)})
    said = call("small.loom", "--board", HX8K, "--clock", "48e6", code=2)
    assert "give a lower clock (--clock 19500000), or other seeds (--seed 5)" in said.stderr
    assert Path(FOLDER, f"{HX8K}.bin").read_bytes() == before
    assert "36" in Path(FOLDER, "report.json").read_text()


def test_programming(bench: Bench, tmp_path: Path) -> None:
    bench.monkeypatch.setenv("OPENFPGALOADER", "nowhere")
    said = call("small.loom", "--board", HX8K, "--program", code=2)
    assert said.stderr.startswith("Error: There is no program nowhere") and not Path("build").exists()
    loader = tmp_path / "loader"
    loader.write_text('#!/bin/sh\necho "$@"\ntest -e fail && { echo no device; exit 1; }\nexit 0\n')
    loader.chmod(0o755)
    bench.monkeypatch.setenv("OPENFPGALOADER", str(loader))
    result = call("small.loom", "--board", HX8K, "--program")
    assert f"Programmed: {loader} -b ice40_generic {tmp_path}/{FOLDER}/{HX8K}.bin" in result.stdout
    assert json.loads(call("small.loom", "--board", HX8K, "--program", "--json").stdout)["programmed"]
    Path("fail").touch()
    said = call("small.loom", "--board", HX8K, "--program", code=2)
    assert "could not program the board ice40-hx8k-evn: no device" in said.stderr
    assert Path(FOLDER, f"{HX8K}.bin").exists(), "the bitstream is there all the same"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--board", "none"), "command line: [board] name must be 'ulx3s-85f', 'ulx3s-45f', "),
        (
            ("--clock", "51.3e6", "--board", "icebreaker"),
            "command line: [board] clock_Hz 51300000: The board icebreaker ",
        ),
        (("--baud", "20000000"), "command line: [board] baud 20000000: The board ulx3s-85f has no serial port of"),
        (("--clock", "-1"), "command line: [board] clock_Hz must be at least 0.0, not -1.0"),
        (("--board", HX8K, "--set", "board.name=icebreaker"), "--set: board.name is given by --board too; leave one"),
        (("--clock", "25e6", "--set", "board.clock_Hz=5e7"), "--set: board.clock_Hz is given by --clock too; leave"),
        (("--set", "board.rows=2"), "--set: Unknown key 'rows' in [board]; valid are name, clock_Hz, baud, rows_per"),
        (("--set", "cosim.images=2"), "--set: cosim.images would have no effect: a weight image is a finished chip"),
        (("--data", "."), "--data: it would have no effect: a weight image is a finished chip"),
        (("-o", "small.loom/x"), "Cannot write 'small.loom/x': a part of the path is a file"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_sentence(bench: Bench, arguments: tuple[str, ...], sentence: str) -> None:
    said = call("small.loom", *arguments, code=2).stderr
    assert said.startswith(f"Error: {sentence}") and said.count("\n") == 1, said
    assert bench.tools.calls() == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ("hardware.programmer=false", "device.read_sigma=0.01"),
            "The chip's reads have noise relative to its cells ([device] read_sigma = 0.01), and a board's emulators "
            "have noise of the conversions only: compile the chip with [device] read_sigma = 0 and the noise as adc_s",
        ),
        ((), 'The chip has programmers, and its cells ([device] cell = "linear") cannot be programmed by the pulses'),
    ],
)
def test_devices_that_a_board_has_not_are_refused_before_the_training(
    bench: Bench, settings: tuple[str, ...], sentence: str
) -> None:
    options = [word for setting in settings for word in ("--set", setting)]
    for more in ([], ["--simulate"]):
        said = call("tiny", *options, *more, code=2).stderr
        assert said.startswith(f"Error: {sentence}") and "train" not in said, said
    assert not Path("build").exists()


def test_commands_of_the_pages_are_not_refused() -> None:
    pages = [*Path(ROOT, "docs", "boards").glob("*.md"), ROOT / "README.md", *Path(ROOT, "examples").glob("*.toml")]
    commands = {line for page in pages for line in re.findall(r"^[ #]+spikeloom board (.*)$", page.read_text(), re.M)}
    assert len(commands) >= 4
    for command in commands:
        config = Config.load(ROOT / command.split()[0])
        check_devices(config.device, config.hardware.programmer)
        check_crossbars(config, BOARDS[config.board.name])
        assert config.board.name in BOARDS.names() and command.split()[0].startswith("examples/"), command


def test_a_chip_with_programmers_is_refused_before_its_build(bench: Bench) -> None:
    make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2}).save("pulses.loom")
    said = call("pulses.loom", "--board", HX8K, code=2).stderr
    assert "set [hardware] programmer = false, or [device] cell" in said and bench.tools.calls() == []


def test_cells_that_an_emulator_cannot_hold_are_refused_before_synthesis(bench: Bench) -> None:
    """As with a large variation: weights beyond the range of the emulator, here a small one."""
    (layer,) = bench.chip.parameters.layers
    bench.monkeypatch.setattr(StandIn, "shapes", (EmulatorShape(parameters=layer, weight_bits=11),))
    said = call("small.loom", "--board", HX8K, code=2).stderr
    assert "the board's emulator holds -1 .. 0.999023: compile the chip with less variation ([device]" in said
    assert bench.tools.calls() == []


@pytest.mark.parametrize("name", ["report.html", "chip.loom", f"{HX8K}.bin", "design/top.il"])
def test_a_file_of_the_user_s_is_noticed_before_the_build(bench: Bench, name: str) -> None:
    path = Path("there", name)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    said = call("small.loom", "--board", HX8K, "-o", "there", code=2).stderr
    assert bench.tools.calls() == [] and path.read_text() == "mine"
    assert said.endswith(
        f"Error: Cannot write 'there': it has a file '{name}' that is not from an earlier export and would be "
        "overwritten; move it away, or choose another folder\n"
    )
    path.rename("moved")
    call("small.loom", "--board", HX8K, "-o", "there")
    call("small.loom", "--board", HX8K, "-o", "there")


def test_a_file_of_the_user_s_is_noticed_before_the_training(bench: Bench) -> None:
    for command, name in (
        (("board", "tiny", "--set", "hardware.programmer=false"), "report.html"),
        (("firmware", "tiny"), "network.h"),
        (("firmware", "tiny"), "Makefile"),
    ):
        path = Path(command[0], name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        said = CliRunner().invoke(app, [*command, "-o", command[0]]).stderr
        assert said.startswith(f"Error: Cannot write '{command[0]}': it has a file '{name}' that is not from"), said
        assert not Path("build").exists() and path.read_text() == "mine"
        path.unlink()


def test_memory_that_a_board_has_not_is_noticed_before_the_training(bench: Bench) -> None:
    """784-32-10 of the preset, 16 bits a pair: 12,544 + 160 words of 32 bits, in blocks of 4 Kbit."""
    options = ("--board", "icebreaker", "--set", "hardware.programmer=false", "--set", "train.hidden=[32]")
    options = (*options, "--set", "device.read_sigma=0")
    said = call("mnist", *options, "--set", "device.bits=4", "--set", "device.cell=linear", code=2).stderr
    assert said == (
        "Error: The memory of the crossbars' cells, 406,528 bits, needs 100 block memories, and the board icebreaker "
        "has 30 (Lattice iCE40 UltraPlus); choose a larger board, or make the network smaller, or its cells of fewer "
        "levels ([device] bits)\n"
    )
    assert not Path("build").exists()


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("sizes", [(64, 10), (64, 48, 10), (65, 3, 77, 10)])
@pytest.mark.parametrize("programmer", [False, True])
def test_cells_counted_before_the_training_are_those_of_the_unit(
    sizes: tuple[int, ...], programmer: bool, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of the configuration alone is what the chip's emulators have."""
    seen: list[Any] = []
    monkeypatch.setattr("spikeloom.hw.boards.project.check_cell_memories", lambda board, shapes: seen.extend(shapes))
    monkeypatch.setattr(DATA_SETS["digits"], "shape", (1, 1, sizes[0]))
    given = {"bits": 3, **({"cell": "emulated"} if programmer else {})}
    hardware = {"lanes": 2, "encoder_lanes": 2, "programmer": programmer}
    chip = make_chip(*sizes, hardware=hardware, device=given, crossbar={"tile_rows": 48})
    train = {"hidden": list(sizes[1:-1])} if sizes[1:-1] else {"hidden": [128, 64], "network": "10"}
    config = chip.config.updated({"train": train, "board": {"name": HX8K, "rows_per_cycle": rows}}, "test")
    check_crossbars(config, BOARDS[HX8K])
    unit = module.unit_of(chip, config.board, BOARDS[HX8K], BOARDS[HX8K].clock())
    facts = [(s.depth, s.cells, s.cell_bits, s.programmer) for s in unit.shapes]
    assert [(s.depth, s.cells, s.cell_bits, s.programmer) for s in seen] == facts
    cells = [(memory.depth, memory.bits) for memory in structure_of(unit).memories if ".cells." in memory.path]
    assert [depth for depth, _ in cells] == [shape.depth for shape in seen]
    assert all(bits >= s.depth * s.cells * s.cell_bits for s, (_, bits) in zip(seen, cells, strict=True))


def test_two_builds_in_one_folder(bench: Bench) -> None:
    Path("there").mkdir()
    with locked(Path("there/.lock")):
        said = call("small.loom", "--board", HX8K, "-o", "there", code=2).stderr
    assert said.startswith("Error: Another build (process ") and "(--output)" in said
    call("small.loom", "--board", HX8K, "-o", "there")


def test_other_commands_refuse_the_table(bench: Bench) -> None:
    for command in (["cosim", "small.loom"], ["run", "tiny"], ["verilog", "tiny", "-o", "x"], ["report", "tiny"]):
        result = CliRunner().invoke(app, [*command, "--set", "board.name=icebreaker"])
        assert result.exit_code == 2 and "board.name would have no effect" in result.stderr, command


def test_a_large_design_is_refused_before_placement(bench: Bench) -> None:
    bench.tools.order(cells={str(number): {"type": "SB_LUT4"} for number in range(7_681)})
    said = call("small.loom", "--board", HX8K, code=2).stderr
    assert "Error: The design needs 7,681 logic cells, and the board ice40-hx8k-evn has 7,680" in said
    cells = {str(n): {"type": kind} for n, kind in enumerate(["SB_LUT4"] * 7_000 + ["SB_DFF"] * 681)}
    for number in range(7_000, 7_681):  # flip-flops that no look-up table drives: they need a logic cell each
        cells[str(number)] |= {"port_directions": {"D": "input"}, "connections": {"D": [number]}}  # type: ignore[dict-item]
    bench.tools.order(cells=cells)
    assert call("small.loom", "--board", HX8K, code=2).stderr.count("The design needs 7,681 logic cells") == 1
    assert "nextpnr1" not in bench.tools.calls()
    assert "choose a larger board" in said


def test_the_programs_are_asked_for_once(bench: Bench) -> None:
    """Another version of a program makes its step anew."""
    call("small.loom", "--board", HX8K)
    bench.tools.calls()
    newer = bench.tools.programs()
    newer = replace(newer, nextpnr=replace(newer.nextpnr, version="2"))
    bench.monkeypatch.setattr(toolchain, "programs_of", lambda family: newer)
    call("small.loom", "--board", HX8K)
    assert bench.tools.calls() == ["nextpnr1"]


def test_speed_and_accuracy_are_those_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = make_chip(4, 2, hardware={"lanes": 1, "encoder_lanes": 2, "programmer": False}, device={"bits": 3})
    section = BoardSection(name=HX8K, rows_per_cycle=2, gain="loaded")
    unit = module.unit_of(chip, section, BOARDS[HX8K], BOARDS[HX8K].clock())
    assert "module spikeloom_board" in unit_text(unit)["spikeloom_board.sv"]
    assert [(shape.rows_per_cycle, shape.gain, shape.levels) for shape in unit.shapes] == [(2, None, 8)]
    images = np.arange(40, dtype=np.uint8).reshape(10, 4) * 6
    labels = np.zeros(10, np.int64)
    done: list[tuple[int, int]] = []
    tests = TestImages(images, labels, ImageSet.file("mine.npz", 10))
    speed = module.speed_of(chip, unit, tests, lambda *counts: done.append(counts))
    result, timing = board_run(chip.programmed, unit.shapes, images)
    assert speed is not None and done == [(10, 10)]
    assert (speed.latency_cycles, speed.interval_cycles) == (timing.alone.mean(), timing.per_image)
    lone = [board_run(chip.programmed, unit.shapes, images[n : n + 1])[1].cycles[0] for n in range(10)]
    words = chip.parameters.pixel_words
    assert timing.alone.tolist() == lone and (timing.alone[1:] == timing.cycles[1:] + 2 * words).all()
    assert speed.latency_cycles > speed.interval_cycles + words
    assert (speed.images, speed.steps, speed.accuracy) == (10, result.steps.mean(), result.accuracy(labels))
    assert "mine.npz" in speed.measured
    # request: number, kind, IMAGE of 9 bytes and its pixels, RESULT of 5, checksum, delimiters; answer likewise
    assert speed.line_bytes is not None
    assert 0 <= speed.line_bytes - (2 + 9 + 4 + 5 + 4 + 2) - (2 + 1 + 3 + 9 * frame_words(chip.parameters) + 4 + 2) < 3
