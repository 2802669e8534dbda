"""The networks that come with the package: of their presets, small enough, and as accurate as their files say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.training.given_network import shipped_files
from spikeloom.sw.training.network_file import read
from spikeloom.sw.training.training import train
from tests.conftest import dataset_folder_or_skip
from tests.fixtures.cifar_atlas import cifar10_folder_or_skip

LEAST = {"net1": 0.986, "net2": 0.992, "net4": 0.891, "net5": 0.914}
"""Accuracies of the paper's own networks ([WS] Table 1)."""
FILES = {path.stem: path for path in shipped_files()}


def test_there_are_networks() -> None:
    assert FILES.keys() == LEAST.keys()


@pytest.mark.parametrize("name", FILES)
def test_networks_of_the_package_load_and_belong_to_their_presets(name: str) -> None:
    network, facts = read(FILES[name])
    assert FILES[name].stat().st_size <= 3_000_000
    config = Config.load(name)
    assert config.train.weights == "shipped"
    assert config.train.model_dump(mode="json", exclude={"weights"}) == facts.train
    assert (config.seed, config.data.set) == (facts.seed, facts.data_set)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("name", FILES)
def test_networks_of_the_package_are_as_accurate_as_they_say(name: str, folder: Path) -> None:
    data_folder = dataset_folder_or_skip()
    config = Config.load(name)
    if config.data.set == "cifar-10":
        data_folder = cifar10_folder_or_skip(data_folder, folder / name)
    data, _ = load_data(config.data.set, data_folder).split(config.data.validation_images)
    network = train(config.train, data, config.seed)
    _, facts = read(FILES[name])
    accuracy = torch_accuracy(network, data.test_images, data.test_labels)
    assert accuracy == pytest.approx(facts.accuracy, abs=2e-4)  # a processor may round one image to another class
    assert accuracy >= LEAST[name]
    with pytest.raises(ValueError, match=rf"no network .* was trained so; {name} was with seed = 1, not 2; set these"):
        train(config.train, data, 2)
