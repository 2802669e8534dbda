"""The command `spikeloom synth`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeloom.sw.cli.command import WRONG, Data, Debug, Json, RunOrChip, Set, chip_only, folder, is_chip
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import FileError, warn
from spikeloom.sw.common.files import check_no_foreign, readable_error, writable_folder, write_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import changed

if TYPE_CHECKING:
    from spikeloom.hw.standard_cells.cell_synthesis import CellSynthesis
    from spikeloom.hw.standard_cells.liberty import Library
    from spikeloom.sw.chip import Chip

__all__ = ["EPILOG", "library_of", "ports_of", "synth", "unit_of"]

EPILOG = (
    "Examples: spikeloom synth digits --liberty cells.lib · spikeloom synth mine.loom --liberty logic.lib --liberty "
    "flops.lib --clock 250e6 --memory-bits 0"
)
_FOLDER, _FOLDER_WITH_BUS = "standard_cells", "standard_cells_bus"
"""Folders of the results, in that of the run; the report shows the first."""
_SHOWN_DEPTH = 2


def synth(
    source: RunOrChip,
    liberty: Annotated[
        list[Path],
        typer.Option(
            "--liberty",
            metavar="FILE",
            parser=folder,
            help="Liberty library (.lib, .lib.gz); repeatable for its parts.",
        ),
    ],
    clock: Annotated[
        float | None,
        typer.Option("--clock", metavar="HZ", help="Clock to meet, hertz (default: clock_Hz of the chip)."),
    ] = None,
    memory_bits: Annotated[
        int,
        typer.Option("--memory-bits", metavar="N", help="Memories of more bits become black boxes, others flip-flops."),
    ] = 1024,
    corner: Annotated[
        str, typer.Option("--corner", metavar="NAME", help="Operating conditions of the library (default: its own).")
    ] = "",
    bus: Annotated[bool, typer.Option("--bus", help="Include the host buses.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            parser=folder,
            help="Folder to write (default: build/NAME/standard_cells; with --bus standard_cells_bus).",
        ),
    ] = None,
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Map a chip's accelerator to standard cells: area by component, timing, power.

    The crossbars' macros are not part of it. Timing and power need OpenSTA. The exit code is 1 if the clock that
    --clock asks for is not met.
    """
    from spikeloom.hw.standard_cells.cell_mapping import MAPPING, check_library
    from spikeloom.hw.standard_cells.cell_synthesis import SYNTHESIS_FILES, synthesise
    from spikeloom.hw.standard_cells.corners import check_options
    from spikeloom.sim.chip.energy_calibration import design_of

    libraries = [library_of(path) for path in liberty]
    check_library(libraries)  # this and the next before the training, not after it
    if is_chip(source):
        name = Path(source).stem
        check_options(libraries, 1e8 if clock is None else clock, memory_bits, corner)
    else:
        config = changed(Config.load(source), settings)
        name = config.name
        check_options(libraries, config.hardware.clock_Hz if clock is None else clock, memory_bits, corner)
    place = Path("build") / name / (_FOLDER_WITH_BUS if bus else _FOLDER) if output is None else output
    writable_folder(place, "folder of the synthesis")
    check_no_foreign(place, dict.fromkeys(SYNTHESIS_FILES))
    chip = chip_only(source, data, as_json, settings)
    files, top = unit_of(chip, bus)
    clock_Hz = chip.programmed.clock_Hz if clock is None else clock
    with bar(as_json) as advance:
        advance("synth", 0, 0, MAPPING)
        design = design_of(chip.parameters)
        found = synthesise(files, ports_of(files), top, libraries, clock_Hz, memory_bits, corner, design)
    if found.timing is None:
        warn(
            "OpenSTA is not installed (program sta; Debian: apt-get install opensta): there is no timing, no power, "
            "and it is not known whether the clock is met"
        )
    write_folder(place, found.files())
    if as_json:
        print_json({"folder": str(place), **found.facts()})
    else:
        _print(found, place)
    if clock is not None and found.met is False:
        raise typer.Exit(WRONG)


