"""The command `spikeloom examples`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spikeloom.sw.cli.command import Debug, Json, folder
from spikeloom.sw.cli.console import print_json

__all__ = ["EPILOG", "examples"]

EPILOG = "Examples: spikeloom examples · spikeloom examples examples"


def examples(
    output: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", parser=folder, help="Folder to copy them to.", show_default=False),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the included examples, or copy them into a folder: configurations, scripts, the C driver."""
    from spikeloom.sw.common.files import write_folder
    from spikeloom.sw.common.shipped import example_files, examples_folder

    files, source = example_files(), examples_folder()
    if output is not None and not (output.exists() and output.samefile(source)):
        write_folder(output, files, changed="refuse")
    where = source if output is None else output
    if as_json:
        print_json({"folder": str(where), "files": list(files)})
        return
    console = Console()
    if output is None:
        for name in files:
            console.print(name, highlight=False, soft_wrap=True)
    console.print(f"{len(files)} examples in {where}", highlight=False, soft_wrap=True)
