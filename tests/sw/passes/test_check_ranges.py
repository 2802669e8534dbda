"""Networks that are too large are refused before anything is computed, with the layer and the limit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

import spikeloom
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.passes.check_ranges import MAX_ROW_BITS
from tests.fixtures.models import make_config


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers).eval()


def deep(layers: int) -> nn.Module:
    return chain(*(part for _ in range(layers) for part in (nn.Linear(4, 4), nn.ReLU())))


def pooled(size: int) -> nn.Module:
    return chain(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.AvgPool2d(size), nn.Flatten(), nn.Linear(1, 3))


def wide(outputs: int) -> nn.Module:
    return chain(nn.Conv2d(1, outputs, 2), nn.ReLU(), nn.Flatten(), nn.Linear(outputs, 3))


BAD: list[tuple[nn.Module, tuple[int, ...], dict[str, Any], str]] = [
    (wide(32769), (1, 2, 2), {}, "layer '0' has 32769 neurons, and at most 32768 fit"),
    (
        chain(nn.MaxPool2d(64), nn.Flatten(), nn.Linear(3 * 32 * 32, 3)),
        (3, 2048, 2048),
        {},
        "an image has 3 x 2048 x 2048 values, 12582912 in all, and at most 4194304 fit",
    ),
    (
        pooled(512),
        (1, 512, 512),
        {"decision": {"t_max": 32767, "rule": "fixed"}},
        "layer '0' may be read 8589672448 times per image, 32767 steps at 262144 positions, and at most 4294967296",
    ),
    (
        chain(nn.Linear(262145, 2)),
        (262145,),
        {"crossbar": {"tile_rows": 65536}},
        "an image has 262145 values of 1 bit as inputs of a step, and at most 262144 fit into the Verilog; use smaller "
        "images, or a stride or pooling before it",
    ),
    (
        chain(nn.Linear(32769, 2)),
        (32769,),
        {"crossbar": {"tile_rows": 65536}, "coding": {"input": "analog"}},
        "an image has 32769 values of 8 bits as inputs of a step, and at most 32768 fit into the Verilog; use smaller "
        "images, or a stride or pooling before it, or another [coding] input than 'analog', which takes 1 bit per "
        "value",
    ),
    (
        chain(nn.Conv2d(1, 5, 1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 256 * 256, 2)),
        (1, 256, 256),
        {"crossbar": {"tile_rows": 65536}},
        "layer '3' has 327680 values of 1 bit as inputs of a step, and at most 262144 fit",
    ),
    (
        deep(256),
        (4,),
        {},
        "the network has 256 crossbars with all their replicas, and at most 255 fit; lower [crossbar] replicas, or",
    ),
    (
        chain(nn.Linear(70000, 10)),
        (70000,),
        {},
        "layer '0' has 2188 row tiles of 4 lanes, 8752 cell pairs per column group, and its programmer",
    ),
    (
        chain(nn.Linear(70000, 10)),
        (70000,),
        {"device": {"adc_sigma": 0.5}, "crossbar": {"tile_rows": 16}},
        "layer '0' has 4375 row tiles, 3 column groups and 4 lanes, and with [device] adc_sigma above 0 at most 4096, "
        "1024 and 1024 are supported; change [crossbar] tile_rows or [hardware] lanes, or set adc_sigma to 0",
    ),
    (
        chain(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)),
        (1, 8, 8),
        {"coding": {"input": "rate", "phases": 16}, "decision": {"t_max": 32767}, "crossbar": {"adc_bits": 16}},
        "membranes of layer '3' would need 49 bits, and at most 48 are supported; reduce",
    ),
    (
        chain(nn.Linear(4, 3)),
        (4,),
        {"coding": {"input": "rate", "phases": 8}, "decision": {"t_max": 512}, "crossbar": {"adc_bits": 16}},
        "margins between classes of layer '0' would need 34 bits, since its membranes have 33 bits, and a result has "
        "32 bits for them; reduce [decision] t_max (512), [coding] phases (8) or [crossbar] adc_bits (16)",
    ),
]


def image(*shape: int) -> NDArray[np.uint8]:
    """One image that is 90 all over, but for a pixel."""
    pixels = np.full((1, *shape), 90, np.uint8)
    pixels.reshape(-1)[0] = 255
    return pixels


@pytest.mark.parametrize(("model", "shape", "tables", "sentence"), BAD, ids=[sentence[:40] for *_, sentence in BAD])
def test_what_is_too_large_is_named(
    model: nn.Module, shape: tuple[int, ...], tables: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match="^tiny: " + re.escape(sentence)):
        spikeloom.compile(model, image(*shape), make_config(**tables))


@pytest.mark.parametrize(("inputs", "coding"), [(262144, "even"), (32768, "analog")])
def test_the_widest_rows_are_compiled(inputs: int, coding: str) -> None:
    config = make_config(crossbar={"tile_rows": 65536}, coding={"input": coding})
    chip = spikeloom.compile(chain(nn.Linear(inputs, 2)), image(inputs), config)
    assert chip.parameters.layers[0].inputs * chip.parameters.layers[0].row_bits == MAX_ROW_BITS


def test_what_just_fits_is_compiled() -> None:
    chip = spikeloom.compile(wide(4096), image(1, 2, 2), make_config(hardware={"lanes": 1}))
    assert chip.parameters.layers[0].outputs == 4096
    assert spikeloom.compile(pooled(256), image(1, 256, 256), "tiny").parameters.plan.maps[1].size == 65536
