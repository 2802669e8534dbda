"""Energy as a table: events an image, joules an event, and their products, which add up to the energies shown.

Every number of a table comes from one result, and each is computed from those before it, so that whoever multiplies the
activity of the report with the coefficients gets its energies to the last digit. Sums are exact (`math.fsum`).
"""

from __future__ import annotations

from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.energy import joules_an_event, neuron_updates
from sim.image import ChipImage
from sim.result import Result

__all__ = ["COMPONENTS", "activity_means", "energy_table"]

COMPONENTS = ("crossbar", "adc", "dac", "digital")
"""Components whose energies add up to the total."""

_EVENTS = (
    ("crossbar", "conductance", "conductance of driven rows, dG / 1024"),
    ("adc", "adc_conversions", "conversions"),
    ("dac", "row_pulses", "row pulses"),
    ("digital", "neuron_updates", "neuron updates"),
)
"""Component, kind of activity, and what it is in words."""


def activity_means(image: ChipImage, result: Result) -> dict[str, list[float]]:
    """Activity of every layer, mean of an image: what a result counts, `spikes` and `neuron_updates`."""
    counted = {**result.activity, "spikes": result.spikes, "neuron_updates": neuron_updates(image, result)}
    return {name: [_mean(values[:, index]) for index in range(len(image.layers))] for name, values in counted.items()}


def energy_table(image: ChipImage, result: Result | None) -> dict[str, Any]:
    """`COMPONENTS` and `total`, joules an image, and `events`, the rows that they are made of.

    A row has `component`, `activity` (the key of `activity_means`, or "cycles"), `event` in words, `layers` (numbers of
    the layers counted), `events` (mean of an image), `J_an_event` and `energy_J`. Layers whose events cost differently
    have rows of their own. `digital` and `total` are None without the clock cycles of the Verilog.
    """
    energies: dict[str, Any] = dict.fromkeys((*COMPONENTS, "total"))
    if result is None or len(result) == 0:
        return {**energies, "events": []}
    means, rows = activity_means(image, result), []
    for component, kind, words in _EVENTS:
        joules = joules_an_event(image)[kind]
        for cost in dict.fromkeys(joules):
            layers = [index for index, value in enumerate(joules) if value == cost]
            row = _row(component, kind, words, fsum(means[kind][index] for index in layers), cost)
            rows.append({**row, "layers": layers})
    if result.cycles is not None:
        cost = image.energy.control_J_per_cycle
        rows.append({**_row("digital", "cycles", "clock cycles", _mean(result.cycles), cost), "layers": None})
    for name in COMPONENTS if result.cycles is not None else COMPONENTS[:-1]:
        energies[name] = fsum(row["energy_J"] for row in rows if row["component"] == name)
    if result.cycles is not None:
        energies["total"] = fsum(energies[name] for name in COMPONENTS)
    return {**energies, "events": rows}


def _row(component: str, kind: str, words: str, events: float, cost: float) -> dict[str, Any]:
    return {
        "component": component, "activity": kind, "event": words, "events": events, "J_an_event": cost,
        "energy_J": events * cost,
    }  # fmt: skip


def _mean(values: NDArray[np.integer]) -> float:
    """The mean of whole numbers, rounded once."""
    return int(values.sum()) / len(values)
