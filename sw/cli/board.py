"""The command `spikeloom board`."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeloom.sim.common.lock import Busy, locked
from spikeloom.sw.cli.board_simulation import check_simulate, fastest_baud, simulate
from spikeloom.sw.cli.command import (
    Data,
    Debug,
    Json,
    RunOrChip,
    Set,
    check_data_of_chip,
    chip_and_flow,
    folder,
    is_chip,
    settings_of_run,
)
from spikeloom.sw.cli.command_images import TestImages, images_for
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import FileError, SpikeLoomError, warn
from spikeloom.sw.common.files import check_no_foreign, readable_error, writable_folder, write_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import check_set_once
from spikeloom.sw.datasets.image_set import images_in_words
from spikeloom.sw.export.board_design import board_cells, board_unit, check_crossbars, check_devices, line_bytes
from spikeloom.sw.host.emulated_devices import check_cells

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

    from spikeloom.hw.boards.board import Board
    from spikeloom.hw.boards.clocks import Clock
    from spikeloom.hw.boards.project import Project
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.config.board_section import BoardSection
    from spikeloom.sw.flow.flow import Flow
    from spikeloom.sw.host.emulated_cells import BoardCells
    from spikeloom.sw.report.board import BoardReport, Speed

__all__ = ["CELLS", "EPILOG", "board"]

EPILOG = (
    "Examples: spikeloom board examples/hx8k_digits.toml · spikeloom board mine.loom --board ulx3s-85f --clock 30e6 "
    "--program"
)
_LOCK = ".lock"
_CHIP = "chip.loom"
CELLS = "cells.safetensors"
"""File of what the emulators are loaded with."""


def board(
    source: RunOrChip,
    name: Annotated[
        str | None, typer.Option("--board", metavar="NAME", help="The board (default: board.name of CONFIG).")
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option("--clock", metavar="HZ", help="Clock of the design, hertz (default: that of CONFIG)."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option("--baud", metavar="N", help="Rate of the serial port (default: that of CONFIG).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="First seed of the placement (default: 1).")
    ] = None,
    program: Annotated[
        bool, typer.Option("--program", help="Program the board at this machine, with openFPGALoader.")
    ] = False,
    simulation: Annotated[
        bool, typer.Option("--simulate", help="Make no bitstream: simulate the board at a pseudo terminal.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", parser=folder, help="Folder to write (default: build/NAME/board/BOARD)."
        ),
    ] = None,
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a chip's bitstream for an FPGA board: accelerator, crossbars in block memory, serial bridge.

    Steps that are finished with the same design and options are not repeated, so a stopped build resumes.
    """
    from spikeloom.hw.boards import loader
    from spikeloom.hw.boards.boards import BOARDS

    if simulation:
        check_simulate(program, output, seed)
    given = {"name": name, "clock_Hz": clock, "baud": baud}
    check_set_once(settings, "board", given, {"name": "--board", "clock_Hz": "--clock"})
    known: tuple[Chip, Flow | None] | None = None
    if is_chip(source):
        known, run = _chip(source, data, as_json, settings), Path(source).stem
        config = known[0].config
        check_devices(known[0].programmed.device, known[0].parameters.programmer)
    else:
        config = settings_of_run(Config.load(source), settings, ("board",))
        run = config.name
        check_devices(config.device, config.hardware.programmer)
    section = _section(config, given)
    chosen = BOARDS[section.name]
    made = chosen.clock(section.clock_Hz or None)
    if simulation:
        _simulate(*(known or _chip(source, data, as_json, settings)), source, section, chosen, made, as_json)
        return
    if known is None:
        check_crossbars(config.updated({"board": section.model_dump()}, "command line"), chosen)
    if program:
        loader.loader()  # this and the next before the training, not after it
    place = Path("build") / run / "board" / chosen.name if output is None else output
    bitstream = _ready(place, chosen)
    chip, flow = known or _chip(source, data, as_json, settings)
    with _alone(place):
        cells = board_cells(chip.programmed)
        report = _build(
            chip, cells, section, chosen, made, 1 if seed is None else seed, place, as_json, run,
            _tests(chip, source, flow),
        )  # fmt: skip
        loaded = {_CHIP: _saved(chip.save, _CHIP), CELLS: _saved(cells.save, CELLS)}
        made_files = {bitstream.name: report.built.bitstream, **loaded, **_design(report.built.project)}
        write_folder(place, {**made_files, **report.files()})
        command = loader.program(chosen, bitstream, place / "logs" / "program.log") if program else None
    if as_json:
        facts = {"folder": str(place), "bitstream": str(bitstream), "programmed": command is not None}
        print_json({**facts, **report.facts()})
    else:
        _print(report, place, bitstream, command)


