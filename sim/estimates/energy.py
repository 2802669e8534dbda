"""Energy per image: events times coefficients.

An image's energy is the sum over the parts of `sim.estimates.energy_parts` of events * scale * coefficient.
Coefficients are intervals [low, typical, high] of `sim.chip.device_config.Energy`: figures of the literature for other
designs in other processes, meant to be replaced by those of your own circuits. All of them at their low ends, or at
their high ends, at once give the ends of a sum: the widest interval, not a likely one. docs/energy.md has every part,
with its source.

Crossbar, with R = sum over columns of (Gp + Gn) of a row in units of dG / 1024, and S = 255 for 8-bit row codes, or 1:

    E = V_read^2 * t_read * dG * 2^-10 / S^2 * sum over row pulses of x^2 * R

that is V^2 * G * t of every cell of a driven row, with t_read the time that the hardware drives rows,
`ProgrammedChip.read_s`. With IR drop the conductances are the effective ones, so E is V_read times the charge that
reaches the ADCs, and what flows off into silent rows is added (`sim.crossbar.stray`): the component `crossbar` is the
sum of the two, which is what the drivers give, all that cells and wires dissipate.

Energies of single images (`energy`) and means of an image (`mean_energy`, of which every table is made) are sums over
the same rows (`energy_rows`) in the same order; of a single image they are equal to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.energy_sums import ENDS, summed
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.estimates.energy_events import Count, Events
from spikeloom.sim.estimates.energy_parts import COMPONENTS, PARTS, Part, coefficient

__all__ = ["EnergyRow", "energy", "energy_rows", "mean", "mean_energy", "neuron_updates", "sums_of_rows"]


def neuron_updates(chip: ProgrammedChip, result: Result) -> NDArray[np.int64]:
    """Updates of neurons, int64 [images, layers]: outputs of a layer at all its positions, in each step it ran."""
    neurons = np.array([shape.neurons for shape in chip.parameters.layers], np.int64)
    updates: NDArray[np.int64] = Events(chip, result).runs * neurons
    return updates


def mean(values: NDArray[np.integer]) -> float:
    """The mean of whole numbers, rounded once."""
    return int(values.sum()) / len(values)


@dataclass(frozen=True, eq=False)
class EnergyRow:
    """Events of one part that cost the same.

    Parameters
    ----------
    part : which of `sim.estimates.energy_parts.PARTS`
    counts : its events, place by place, all with the same scale
    costs_J : joules of an event, {"low", "typical", "high"}
    """

    part: Part
    counts: tuple[Count, ...]
    costs_J: dict[str, float]

    __repr__ = short_repr

    @property
    def means(self) -> list[float]:
        """Mean events of an image, place by place."""
        return [0.0 if count.events is None else mean(count.events) for count in self.counts]

    @property
    def energy_J(self) -> dict[str, float]:
        """Mean of an image, {"low", "typical", "high"}: the exact sum of `means` times the cost."""
        events = fsum(self.means)
        return {end: events * cost for end, cost in self.costs_J.items()}


def energy_rows(chip: ProgrammedChip, result: Result) -> tuple[list[EnergyRow], set[str]]:
    """All rows in the order of `PARTS`, and the components that are not known, since the result has no clock cycles."""
    events, rows, unknown = Events(chip, result), [], set()
    own = events.calibration is None or events.calibration.is_of(chip.parameters)
    for part in PARTS:
        counts = part.count(events)
        if any(count.events is None for count in counts):
            unknown.add(part.component)
            continue
        for scale, calibrated in dict.fromkeys((count.scale, count.calibrated) for count in counts):
            each = coefficient(part, chip.energy, calibrated, own)
            costs_J = dict(zip(ENDS, (joules * scale for joules in each), strict=True))
            chosen = tuple(count for count in counts if (count.scale, count.calibrated) == (scale, calibrated))
            rows.append(EnergyRow(part, chosen, costs_J))
    return rows, unknown


def sums_of_rows(rows: Sequence[EnergyRow], unknown: set[str]) -> dict[str, dict[str, float] | None]:
    """`COMPONENTS` and `total` of rows, each {"low", "typical", "high"} joules, mean of an image; None for components
    that are not known, and for the total then.
    """
    found: dict[str, dict[str, float] | None] = {
        name: None if name in unknown else summed(row.energy_J for row in rows if row.part.component == name)
        for name in COMPONENTS
    }
    known = [each for each in found.values() if each is not None]
    return {**found, "total": None if unknown else summed(known)}


def mean_energy(chip: ProgrammedChip, result: Result) -> dict[str, dict[str, float] | None]:
    """`COMPONENTS` and `total`, each {"low", "typical", "high"} joules per image, means; as `sums_of_rows` has them.

    Raises `ValueError` for a result without images.
    """
    if not len(result):
        raise SpikeLoomError("The result has no images, so an image has no mean energy; run at least one image")
    return sums_of_rows(*energy_rows(chip, result))


def energy(
    chip: ProgrammedChip, result: Result, end: Literal["low", "typical", "high"] = "typical"
) -> dict[str, NDArray[np.float64]]:
    """Joules of every image, float64 [images], for each of `sim.estimates.energy_parts.COMPONENTS`, with all
    coefficients at one end; an image's are the `mean_energy` of that image alone.

    `control` is there only where the result counts clock cycles: that of the Verilog does, the reference's does not.
    """
    rows, unknown = energy_rows(chip, result)
    found = {}
    for name in COMPONENTS:
        if name in unknown:
            continue
        each = [
            sum((count.events for count in row.counts if count.events is not None), np.zeros(len(result), np.int64))
            * row.costs_J[end]
            for row in rows
            if row.part.component == name
        ]
        found[name] = np.array([fsum(image) for image in zip(*each, strict=True)] if each else np.zeros(len(result)))
    return found
