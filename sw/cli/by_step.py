"""The command `spikeloom by-step`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spikeloom.sw.cli.command import Data, Debug, Json, RunOrChip, Set, chip_and_flow, folder, is_chip
from spikeloom.sw.cli.command_images import DataSet, Images, how_many, images_asked, images_for
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.common.files import check_no_foreign, writable_folder, write_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import changed, check_settings

__all__ = ["EPILOG", "by_step"]

EPILOG = (
    "Examples: spikeloom by-step digits · spikeloom by-step my.toml --ideal --images 1000 -o build/steps · "
    "spikeloom by-step mine.loom --data-set mnist --image 7"
)


def by_step(
    source: RunOrChip,
    images: Images = None,
    image: Annotated[int, typer.Option("--image", metavar="I", help="Image whose outputs are drawn, from 0 on.")] = 0,
    ideal: Annotated[bool, typer.Option("--ideal", help="Use cells without any effect, not the chip's.")] = False,
    levels: Annotated[
        bool,
        typer.Option("--levels", help="Compare with the network that the chip's integers make, not the original one."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", parser=folder, help="Folder to write (default: build/NAME/by_step)."
        ),
    ] = None,
    data: Data = None,
    data_set: DataSet = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what happens after 1, 2, ... time steps: errors of activations, spikes, decisions.

    All test images run to T_max on the integer reference. The page by_step.html
    and its numbers, by_step.json, are written.
    """
    from spikeloom.sw.diagnostics.by_step.measure import measure_by_step
    from spikeloom.sw.flow.network_file import load_network
    from spikeloom.sw.report.by_step_page import BY_STEP_FILES, by_step_files

    asked, file = images_asked(images, data_set, settings)
    if asked is not None and asked < 1:
        raise SpikeLoomError(f"--images must be at least 1, not {asked}; all test images are taken without it")
    if not is_chip(source):
        what = "crossbar energy, which is all that this command shows, has no coefficient; leave it out"
        check_settings(settings, ["energy"], what)
    if image < 0:
        raise SpikeLoomError(f"--image must be at least 0, the row of an image, not {image}")
    name = Path(source).stem if is_chip(source) else changed(Config.load(source), settings).name
    place = Path("build") / name / "by_step" if output is None else output
    writable_folder(place, "folder of the page")  # this and the next before the training, not after it
    check_no_foreign(place, dict.fromkeys(BY_STEP_FILES))
    chip, flow = chip_and_flow(source, data, as_json, settings, ("data",))
    tests = images_for(chip, source, flow, data, data_set, file)
    count = how_many(tests, asked)
    if image >= count:
        raise SpikeLoomError(f"--image must be 0 .. {count - 1}, one of the {count} images that are run, not {image}")
    network = None if flow is None or levels else load_network(flow.folder, chip.programmed)
    with bar(as_json) as advance:
        found = measure_by_step(
            chip,
            chip.pixels(tests.images[:count]),
            None if tests.labels is None else tests.labels[:count],
            image=image,
            ideal=ideal,
            against="levels" if levels else None,
            progress=lambda done, total: advance("by-step", done, total, "images"),
            network=network,
        )
    measured_on = tests.measured_on.facts(count)
    assert measured_on is not None
    files = by_step_files(found, measured_on, "ideal cells" if ideal else "the chip's own cells")
    write_folder(place, files)
    if as_json:
        print_json({"folder": str(place), "files": sorted(files), **found.to_json(), "measured_on": measured_on})
        return
    print_table(f"{found.name} by step", dict(found.rows()))
    for line in (*found.notes, f"Page: {shlex.quote(str(place / BY_STEP_FILES[1]))}"):
        Console().print(line, soft_wrap=True, highlight=False, markup=False)
