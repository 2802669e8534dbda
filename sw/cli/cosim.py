"""The command `spikeloom cosim`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikeloom.sim.chip.result import Result
from spikeloom.sw.cli.command import (
    Data,
    Debug,
    Json,
    Output,
    RunOrChip,
    Set,
    Simulator,
    check_data,
    check_no_energy,
    is_chip,
    settings_of_chip,
    settings_of_run,
    with_cosim,
)
from spikeloom.sw.cli.command_images import ASKED, DataSet, Images, TestImages, how_many, images_asked, images_for
from spikeloom.sw.cli.console import bar, print_json, print_table, shown
from spikeloom.sw.common.errors import ConfigError, warn
from spikeloom.sw.common.files import writable_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.image_set import images_in_words

if TYPE_CHECKING:
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.flow.flow import Flow

__all__ = ["EPILOG", "cosim"]

EPILOG = (
    "Examples: spikeloom cosim digits --images 50 · spikeloom cosim mine.loom --images mine.npz --images 20 · "
    "spikeloom cosim tiny --images 2 --waves · spikeloom cosim programming --through-bus"
)
_WAVES = "waves"
"""Folder of waveforms, in that of the run."""


def cosim(
    source: RunOrChip,
    images: Images = None,
    simulator: Annotated[Simulator | None, typer.Option("--simulator", help="Which simulator.")] = None,
    waves: Annotated[bool, typer.Option("--waves", help="Record waveforms of the traced images.")] = False,
    trace_images: Annotated[
        int | None,
        typer.Option("--trace-images", metavar="N", help="Number of images of which every membrane is compared."),
    ] = None,
    through_bus: Annotated[
        bool,
        typer.Option("--through-bus", help="Load, program and read the chip over its host buses, images back to back."),
    ] = False,
    data: Data = None,
    data_set: DataSet = None,
    output: Output = None,
    changes: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run test images through the Verilog and compare them with the reference, bit for bit.

    A weight image is tested on the data set that it was made for; one that was made for none needs --data-set or
    --images FILE.npz.
    """
    from spikeloom.sw.verify.chunks import cosimulate

    asked, file = images_asked(images, data_set, changes)
    check_no_energy(source, changes)
    asked_for = functools.partial(
        with_cosim,
        images=asked,
        simulator=simulator,
        waves=waves,
        trace_images=trace_images,
        through_bus=through_bus,
        settings=changes,
        file=file,
    )
    flow: Flow | None
    if is_chip(source):
        chip, settings, place = _saved_chip(source, changes, asked_for, output)
        flow = None
    else:
        config = settings_of_run(Config.load(source), changes, ("cosim", "data"))
        check_data(config.data.set, data)
        settings = asked_for(config)
        chip, flow = _made_chip(settings, output, data, as_json)
        place = flow.folder
    tests = images_for(chip, source, flow, data, data_set, file)
    count = how_many(tests, settings.cosim.images, ASKED if asked is None else "--images")
    if trace_images is not None and trace_images > count:
        warn(f"--trace-images {trace_images} is more than the images that are run: all {count} are traced")
    with bar(as_json) as advance:
        result, comparison = cosimulate(
            chip.programmed,
            tests.images[:count],
            simulator=settings.cosim.simulator,
            trace_images=settings.cosim.traced,
            waves=place / _WAVES if settings.cosim.waves else None,
            through_bus=settings.cosim.through_bus,
            progress=lambda done, total: advance("cosim", done, total, "images"),
        )
    _print(result, comparison, tests, str(place / _WAVES) if settings.cosim.waves else None, as_json)


def _saved_chip(
    source: str, changes: list[str] | None, asked_for: Callable[[Config], Config], output: Path | None
) -> tuple[Chip, Config, Path]:
    """A weight image, its settings with those of the command line, and where waves go."""
    import spikeloom

    chip = spikeloom.load(source)
    chip.config = settings_of_chip(chip.config, changes, ("cosim",))
    settings = asked_for(chip.config)
    if output is not None and not settings.cosim.waves:
        raise ConfigError(
            "--output",
            ["it would have no effect: only the waves of a weight image are written; give --waves, or leave it out"],
        )
    place = output if output is not None else Path("build") / Path(source).stem
    if settings.cosim.waves:
        writable_folder(place / _WAVES, "folder of the waves")
    return chip, settings, place


def _made_chip(settings: Config, output: Path | None, data: Path | None, as_json: bool) -> tuple[Chip, Flow]:
    """The chip of a run, made or continued."""
    from spikeloom.sim.cosim.tools import check_simulator
    from spikeloom.sw.flow.run_folder import load_chip
    from spikeloom.sw.flow.steps import make_flow

    check_simulator(settings.cosim.simulator)  # before the training, not after it
    flow = make_flow(settings, output, data=data)
    if settings.cosim.waves:
        writable_folder(flow.folder / _WAVES, "folder of the waves")
    with shown(flow, as_json):
        flow.run(stop="convert")
    return load_chip(flow), flow


def _print(result: Result, comparison: dict[str, Any], tests: TestImages, waves: str | None, as_json: bool) -> None:
    cycles = None if result.cycles is None else float(result.cycles.mean())
    summary = {
        **comparison,
        "measured_on": tests.measured_on.facts(len(result)),
        "accuracy": None if tests.labels is None else result.accuracy(tests.labels[: len(result)]),
        "steps_mean": float(result.steps.mean()),
        "cycles_mean": cycles,
        "waves": waves,
    }
    if as_json:
        print_json(summary)
    else:
        known = summary["accuracy"]
        shares = {"measured_on": images_in_words(summary["measured_on"])}
        shares["accuracy"] = "not known without labels" if known is None else f"{100 * known:.2f} %"
        bus = summary.pop("through_bus") or {}
        rows = {**summary, **shares, **{f"bus, {name}": value for name, value in bus.items()}}
        print_table("co-simulation", {key: value for key, value in rows.items() if value is not None})
