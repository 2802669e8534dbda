"""Trained networks in files: what is written is read again, and the file has to be of the training that is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spikeloom.sw.common.errors import FileError
from spikeloom.sw.config.named_networks import NAMED_NETWORKS
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.training.example_networks import build
from spikeloom.sw.training.network_file import pack, read
from spikeloom.sw.training.training import train

NETWORKS = {
    "dense": {"network": "20-10", "batch_norm": True},
    "plain": {"network": "20-10"},
    "maps": {"network": "4c3p-2s-20-10", "batch_norm": True, "pooling": "average"},
    "residual": {"network": "4c3p-6r3s2-6r3-g-10", "batch_norm": True},
    "unrounded": {"network": "4c3-10", "batch_norm": True, "weight_bits": 0},
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data("digits")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_has_the_network_without_its_batch_norms(name: str, data: Dataset, tmp_path: Path) -> None:
    section = TrainSection(**{"epochs": 4, "batch": 128, "weight_bits": 5, **NETWORKS[name]})
    trained = train(section, data, 1, cache=tmp_path)
    path = tmp_path / "network.safetensors"
    path.write_bytes(pack(trained, section, data, 1))
    network, facts = read(path)
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())
    x = torch.rand(200, 64)
    with torch.no_grad():
        expected, found = trained(x), network(x)
    spread = float(expected.std())
    tolerance = 0.15 if name == "unrounded" else 1e-3  # a value on the border of two levels may be rounded either way
    assert float((expected - found).abs().quantile(0.9)) < tolerance * spread
    assert facts.data_set == "digits" and facts.training_images == 1297 and facts.seed == 1
    with torch.no_grad():
        classes = network(torch.tensor(data.test_images).float() / 255).argmax(1)
    assert facts.accuracy == pytest.approx(float((classes == torch.tensor(data.test_labels)).float().mean()))


def test_a_run_takes_a_network_of_its_own_training_only(data: Dataset, tmp_path: Path) -> None:
    section = TrainSection(network="20-10", epochs=1)
    path = tmp_path / "network.safetensors"
    path.write_bytes(pack(train(section, data, 1, cache=tmp_path), section, data, 1))
    given = section.model_copy(update={"weights": str(path)})
    network = train(given, data, 1)
    assert torch.equal(network[0].weight, read(path)[0][0].weight)
    with pytest.raises(
        ValueError, match=r"was trained with seed = 1, not 2; set these values, name another file, or set"
    ):
        train(given, data, 2)
    with pytest.raises(ValueError, match=r"trained with \[train\] epochs = 1, not 2"):
        train(given.model_copy(update={"epochs": 2}), data, 1)
    fewer, _ = data.split(100)
    with pytest.raises(ValueError, match=r"with number of training images = 1297, not 1197"):
        train(given, fewer, 1)


def test_a_changed_network_file_is_trained_data_of_the_run(data: Dataset, tmp_path: Path) -> None:
    """The step `train` of a run goes by the content of the file."""
    from spikeloom.sw.training.given_network import weights_facts

    path = tmp_path / "network.safetensors"
    section = TrainSection(network="20-10", weights=str(path))
    missing = weights_facts(section)
    path.write_bytes(b"one")
    first = weights_facts(section)
    path.write_bytes(b"two")
    assert len({str(missing), str(first), str(weights_facts(section))}) == 3
    assert weights_facts(TrainSection()) is None


DAMAGED: list[tuple[Any, str]] = [
    (None, r"^There is no network file '.*': name a file that `spikeloom train CONFIG -o FILE` has written$"),
    (b"no tensors", r"cannot be read as a network file \(.*\); write it anew with `spikeloom train CONFIG -o FILE`$"),
    ({}, r"is no network file: it has no facts about a training; write it anew"),
    ({"facts": "{"}, r"is a damaged network file \(.*\); write it anew"),
    ({"facts": '{"format": 9}'}, r"has format 9 of a network file, not 1; write it anew"),
    ({"facts": '{"format": 1, "shape": [64]}'}, r"is a damaged network file"),
]


@pytest.mark.parametrize(("content", "sentence"), DAMAGED)
def test_what_is_no_network_file_is_refused(content: Any, sentence: str, tmp_path: Path) -> None:
    from safetensors.torch import save

    path = tmp_path / "network.safetensors"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else save({"x": torch.zeros(1)}, metadata=content))
    with pytest.raises(FileError, match=sentence):
        read(path)


def test_a_truncated_network_is_refused(data: Dataset, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save

    section = TrainSection(network="20-10", epochs=1)
    path = tmp_path / "network.safetensors"
    path.write_bytes(pack(train(section, data, 1, cache=tmp_path), section, data, 1))
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for name in tensors:
        rest = {key: value for key, value in tensors.items() if key != name}
        path.write_bytes(save(rest, metadata=metadata))
        with pytest.raises(FileError, match="is a damaged network file"):
            read(path)


SIZES = {"net1": 2_395_210, "net2": 29_826, "net4": 2_168_362, "net5": 271_690, "net6": 471_524, "net7": 468_868}
"""Weights and biases without batch norms."""


@pytest.mark.parametrize("name", NAMED_NETWORKS)
def test_networks_of_the_paper_have_its_layers(name: str) -> None:
    shape = (1, 28, 28) if NAMED_NETWORKS[name].data_set == "mnist" else (3, 32, 32)
    classes = 100 if name in ("net6", "net7") else 10
    model = build(TrainSection(network=name), shape, classes)
    assert model(torch.zeros(1, torch.Size(shape).numel())).shape == (1, classes)
    if name in SIZES:
        assert sum(value.numel() for value in model.parameters()) == SIZES[name]
    convolutions = {"net2": 2, "net3": 8, "net4": 4, "net5": 19, "net6": 31, "net7": 31}
    kinds = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    if name != "net3":  # shortcuts are not counted
        kinds = [module for module in kinds if module.kernel_size != (1, 1)]
    assert len(kinds) == convolutions.get(name, 0)
