"""Order and arithmetic of leak, integration, clip, fire and reset, on numbers worked by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import LayerParameters, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.reference.neuron import NeuronLayer

SHAPE = LayerParameters(inputs=1, outputs=1, lanes=1, phases=4, max_steps=32, max_theta=1023)
LAYER = ProgrammedLayer(
    "n",
    np.zeros((1, 1), np.uint8),
    np.zeros((1, 1), np.uint8),
    np.array([0], np.int32),
    10,
    0,
    0,
    0,
    Reset.SUBTRACT,
    0,
    1.0,
)


def run(layer: ProgrammedLayer, codes: list[int], shifts: list[int] | None = None) -> list[tuple[int, int]]:
    """(spike, membrane) after each step, for one code per step."""
    neuron = NeuronLayer(layer, SHAPE, 1)
    out = []
    for code, shift in zip(codes, shifts or [0] * len(codes), strict=True):
        spikes, counts = neuron.step(np.array([[[code]]], np.int16), np.arange(1), shift)
        assert counts[0] == spikes[0, 0]
        out.append((int(spikes[0, 0]), int(neuron.membranes[0, 0])))
    return out


def test_resets() -> None:
    codes = [9, 1, 14, -30, 40]
    assert run(LAYER, codes) == [(0, 9), (1, 0), (1, 4), (0, -26), (1, 4)]
    assert run(replace(LAYER, reset=Reset.ZERO), codes) == [(0, 9), (1, 0), (1, 0), (0, -30), (1, 0)]
    assert run(replace(LAYER, reset=Reset.NONE), codes) == [(0, 9), (1, 10), (1, 24), (0, -6), (1, 34)]


def test_start_membrane_bias_and_gain() -> None:
    layer = replace(LAYER, v0=5, bias=np.array([-2], np.int32), gain_shift=2)
    assert run(layer, [1, 1, 0]) == [(0, 7), (0, 9), (0, 7)]


def test_leak_comes_before_integration_and_is_arithmetic() -> None:
    # 9 - (9 >> 1) = 5, + 4; -3 - (-3 >> 1) = -3 + 2 = -1; -1 - (-1 >> 1) = 0.
    assert run(replace(LAYER, leak=1), [9, 4, 0]) == [(0, 9), (0, 9), (0, 5)]
    assert run(replace(LAYER, leak=1), [-3, 0, 0]) == [(0, -3), (0, -1), (0, 0)]


def test_clip_comes_before_firing() -> None:
    assert run(replace(LAYER, clip=12, reset=Reset.NONE), [100, -127]) == [(1, 12), (0, -12)]
    assert run(replace(LAYER, clip=9), [100, 100]) == [(0, 9), (0, 9)], "a clip below theta never fires"


def test_phases_shift_increment_and_threshold_but_not_the_membrane() -> None:
    assert run(LAYER, [9, 9, 9, 9], [3, 2, 1, 0]) == [(0, 72), (1, 68), (1, 66), (1, 65)]


@pytest.mark.parametrize(
    ("features", "registers", "sentence"),
    [
        ({"leak": False}, {"leak": 3}, "leak must be 0, not 3, since its neurons are built without a leak"),
        ({"clip": False}, {"clip": 7}, "clip must be 0, not 7, since its neurons are built without a clip"),
        (
            {"resets": (Reset.SUBTRACT, Reset.NONE)},
            {"reset": Reset.ZERO},
            "reset must be SUBTRACT or NONE, not ZERO, since its neurons are built without the reset ZERO",
        ),
    ],
)
def test_what_is_not_built_is_refused(features: dict, registers: dict, sentence: str) -> None:
    shape = replace(SHAPE, **features)
    NeuronLayer(LAYER, shape, 1)
    remedy = 'build them with it, by [hardware] neuron_features = "all" or by the parameters of the layer'
    with pytest.raises(ValueError, match="^" + re.escape(f"Layer n: {sentence}; {remedy}") + "$"):
        NeuronLayer(replace(LAYER, **registers), shape, 1)


def test_images_keep_their_own_membranes() -> None:
    neuron = NeuronLayer(LAYER, SHAPE, 3)
    neuron.step(np.array([[[1]], [[2]], [[3]]], np.int16), np.arange(3), 0)
    neuron.step(np.array([[[5]], [[6]]], np.int16), np.array([0, 2]), 0)
    assert neuron.membranes.ravel().tolist() == [6, 2, 9]


def test_leaving_the_membrane_width_is_an_error_of_ours() -> None:
    small = LayerParameters(
        inputs=1, outputs=1, lanes=1, phases=1, max_steps=1, max_theta=1, max_bias=0, max_gain_shift=0
    )
    neuron = NeuronLayer(replace(LAYER, theta=1, reset=Reset.NONE), small, 1)
    low, high = -(1 << (small.membrane_bits - 1)), (1 << (small.membrane_bits - 1)) - 1
    neuron.step(np.array([[[high]]], np.int16), np.arange(1), 0)
    with pytest.raises(AssertionError, match=rf"^1 membranes left {low} \.\. {high}$"):
        neuron.step(np.array([[[1]]], np.int16), np.arange(1), 0)
