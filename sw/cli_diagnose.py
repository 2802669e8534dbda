"""The command `spikeloom diagnose`."""

from __future__ import annotations

from typing import Annotated

import typer

from sw.command import Data, Debug, Json, RunOrChip, chip_and_flow, chip_and_tests, is_chip
from sw.console import print_json

__all__ = ["EPILOG", "diagnose"]

EPILOG = "Examples: spikeloom diagnose my.toml · spikeloom diagnose mine.loom --images 500 --json"


def diagnose(
    source: RunOrChip,
    images: Annotated[
        int | None,
        typer.Option("--images", metavar="N", help="Test images to diagnose a FILE.loom with, first ones first."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what is wrong with a chip, layer by layer, or that nothing is.

    The chip of a CONFIG is judged by its calibration images, while it is made. A FILE.loom does not know the network it
    was made of; it is judged by the labelled test images of its configuration's data set.
    """
    if is_chip(source):
        most = 2000 if images is None else images
        if most < 1:
            raise ValueError(f"--images must be at least 1, not {most}")
        chip, pixels, labels = chip_and_tests(source, data, as_json)
        found = chip.diagnose(pixels[:most], labels[:most])
    else:
        if images is not None:
            raise ValueError(
                "--images is for a FILE.loom; set [data] calibration_images for the chip of a configuration"
            )
        chip, _ = chip_and_flow(source, data, as_json)
        assert chip.findings is not None  # the step "convert" leaves them
        found = chip.findings
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(str(found))
