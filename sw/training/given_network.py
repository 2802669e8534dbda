"""A network that was trained before: one that comes with the package, or a file. [train] weights says which.

The file has to be of this very training: of the same table [train], data, and seed. Otherwise a setting would have no
effect.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.field_rules import shown
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.training.example_networks import TRAINED
from spikeloom.sw.training.network_file import Facts, read

__all__ = ["SHIPPED", "given_network", "shipped_files", "weights_facts"]

SHIPPED = "shipped"
"""The value of [train] weights that stands for the networks of the package."""
_FOLDER = Path(__file__).with_name("networks")
"""Not a source of training (`sw.common.sources`): which networks there are does not change what is trained, and runs go
by `weights_facts`."""
_ANEW = "set [train] weights = 'trained' to train one"


def given_network(section: TrainSection, data: Dataset, seed: int) -> nn.Sequential:
    """The network that [train] weights names, in evaluation mode.

    Raises `ValueError` where there is none of this table, data and seed, and names what is different.
    """
    if section.weights != SHIPPED:
        network, facts = read(Path(section.weights))
        found = _differences(section, data, seed, facts)
        if found:
            raise SpikeLoomError(
                f"[train] weights: the network of '{section.weights}' was trained with {_listed(found)}; set these "
                f"values, name another file, or {_ANEW}"
            )
        return network
    candidates = [(_differences(section, data, seed, facts), path) for path, facts in _shipped()]
    found, path = min(candidates, key=lambda pair: len(pair[0]), default=({}, None))
    if path is None:
        raise SpikeLoomError(f"[train] weights: this installation has no trained networks; {_ANEW}")
    if found:
        raise SpikeLoomError(
            f"[train] weights: no network that comes with SpikeLoom was trained so; {path.stem} was with "
            f"{_listed(found)}; set these values, or {_ANEW}"
        )
    return read(path)[0]


def weights_facts(section: TrainSection) -> Any:
    """What determines a network that was trained before: the checksum of its file, or those of all that are shipped."""
    if section.weights == TRAINED:
        return None
    files = shipped_files() if section.weights == SHIPPED else [Path(section.weights)]
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None for path in files]


def shipped_files() -> list[Path]:
    """The files of the networks that come with the package, in the order of their names."""
    return sorted(_FOLDER.glob("*.safetensors"))


@lru_cache(maxsize=1)
def _shipped() -> list[tuple[Path, Facts]]:
    return [(path, read(path)[1]) for path in shipped_files()]


def _differences(section: TrainSection, data: Dataset, seed: int, facts: Facts) -> dict[str, tuple[Any, Any]]:
    """What a network was trained with, and what is asked for, where they differ."""
    asked = section.model_dump(mode="json", exclude={"weights"})
    found = {f"[train] {name}": (facts.train.get(name), value) for name, value in asked.items()}
    found["seed"] = facts.seed, seed
    found["[data] set"] = facts.data_set, data.name
    if facts.data_set == data.name:
        found["number of training images"] = facts.training_images, len(data.train_images)
        if facts.training_images == len(data.train_images):
            found["data of checksum"] = facts.data, data.checksum()
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def _listed(differences: dict[str, tuple[Any, Any]]) -> str:
    parts = [f"{name} = {shown(there)}, not {shown(asked)}" for name, (there, asked) in differences.items()]
    return ", ".join(parts[:4]) + (f" and {len(parts) - 4} more" if len(parts) > 4 else "")
