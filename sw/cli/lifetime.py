"""The command `spikeloom lifetime`."""

from __future__ import annotations

from typing import Annotated

import typer

from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.device_config import Device
from spikeloom.sw.cli.command import Data, Debug, Json, RunOrChip, Set, chip_and_images, is_chip
from spikeloom.sw.cli.command_images import DataSet, Images, how_many, images_asked
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import ConfigError, SpikeLoomError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import changed, check_set_once, parse_settings

__all__ = ["EPILOG", "lifetime"]

EPILOG = (
    "Examples: spikeloom lifetime my.toml · spikeloom lifetime mine.loom --threshold 0.9 --images 200 · "
    "spikeloom lifetime mine.loom --images-per-s 30 --json"
)


def lifetime(
    source: RunOrChip,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Accuracy, 0 to 1, below which the chip counts as worn out."),
    ] = None,
    images: Images = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Largest number of images to search.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", metavar="X", help="Relative tolerance of the lifetime.")
    ] = None,
    images_per_s: Annotated[
        float | None, typer.Option("--images-per-s", metavar="X", help="Image rate per second; 0 is back to back.")
    ] = None,
    programmings: Annotated[
        int | None,
        typer.Option("--programmings", metavar="N", help="Number of programmings evaluated for the refresh interval."),
    ] = None,
    data: Data = None,
    data_set: DataSet = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Estimate after how many images drift costs a chip its accuracy, and how often to refresh its cells.

    Options that are not given are taken from the table "lifetime" of the configuration.
    """
    from spikeloom.sw.analysis.lifetime import measure_lifetime
    from spikeloom.sw.cli.lifetime_rows import lifetime_rows

    own = parse_settings(settings or []).get("lifetime", {})
    own = own if isinstance(own, dict) else {}
    if "measure" in own:
        raise ConfigError(
            "--set", ["lifetime.measure would have no effect: this command always measures; leave it out"]
        )
    others = [text for text in settings or [] if text.partition("=")[0].strip().partition(".")[0] != "lifetime"]
    count, file = images_asked(images, data_set, settings)
    given = {
        "threshold": threshold, "images": count, "limit": limit, "tolerance": tolerance, "images_per_s": images_per_s,
        "programmings": programmings,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    check_set_once(settings, "lifetime", given)
    if not is_chip(source):
        _check_drift(source, changed(Config.load(source), others).device)  # before the training, not after it
    chip, tests = chip_and_images(source, data, as_json, data_set, file, others)
    _check_drift(source, chip.programmed.device)
    if tests.labels is None:
        raise SpikeLoomError(
            f"A lifetime needs labelled images, but '{file}' has no array 'labels'; add it to the file"
        )
    if count is not None:
        how_many(tests, count)
    given_to_search = chip.config.updated({"lifetime": {**own, "measure": True, **changes}}, "command line")
    with bar(as_json) as advance:
        found = measure_lifetime(
            chip.programmed,
            tests.images,
            tests.labels,
            given_to_search.lifetime,
            lambda text: advance("lifetime", 0, 0, text),
        )
    found = {**found, "measured_on": tests.measured_on.facts(found["test_images"])}
    if as_json:
        print_json(found)
    else:
        print_table("lifetime", lifetime_rows(found))


def _check_drift(source: str, device: Device) -> None:
    if not device.drifts:
        raise SpikeLoomError(
            f"The cells of '{source}' do not drift ([device] cell is '{device.cell}'), so that reads never wear them "
            f"out and there is no lifetime to search; take a chip whose [device] cell is {CELLS.drifting()}"
        )
