"""The device effects, one small class each, and the list of all of them.

    levels -> device variation -> programming error -> stuck cells -> IR drop

Every effect has `apply(g_S, cells)`, conductances as in `sim.devices.conductance`, and returns new ones; `cells`
addresses the random draws. `EFFECTS` says of each which options switch it on, where it applies with either method of
programming, and under which name it stands in the accuracy breakdown. Programming, the breakdown and the checks of a
configuration go by this list. Equations, sources and ranges: docs/devices.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.parameters import Parameters
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sim.devices.effect_list import Conductance, Draws, Effect, EffectEntry, EffectList
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
    "register_effect",
]


@dataclass(frozen=True)
class DeviceVariation:
    """Spread from cell to cell, fixed for a chip: G <- max(0, G * (1 + sigma * N)).

    N is a standard Gaussian per cell that never changes, not even on reprogramming. A relative, normal spread is the
    common first-order model (for example in IBM's analog AI hardware kit and Sandia's CrossSim); valid up to some 30 %,
    beyond that measured distributions are closer to log-normal, and truncation at 0 shifts the mean.
    """

    sigma: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances with the spread of the cells, siemens."""
        return np.maximum(0.0, g_S * (1.0 + self.sigma * cells.normals(Purpose.DEVICE, g_S.shape)))


@dataclass(frozen=True)
class ProgrammingError:
    """What write-verify leaves, drawn at each programming: G <- max(0, G + sigma * (G_max - G_min) * N).

    Additive and independent of the level, in a fraction of the conductance range, as the tolerance of write-verify.
    """

    sigma: float
    range_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances with the error of this programming, siemens."""
        normals = cells.normals(Purpose.PROGRAM, g_S.shape, cells.programming)
        return np.maximum(0.0, g_S + self.sigma * self.range_S * normals)


@dataclass(frozen=True)
class Reachable:
    """What a cell can conduct at all: G <- clip(G, low, high). By the kind of the cells."""

    low_S: float
    high_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances in the range of the cells, siemens."""
        return np.clip(g_S, self.low_S, self.high_S)


@dataclass(frozen=True)
class StuckCells:
    """A share `on` of the cells is at G_max, a share `off` at G_min, whatever was programmed; fixed for a chip."""

    on: float
    off: float
    g_min_S: float
    g_max_S: float

    def apply(self, g_S: Conductance, cells: Draws) -> Conductance:
        """Conductances with the stuck cells, siemens."""
        x = cells.uniforms(Purpose.STUCK, g_S.shape)
        return np.where(x < self.on, self.g_max_S, np.where(x < self.on + self.off, self.g_min_S, g_S))


EFFECTS = EffectList(
    EffectEntry(
        ("device_sigma",),
        "device variation",
        "programming",
        lambda d, p, _: DeviceVariation(d.device_sigma),
        "pulses",
        remedy="lower [device] device_sigma, or train with [train] weight_noise",
    ),
    EffectEntry(
        ("program_sigma",),
        "programming",
        None,
        lambda d, p, _: ProgrammingError(d.program_sigma, d.g_max_S - d.g_min_S),
        unused="whose pulses leave an error of their own",
        remedy="lower [device] program_sigma",
    ),
    EffectEntry(("pulse_sigma",), None, "programming", None, "pulses", unused="which gives no pulses"),
    EffectEntry(
        ("cell",),
        "drift",
        "drift",
        lambda d, p, _: Reachable(*d.reachable_S),
        "pulses",
        remedy="lower [device] acceleration, or set refresh_every",
    ),
    EffectEntry(
        ("stuck_on", "stuck_off"),
        "stuck cells",
        "stuck cells",
        lambda d, p, _: StuckCells(d.stuck_on, d.stuck_off, d.g_min_S, d.g_max_S),
        "pulses",
        remedy="lower [device] stuck_on and stuck_off, or set [programming] "
        'method = "write-verify", fault_aware = true',
    ),
    EffectEntry(
        ("read_sigma",),
        "read noise",
        "read noise",
        None,
        "reads",
        remedy="lower [device] read_sigma, or raise [decision] k so that more steps are averaged",
    ),
    EffectEntry(
        ("adc_sigma",),
        "ADC noise",
        "ADC noise",
        None,
        "reads",
        remedy="lower [device] adc_sigma, or raise [decision] k so that more steps are averaged",
    ),
    EffectEntry(
        ("wire_ohm",),
        "IR drop",
        "IR drop",
        lambda d, p, told: IrDrop(d.wire_ohm, p.tile_rows, p.tile_columns, told),
        "array",
        remedy="lower [device] wire_ohm, or make [crossbar] tiles smaller",
    ),
)
"""All effects, in the order in which they apply and in which the accuracy breakdown switches them on."""


def register_effect(entry: EffectEntry, parameters: type[Parameters] | None = None) -> None:
    """Add an effect from outside of the source tree; the fields of `parameters` become options of [device].

    Its `where` is "cells" or "array". Simulators are processes of their own, which get it by the names of its classes
    and of its `make`: these must be of a module that can be imported, and not a lambda. A package that is to register
    it wherever it is installed names a function that does so in an entry point of group `spikeloom.effects`.

    Raises ValueError for options that exist already, or do not exist, and for another `where`.
    """
    EFFECTS.register(entry, parameters)


def ideal_device(device: Device) -> Device:
    """The device without any of its effects."""
    fields = device.all_fields()
    off = {name: fields[name].default for entry in EFFECTS for name in entry.fields}
    return device.model_copy(update={**off, "refresh_every": 0})
