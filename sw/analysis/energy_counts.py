"""Energy as a table: events per image, joules per event, and their products, which sum to the energies shown.

Every number of a table comes from one result, and each is computed from those before it, so that whoever multiplies the
events of the report with the coefficients gets its energies to the last digit. Sums are exact (`math.fsum`).
"""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.energy_sums import ENDS, summed
from spikeloom.sim.estimates.energy import neuron_updates
from spikeloom.sim.estimates.energy_events import Count, Events
from spikeloom.sim.estimates.energy_parts import COMPONENTS, LEFT_OUT, PARTS, Part, coefficient

__all__ = ["COMPONENTS", "activity_means", "energy_table"]


def activity_means(chip: ProgrammedChip, result: Result) -> dict[str, list[float]]:
    """Activity of every layer, mean of an image: what a result counts, `spikes` and `neuron_updates`."""
    counted = {**result.activity, "spikes": result.spikes, "neuron_updates": neuron_updates(chip, result)}
    return {name: [_mean(values[:, index]) for index in range(len(chip.layers))] for name, values in counted.items()}


def energy_table(chip: ProgrammedChip, result: Result | None) -> dict[str, Any]:
    """`COMPONENTS` and `total`, each {"low", "typical", "high"} joules per image; `events`, the rows that they are made
    of; and `left_out`, what is in none of them.

    A row has `component`, `part`, `event` in words, `activity` (the key of `activity_means`, or None), `places` (where,
    with the mean `events` of an image, and the number of the `layer`, or None), `events` (their exact sum),
    `J_per_event` and `energy_J`, both {"low", "typical", "high"}. Places whose events cost differently have rows of
    their own. A component and `total` are None where a part takes clock cycles and the result, the reference's, has
    none.
    """
    left_out = [{"what": what, "why": why} for what, why in LEFT_OUT]
    found: dict[str, Any] = dict.fromkeys((*COMPONENTS, "total"))
    if result is None or len(result) == 0:
        return {**found, "events": [], "left_out": left_out}
    events, rows, unknown = Events(chip, result), [], set()
    for part in PARTS:
        counts = part.count(events)
        if any(count.events is None for count in counts):
            unknown.add(part.component)
            continue
        for scale in dict.fromkeys(count.scale for count in counts):
            costs = dict(zip(ENDS, (joules * scale for joules in coefficient(part, chip.energy)), strict=True))
            rows.append(_row(part, [count for count in counts if count.scale == scale], costs))
    for name in COMPONENTS:
        if name not in unknown:
            found[name] = summed(row["energy_J"] for row in rows if row["component"] == name)
    if not unknown:
        found["total"] = summed(found[name] for name in COMPONENTS)
    return {**found, "events": rows, "left_out": left_out}


def _row(part: Part, counts: list[Count], costs: dict[str, float]) -> dict[str, Any]:
    means = [0.0 if count.events is None else _mean(count.events) for count in counts]
    places = [
        {"place": count.place, "layer": count.layer, "events": mean} for count, mean in zip(counts, means, strict=True)
    ]
    events = fsum(means)
    return {
        "component": part.component, "part": part.name, "event": part.event, "activity": part.activity,
        "places": places, "events": events, "J_per_event": costs,
        "energy_J": {end: events * cost for end, cost in costs.items()},
    }  # fmt: skip


def _mean(values: NDArray[np.integer]) -> float:
    """The mean of whole numbers, rounded once."""
    return int(values.sum()) / len(values)
