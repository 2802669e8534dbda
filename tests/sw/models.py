"""Small untrained models and images for tests of the software."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import sw
from sw.chip import Chip
from sw.config import Config


def make_model(*sizes: int, seed: int = 0) -> nn.Sequential:
    """Linear layers of the given sizes with ReLUs between them; weights such that classes differ between images."""
    parts: list[nn.Module] = [nn.Flatten()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for rows, columns in itertools.pairwise(sizes):
            layer = nn.Linear(rows, columns)
            nn.init.normal_(layer.weight, std=2.0 / rows**0.5)
            nn.init.normal_(layer.bias, std=0.1)
            parts += [layer, nn.ReLU()]
    return nn.Sequential(*parts[:-1]).eval()


def make_images(count: int, inputs: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random pixels, half of them black."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, inputs), dtype=np.uint8) * rng.integers(0, 2, (count, inputs), dtype=np.uint8)


def make_config(**tables: dict[str, Any]) -> Config:
    """Preset tiny with changes."""
    return Config.load("tiny").updated(tables)


def random_coding(rng: np.random.Generator) -> dict[str, Any]:
    """An input coding with 1 or 3 phases, as far as it has them."""
    name, phases = str(rng.choice(["phase", "even", "rate"])), int(rng.choice([1, 3]))
    return {"input": name, "phases": 1 if name == "even" else phases}


def make_chip(*sizes: int, seed: int = 0, **tables: dict[str, Any]) -> Chip:
    """A compiled random network; by default 20-12-7-5."""
    sizes = sizes or (20, 12, 7, 5)
    return sw.compile(make_model(*sizes, seed=seed), make_images(50, sizes[0], seed), make_config(**tables))
