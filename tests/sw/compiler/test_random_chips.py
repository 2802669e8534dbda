"""Random convolutional networks from the PyTorch module to the Verilog: every spike and counter as in the reference."""

from __future__ import annotations

import numpy as np
import pytest

import spikeloom
from tests.conftest import SIMULATORS
from tests.fixtures.models import make_config, make_images, random_coding
from tests.fixtures.random_cnn import random_cnn


def check(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, shape = random_cnn(seed)
    pixels = make_images(20, int(np.prod(shape)), seed)
    config = make_config(
        coding=random_coding(rng),
        neuron={"reset": str(rng.choice(["subtract", "zero"])), "v0": float(rng.choice([0.0, 0.5]))},
        decision={"t_max": 5, "k": float(rng.choice([1.0, 3.0]))},
        crossbar={"tile_rows": int(rng.choice([8, 32])), "tile_columns": 8, "adc_bits": int(rng.choice([5, 8]))},
        device={"device_sigma": 0.05, "read_sigma": 0.02, "stuck_off": 0.01},
        hardware={"lanes": int(rng.integers(1, 5))},
    )
    chip = spikeloom.compile(model, pixels, config, input_shape=shape)
    simulator = SIMULATORS[seed % len(SIMULATORS)]
    expected = chip.predict(pixels[:3], trace="full")
    assert expected.compare(chip.cosim(pixels[:3], trace="full", simulator=simulator)) > 100


@pytest.mark.parametrize("seed", range(1000, 1002))
def test_random_modules_are_the_same_in_verilog(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1002, 1024))
def test_many_random_modules_are_the_same_in_verilog(seed: int) -> None:
    check(seed)
