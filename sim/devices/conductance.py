"""From programmed levels to conductances: the effects of `sim.devices.effects`, applied in a fixed order.

Conductances are float64 [2, inputs, outputs], side 0 the positive and side 1 the negative cell of a pair, in siemens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.common.random_numbers import cell_normals, cell_words
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.devices.effects import EFFECTS, Effect

__all__ = ["Cells", "after_pulses", "array_effects", "effective_conductance", "effects", "ideal_conductance"]

Conductance = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cells:
    """Address of a layer's cells in the random number space; `programming` counts write passes, from 0."""

    seed: int
    layer: int
    programming: int = 0

    def normals(self, purpose: Purpose | int, shape: tuple[int, ...], programming: int = 0) -> Conductance:
        """One standard Gaussian per cell, float64 [2, inputs, outputs]."""
        sides, rows, columns = shape
        return cell_normals(key(self.seed, purpose, self.layer), (sides, rows, columns), programming)

    def uniforms(self, purpose: Purpose | int, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """One number in 0 <= x < 1 per cell, a multiple of 2^-32, float64 [2, inputs, outputs]."""
        sides, rows, columns = shape
        words = cell_words(key(self.seed, purpose, self.layer), (sides, rows, columns))
        return words.astype(np.float64) * 2.0**-32


def ideal_conductance(device: Device, levels: NDArray[np.uint8]) -> Conductance:
    """G(q) = G_min + q * dG for levels q = 0 .. 2^bits - 1, siemens."""
    return device.g_min_S + levels.astype(np.float64) * device.step_S


def effects(device: Device, parameters: LayerParameters, progress: Progress | None = None) -> tuple[Effect, ...]:
    """The effects of `device` that are switched on with method "direct", in order."""
    return tuple(
        entry.made(device, parameters, progress)
        for entry in EFFECTS
        if entry.make is not None and entry.direct is not None and entry.on(device)
    )


def after_pulses(
    device: Device, pulsed_S: Conductance, parameters: LayerParameters, seed: int, layer: int
) -> Conductance:
    """Conductances of cells programmed by pulses, siemens, after the effects that pulses do not have in them."""
    for entry in EFFECTS:
        if entry.where == "cells" and entry.make is not None and entry.write_verify is not None and entry.on(device):
            pulsed_S = entry.made(device, parameters, None).apply(pulsed_S, Cells(seed, layer))
    return pulsed_S


def array_effects(device: Device, parameters: LayerParameters, progress: Progress | None = None) -> tuple[Effect, ...]:
    """The effects that reads see and cells do not have, in order."""
    return tuple(
        entry.made(device, parameters, progress)
        for entry in EFFECTS
        if entry.where == "array" and entry.make is not None and entry.on(device)
    )


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
