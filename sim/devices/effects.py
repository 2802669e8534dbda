"""The list of all effects of the devices, one small class each.

    levels -> device variation -> programming error -> stuck cells -> IR drop

Every effect has `apply(g_S, cells)`, conductances as in `sim.devices.conductance`, and returns new ones; `cells`
addresses the random draws. `EFFECTS` says of each which options switch it on, where it applies with either method of
programming, and under which name it stands in the accuracy breakdown. Programming, the breakdown and the checks of a
configuration go by this list. Equations, sources and ranges: docs/devices.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sim.devices.ir_drop import IrDrop

__all__ = [
    "EFFECTS",
    "DeviceVariation",
    "Draws",
    "Effect",
    "EffectEntry",
    "ProgrammingError",
    "Reachable",
    "StuckCells",
    "ideal_device",
]

Conductance = NDArray[np.float64]


class Draws(Protocol):
    """The random draws of a layer's cells, by address: `sim.devices.conductance.Cells`."""

    @property
    def programming(self) -> int:
        """Write passes before this one."""
        ...

    def normals(self, purpose: Purpose, shape: tuple[int, ...], programming: int = 0) -> Conductance:
        """One standard Gaussian a cell."""
        ...

    def uniforms(self, purpose: Purpose, shape: tuple[int, ...]) -> Conductance:
        """One number in 0 <= x < 1 a cell."""
        ...


class Effect(Protocol):
    """A change of a layer's conductances."""

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances after the effect, siemens, same shape, never negative."""
        ...


@dataclass(frozen=True)
class DeviceVariation:
    """Spread from cell to cell, fixed for a chip: G <- max(0, G * (1 + sigma * N)).

    N is a standard Gaussian a cell that never changes, not even on reprogramming. A relative, normal spread is the
    common first-order model (for example in IBM's analog AI hardware kit and Sandia's CrossSim); valid up to some 30 %,
    beyond that measured distributions are closer to log-normal, and truncation at 0 shifts the mean.
    """

    sigma: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        return np.maximum(0.0, g_S * (1.0 + self.sigma * cells.normals(Purpose.DEVICE, g_S.shape)))


@dataclass(frozen=True)
class ProgrammingError:
    """What program-and-verify leaves, drawn at each programming: G <- max(0, G + sigma * (G_max - G_min) * N).

    Additive and independent of the level, in a fraction of the conductance range, as verify windows are set.
    """

    sigma: float
    range_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        normals = cells.normals(Purpose.PROGRAM, g_S.shape, cells.programming)
        return np.maximum(0.0, g_S + self.sigma * self.range_S * normals)


@dataclass(frozen=True)
class Reachable:
    """What a cell can conduct at all: G <- clip(G, low, high). For cells with a state behind their conductance."""

    low_S: float
    high_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        return np.clip(g_S, self.low_S, self.high_S)


@dataclass(frozen=True)
class StuckCells:
    """A share `on` of the cells is at G_max, a share `off` at G_min, whatever was programmed; fixed for a chip."""

    on: float
    off: float
    g_min_S: float
    g_max_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        x = cells.uniforms(Purpose.STUCK, g_S.shape)
        return np.where(x < self.on, self.g_max_S, np.where(x < self.on + self.off, self.g_min_S, g_S))


Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EffectEntry:
    """An effect in the list of all effects.

    Parameters
    ----------
    fields : options of `sim.chip.device_config.Device` that switch it on, by another value than their default
    direct, verify : its stage in the accuracy breakdown with either method of programming; None where it does not
        apply, and the fields have to keep their defaults
    make : the effect for a device and a layer's hardware; None for what is no change of conductances
    where : "cells", to the conductances that programming leaves, whichever its method; "pulses", so with method
        "direct", while with "verify" the pulses have it in them (`sim.programming.cells`); "array", to what reads see
        of the cells; "reads", drawn at each read (`sim.crossbar.adc`)
    unused : why the fields do nothing where the effect does not apply, a clause
    """

    fields: tuple[str, ...]
    direct: str | None
    verify: str | None
    make: Callable[[Device, LayerParameters, Progress | None], Effect] | None
    where: Literal["cells", "pulses", "array", "reads"] = "cells"
    unused: str = "with which the effect does not apply"

    def on(self, device: Device) -> bool:
        """Whether the device has the effect."""
        return any(getattr(device, name) != type(device).model_fields[name].default for name in self.fields)


EFFECTS: tuple[EffectEntry, ...] = (
    EffectEntry(
        ("device_sigma",), "device variation", "programming", lambda d, p, _: DeviceVariation(d.device_sigma), "pulses"
    ),
    EffectEntry(
        ("program_sigma",),
        "programming",
        None,
        lambda d, p, _: ProgrammingError(d.program_sigma, d.g_max_S - d.g_min_S),
        unused="whose pulses leave an error of their own",
    ),
    EffectEntry(("pulse_sigma",), None, "programming", None, "pulses", unused="which gives no pulses"),
    EffectEntry(("cell",), "drift", "drift", lambda d, p, _: Reachable(*d.reachable_S), "pulses"),
    EffectEntry(
        ("stuck_on", "stuck_off"),
        "stuck cells",
        "stuck cells",
        lambda d, p, _: StuckCells(d.stuck_on, d.stuck_off, d.g_min_S, d.g_max_S),
        "pulses",
    ),
    EffectEntry(("read_sigma",), "read noise", "read noise", None, "reads"),
    EffectEntry(
        ("wire_ohm",),
        "IR drop",
        "IR drop",
        lambda d, p, told: IrDrop(d.wire_ohm, p.tile_rows, p.tile_columns, told),
        "array",
    ),
)
"""All effects, in the order in which they apply and in which the accuracy breakdown switches them on."""


def ideal_device(device: Device) -> Device:
    """The device without any of its effects."""
    fields = type(device).model_fields
    off = {name: fields[name].default for entry in EFFECTS for name in entry.fields}
    return device.model_copy(update={**off, "refresh_every": 0})
