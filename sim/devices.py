"""From programmed levels to conductances: one small class an effect, applied in a fixed order.

    levels -> device variation -> programming error -> stuck cells -> IR drop

Conductances are float64 [2, inputs, outputs], side 0 the positive and side 1 the negative cell of a pair, in siemens.
Every effect has `apply(g_S, cells)` and returns new conductances; `cells` addresses the random draws. `EFFECTS` is the
list of all effects of the device: which options switch one on, where it applies with either method of programming, and
under which name it stands in the accuracy breakdown. Programming, the breakdown and the checks of a configuration go by
this list. Equations, sources and ranges: docs/devices.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hw.params import LayerParameters
from sim.config import Device
from sim.ir_drop import IrDrop
from sim.philox import cell_normals, cell_words
from sim.philox_words import Purpose, key

__all__ = [
    "EFFECTS",
    "Cells",
    "DeviceVariation",
    "Effect",
    "EffectEntry",
    "ProgrammingError",
    "Reachable",
    "StuckCells",
    "after_pulses",
    "array_effects",
    "effective_conductance",
    "effects",
    "ideal_conductance",
    "ideal_device",
]

Conductance = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Address of a layer's cells in the random number space; `programming` counts write passes, from 0."""

    seed: int
    layer: int
    programming: int = 0

    def normals(self, purpose: Purpose, shape: tuple[int, ...], programming: int = 0) -> Conductance:
        """One standard Gaussian a cell, float64 [2, inputs, outputs]."""
        sides, rows, columns = shape
        return cell_normals(key(self.seed, purpose, self.layer), (sides, rows, columns), programming)

    def uniforms(self, purpose: Purpose, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """One number in 0 <= x < 1 a cell, a multiple of 2^-32, float64 [2, inputs, outputs]."""
        sides, rows, columns = shape
        words = cell_words(key(self.seed, purpose, self.layer), (sides, rows, columns))
        return words.astype(np.float64) * 2.0**-32


class Effect(Protocol):
    """A change of a layer's conductances."""

    def apply(self, g_S: Conductance, cells: Cells) -> Conductance:
        """Conductances after the effect, siemens, same shape, never negative."""
        ...


def ideal_conductance(device: Device, levels: NDArray[np.uint8]) -> Conductance:
    """G(q) = G_min + q * dG for levels q = 0 .. 2^bits - 1, siemens."""
    return device.g_min_S + levels.astype(np.float64) * device.step_S


@dataclass(frozen=True)
class DeviceVariation:
    """Spread from cell to cell, fixed for a chip: G <- max(0, G * (1 + sigma * N)).

    N is a standard Gaussian a cell that never changes, not even on reprogramming. A relative, normal spread is the
    common first-order model (for example in IBM's analog AI hardware kit and Sandia's CrossSim); valid up to some 30 %,
    beyond that measured distributions are closer to log-normal, and truncation at 0 shifts the mean.
    """

    sigma: float

    def apply(self, g_S: Conductance, cells: Cells) -> Conductance:
        return np.maximum(0.0, g_S * (1.0 + self.sigma * cells.normals(Purpose.DEVICE, g_S.shape)))


@dataclass(frozen=True)
class ProgrammingError:
    """What program-and-verify leaves, drawn at each programming: G <- max(0, G + sigma * (G_max - G_min) * N).

    Additive and independent of the level, in a fraction of the conductance range, as verify windows are set.
    """

    sigma: float
    range_S: float

    def apply(self, g_S: Conductance, cells: Cells) -> Conductance:
        normals = cells.normals(Purpose.PROGRAM, g_S.shape, cells.programming)
        return np.maximum(0.0, g_S + self.sigma * self.range_S * normals)


@dataclass(frozen=True)
class Reachable:
    """What a cell can conduct at all: G <- clip(G, low, high). For cells with a state behind their conductance."""

    low_S: float
    high_S: float

    def apply(self, g_S: Conductance, cells: Cells) -> Conductance:
        return np.clip(g_S, self.low_S, self.high_S)


@dataclass(frozen=True)
class StuckCells:
    """A share `on` of the cells is at G_max, a share `off` at G_min, whatever was programmed; fixed for a chip."""

    on: float
    off: float
    g_min_S: float
    g_max_S: float

    def apply(self, g_S: Conductance, cells: Cells) -> Conductance:
        x = cells.uniforms(Purpose.STUCK, g_S.shape)
        return np.where(x < self.on, self.g_max_S, np.where(x < self.on + self.off, self.g_min_S, g_S))


Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EffectEntry:
    """An effect in the list of all effects.

    Parameters
    ----------
    fields : options of `sim.config.Device` that switch it on, by another value than their default
    direct, verify : its stage in the accuracy breakdown with either method of programming; None where it does not
        apply, and the fields have to keep their defaults
    make : the effect for a device and a layer's hardware; None for what is no change of conductances
    where : "cells", to the conductances that programming leaves, whichever its method; "pulses", so with method
        "direct", while with "verify" the pulses have it in them (`sim.cells`); "array", to what reads see of the cells;
        "reads", drawn at each read (`sim.kernels`)
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


def effects(device: Device, parameters: LayerParameters, progress: Progress | None = None) -> tuple[Effect, ...]:
    """The effects of `device` that are switched on with method "direct", in order."""
    return tuple(
        entry.make(device, parameters, progress)
        for entry in EFFECTS
        if entry.make is not None and entry.direct is not None and entry.on(device)
    )


def after_pulses(
    device: Device, pulsed_S: Conductance, parameters: LayerParameters, seed: int, layer: int
) -> Conductance:
    """Conductances of cells programmed by pulses, siemens, after the effects that pulses do not have in them."""
    for entry in EFFECTS:
        if entry.where == "cells" and entry.make is not None and entry.verify is not None and entry.on(device):
            pulsed_S = entry.make(device, parameters, None).apply(pulsed_S, Cells(seed, layer))
    return pulsed_S


def array_effects(device: Device, parameters: LayerParameters, progress: Progress | None = None) -> tuple[Effect, ...]:
    """The effects that reads see and cells do not have, in order."""
    return tuple(
        entry.make(device, parameters, progress)
        for entry in EFFECTS
        if entry.where == "array" and entry.make is not None and entry.on(device)
    )


def ideal_device(device: Device) -> Device:
    """The device without any of its effects."""
    fields = type(device).model_fields
    off = {name: fields[name].default for entry in EFFECTS for name in entry.fields}
    return device.model_copy(update={**off, "refresh_every": 0})


def effective_conductance(
    device: Device,
    levels: NDArray[np.uint8],
    parameters: LayerParameters,
    seed: int,
    layer: int,
    progress: Progress | None = None,
    programmed_S: Conductance | None = None,
    programming: int = 0,
) -> Conductance:
    """Conductances that the reads of layer number `layer` see, from levels uint8 [2, inputs, outputs]; siemens.

    programmed_S : conductances of cells as they are after programming; levels are not looked at, and of the effects
        only those of the array are left, since the cells themselves have the others
    programming : number of the programming, 0 for the first; each draws an error of its own
    """
    cells = Cells(seed, layer, programming)
    chain = effects(device, parameters, progress)
    g_S = programmed_S
    if g_S is None:
        g_S = ideal_conductance(device, levels)
    else:
        chain = array_effects(device, parameters, progress)
    for effect in chain:
        g_S = effect.apply(g_S, cells)
    return g_S
