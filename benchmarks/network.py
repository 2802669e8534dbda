"""The network that is measured: MNIST 784-1000-30-10 as `examples/mnist.toml` has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spikeloom
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.datasets import load_data
from spikeloom.sw.training.training import train

__all__ = ["Mnist", "load_mnist"]

EXAMPLE = Path(__file__).parent.parent / "examples" / "mnist.toml"


@dataclass(frozen=True, eq=False)
class Mnist:
    """The compiled example and its test images, uint8 [images, 784]."""

    chip: ProgrammedChip
    images: NDArray[np.uint8]


def load_mnist() -> Mnist:
    """Train (or take from the cache) and compile the example. Raises `DataError` where MNIST cannot be had."""
    config = Config.load(EXAMPLE)
    data = load_data("mnist")
    model = train(config.train, data, config.seed)
    chip = spikeloom.compile(model, data.train_images[: config.data.calibration_images], config).programmed
    return Mnist(chip, data.test_images.reshape(len(data.test_images), -1))
