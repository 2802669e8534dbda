"""A small chip for everything that is driven over the buses; one build of the simulator serves all tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hw.params import Coding, Readout, Reset, Rule
from sim.config import Device, Programming
from sim.image import ChipImage
from tests.sim.networks import random_chip, random_pixels

__all__ = ["IDS", "PIXELS", "host_chip"]

DEVICE = Device(
    bits=3, device_sigma=0.05, pulse_sigma=0.1, read_sigma=0.01, stuck_on=0.06, stuck_off=0.06, soft_bounds=0.3
)
PIXELS = random_pixels(np.random.default_rng(5), 12, 8)
IDS = np.arange(12)[::-1] * 7 + 3


def host_chip(seed: int = 88, **overrides: Any) -> ChipImage:
    """A chip of 8-6-3 with two row tiles, cells that are programmed by pulses, and some that are stuck."""
    fields: dict[str, Any] = {
        "sizes": [8, 6, 3], "tile_rows": 5, "tile_columns": 4, "lanes": 4, "encoder_lanes": 3, "adc_bits": 6,
        "phases": 1, "max_steps": 8, "t_max": 8, "row_bits": 1, "coding": Coding.RATE, "pulse_cycles": 2,
        "settle_cycles": 2, "adc_cycles": 1, "device": DEVICE, "seed": 77, "skip": 0,
        "rule": Rule.WINNER_K, "readout": Readout.SPIKES, "k": 1, "theta": 4, "v0": 2, "bias": 0, "gain_shift": 0,
        "clip": 0, "leak": 0, "output_reset": Reset.SUBTRACT,
    }  # fmt: skip
    image = random_chip(np.random.default_rng(seed), **{**fields, **overrides})
    layers = tuple(replace(layer, max_bias=40) for layer in image.parameters.layers)
    programming = Programming(method="verify", fault_aware=True, tries=20)
    return replace(
        image, parameters=replace(image.parameters, layers=layers), programming=programming, program_cycles=4
    )
