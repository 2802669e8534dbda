"""The command `spikeloom calibrate`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from spikeloom.sw.cli.command import (
    WRONG,
    Data,
    Debug,
    Json,
    RunOrChip,
    Set,
    check_data,
    chip_and_flow,
    folder,
    is_chip,
    settings_of_run,
)
from spikeloom.sw.cli.command_images import DataSet, images_for
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.cli.synth import library_of
from spikeloom.sw.common.errors import warn
from spikeloom.sw.common.files import writable_file, write_atomic
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import check_settings

if TYPE_CHECKING:
    from spikeloom.sw.analysis.calibration_run import Calibrated

__all__ = ["EPILOG", "calibrate", "calibration_text"]

EPILOG = (
    "Examples: spikeloom calibrate digits --liberty cells.lib · spikeloom calibrate mine.loom --liberty logic.lib "
    "--liberty flops.lib --memory-bits 4096 --output mine.json"
)
_FILE = "calibration.json"


def calibrate(
    source: RunOrChip,
    liberty: Annotated[
        list[Path],
        typer.Option(
            "--liberty",
            metavar="FILE",
            parser=folder,
            help="Liberty library (.lib, .lib.gz) with tables of power; repeatable for its parts.",
        ),
    ],
    images: Annotated[int, typer.Option("--images", metavar="N", help="Images to run; at least 32.")] = 40,
    clock: Annotated[
        float | None,
        typer.Option("--clock", metavar="HZ", help="Clock of the netlist, hertz (default: clock_Hz of the chip)."),
    ] = None,
    memory_bits: Annotated[
        int,
        typer.Option(
            "--memory-bits", metavar="N", help="Memories of more bits are black boxes, which stay as they are."
        ),
    ] = 1024,
    corner: Annotated[
        str, typer.Option("--corner", metavar="NAME", help="Operating conditions of the library (default: its own).")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", parser=folder, help=f"File to write (default: build/NAME/{_FILE})."
        ),
    ] = None,
    data: Data = None,
    data_set: DataSet = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fit the energy of a chip's digital parts to the switching of its netlist.

    Test images of different activity run through the netlist, which gives the bits of the reference. The setting
    energy.calibration takes the file. The exit code is 1, and nothing is written, if the fit misses the energy of an
    image that is not in it, without clock and leakage, by 10 % or more.
    """
    from spikeloom.hw.standard_cells.cell_mapping import check_library
    from spikeloom.hw.standard_cells.gates import check_calibration
    from spikeloom.sim.cosim.tools import check_simulator
    from spikeloom.sw.analysis.calibration_run import check_images_asked, run_calibration

    check_images_asked(images)  # this and the next before the training, not after it
    check_settings(settings, ["energy"], "energies are what is found out here; leave it out")
    libraries = [library_of(path) for path in liberty]
    check_library(libraries)
    check_simulator("verilator")
    config = None if is_chip(source) else settings_of_run(Config.load(source), settings, ("data",))
    asked = clock if clock is not None else 1e8 if config is None else config.hardware.clock_Hz
    check_calibration(libraries, asked, memory_bits, corner)
    if config is not None:
        check_data(config.data.set, data)
        if data_set is None and config.data.test_limit:
            check_images_asked(images, config.data.test_limit, config.data.test_limit)
    name = Path(source).stem if config is None else config.name
    place = Path("build") / name / _FILE if output is None else output
    writable_file(place, "file of the calibration")
    chip, flow = chip_and_flow(source, data, as_json, settings, ("data",))
    tests = images_for(chip, source, flow, data, data_set)
    check_images_asked(images, len(tests.images), 0 if data_set is not None else chip.config.data.test_limit)
    with bar(as_json) as advance:
        found = run_calibration(
            chip.programmed, tests.images, libraries, memory_bits, corner, images, clock, advance=advance
        )
    _tell(found, place, as_json)


def _tell(found: Calibrated, place: Path, as_json: bool) -> None:
    """Write the file, unless the fit is too far off, and say what was found."""
    from spikeloom.sw.analysis.calibration import MOST_ERROR

    error = found.fit.calibration.error_of_data
    good = error < MOST_ERROR
    if good:
        write_atomic(place, calibration_text(found))
    if as_json:
        print_json({"file": str(place) if good else None, **facts_of(found)})
    else:
        _print(found)
    if not good:
        warn(
            "Nothing is written: the fit misses the energy of an image that is not in it, without clock and leakage, "
            f"by {100 * error:.1f} %, and less than {100 * MOST_ERROR:.0f} % is a calibration: run more images "
            "(--images), or a chip whose images differ less"
        )
        raise typer.Exit(WRONG)
    if not as_json:
        Console().print(f"Output: {shlex.quote(str(place))}", soft_wrap=True, highlight=False, markup=False)


def facts_of(found: Calibrated) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        **found.fit.facts(),
        "places": [int(place) for place in found.places],
        "values_compared": found.values_compared,
    }


def calibration_text(found: Calibrated) -> str:
    """The file's text."""
    return json.dumps(facts_of(found), indent=1, allow_nan=False) + "\n"


def _print(found: Calibrated) -> None:
    from spikeloom.sw.common.readable import si

    fit, calibration = found.fit, found.fit.calibration
    mean_J = float(fit.simulated_J.mean())
    boxes = found.gates.mapped.black_boxes
    rows = {
        "library": calibration.library,
        "corner": calibration.corner,
        "clock": si(calibration.clock_Hz, "Hz"),
        "images in the fit": str(calibration.images),
        "images not in it": f"{calibration.images_checked}, {calibration.images_beyond} of them less or more active "
        "than all that are",
        "values equal to the reference's": f"{found.values_compared:,}, all that were compared",
        "energy of an image, netlist": f"{si(mean_J, 'J')} on average",
        "clock and leakage": f"{100 * (1 - float(fit.data_J.mean()) / mean_J):.1f} % of it",
        "largest error of an image not in the fit, without them": f"{100 * calibration.error_of_data:.2f} %",
        "the same with them": f"{100 * calibration.error:.2f} %",
    }
    print_table(f"{calibration.chip} calibrated with {calibration.said}", rows)
    table = Table(title="energy per event", box=None, title_justify="left", title_style="bold")
    table.add_column("part", style="dim")
    for head in ("lowest image", "fit", "highest image", "per image", "share"):
        table.add_column(head, justify="right")
    for name, values in calibration.parts.items():
        part_J = float(fit.parts_J[name].mean()) if name in fit.parts_J else 0.0
        table.add_row(name, *(si(value, "J") for value in values), si(part_J, "J"), f"{100 * part_J / mean_J:.1f} %")
    Console().print(table)
    memories = "none."
    if boxes:
        kinds = len({box.black_box for box in boxes})
        memories = (
            f"{kinds} kinds of more than {calibration.memory_bits:,} bits; a library of cells says nothing about their "
            "energy, so they keep memory_J_per_bit."
        )
    sentences = [
        "Lowest and highest are the spread between images. One corner, without wires, glitches and clock tree: "
        "energies get a wider interval for that. Transport keeps transport_J_per_bit.",
        f"Memories outside: {memories}",
    ]
    for sentence in sentences:
        Console().print(sentence, soft_wrap=True, highlight=False, markup=False)
