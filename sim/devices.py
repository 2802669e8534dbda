"""From programmed levels to conductances: one small class an effect, applied in a fixed order.

    levels -> device variation -> programming error -> stuck cells -> IR drop

Conductances are float64 [2, inputs, outputs], side 0 the positive and side 1 the negative cell of a pair, in siemens.
Every effect has `apply(g_S, cells)` and returns new conductances; `cells` addresses the random draws. Read noise is
not in this list: it is drawn anew at each read (`sim.kernels`). Equations, sources and ranges: docs/devices.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hw.params import LayerParameters
from sim.config import Device
from sim.ir_drop import IrDrop
from sim.philox import Purpose, cell_normals, cell_words, key

__all__ = [
    "Cells",
    "DeviceVariation",
    "Effect",
    "ProgrammingError",
    "Reachable",
    "StuckCells",
    "effective_conductance",
    "effects",
    "ideal_conductance",
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


def effects(
    device: Device, parameters: LayerParameters, progress: Callable[[int, int], None] | None = None
) -> tuple[Effect, ...]:
    """The effects of `device` that are switched on, in order."""
    chain: list[Effect] = []
    if device.device_sigma > 0.0:
        chain.append(DeviceVariation(device.device_sigma))
    if device.program_sigma > 0.0:
        chain.append(ProgrammingError(device.program_sigma, device.g_max_S - device.g_min_S))
    if device.drifts:
        chain.append(Reachable(*device.reachable_S))
    if device.stuck_on > 0.0 or device.stuck_off > 0.0:
        chain.append(StuckCells(device.stuck_on, device.stuck_off, device.g_min_S, device.g_max_S))
    if device.wire_ohm > 0.0:
        chain.append(IrDrop(device.wire_ohm, parameters.tile_rows, parameters.tile_columns, progress))
    return tuple(chain)


def effective_conductance(
    device: Device,
    levels: NDArray[np.uint8],
    parameters: LayerParameters,
    seed: int,
    layer: int,
    progress: Callable[[int, int], None] | None = None,
    programmed_S: Conductance | None = None,
    programming: int = 0,
) -> Conductance:
    """Conductances that the reads of layer number `layer` see, from levels uint8 [2, inputs, outputs]; siemens.

    programmed_S : conductances of cells that were programmed by pulses; levels are not looked at, and of the effects
        only IR drop is left, since the cells themselves have the others
    programming : number of the programming, 0 for the first; each draws an error of its own
    """
    cells = Cells(seed, layer, programming)
    if programmed_S is not None:
        if device.wire_ohm == 0.0:
            return programmed_S
        return IrDrop(device.wire_ohm, parameters.tile_rows, parameters.tile_columns, progress).apply(
            programmed_S, cells
        )
    g_S = ideal_conductance(device, levels)
    for effect in effects(device, parameters, progress):
        g_S = effect.apply(g_S, cells)
    return g_S
