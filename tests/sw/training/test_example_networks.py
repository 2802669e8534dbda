"""Networks of layer strings, and training them on the cells' grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikeloom
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.training.example_networks import Residual, build
from spikeloom.sw.training.quantised_weights import CellWeights
from spikeloom.sw.training.training import train

RESIDUAL = {"network": "4c3p-6r3s2-6r3-g-10", "batch_norm": True, "hidden": (128, 64), "epochs": 2}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_data("digits")


def test_the_layers_are_those_of_the_string() -> None:
    model = build(TrainSection(network="12c5-2s-64c5-2s-20-10", dropout=0.5), (28, 28), 10)
    kinds = [type(module) for module in model]
    hidden = [ClippedReLU, nn.Dropout]
    assert kinds == [
        *(nn.Unflatten, nn.Conv2d, *hidden, nn.MaxPool2d, nn.Conv2d, *hidden, nn.MaxPool2d),
        *(nn.Flatten, nn.Linear, *hidden, nn.Linear),
    ]
    assert model(torch.zeros(2, 784)).shape == (2, 10)
    average = build(TrainSection(network="4c3-2s-10", pooling="average", activation="relu"), (3, 8, 8), 10)
    assert isinstance(average[3], nn.AvgPool2d) and average(torch.zeros(2, 192)).shape == (2, 10)


def test_residual_blocks_have_a_convolution_on_the_shortcut_where_sizes_change() -> None:
    model = build(TrainSection(network="4c3p-6r3s2-6r3-g-10", batch_norm=True), (8, 8), 10)
    blocks = [module for module in model if isinstance(module, Residual)]
    assert isinstance(blocks[0].shortcut, nn.Sequential) and isinstance(blocks[1].shortcut, nn.Identity)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 1 + 3 + 2
    assert not any(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))


def test_dense_layers_alone_are_a_perceptron() -> None:
    model = build(TrainSection(network="30-10"), 64, 10)
    assert [type(module) for module in model] == [nn.Linear, ClippedReLU, nn.Linear]
    with pytest.raises(ValueError, match=r"^it ends with 10 neurons, but there are 3 classes$"):
        build(TrainSection(network="30-10"), 64, 3)


def test_trained_weights_are_the_cells_levels_after_folding(data: Dataset, tmp_path) -> None:
    """Batch norms, residual additions and shortcuts included: conversion finds every weight on its layer's grid."""
    config = Config.load("tiny").updated({"train": {**RESIDUAL, "epochs": 6, "batch": 128, "learning_rate": 0.01}})
    model = train(config.train, data, 1, cache=tmp_path)
    chip = spikeloom.compile(model, data.train_images[:300], config)
    assert chip.passes is not None
    joined = 0
    for layer, real in zip(chip.programmed.layers, chip.passes.normalised.layers, strict=True):
        last = layer is chip.programmed.layers[-1]
        worst = np.abs(layer.weights.T * layer.scale - real.weight).max()
        assert worst < (0.3 if last else 2e-3) * layer.scale, layer.name
        joined += len(real.windows) == 2
    assert joined == 2


def test_training_is_that_of_the_rounded_network(data: Dataset) -> None:
    """In evaluation and without noise, a forward pass in training is the settled network's."""
    section = TrainSection(**{**RESIDUAL, "weight_noise": 0.0})
    model = build(section, data.shape, 10)
    x = torch.from_numpy(data.train_images[:50]).float() / 255
    with torch.no_grad():
        for _ in range(3):
            model(x)
        model.eval()
        cells = CellWeights(model, section)
        before, rounded = model(x), cells.forward(x)
        assert not torch.equal(before, rounded)
        cells.settle()
        torch.testing.assert_close(model(x), rounded, atol=1e-5, rtol=1e-5)


def test_noise_moves_weights_of_both_branches(data: Dataset) -> None:
    section = TrainSection(**{**RESIDUAL, "weight_noise": 0.1, "weight_bits": 0})
    model = build(section, data.shape, 10).eval()
    x = torch.from_numpy(data.train_images[:20]).float() / 255
    cells = CellWeights(model, section)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        assert not torch.equal(cells.forward(x), cells.forward(x))
        assert len(cells._columns) == 1 + 2 + 1 + 2 + 1


def test_gradients_pass_through_the_rounding(data: Dataset) -> None:
    section = TrainSection(**RESIDUAL)
    model = build(section, data.shape, 10)
    loss = CellWeights(model, section).forward(torch.from_numpy(data.train_images[:20]).float() / 255).sum()
    loss.backward()
    for name, value in model.named_parameters():
        assert value.grad is not None and bool(value.grad.abs().sum() > 0.0), name
