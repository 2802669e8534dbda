"""Options of [device] that belong to effects and cell kinds registered outside the source tree.

They are the fields of a `Parameters` class. `sim.chip.device_config.Device` takes them, checks them by that class, and
keeps those that are not at their defaults; to it and to all that walks over fields they are options like its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import Registration
from spikeloom.sim.common.units import Table

__all__ = [
    "DEVICE_GROUPS",
    "Parameters",
    "add_parameters",
    "parameter_classes",
    "registered_fields",
    "remove_parameters",
]


DEVICE_GROUPS = ("spikeloom.effects", "spikeloom.cells")
"""Groups of entry points (`hw.params.plugins`) that bring options of [device]: asked for one, both are loaded."""


class Parameters(Table):
    """Options of one registered effect or cell kind, each with a default, limits and `Field(description=...)`."""

    def slips(self) -> Iterator[str]:
        """Nothing: `Device` says it, of all its fields."""
        return iter(())


_REGISTRATION = Registration("table of options", Parameters, objects=False, attributes=())
_CLASSES: list[type[Parameters]] = []


def add_parameters(kind: type[Parameters], taken: set[str]) -> None:
    """Make the fields of `kind` options of [device]. Raises ValueError for a name in `taken`, or registered before,
    for a field without a default or a description, and for what is no such class.
    """
    _REGISTRATION.check(kind)
    known = taken | {name for each in _CLASSES for name in each.model_fields}
    for name, field in kind.model_fields.items():
        if name in known:
            raise SpikeLoomError(
                f"The option '{name}' of {kind.__name__} is one of [device] already; give it another name"
            )
        if field.is_required() or not field.description:
            raise SpikeLoomError(f"The option '{name}' of {kind.__name__} needs a default and Field(description=...)")
    _CLASSES.append(kind)


def remove_parameters(kind: type[Parameters]) -> None:
    """Undo `add_parameters`."""
    _CLASSES.remove(kind)


def parameter_classes() -> tuple[type[Parameters], ...]:
    """All that are registered, those of installed packages included."""
    load_plugins(*DEVICE_GROUPS)
    return tuple(_CLASSES)


def registered_fields() -> dict[str, FieldInfo]:
    """Their fields by name."""
    return {name: field for kind in parameter_classes() for name, field in kind.model_fields.items()}
