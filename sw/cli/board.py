"""The command `spikeloom board`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeloom.sim.common.lock import Busy, locked
from spikeloom.sw.cli.command import Data, Debug, Json, RunOrChip, Set, chip_and_flow, folder, is_chip, settings_of_run
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import ConfigError, FileError
from spikeloom.sw.common.files import readable_error, writable_folder, write_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import check_set_once

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

    from spikeloom.hw.boards.board import Board
    from spikeloom.hw.boards.clocks import Clock
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.config.board_section import BoardSection
    from spikeloom.sw.report.board import BoardReport, Speed

__all__ = ["EPILOG", "board"]

EPILOG = (
    "Examples: spikeloom board digits --board ulx3s-85f · spikeloom board mine.loom --board ice40-hx8k-evn "
    "--clock 30e6 --program"
)
_LOCK = ".lock"


def board(
    source: RunOrChip,
    name: Annotated[
        str | None, typer.Option("--board", metavar="NAME", help="The board (default: [board] name of CONFIG).")
    ] = None,
    clock: Annotated[
        float | None, typer.Option("--clock", metavar="HZ", help="Clock of the design, hertz (default: the board's).")
    ] = None,
    baud: Annotated[
        int | None, typer.Option("--baud", metavar="N", help="Rate of the serial port (default: the board's).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="First seed of the placement.")] = 1,
    program: Annotated[
        bool, typer.Option("--program", help="Program the board at this machine, with openFPGALoader.")
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

    given = {"name": name, "clock_Hz": clock, "baud": baud}
    check_set_once(settings, "board", given, {"name": "--board", "clock_Hz": "--clock"})
    if is_chip(source):
        chip, run = _chip(source, data, as_json, settings), Path(source).stem
        config = chip.config
    else:
        chip = None
        config = settings_of_run(Config.load(source), settings, ("board",))
        run = config.name
    section = _section(config, given)
    chosen = BOARDS[section.name]
    made = chosen.clock(section.clock_Hz or None)
    if program:
        loader.loader()  # this and the next before the training, not after it
    place = Path("build") / run / "board" / chosen.name if output is None else output
    writable_folder(place, "folder of the board")
    if chip is None:
        chip = _chip(source, data, as_json, settings)
    with _alone(place):
        report = _build(chip, section, chosen, made, seed, place, as_json, run)
        bitstream = place / f"{chosen.name}.{chosen.family.bitstream}"
        write_folder(place, {bitstream.name: report.built.bitstream, **_design(report), **report.files()})
        command = loader.program(chosen, bitstream, place / "logs" / "program.log") if program else None
    if as_json:
        facts = {"folder": str(place), "bitstream": str(bitstream), "programmed": command is not None}
        print_json({**facts, **report.facts()})
    else:
        _print(report, place, bitstream, command)


def _section(config: Config, given: dict[str, Any]) -> BoardSection:
    """The table [board] with the options of the command line, checked as a whole."""
    changes = {key: value for key, value in given.items() if value is not None}
    return config.updated({"board": changes}, "command line").board if changes else config.board


def _chip(source: str, data: Path | None, as_json: bool, settings: list[str] | None) -> Chip:
    """The chip, which needs no images here."""
    if is_chip(source) and data is not None:
        raise ConfigError(
            "--data",
            ["it would have no effect: a weight image is a finished chip, and needs no images here; leave --data out"],
        )
    return chip_and_flow(source, data, as_json, settings, ("board",))[0]


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
    chip: Chip, section: BoardSection, chosen: Board, clock: Clock, seed: int, place: Path, as_json: bool, run: str
) -> BoardReport:
    """Elaborate, synthesise, place, route and pack; the report of it."""
    from spikeloom.hw.boards.project import check_memories, project_of, unit_text
    from spikeloom.hw.boards.toolchain import build
    from spikeloom.sw.report.board import BoardReport

    baud = section.baud or chosen.baud
    with bar(as_json) as advance:
        advance("elaborate", 0, 0, "write the Verilog of the design")
        unit = unit_of(chip, section, chosen, clock)
        check_memories(chosen, unit)
        project = project_of(chosen, clock, unit_text(unit))
        built = build(project, place, seed=seed, tries=section.tries, tell=lambda step, text: advance(step, 0, 0, text))
    extras = {"rows_per_cycle": section.rows_per_cycle, "gain": section.gain}
    return BoardReport(name=run, built=built, baud=baud, speed=speed_of(chip), extras=extras)


def unit_of(chip: Chip, section: BoardSection, chosen: Board, clock: Clock) -> Component:
    """The unit of a chip: accelerator, crossbars, bridge; its serial port has `chosen.clocks_per_bit(...)`."""
    raise NotImplementedError


def speed_of(chip: Chip) -> Speed | None:
    """How many clock cycles the chip takes for an image; None where it is not known."""
    return None


def _design(report: BoardReport) -> dict[str, bytes | str]:
    """Files of the design that was synthesised: its Verilog and its constraints."""
    project = report.built.project
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
        rows["mean image"] = f"{si(facts['speed']['latency_s'], 's')} ({facts['speed']['latency_cycles']:,.1f} cycles)"
        rows["images per second"] = f"{facts['speed']['images_per_s']:,.0f}"
    print_table(facts["name"], rows)
    table = Table(title="cells by part", box=None, title_justify="left", title_style="bold")
    table.add_column("part", style="dim")
    for head in ("look-up tables", "flip-flops", "carry", "block memories", "multipliers"):
        table.add_column(head, justify="right")
    for part, usage in (*facts["parts"].items(), ("all", cells)):
        counts = (usage[kind] for kind in ("luts", "flip_flops", "carry", "block_rams", "dsps"))
        table.add_row(escape(part.replace("_", " ")), *(f"{count:,}" for count in counts))
    Console().print(table)
    for line in (f"Bitstream: {bitstream}", f"Report: {place / 'report.html'}"):
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
    if command is not None:
        Console().print(f"Programmed: {shlex.join(command)}", soft_wrap=True, highlight=False, markup=False)
