"""The command `spikeloom train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikeloom.sw.cli.command import Data, Debug, Json, Run, Set, check_data, folder
from spikeloom.sw.cli.console import bar, print_json, print_table
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.common.files import writable_file, write_atomic
from spikeloom.sw.config.config import CONFIG_GROUPS, Config
from spikeloom.sw.config.settings import changed, check_settings

__all__ = ["EPILOG", "train"]

EPILOG = (
    "Examples: spikeloom train net4 -o net4.safetensors --data DIR · spikeloom train digits -o mine.safetensors --set "
    "train.epochs=80"
)
_USED = ("data", "train")


def train(
    config: Run,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", parser=folder, help="File to write (.safetensors).")
    ],
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train the network of a configuration, and write it as a file: weights as levels of the cells, and what made them.

    Only the tables data and train and the seed are used. A long training that was interrupted resumes.

    With train.weights = "FILE" a run takes the network of the file instead of training it.
    """
    from spikeloom.sw.datasets.datasets import load_data
    from spikeloom.sw.training import training
    from spikeloom.sw.training.example_networks import TRAINED
    from spikeloom.sw.training.network_file import pack, read

    unused = [group for group in CONFIG_GROUPS if group not in _USED]
    check_settings(settings, unused, "this command only trains; leave it out")
    given = changed(Config.load(config), settings)
    if given.nir.file:
        raise ConfigError(config, ["[nir] file: a network of a NIR file is not trained; leave [nir] out"])
    section = given.train.model_copy(update={"weights": TRAINED})
    check_data(given.data.set, data)
    writable_file(output, "network file")  # before the training, not after it
    images, _ = load_data(given.data.set, data).split(given.data.validation_images)
    with bar(as_json) as advance:
        model = training.train(
            section,
            images,
            given.seed,
            lambda done, total, text: advance("train", done, total, f"epochs, {text}"),
        )
    write_atomic(output, pack(model, section, images, given.seed))
    _, facts = read(output)
    found: dict[str, Any] = {
        "file": str(output),
        "bytes": output.stat().st_size,
        "accuracy": facts.accuracy,
        "test_images": facts.test_images,
        "training_images": facts.training_images,
    }
    if as_json:
        print_json(found)
        return
    rows = {
        "accuracy": f"{facts.accuracy:.2%} of {facts.test_images:,} test images",
        "trained on": f"{facts.training_images:,} images of {facts.data_set}, seed {facts.seed}",
        "size": f"{found['bytes']:,} bytes",
    }
    print_table(given.name, rows)
    Console().print(f"Network: {output}", soft_wrap=True, highlight=False)
