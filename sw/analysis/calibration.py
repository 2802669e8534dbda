"""Joules per event of the digital parts, fitted to the switching of a netlist that has processed images.

Every component of the netlist belongs to one part of the energy table (`sw.analysis.switching_parts`), and the energy of
a part in an image is fitted, by least squares through zero and not below it, to the part's events in that image: those
that the report multiplies. The clock is not fitted: its energy of a cycle is known. Every third image is not in the fit,
and shows its error: of the sum of all parts, as the report computes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.structure import structure
from spikeloom.hw.standard_cells.gates import Gates
from spikeloom.hw.standard_cells.liberty import Library
from spikeloom.sim.chip.energy_calibration import FORMAT, Calibration, Interval
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.cosim.gate_run import GateRun
from spikeloom.sim.estimates.energy import energy_rows
from spikeloom.sim.estimates.energy_events import Events
from spikeloom.sim.estimates.energy_parts import PARTS
from spikeloom.sim.estimates.energy_stores import NOT_BOOKED, stores
from spikeloom.sw.analysis.switching_parts import MEMORY_CLOCK, OTHER, book
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["CHECKED_EVERY", "MOST_ERROR", "LEAST_IMAGES", "Fit", "calibrate", "chosen_images", "part_energies"]

CHECKED_EVERY = 3
"""Of so many images in order, the last is not in the fit."""
LEAST_IMAGES = 30
"""Fewest images with a window: 20 of them are in the fit."""
MOST_ERROR = 0.1
"""Largest error of an image that is not in the fit, of its energy, for a calibration to be one."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """A calibration, and what it rests on.

    Parameters
    ----------
    calibration : joules per event
    simulated_J, predicted_J : float64 [images], of the images with a window
    data_J, predicted_data_J : without the clock and leakage, which hardly differ in a cycle
    checked : bool [images], those that were not in the fit
    parts_J : part -> float64 [images], simulated
    components_J : path -> mean of an image, clock and leakage included
    clock_J, leakage_W : of the netlist: joules of a cycle, watts
    """

    calibration: Calibration
    simulated_J: Values
    predicted_J: Values
    data_J: Values
    predicted_data_J: Values
    checked: NDArray[np.bool_]
    parts_J: dict[str, Values]
    components_J: dict[str, float]
    clock_J: float
    leakage_W: float

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON; `calibration` is what [energy] takes."""
        return {
            "calibration": self.calibration.model_dump(mode="json"),
            "images": [
                {"simulated_J": float(a), "predicted_J": float(b), "in_fit": not bool(c)}
                for a, b, c in zip(self.simulated_J, self.predicted_J, self.checked, strict=True)
            ],
            "components_J": self.components_J,
            "parts_J": {name: float(values.mean()) for name, values in self.parts_J.items()},
            "clock_J_per_cycle": self.clock_J,
            "leakage_W": self.leakage_W,
        }