def _ready(place: Path, chosen: Board) -> Path:
    """Path of the bitstream in a folder that can be written, without a file of the user's in the way."""
    from spikeloom.sw.report.board import BOARD_FILES

    bitstream = place / f"{chosen.name}.{chosen.family.bitstream}"
    writable_folder(place, "folder of the board")
    check_no_foreign(place, dict.fromkeys((bitstream.name, _CHIP, CELLS, *BOARD_FILES)))
    return bitstream


def _simulate(
    chip: Chip, flow: Flow | None, source: str, section: BoardSection, chosen: Board, clock: Clock, as_json: bool
) -> None:
    """Serve the simulation of the board."""
    if not section.baud:
        section = section.model_copy(update={"baud": fastest_baud(clock.Hz)})
    unit: Any = unit_of(chip, section, chosen, clock)
    image = Path(source) if flow is None else flow.folder / "convert" / "chip.loom"
    simulate(unit, chosen.clocks_per_bit(clock, section.baud), image, as_json)


def _section(config: Config, given: dict[str, Any]) -> BoardSection:
    """The table [board] with the options of the command line, checked as a whole."""
    changes = {key: value for key, value in given.items() if value is not None}
    return config.updated({"board": changes}, "command line").board if changes else config.board


def _chip(source: str, data: Path | None, as_json: bool, settings: list[str] | None) -> tuple[Chip, Flow | None]:
    """The chip, and the flow that made it."""
    check_data_of_chip(source, data)
    return chip_and_flow(source, data, as_json, settings, ("board",))


def _tests(chip: Chip, source: str, flow: Flow | None) -> TestImages | None:
    """The images that speed and accuracy are measured on; None where there are none."""
    if flow is None and chip.provenance.data_set is None:
        return None
    try:
        return images_for(chip, source, flow, None)
    except SpikeLoomError as error:
        warn(f"Speed and accuracy are not measured: {error}")
        return None


def _saved(save: Callable[[Path], object], name: str) -> bytes:
    """What is written to a file of this name."""
    with tempfile.TemporaryDirectory(prefix="board-") as folder:
        path = Path(folder) / name
        save(path)
        return path.read_bytes()


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other builds out of the folder while the block runs."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        held = locked(place / _LOCK)
        held.__enter__()
    except Busy as busy:
        raise FileError(
            f"Another build (process {busy.holder}) is at work in '{place}': wait until it is done, or choose another "
            "folder (--output)"
        ) from None
    except OSError as error:
        raise FileError(readable_error(place, error)) from error
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _build(
    chip: Chip,
    cells: BoardCells,
    section: BoardSection,
    chosen: Board,
    clock: Clock,
    seed: int,
    place: Path,
    as_json: bool,
    run: str,
    tests: TestImages | None,
) -> BoardReport:
    """Elaborate, synthesise, place, route and pack; the report of it."""
    from spikeloom.hw.boards.project import check_memories, project_of, unit_text
    from spikeloom.hw.boards.toolchain import build
    from spikeloom.sw.report.board import BoardReport

    baud = section.baud or chosen.baud
    with bar(as_json) as advance:
        advance("elaborate", 0, 0, "write the Verilog of the design")
        unit = unit_of(chip, section, chosen, clock)
        text = unit_text(unit)
        check_memories(chosen, unit)
        check_cells(unit.shapes, cells)
        project = project_of(chosen, clock, text)
        check_no_foreign(place, _design(project))
        built = build(project, place, seed=seed, tries=section.tries, tell=lambda step, text: advance(step, 0, 0, text))
        speed = None
        if tests is not None:
            speed = speed_of(chip, unit, tests, lambda done, total: advance("speed", done, total, "images"))
    extras = {"rows_per_cycle": section.rows_per_cycle, "gain": section.gain}
    return BoardReport(name=run, built=built, baud=baud, speed=speed, extras=extras)


