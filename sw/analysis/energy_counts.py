"""Energy as a table: events per image, joules per event, and their products, which sum to the energies shown.

Every number of a table comes from one result, and each is computed from those before it, so that whoever multiplies the
events of the report with the coefficients gets its energies to the last digit. Sums are exact (`math.fsum`).
"""

from __future__ import annotations

from math import fsum
from typing import Any

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.energy import EnergyRow, energy_rows, mean, neuron_updates, sums_of_rows
from spikeloom.sim.estimates.energy_parts import COMPONENTS, left_out
from spikeloom.sw.analysis.calibration_words import calibration_facts

__all__ = ["COMPONENTS", "activity_means", "energy_table"]


def activity_means(chip: ProgrammedChip, result: Result) -> dict[str, list[float]]:
    """Activity of every layer, mean of an image: what a result counts, `spikes` and `neuron_updates`."""
    result.check_counted()
    result.check_loads()
    counted = {**result.activity, "spikes": result.spikes, "neuron_updates": neuron_updates(chip, result)}
    return {name: [mean(values[:, index]) for index in range(len(chip.layers))] for name, values in counted.items()}


def energy_table(chip: ProgrammedChip, result: Result | None) -> dict[str, Any]:
    """`COMPONENTS` and `total`, each {"low", "typical", "high"} joules per image; `events`, the rows that they are made
    of; `left_out`, what is in none of them; and `calibration` of the digital parts, or None.

    A row has `component`, `part`, `event` in words, `activity` (the key of `activity_means`, or None), `places` (where,
    with the mean `events` of an image, and the number of the `layer`, or None), `events` (their exact sum),
    `J_per_event` and `energy_J`, both {"low", "typical", "high"}. Places whose events cost differently have rows of
    their own. A component and `total` are None where a part takes clock cycles and the result, the reference's, has
    none.
    """
    names = left_out(chip.energy, chip.parameters.programmer)
    rest = {"left_out": [{"what": what, "why": why} for what, why in names]}
    if result is None or len(result) == 0:
        nothing = dict.fromkeys((*COMPONENTS, "total"))
        return {**nothing, "events": [], **rest, "calibration": calibration_facts(chip)}
    rows, unknown = energy_rows(chip, result)
    found = {**sums_of_rows(rows, unknown), "events": [_plain(row) for row in rows], **rest}
    return {**found, "calibration": calibration_facts(chip, result, rows)}


def _plain(row: EnergyRow) -> dict[str, Any]:
    part, means = row.part, row.means
    places = [
        {"place": count.place, "layer": count.layer, "events": events}
        for count, events in zip(row.counts, means, strict=True)
    ]
    return {
        "component": part.component, "part": part.name, "event": part.event, "activity": part.activity,
        "places": places, "events": fsum(means), "J_per_event": row.costs_J, "energy_J": row.energy_J,
    }  # fmt: skip
