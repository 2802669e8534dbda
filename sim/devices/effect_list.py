"""Definition of a device effect, and the list of effects: built-in ones, and those registered from outside.

Programming, drift, the accuracy breakdown, the diagnosis, the example bench's ideal chip and the checks of a
configuration go by the list; the entries themselves are in `sim.devices.effects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import Attribute, Registration, is_tuple_of
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.parameters import DEVICE_GROUPS, Parameters, add_parameters, remove_parameters
from spikeloom.sim.common.random_words import Purpose

__all__ = ["Conductance", "Draws", "Effect", "EffectEntry", "EffectList", "Progress"]

Conductance = NDArray[np.float64]
Progress = Callable[[int, int], None]


class Draws(Protocol):
    """The random draws of a layer's cells, by address: `sim.devices.conductance.Cells`."""

    @property
    def programming(self) -> int:
        """Write passes before this one."""
        ...

    def normals(self, purpose: Purpose | int, shape: tuple[int, ...], programming: int = 0) -> Conductance:
        """One standard Gaussian per cell."""
        ...

    def uniforms(self, purpose: Purpose | int, shape: tuple[int, ...]) -> Conductance:
        """One number in 0 <= x < 1 per cell."""
        ...


class Effect(Protocol):
    """A change of a layer's conductances."""

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances after the effect, siemens, same shape, never negative."""
        ...


@dataclass(frozen=True)
class EffectEntry:
    """An effect in the list of all effects.

    Parameters
    ----------
    fields : options of `sim.chip.device_config.Device` that switch it on, by another value than their default
    direct, write_verify : its stage in the accuracy breakdown with either method of programming; None where it does not
        apply, and the fields have to keep their defaults
    make : the effect for a device and a layer's hardware; None for what is no change of conductances
    where : "cells", to the conductances that programming leaves, whichever its method; "pulses", so with method
        "direct", while with "write-verify" the pulses have it in them (`sim.programming.cells`); "array", to what reads
        see of the cells; "reads", drawn at each read (`sim.crossbar.adc`)
    unused : why the fields do nothing where the effect does not apply, a clause
    remedy : what to do where its stage loses accuracy, for the diagnosis; if not given, to lower the fields
    """

    fields: tuple[str, ...]
    direct: str | None
    write_verify: str | None
    make: Callable[[Device, LayerParameters, Progress | None], Effect] | None
    where: Literal["cells", "pulses", "array", "reads"] = "cells"
    unused: str = "with which the effect does not apply"
    remedy: str = ""

    def on(self, device: Device) -> bool:
        """Whether the device has the effect."""
        fields = device.all_fields()
        return any(getattr(device, name) != fields[name].default for name in self.fields)

    def made(self, device: Device, parameters: LayerParameters, progress: Progress | None) -> Effect:
        """What `make` returns. Raises ValueError for what is no effect."""
        effect = None if self.make is None else self.make(device, parameters, progress)
        if effect is None or not callable(getattr(effect, "apply", None)):
            raise SpikeLoomError(
                f"The make of the effect of {' and '.join(self.fields)} must return an object with a method "
                f"apply(g_S, cells), not {effect!r:.60}"
            )
        return effect

    def advice(self) -> str:
        """What to do where its stage loses accuracy."""
        return self.remedy or f"lower [device] {' and '.join(self.fields)}"


_FIELDS = Attribute(
    "fields",
    lambda value: value != () and is_tuple_of(value, lambda item: isinstance(item, str)),
    'a tuple of names of options, such as ("my_sigma",)',
)
_REGISTRATION = Registration(
    "device effect", EffectEntry, True, (_FIELDS,), "give EffectEntry(fields, direct, write_verify, make)"
)


class EffectList:
    """Effects in the order in which they apply and in which the accuracy breakdown switches them on.

    Registered ones come after the built-in ones that act on cells, and before those of the array; those that are of the
    array themselves come last.
    """

    def __init__(self, *built_in: EffectEntry) -> None:
        self.built_in = built_in
        self._registered: list[tuple[EffectEntry, type[Parameters] | None]] = []

    def __iter__(self) -> Iterator[EffectEntry]:
        load_plugins(*DEVICE_GROUPS)
        registered = self.registered()
        yield from (entry for entry in self.built_in if entry.where != "array")
        yield from (entry for entry in registered if entry.where != "array")
        yield from (entry for entry in self.built_in if entry.where == "array")
        yield from (entry for entry in registered if entry.where == "array")

    def registered(self) -> tuple[EffectEntry, ...]:
        """Those that are not built in, so far."""
        return tuple(entry for entry, _ in self._registered)

    def registrations(self) -> list[tuple[EffectEntry, type[Parameters] | None]]:
        """Arguments of `register` that bring another process to the same list."""
        return list(self._registered)

    def register(self, entry: EffectEntry, parameters: type[Parameters] | None) -> None:
        """Add an effect with the class of its own options. Raises ValueError, as `register_effect` says."""
        _REGISTRATION.check(entry)
        load_plugins(*DEVICE_GROUPS)  # one of them may register this very effect
        if (entry, parameters) in self._registered:
            return
        name = "' and '".join(entry.fields)
        if not callable(entry.make):
            raise SpikeLoomError(
                f"The effect of '{name}' needs a make, which returns the effect for a device and a layer's hardware, "
                f"not {entry.make!r:.60}"
            )
        if entry.where not in ("cells", "array"):
            raise SpikeLoomError(
                f"The effect of '{name}' must have where = 'cells' or 'array', not {entry.where!r}: pulses and reads "
                "are compiled functions, which only know the built-in effects"
            )
        if parameters is not None:
            add_parameters(parameters, {*Device.model_fields, *dir(Device)})
        problem = self._problem_of(entry, name)
        if problem:
            if parameters is not None:
                remove_parameters(parameters)
            raise SpikeLoomError(problem)
        self._registered.append((entry, parameters))

    def _problem_of(self, entry: EffectEntry, name: str) -> str:
        """What is wrong with the options that switch an effect on, a sentence; "" is nothing."""
        missing = [field for field in entry.fields if field not in Device.all_fields()]
        if missing:
            quoted = " and ".join(f"'{field}'" for field in missing)
            return f"The effect of '{name}' has no option {quoted}: name fields of its parameters"
        for other in self.built_in:
            taken = next((field for field in entry.fields if field in other.fields), None)
            if taken is not None:
                return f"The option '{taken}' switches a built-in effect on: give the effect options of its own"
        return ""

    def unregister(self, entry: EffectEntry) -> None:
        """Take a registered effect and its options away."""
        place = self.registered().index(entry)
        _, parameters = self._registered.pop(place)
        if parameters is not None:
            remove_parameters(parameters)
