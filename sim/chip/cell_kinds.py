"""Kinds of memory cells: what defines a kind, and the registry of all kinds.

A kind is one class, which knows its name, what the manual and the report say of it, its options, checks and range, and
its physics: where drift takes cells, and what pulses do. Everyone asks the kind of a device,
`sim.chip.device_config.Device.kind`; nobody compares names. The built-in ones are in `sim.devices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import NAME, Attribute, Registration, is_tuple_of
from spikeloom.sim import CELL_KINDS
from spikeloom.sim.chip.device_options import OF_THE_KIND, DeviceOptions
from spikeloom.sim.chip.parameters import DEVICE_GROUPS, Parameters, add_parameters, remove_parameters
from spikeloom.sim.common.choices import Choices, listed

__all__ = ["CELLS", "CELL_CHOICES", "CellKind", "Drift", "register_cell"]


class Drift(Protocol):
    """The cells of one layer as they were programmed, and where reads take them from there. Never changes."""

    def conductance_S(self, rows: NDArray[np.int64], pulses: NDArray[np.int64]) -> NDArray[np.float64]:
        """Conductances of the cells of `rows`, int64 [n], after `pulses` reads of each, int64 [n]: float64 [2, n,
        outputs], siemens. A function of these counts alone, element by element, and without pulses what was programmed.
        """
        ...


class CellKind:
    """A kind of cell. This one's answers are those of cells that reads do not disturb, and that pulses move by steps.

    Attributes
    ----------
    name : in [device] cell
    meaning : for the manual, a clause
    needs : what other options must be, for the manual, a clause; `problems` checks it
    unused : options of [device] that do nothing with these cells and keep their defaults, and why, a clause
    unused_pulsed : likewise where pulses program the cells, with [programming] method "write-verify"
    parameters : options of its own, for kinds that are registered from outside
    drifts : whether reads move the cells
    driven : whether a write driver chooses the voltage of every pulse
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    needs: ClassVar[str] = ""
    unused: ClassVar[tuple[tuple[tuple[str, ...], str], ...]] = ()
    unused_pulsed: ClassVar[tuple[tuple[tuple[str, ...], str], ...]] = ()
    parameters: ClassVar[type[Parameters] | None] = None
    drifts: ClassVar[bool] = False
    driven: ClassVar[bool] = False

    def reachable_S(self, device: DeviceOptions) -> tuple[float, float]:
        """The lowest and the highest conductance that a cell can have at the read voltage, siemens."""
        return 0.0, np.inf

    def problems(self, device: DeviceOptions) -> Iterator[str]:
        """A sentence for everything in [device] that these cells cannot have."""
        return iter(())

    def fresh_S(self, device: DeviceOptions) -> float:
        """Conductance of cells that pulses have not programmed yet, siemens."""
        return device.g_min_S

    def drift(
        self,
        device: DeviceOptions,
        programmed_S: NDArray[np.float64],
        seed: int,
        layer: int,
        read_s: float,
        pulsed: bool,
    ) -> Drift:
        """Where reads take the cells of a layer, for kinds that drift.

        programmed_S : float64 [2, inputs, outputs], conductances after programming, siemens, without IR drop
        seed, layer : address of the cells' draws, see `sim.devices.conductance.Cells`
        read_s : length of a read pulse, seconds
        pulsed : whether the cells were programmed by pulses
        """
        raise NotImplementedError

    def write_driver(self, device: DeviceOptions, pulse_s: float) -> Any:
        """For cells that a write driver programs, its tables for pulses of `pulse_s` seconds
        (`sim.devices.tantalum.write_driver.WriteDriver`). None for cells that pulses move by steps of their amplitude,
        with `pulse_up`, `pulse_down` and `soft_bounds`.
        """
        return None

    def grid(self, device: DeviceOptions) -> Any:
        """For cells that hold whole numbers, and that pulses move by whole numbers, which they are
        (`sim.devices.integer_cells.CellGrid`). None for cells of any conductance.
        """
        return None

    def half_selected_S(
        self, device: DeviceOptions, levels_S: NDArray[np.float64], pulse_s: float
    ) -> tuple[NDArray[np.float64], ...] | None:
        """Conductances to which one pulse at half the highest voltage takes cells at `levels_S`, float64 [levels], in
        either direction; None where it is not known.
        """
        return None


