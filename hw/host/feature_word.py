"""What a layer's neurons are built with, as a word of 32 bits that a chip shows to its host."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.layouts import pack, unpack, word_layout
from spikeloom.hw.params.neuron_features import NeuronFeatures, Reset

__all__ = ["FEATURE_MEANINGS", "FEATURE_WORD", "feature_word", "features_of"]

_RESETS: dict[Reset, str] = {
    Reset.SUBTRACT: "reset_subtract",
    Reset.ZERO: "reset_zero",
    Reset.NONE: "reset_none",
}
"""Name of the field of each kind of reset, whose lowest bits follow the kinds' numbers."""

_FIRST_RESET = 2
FEATURE_WORD = word_layout(
    [
        ("leak", 0, 1),
        ("clip", 1, 1),
        *((name, _FIRST_RESET + int(kind), 1) for kind, name in _RESETS.items()),
    ]
)
"""The word of a layer: a bit for each feature that there is."""
FEATURE_MEANINGS = {
    "leak": "a leak, and the register leak",
    "clip": "a clip, and the register clip",
    "reset_subtract": "theta can be subtracted after a spike; the register reset is there with two kinds or more",
    "reset_zero": "a membrane can be set to 0 after a spike",
    "reset_none": "a membrane can be left as it is after a spike",
}
"""What a bit of each field says, in words."""
_KNOWN = (1 << _FIRST_RESET + len(_RESETS)) - 1


def feature_word(features: NeuronFeatures) -> int:
    """The word of a layer's features."""
    values = {"leak": int(features.leak), "clip": int(features.clip)}
    return pack(FEATURE_WORD, values | {name: int(kind in features.resets) for kind, name in _RESETS.items()})


def features_of(word: int) -> dict[str, Any]:
    """The features that `feature_word` gives this word for, as arguments of `LayerParameters`.

    Raises
    ------
    ValueError : a bit that stands for no feature
    """
    if word & ~_KNOWN:
        raise SpikeLoomError(f"Bits 0 .. {_KNOWN.bit_length() - 1} of a layer's features have a meaning, not {word:#x}")
    values = unpack(FEATURE_WORD, word)
    resets = tuple(kind for kind, name in _RESETS.items() if values[name])
    return {"leak": bool(values["leak"]), "clip": bool(values["clip"]), "resets": resets}