def chosen_images(activity: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of `count` images of different activity, rising: even steps through their order by it.

    Raises `ValueError` where there are not so many.
    """
    if len(activity) < count:
        raise SpikeLoomError(f"A calibration of {count} images needs as many, and there are {len(activity)}: give more")
    order = np.lexsort((np.arange(len(activity)), activity))
    return np.sort(order[np.linspace(0, len(order) - 1, count).round().astype(int)])


def _memories(events: Events) -> list[tuple[str, str]]:
    """Path and part of every memory; "" for those that no part books."""
    booked = {path: store.part for store in stores(events) for path in store.paths}
    return [
        (memory.path, booked.get(memory.path, ""))
        for memory in structure(events.parameters).memories
        if memory.path in booked or memory.path.endswith(tuple(NOT_BOOKED))
    ]


def part_energies(
    chip: ProgrammedChip, result: Result, gates: Gates, transitions: NDArray[np.int64]
) -> tuple[dict[str, Values], float, float]:
    """Part -> joules of its nets, float64 [images]; joules of a clock cycle of all but memories, and of memories, with
    leakage.
    """
    events = Events(chip, result)
    memories = _memories(events)
    nets: defaultdict[str, Values] = defaultdict(lambda: np.zeros(len(result)))
    clock = {True: 0.0, False: 0.0}
    energy = gates.energy
    for path, joules in energy.of_nets(transitions).items():
        part, memory = book(path, memories)
        nets[part] = nets[part] + joules
        clock[memory] += energy.clock_J[path] + energy.leakage_W[path] / chip.clock_Hz
    return dict(nets), clock[False], clock[True]


def calibrate(
    chip: ProgrammedChip, run: GateRun, gates: Gates, libraries: Sequence[Library], memory_bits: int, design: str
) -> Fit:
    """Fit a calibration to a run of gates.

    Parameters
    ----------
    chip : that has run, at the clock of the calibration; its own energies do not matter
    run, gates : what it did, and on what
    libraries, memory_bits : as for the netlist
    design : digest of the hardware

    Raises `ValueError` for too few images.
    """
    rows = np.arange(1, len(run.cycles) - 1)
    if len(rows) < LEAST_IMAGES:
        raise SpikeLoomError(f"A calibration needs at least {LEAST_IMAGES + 2} images, not {len(run.cycles)}")
    result = run.result.part(rows)
    checked = np.arange(len(rows)) % CHECKED_EVERY == CHECKED_EVERY - 1
    nets, clock_J, memory_clock_J = part_energies(chip, result, gates, run.transitions[rows])
    corner = gates.corner
    conditions = [corner.name or "nominal", f"{gates.voltage_V:g} V"]
    if corner.temperature_C is not None:
        conditions.append(f"{corner.temperature_C:g} degrees Celsius")
    head = Calibration(
        format=FORMAT, library=", ".join(library.name for library in libraries), corner=", ".join(conditions),
        voltage_V=gates.voltage_V, clock_Hz=chip.clock_Hz, memory_bits=memory_bits, chip=chip.name, design=design,
        images=int((~checked).sum()), images_checked=int(checked.sum()), error=0.0, error_of_data=0.0,
        parts=dict.fromkeys([*nets, "clock", MEMORY_CLOCK, OTHER], 0.0),
    )  # fmt: skip
    counted = _counted(_with(chip, head), result)
    parts: dict[str, Interval] = {}
    for name in [part.name for part in PARTS if part.name in nets and part.name != OTHER]:
        if counted[name].any():
            parts[name] = _fitted(counted[name][~checked], nets[name][~checked])
        else:
            nets[OTHER] = nets.get(OTHER, np.zeros(len(rows))) + nets.pop(name)
            parts[name] = (0.0, 0.0, 0.0)
    parts[OTHER] = _fitted(counted[OTHER][~checked], nets[OTHER][~checked])
    cycles = result.cycles.astype(np.float64)
    for name, joules in (("clock", clock_J), (MEMORY_CLOCK, memory_clock_J)):
        if counted[name].any():
            parts[name] = (joules / (counted[name][0] / cycles[0]),) * 3
        nets[name] = joules * cycles
    found = head.model_copy(update={"parts": {part.name: parts[part.name] for part in PARTS if part.name in parts}})
    clocks = ("clock", MEMORY_CLOCK)
    predicted = _predicted(_with(chip, found), result)
    sums = [sum(values.values(), np.zeros(len(rows))) for values in (nets, predicted)]
    data = [
        sum((each for name, each in values.items() if name not in clocks), np.zeros(len(rows)))
        for values in (nets, predicted)
    ]
    error, error_of_data = (float(np.abs(b / a - 1.0)[checked].max()) for a, b in (sums, data))
    found = found.model_copy(update={"error": error, "error_of_data": error_of_data})
    energy = gates.energy
    own = energy.of_nets(run.transitions[rows])
    components = {
        path: float(own[path].mean() + energy.clock_J[path] * cycles.mean())
        + energy.leakage_W[path] * float(cycles.mean()) / chip.clock_Hz
        for path in own
    }
    return Fit(
        found, sums[0], sums[1], data[0], data[1], checked, nets, components,
        sum(energy.clock_J.values()), sum(energy.leakage_W.values()),
    )  # fmt: skip


def _with(chip: ProgrammedChip, calibration: Calibration) -> ProgrammedChip:
    return replace(chip, energy=chip.energy.model_copy(update={"calibration": calibration}))


def _counted(chip: ProgrammedChip, result: Result) -> dict[str, Values]:
    """Part -> its events where the calibration holds, float64 [images]."""
    found = {}
    events = Events(chip, result)
    for part in PARTS:
        counts = [count for count in part.count(events) if count.calibrated and count.events is not None]
        found[part.name] = sum((count.events * count.scale for count in counts), np.zeros(len(result)))
    return found


def _predicted(chip: ProgrammedChip, result: Result) -> dict[str, Values]:
    """Part -> typical joules by the report's rows, float64 [images], of the parts that are calibrated."""
    found: dict[str, Values] = {}
    known = chip.energy.calibration.parts
    for row in energy_rows(chip, result)[0]:
        if row.part.name in known and row.counts[0].calibrated:
            each = sum((count.events for count in row.counts), np.zeros(len(result))) * row.costs_J["typical"]
            found[row.part.name] = found.get(row.part.name, 0.0) + each
    return found


def _fitted(events: Values, joules: Values) -> Interval:
    """Joules per event by least squares through zero, with the lowest and the highest of a single image."""
    some = events > 0.0
    if not some.any():
        return 0.0, 0.0, 0.0
    typical = max(0.0, float(events @ joules) / float(events @ events))
    each = joules[some] / events[some]
    return max(0.0, min(float(each.min()), typical)), typical, max(float(each.max()), typical)
