"""The command `spikeloom diagnose`."""

from __future__ import annotations

import typer

from spikeloom.sw.cli.command import (
    Data,
    Debug,
    Json,
    RunOrChip,
    Set,
    check_no_energy,
    chip_and_flow,
    chip_and_images,
    is_chip,
)
from spikeloom.sw.cli.command_images import DataSet, Images, how_many, images_asked
from spikeloom.sw.cli.console import print_json
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["EPILOG", "diagnose"]

EPILOG = "Examples: spikeloom diagnose my.toml · spikeloom diagnose mine.loom --images 500 --json"


def diagnose(
    source: RunOrChip,
    images: Images = None,
    data_set: DataSet = None,
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Report problems of a chip, layer by layer.

    For a CONFIG, the chip is compiled and diagnosed on its calibration images.

    A FILE.loom does not contain the original network. It is diagnosed on the
    first 2,000 test images of its data set, or on those given by --images and
    --data-set.
    """
    from spikeloom.sw.diagnostics import diagnose as judge

    asked, file = images_asked(images, data_set, settings)
    check_no_energy(source, settings)
    if is_chip(source):
        if asked is not None and asked < 1:
            raise SpikeLoomError(f"--images must be at least 1, not {asked}; 2,000 are taken without it")
        chip, tests = chip_and_images(source, data, as_json, data_set, file, settings)
        most = 2000 if asked is None else how_many(tests, asked)
        pixels = tests.images.reshape(len(tests.images), -1)[:most]
        known = None if tests.labels is None else tests.labels[:most]
        found = judge(chip, pixels, known, tests.measured_on.name)
    else:
        if images is not None or data_set is not None:
            raise SpikeLoomError(
                "--images and --data-set are only for a FILE.loom; set [data] calibration_images for the chip of a "
                "configuration"
            )
        chip, _ = chip_and_flow(source, data, as_json, settings)
        assert chip.findings is not None  # the step "convert" leaves them
        found = chip.findings
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(str(found))
