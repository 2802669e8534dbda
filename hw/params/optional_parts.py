"""Parts that a unit may be built without: programmers, activity counters. What is not built takes no logic."""

from __future__ import annotations

from typing import Protocol

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = ["ALL_OPTIONAL", "OptionalParts", "check_optional", "check_programmer"]

ALL_OPTIONAL: dict[str, bool] = {"programmer": True, "activity_counters": True}
"""The parameters of a layer with all optional parts."""


class OptionalParts(Protocol):
    """What says which parts there are: the parameters of a layer, or of the unit."""

    @property
    def programmer(self) -> bool:
        """Cells are programmed by the unit, by write and verify."""
        ...

    @property
    def activity_counters(self) -> bool:
        """Row pulses, tile reads, conversions, saturations and spikes of layers are counted."""
        ...


def check_optional(parts: OptionalParts) -> None:
    """Raise `TypeError` for an optional part of a layer that is neither there nor not."""
    for name in ALL_OPTIONAL:
        value = getattr(parts, name)
        if not isinstance(value, bool):
            raise ArgumentTypeError(f"Layer parameter {name} must be True or False, not {value!r}")


def check_programmer(parts: OptionalParts, method: str) -> None:
    """Raise `ValueError` for a chip whose cells are to be programmed by a unit that is built without programmers."""
    if method == "write-verify" and not parts.programmer:
        raise SpikeLoomError(
            "Programmed chip: programming method must be 'direct', not 'write-verify', since its unit is built without "
            "programmers; build it with them, by [hardware] programmer = true or by the parameters of the layers"
        )
