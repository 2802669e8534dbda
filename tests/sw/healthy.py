"""Small networks that classify, trained in a fraction of a second, and random chips of them."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import sw
from sw.chip import Chip
from tests.sw.models import make_config

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]


def blobs(seed: int, shape: tuple[int, ...], classes: int, count: int, noise: float = 0.2) -> Images:
    """Images uint8 [count, *shape] of as many random patterns as classes, with noise, and their labels."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((classes, *shape)) * (rng.random((classes, *shape)) < 0.6)
    labels = rng.integers(0, classes, count)
    images = patterns[labels] + noise * rng.normal(size=(count, *shape))
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8), labels.astype(np.int64)


def fit(
    model: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, steps: int = 60
) -> nn.Module:
    """Train in place, on all images at a time; return it, in evaluation."""
    x, y = torch.from_numpy(images.astype(np.float32) / 255.0), torch.from_numpy(labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        model.train()
        for _ in range(steps):
            loss = nn.functional.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def dense(*sizes: int) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Flatten()]
    for number, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        parts += [nn.Linear(rows, columns), nn.ReLU()] if number < len(sizes) - 2 else [nn.Linear(rows, columns)]
    return nn.Sequential(*parts)


def convolutional(rng: random.Random, classes: int) -> nn.Sequential:
    """Two convolutions on 1 x 8 x 8 images, with or without batch norm, maximum or average pooling between them."""
    first, second = rng.randint(3, 8), rng.randint(4, 10)
    norm: nn.Module = nn.BatchNorm2d(first) if rng.random() < 0.5 else nn.Identity()
    pool: nn.Module = nn.MaxPool2d(2) if rng.random() < 0.5 else nn.AvgPool2d(2)
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=rng.randint(0, 1)), norm, nn.ReLU(), pool,
        nn.Conv2d(first, second, 2, bias=rng.random() < 0.8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes),
    )  # fmt: skip


@dataclass
class Case:
    """A chip with images that it was not made with, and what the network and the chip say of them."""

    chip: Chip
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    network_accuracy: float
    chip_accuracy: float


def random_settings(rng: random.Random) -> dict[str, dict[str, Any]]:
    """Settings that a network survives: coding, cells, converters, readout, effects of the devices."""
    phases = rng.choice([1, 1, 1, 4])
    coding = rng.choice(["even", "even", "rate", "analog"]) if phases == 1 else rng.choice(["phase", "phase", "rate"])
    readout = rng.choice(["spikes", "spikes", "membrane"])
    normalisation = rng.choice(["auto", "auto", "max", "percentile"])
    rule = rng.choice(["winner_k", "winner_k", "fixed"])
    return {
        "coding": {"input": coding, "phases": phases},
        "convert": {
            "weight_scale": rng.choice(["auto", "auto", "max", "mse"]),
            "normalisation": normalisation,
            **({"percentile": rng.choice([0.99, 0.999])} if normalisation == "percentile" else {}),
            "output_offset": rng.choice(["auto", "auto", "network"]),
            "adc_quantile": rng.choice(["auto", "auto", 1.0, 0.9999]),
        },
        "device": {
            "bits": rng.randint(3, 6),
            "device_sigma": rng.choice([0.0, 0.05]),
            "read_sigma": rng.choice([0.0, 0.01]),
            "stuck_off": rng.choice([0.0, 0.0, 0.005]),
        },
        "crossbar": {"adc_bits": rng.randint(6, 10), "tile_rows": rng.choice([16, 32, 128])},
        "decision": {
            "readout": readout,
            "rule": rule,
            **({"k": 2.0} if rule == "winner_k" else {}),
            "t_max": rng.choice([24, 32, 48]),
        },
        "neuron": {"output_reset": "none" if readout == "membrane" else "subtract"},
    }


def random_chip(seed: int) -> Case:
    """A random network, trained on random patterns, as a chip of random settings."""
    rng = random.Random(seed)
    classes = rng.randint(2, 6)
    maps = rng.random() < 0.4
    shape = (1, 8, 8) if maps else (rng.randint(12, 60),)
    images, labels = blobs(seed, shape, classes, 700)
    hidden = [rng.randint(12, 40) for _ in range(rng.randint(1, 3))]
    with torch.random.fork_rng(devices=[]):
        model: nn.Module = convolutional(rng, classes) if maps else dense(shape[0], *hidden, classes)
        model(torch.zeros(2, *shape))  # gives lazy layers their sizes
        fit(model, images[:400], labels[:400], seed)
    chip = sw.compile(model, images[:200], make_config(**random_settings(rng)))
    tests, expected = images[400:], labels[400:]
    with torch.no_grad():
        said = model(torch.from_numpy(tests.astype(np.float32) / 255.0)).argmax(1).numpy()
    return Case(chip, tests, expected, float(np.mean(said == expected)), chip.predict(tests).accuracy(expected))
