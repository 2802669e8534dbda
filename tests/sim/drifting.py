"""Chips whose cells drift fast enough to be seen within some images."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw.params import Coding, Rule
from sim.config import Device
from sim.image import ChipImage
from tests.sim.networks import random_chip

DRIFT: dict[str, Any] = {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025, "acceleration": 1e9}


def drifting_device(**values: Any) -> Device:
    """A device of tantalum-oxide cells, by default of 4 bits and without any other effect."""
    return Device(**{**DRIFT, **values})


def drifting_chip(rng: np.random.Generator, device: dict[str, Any] | None = None, **overrides: Any) -> ChipImage:
    """A random chip of such cells that ends inference early."""
    values = {"coding": Coding(int(rng.choice([Coding.EVEN, Coding.RATE]))), "row_bits": 1, "rule": Rule.WINNER_K}
    return random_chip(rng, device=drifting_device(**(device or {})), **{**values, **overrides})
