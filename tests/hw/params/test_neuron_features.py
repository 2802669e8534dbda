"""Features of neurons: what a layer may be built with, and registers that need what is missing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from spikeloom.hw.params.neuron_features import check_used, missing_features
from spikeloom.hw.params.parameters import LayerParameters, Reset


def layer(**features: Any) -> LayerParameters:
    return LayerParameters(inputs=2, outputs=1, lanes=1, **features)


def test_all_features_are_there_if_nothing_is_said() -> None:
    assert layer() == layer(leak=True, clip=True, resets=tuple(Reset))


@pytest.mark.parametrize(
    ("features", "error", "sentence"),
    [
        ({"leak": 1}, TypeError, "Layer parameter leak must be True or False, not 1"),
        ({"clip": None}, TypeError, "Layer parameter clip must be True or False, not None"),
        ({"resets": [Reset.ZERO]}, TypeError, "Layer parameter resets must be a tuple of Reset, not ["),
        ({"resets": (0,)}, TypeError, "Layer parameter resets must be a tuple of Reset, not (0,)"),
        ({"resets": ()}, ValueError, "each once and in this order, not none"),
        ({"resets": (Reset.ZERO, Reset.SUBTRACT)}, ValueError, "in this order, not ZERO, SUBTRACT"),
        ({"resets": (Reset.ZERO, Reset.ZERO)}, ValueError, "in this order, not ZERO, ZERO"),
    ],
)
def test_other_features_are_refused(features: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match="^Layer parameter .*" + re.escape(sentence.removeprefix("Layer parameter "))):
        layer(**features)


@pytest.mark.parametrize("reset", Reset)
def test_nothing_is_missing_in_a_layer_with_all(reset: Reset) -> None:
    assert list(missing_features(layer(), clip=5, leak=3, reset=reset)) == []


def test_what_is_off_needs_nothing() -> None:
    check_used("Layer 0", layer(leak=False, clip=False, resets=(Reset.NONE,)), clip=0, leak=0, reset=Reset.NONE)


def test_the_first_that_is_missing_is_named() -> None:
    lean = layer(leak=False, clip=False, resets=(Reset.ZERO,))
    named = [name for name, _, _ in missing_features(lean, clip=1, leak=1, reset=Reset.NONE)]
    assert named == ["leak", "clip", "reset"]
    with pytest.raises(ValueError, match=r"^Layer 2 \(out\): reset must be ZERO, not NONE, since .* the reset NONE; "):
        check_used("Layer 2 (out)", lean, clip=0, leak=0, reset=Reset.NONE)
    with pytest.raises(ValueError, match=r"^Layer 0: reset must be ZERO, not 3, since "):
        check_used("Layer 0", lean, clip=0, leak=0, reset=3)
