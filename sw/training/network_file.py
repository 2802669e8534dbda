"""Trained networks in a file: weights as levels of the cells, without batch norms, and what they were trained with.

A safetensors file. Of every layer `NAME` of the network that `sw.training.example_networks.build` makes without batch
norms there are `NAME.levels` (int8, the weight's shape), `NAME.scale` (float32, the weight of one level) and
`NAME.bias` (float32 [outputs]). The metadata's `facts` (JSON) are those of `Facts`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikeloom.sw.common.errors import FileError
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset
from spikeloom.sw.training.example_networks import build
from spikeloom.sw.training.quantised_weights import CellWeights

__all__ = ["FORMAT", "Facts", "pack", "read"]

FORMAT = 1
_REMEDY = "write it anew with `spikeloom train CONFIG -o FILE`"


@dataclass(frozen=True)
class Facts:
    """What a network of a file is, and what it was trained with.

    Parameters
    ----------
    train : the table [train], all of its values
    data_set, data : name of the data set, and checksum of the part that was used
    training_images : number of images it was trained on
    seed : of the training
    shape, classes : of an image, and their number
    accuracy, test_images : share of the test images that it classifies correctly, with its weights as levels, and their
        number
    torch : version of PyTorch it was trained with
    format : of the file
    """

    train: dict[str, Any]
    data_set: str
    data: str
    training_images: int
    seed: int
    shape: tuple[int, ...]
    classes: int
    accuracy: float
    test_images: int
    torch: str
    format: int = FORMAT


def pack(model: nn.Sequential, section: TrainSection, data: Dataset, seed: int) -> bytes:
    """The file of a trained network, and tests it on the data set's test images."""
    from safetensors.torch import save

    from spikeloom.sw.frontend.plain_torch import torch_accuracy

    tensors = _tensors(model, section)
    plain = _network(section, data.shape, data.classes, tensors)
    facts = Facts(
        train=section.model_dump(mode="json", exclude={"weights"}),
        data_set=data.name,
        data=data.checksum(),
        training_images=len(data.train_images),
        seed=seed,
        shape=tuple(data.shape),
        classes=data.classes,
        accuracy=torch_accuracy(plain, data.test_images, data.test_labels),
        test_images=len(data.test_images),
        torch=torch.__version__,
    )
    return save(tensors, metadata={"facts": json.dumps(asdict(facts), sort_keys=True)})


def read(path: Path) -> tuple[nn.Sequential, Facts]:
    """The network of a file, in evaluation mode, and its facts.

    Raises `FileError` for a file that is not there, or is none of a trained network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            text = (file.metadata() or {}).get("facts")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise FileError(
            f"There is no network file '{path}': name a file that `spikeloom train CONFIG -o FILE` has written"
        ) from None
    except (OSError, SafetensorError) as error:
        raise FileError(f"'{path}' cannot be read as a network file ({error}); {_REMEDY}") from None
    if text is None:
        raise FileError(f"'{path}' is no network file: it has no facts about a training; {_REMEDY}")
    try:
        values = json.loads(text)
        if values.get("format") != FORMAT:
            raise FileError(f"'{path}' has format {values.get('format')!r} of a network file, not {FORMAT}; {_REMEDY}")
        facts = Facts(**{**values, "shape": tuple(values["shape"])})
        section = TrainSection.model_validate(facts.train)
        return _network(section, facts.shape, facts.classes, tensors).eval(), facts
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"'{path}' is a damaged network file ({error}); {_REMEDY}") from None


def _tensors(model: nn.Sequential, section: TrainSection) -> dict[str, torch.Tensor]:
    names = {module: name for name, module in model.named_modules()}
    tensors: dict[str, torch.Tensor] = {}
    for module, (levels, scale, bias) in CellWeights(model, section).folded().items():
        name = names[module]
        tensors |= {f"{name}.levels": levels.contiguous(), f"{name}.scale": torch.tensor(scale), f"{name}.bias": bias}
    return tensors


def _network(
    section: TrainSection, shape: tuple[int, ...], classes: int, tensors: dict[str, torch.Tensor]
) -> nn.Sequential:
    model = build(section.model_copy(update={"weights": "file"}), shape, classes)
    layers = {name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    weights = {f"{name}.weight": tensors[f"{name}.levels"].float() * tensors[f"{name}.scale"] for name in layers}
    model.load_state_dict(weights | {f"{name}.bias": tensors[f"{name}.bias"] for name in layers})
    return model.eval()
