"""What a layer's neurons are built with: a leak, a clip, kinds of reset. What is not built takes no logic."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, Protocol

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = ["ALL_FEATURES", "ALL_RESETS", "NeuronFeatures", "Reset", "check_features", "check_used", "missing_features"]


class Reset(enum.IntEnum):
    """What a neuron does after a spike: V - theta [WS eq. 10], V = 0 [WK eq. 3], or nothing [WS eq. 16]."""

    SUBTRACT = 0
    ZERO = 1
    NONE = 2


ALL_RESETS: tuple[Reset, ...] = tuple(Reset)
"""Every kind of reset, in the order of their numbers."""
ALL_FEATURES: dict[str, Any] = {"leak": True, "clip": True, "resets": ALL_RESETS}
"""The parameters of a layer whose neurons have everything."""


class NeuronFeatures(Protocol):
    """What says which features there are: the parameters of a layer."""

    @property
    def leak(self) -> bool:
        """A leak can be switched on."""
        ...

    @property
    def clip(self) -> bool:
        """Membranes can be limited."""
        ...

    @property
    def resets(self) -> tuple[Reset, ...]:
        """Kinds of reset, in the order of their numbers."""
        ...


def check_features(features: NeuronFeatures) -> None:
    """Check features that are to be built.

    Raises
    ------
    TypeError : leak or clip is no bool, resets is no tuple of Reset
    ValueError : resets names no kind, or names kinds twice or in another order than theirs
    """
    for name, value in (("leak", features.leak), ("clip", features.clip)):
        if not isinstance(value, bool):
            raise ArgumentTypeError(f"Layer parameter {name} must be True or False, not {value!r}")
    resets = features.resets
    if not isinstance(resets, tuple) or not all(isinstance(kind, Reset) for kind in resets):
        raise ArgumentTypeError(f"Layer parameter resets must be a tuple of Reset, not {resets!r}")
    if not resets or resets != tuple(sorted(set(resets))):
        raise SpikeLoomError(
            f"Layer parameter resets must name at least one of {', '.join(kind.name for kind in Reset)}, each once and "
            f"in this order, not {_listed(resets) or 'none'}"
        )


def missing_features(features: NeuronFeatures, *, clip: int, leak: int, reset: int) -> Iterator[tuple[str, str, str]]:
    """For each register value that needs what is not built: the register's name, what it must be, what is missing."""
    if leak and not features.leak:
        yield "leak", "0", "a leak"
    if clip and not features.clip:
        yield "clip", "0", "a clip"
    if reset not in features.resets:
        yield "reset", _listed(features.resets, " or "), f"the reset {_named(reset)}"


def check_used(where: str, features: NeuronFeatures, *, clip: int, leak: int, reset: int) -> None:
    """Raise `ValueError` for register values that need a feature which the layer's neurons are built without.

    where : names the layer, at the start of the sentence
    """
    values = {"clip": clip, "leak": leak, "reset": _named(reset)}
    for name, allowed, missing in missing_features(features, clip=clip, leak=leak, reset=reset):
        raise SpikeLoomError(
            f"{where}: {name} must be {allowed}, not {values[name]}, since its neurons are built without {missing}; "
            'build them with it, by [hardware] neuron_features = "all" or by the parameters of the layer'
        )


def _named(reset: int) -> str:
    return Reset(reset).name if reset in ALL_RESETS else str(reset)


def _listed(resets: tuple[Reset, ...], between: str = ", ") -> str:
    return between.join(kind.name for kind in resets)
