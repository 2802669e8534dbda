"""Crossbar energy of single steps: what the drivers give, of which `sim.estimates.energy_parts` makes the component
`crossbar`. It follows from conductances, voltage and the length of a pulse alone, so it is no interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import ACTIVITIES, Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.estimates.energy import energy

__all__ = ["CrossbarCosts"]


@dataclass(frozen=True, eq=False)
class CrossbarCosts:
    """Joules of a unit of `conductance` and of `stray` (`sim.chip.result.ACTIVITIES`), float64 [layers]."""

    conductance_J: NDArray[np.float64]
    stray_J: NDArray[np.float64]

    __repr__ = short_repr

    @classmethod
    def of_chip(cls, chip: ProgrammedChip) -> CrossbarCosts:
        """Those of a chip: the energy of results that count a single unit."""
        return cls(_unit_J(chip, "conductance"), _unit_J(chip, "stray"))

    def of(self, layer: int, activity: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float64]:
        """Joules [images] of a layer's activity, int64 [images]."""
        joules: NDArray[np.float64] = (
            activity["conductance"] * self.conductance_J[layer] + activity["stray"] * self.stray_J[layer]
        )
        return joules

    def in_all(self, conductance: NDArray[np.int64], stray: NDArray[np.int64]) -> NDArray[np.float64]:
        """Joules [steps] of all layers; int64 [steps, layers] each."""
        joules: NDArray[np.float64] = (conductance * self.conductance_J + stray * self.stray_J).sum(axis=1)
        return joules


def _unit_J(chip: ProgrammedChip, name: str) -> NDArray[np.float64]:
    """Crossbar energy per unit of an activity in each layer: that of images each of which has one unit in one layer."""
    layers = len(chip.layers)
    nothing = np.zeros((layers, layers), np.int64)
    result = Result(
        classes=np.zeros(layers, np.int32),
        steps=np.zeros(layers, np.int32),
        margins=np.zeros(layers, np.int64),
        reasons=np.zeros(layers, np.uint8),
        spikes=nothing,
        activity={**dict.fromkeys(ACTIVITIES, nothing), name: np.eye(layers, dtype=np.int64)},
        ids=np.arange(layers),
    )
    return energy(chip, result)["crossbar"]