def library_of(path: Path) -> Library:
    """The library in a file; raises `FileError` or `LibraryError`."""
    from spikeloom.hw.standard_cells.liberty import read_library

    try:
        return read_library(path)
    except FileNotFoundError:
        raise FileError(f"There is no Liberty file '{path}': give --liberty the .lib file of your library") from None
    except OSError as error:
        raise FileError(readable_error(path, error, "read")) from error


def unit_of(chip: Chip, bus: bool) -> tuple[dict[str, str], str]:
    """Files of the accelerator's export, and the name of its module."""
    from spikeloom.hw.export.axi_verilog import AXI_UNIT_NAME, export_axi
    from spikeloom.hw.export.verilog import export_verilog

    if bus:
        return export_axi(chip.parameters), AXI_UNIT_NAME
    return export_verilog(chip.parameters), "npu"


def ports_of(files: dict[str, str]) -> list[dict[str, Any]]:
    """Ports of an export."""
    import json

    found: list[dict[str, Any]] = json.loads(files["ports.json"])["ports"]
    return found


def _print(found: CellSynthesis, place: Path) -> None:
    from spikeloom.sw.common.readable import si

    facts = found.facts()
    rows: dict[str, Any] = {
        "library": ", ".join(facts["libraries"]),
        "area": f"{facts['area_um2'] / 1e6:.3f} mm^2",
        "cells": f"{facts['cells']:,}",
        "flip-flops among them": f"{facts['flip_flops']:,}",
    }
    boxes = [entry for entry in facts["memories"] if entry["kind"] == "black box"]
    if boxes:
        bits = sum(entry["words"] * entry["bits"] for entry in boxes)
        rows["memories outside, black boxes"] = f"{len(boxes)} of {bits:,} bits in all"
    asked = f"{si(found.clock_Hz, 'Hz')}"
    if found.timing is None:
        rows["clock"] = f"{asked}, not known whether met: OpenSTA is missing"
    else:
        path = found.timing.slowest
        met = "met" if found.met else "NOT met"
        late = f" at {len(found.timing.failing):,} ends of paths" if found.timing.failing else ""
        rows["clock"] = f"{asked}, {met}: slack {path.slack_ns:+.3f} ns{late}"
        rows["highest clock"] = si(found.largest_Hz or 0.0, "Hz")
        rows["slowest path, from"] = path.start
        rows["slowest path, to"] = path.end
        rows["slowest path, through"] = ", ".join(f"{name or found.top} {ns:.2f} ns" for name, ns in path.through)
        rows["slowest path, gates"] = str(path.gates)
    if not isinstance(found.power, str):
        power = found.power
        at = f"{si(power.clock_Hz, 'Hz')}, {power.activity:g} transitions of a net per cycle assumed"
        rows[f"power at {at}"] = si(power.total_W, "W")
        rows["of it clock, nets, leakage"] = ", ".join(
            si(x, "W") for x in (power.clock_W, power.nets_W, power.leakage_W)
        )
    print_table(f"{found.top} in standard cells", rows)
    _print_components(facts)
    for entry in boxes:
        size = f"{entry['words']:,} words of {entry['bits']} bits"
        text = f"Black box {entry['module']}: {entry['path']}, {size}, {entry['ports']}"
        Console().print(text, soft_wrap=True, highlight=False, markup=False)
    for sentence in facts["assumptions"]:
        Console().print(sentence, soft_wrap=True, highlight=False, markup=False)
    Console().print(f"Outputs: {shlex.quote(str(place))}", soft_wrap=True, highlight=False, markup=False)


def _print_components(facts: dict[str, Any]) -> None:
    """Components down to some depth, each with everything inside it."""
    table = Table(title="area by component", box=None, title_justify="left", title_style="bold")
    table.add_column("component", style="dim")
    for head in ("cells", "flip-flops", "mm^2", "share"):
        table.add_column(head, justify="right")
    for part in facts["components"]:
        depth = part["path"].count("/") + 1 if part["path"] else 0
        if depth <= _SHOWN_DEPTH:
            whole = part["with_inside"]
            table.add_row(
                escape(part["path"] or part["module"]),
                f"{whole['cells']:,}",
                f"{whole['flip_flops']:,}",
                f"{whole['area_um2'] / 1e6:.4f}",
                f"{100 * whole['area_um2'] / facts['area_um2']:.1f} %",
            )
    Console().print(table)