_MEANING = Attribute("meaning", lambda value: isinstance(value, str), "a clause for the manual, a text")
_UNUSED = tuple(
    Attribute(
        name,
        lambda value: is_tuple_of(value, _is_unused),
        'a tuple of pairs (names of options, why), such as ((("pulse_up",), "which has no steps"),)',
    )
    for name in ("unused", "unused_pulsed")
)
_REGISTRATION = Registration("cell kind", CellKind, objects=True, attributes=(NAME, _MEANING, *_UNUSED))


def _is_unused(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and is_tuple_of(value[0], lambda name: isinstance(name, str))
        and isinstance(value[1], str)
    )


class _Cells:
    """The kinds by name."""

    def __init__(self) -> None:
        self._built_in: dict[str, CellKind] = {}
        self._registered: dict[str, CellKind] = {}

    def __getitem__(self, name: str) -> CellKind:
        found = self._built_in.get(name) or self._registered.get(name)
        if found is None and name in CELL_KINDS:
            module, cls = CELL_KINDS[name]
            found = self._built_in[name] = getattr(import_module(module), cls)()
        if found is None:
            load_plugins(*DEVICE_GROUPS)
            found = self._registered.get(name)
        if found is None:
            raise SpikeLoomError(f"[device] cell must be {listed(self.names())}, not {name!r}")
        return found

    def __iter__(self) -> Iterator[CellKind]:
        return (self[name] for name in self.names())

    def names(self) -> tuple[str, ...]:
        """Of all kinds."""
        load_plugins(*DEVICE_GROUPS)
        return (*CELL_KINDS, *self._registered)

    def built_in(self) -> tuple[CellKind, ...]:
        """Those of the source tree."""
        return tuple(self[name] for name in CELL_KINDS)

    def registered(self) -> tuple[CellKind, ...]:
        """Those that are not built in, so far."""
        return tuple(self._registered.values())

    def meanings(self) -> str:
        """What they are, for the manual."""
        return "; ".join(f"{kind.name}: {kind.meaning}" for kind in self)

    def drifting(self) -> str:
        """Names of those that drift, for a sentence."""
        return listed(kind.name for kind in self if kind.drifts)

    def steady(self) -> str:
        """Names of those that do not, for a sentence."""
        return listed(kind.name for kind in self if not kind.drifts)

    def register(self, kind: CellKind) -> None:
        """As `register_cell`."""
        _REGISTRATION.check(kind)
        if type(self._registered.get(kind.name)) is type(kind):
            return
        if kind.name in (*CELL_KINDS, *self._registered):
            raise SpikeLoomError(f"There is a cell kind '{kind.name}' already; give this one another name")
        own = CellKind.reachable_S
        if kind.drifts and (type(kind).drift is CellKind.drift or type(kind).reachable_S is own):
            raise SpikeLoomError(f"The cell kind '{kind.name}' drifts, and so needs the methods drift and reachable_S")
        if kind.parameters is not None:
            add_parameters(kind.parameters, {*DeviceOptions.model_fields, *dir(DeviceOptions), *OF_THE_KIND})
        known = DeviceOptions.all_fields()
        unknown = next(
            (name for names, _ in (*kind.unused, *kind.unused_pulsed) for name in names if name not in known), None
        )
        if unknown is not None:
            if kind.parameters is not None:
                remove_parameters(kind.parameters)
            raise SpikeLoomError(
                f"The cell kind '{kind.name}' has '{unknown}' among its unused options, and [device] has no such option"
            )
        self._registered[kind.name] = kind

    def unregister(self, name: str) -> None:
        """Take a registered kind and its options away."""
        kind = self._registered.pop(name)
        if kind.parameters is not None:
            remove_parameters(kind.parameters)


CELLS = _Cells()
"""All kinds of cells."""
CELL_CHOICES = Choices(CELLS.names, CELLS.meanings)
"""What [device] cell may be."""


def register_cell(kind: CellKind) -> None:
    """Add a kind of cell from outside of the source tree; the fields of its `parameters` become options of [device].

    Simulators are processes of their own, which get it by the name of its class: that must be of a module that can be
    imported. A package that is to register it wherever it is installed names a function that does so in an entry point
    of group `spikeloom.cells`.

    Raises ValueError for what is no such object, a name or options that exist already, and for a kind that drifts
    nowhere.
    """
    CELLS.register(kind)