def unit_of(chip: Chip, section: BoardSection, chosen: Board, clock: Clock) -> Component:
    """The unit of a chip: accelerator, crossbars, bridge; its serial port has `chosen.clocks_per_bit(...)`."""
    return board_unit(chip.programmed, section, chosen, clock)


def speed_of(chip: Chip, unit: Any, tests: TestImages, progress: Callable[[int, int], None]) -> Speed | None:
    """How many clock cycles the chip takes for an image, and how well it does; None where no formula has its cycles."""
    from spikeloom.sim.estimates.emulated_reads import board_run
    from spikeloom.sw.report.board import Speed

    if not chip.parameters.plan.is_dense_chain:
        return None
    result, timing = board_run(chip.programmed, unit.shapes, tests.images, progress)
    words = images_in_words(tests.measured_on.facts(len(result)))
    return Speed(
        latency_cycles=float(timing.alone.mean()),
        interval_cycles=timing.per_image,
        images=len(result),
        measured=f"the reference of this chip and the formulas of its cycles, which the Verilog is held to, on {words}",
        steps=float(result.steps.mean()),
        accuracy=None if tests.labels is None else float(result.accuracy(tests.labels)),
        line_bytes=line_bytes(chip.programmed, tests.images),
    )


def _design(project: Project) -> dict[str, bytes | str]:
    """Files of the design that is synthesised: its Verilog and its constraints."""
    name, text = project.constraints
    return {f"design/{file}": content for file, content in (*project.sources.items(), (name, text))}


def _print(report: BoardReport, place: Path, bitstream: Path, command: list[str] | None) -> None:
    from spikeloom.sw.common.readable import si

    facts = report.facts()
    cells, there = facts["cells"], facts["capacity"]
    rows = {
        "board": f"{facts['board']} ({facts['family']})",
        "clock": f"{si(facts['clock_Hz'], 'Hz')}, met: highest {si(facts['highest_clock_Hz'], 'Hz')}",
        "slowest path": f"{si(facts['slowest_path']['delay_s'], 's')} in {', '.join(facts['slowest_path']['through'])}",
        "serial port": f"{facts['baud']:,} baud, {facts['clocks_per_bit']} clock cycles per bit",
    }
    for kind, words in (("luts", "look-up tables"), ("flip_flops", "flip-flops"), ("block_rams", "block memories")):
        share = f" ({100 * cells[kind] / there[kind]:.1f} %)" if there[kind] else ""
        rows[words] = f"{cells[kind]:,} of {there[kind]:,}{share}"
    if facts["speed"] is not None:
        speed = facts["speed"]
        rows["one image"] = (
            f"{si(speed['latency_s'], 's')} ({speed['latency_cycles']:,.1f} cycles) from its first pixel word to its "
            "result"
        )
        rows["back to back"] = (
            f"{speed['images_per_s']:,.0f} images per second in the accelerator, one every "
            f"{si(speed['interval_s'], 's')} ({speed['interval_cycles']:,.1f} cycles); the bytes of the serial line "
            f"have room for at most {speed['line_images_per_s']:,.0f}"
        )
        if speed["accuracy"] is not None:
            rows["accuracy"] = f"{100 * speed['accuracy']:.2f} %"
        rows["measured on"] = speed["measured"]
    print_table(facts["name"], rows)
    table = Table(title="cells by part", box=None, title_justify="left", title_style="bold")
    table.add_column("part", style="dim")
    for head in ("look-up tables", "flip-flops", "carry", "block memories", "multipliers"):
        table.add_column(head, justify="right")
    for part, usage in (*facts["parts"].items(), ("all", cells)):
        counts = (usage[kind] for kind in ("luts", "flip_flops", "carry", "block_rams", "dsps"))
        table.add_row(escape(part.replace("_", " ")), *(f"{count:,}" for count in counts))
    Console().print(table)
    loaded = f"To load: Host.connect(PORT, baud={facts['baud']}, cells='{place / CELLS}').load('{place / 'chip.loom'}')"
    for line in (f"Bitstream: {bitstream}", f"Report: {place / 'report.html'}", loaded):
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    if command is not None:
        Console().print(f"Programmed: {shlex.join(command)}", soft_wrap=True, highlight=False, markup=False)
