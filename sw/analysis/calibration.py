"""Joules per event of the digital parts, fitted to the switching of a netlist that has processed images.

Every component of the netlist belongs to one part of the energy table (`sw.analysis.switching_parts`), and the energy
of a part in an image is fitted, by least squares through zero and not below it, to the part's events in that image:
those that the report multiplies. The clock is not fitted: its energy of a cycle is known. Images that are not in the
fit (`sw.analysis.calibration_images`) show its error: that of the sum of the fitted parts, as the report computes it.
With clock and leakage, which are known, it would be small whatever the fit is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.cosim.gate_run import GateRun
from spikeloom.sim.estimates.energy import energy_rows
from spikeloom.sim.estimates.energy_events import Count, Events
from spikeloom.sim.estimates.energy_parts import PARTS
from spikeloom.sim.estimates.energy_stores import NOT_BOOKED, stores
from spikeloom.sw.analysis.calibration_images import HeldOut, activity_of, held_out
from spikeloom.sw.analysis.switching_parts import CLOCK, MEMORY_CLOCK, OTHER, book
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = [
    "LEAST_IMAGES", "MOST_ERROR", "Fit", "calibrate", "part_energies", "predicted_energies", "with_calibration",
]  # fmt: skip

LEAST_IMAGES = 30
"""Fewest images with a window: 16 of them are in the fit."""
MOST_ERROR = 0.1
"""Largest error of an image that is not in the fit, of its energy without clock and leakage, for a calibration to be
one.
"""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """A calibration, and what it rests on.

    Parameters
    ----------
    calibration : joules per event
    simulated_J, predicted_J : float64 [images], of the images with a window
    data_J, predicted_data_J : without the clock and leakage, which hardly differ in a cycle
    images : int64 [images], their numbers
    held_out : those that were not in the fit
    parts_J : part -> float64 [images], simulated
    components_J : path -> mean of an image, clock and leakage included
    clock_J, leakage_W : of the netlist: joules of a cycle, watts
    """

    calibration: Calibration
    simulated_J: Values
    predicted_J: Values
    data_J: Values
    predicted_data_J: Values
    images: NDArray[np.int64]
    held_out: HeldOut
    parts_J: dict[str, Values]
    components_J: dict[str, float]
    clock_J: float
    leakage_W: float

    __repr__ = short_repr

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON; `calibration` is what [energy] takes."""
        return {
            "calibration": self.calibration.model_dump(mode="json"),
            "images": [
                {
                    "image": int(image), "is": words, "simulated_J": float(simulated), "predicted_J": float(predicted),
                    "simulated_data_J": float(data), "predicted_data_J": float(predicted_data),
                }
                for image, words, simulated, predicted, data, predicted_data in zip(
                    self.images, self.held_out.words, self.simulated_J, self.predicted_J, self.data_J,
                    self.predicted_data_J, strict=True,
                )
            ],
            "components_J": self.components_J,
            "parts_J": {name: float(values.mean()) for name, values in self.parts_J.items()},
            "clock_J_per_cycle": self.clock_J,
            "leakage_W": self.leakage_W,
        }  # fmt: skip


def _memories(events: Events, memory_bits: int) -> list[tuple[str, str]]:
    """Path and part of every memory of flip-flops; "" for those that no part books."""
    booked = {path: store.part for store in stores(events) for path in store.paths}
    return [
        (memory.path, booked.get(memory.path, ""))
        for memory in structure(events.parameters).memories
        if memory.bits <= memory_bits and (memory.path in booked or memory.path.endswith(tuple(NOT_BOOKED)))
    ]


def part_energies(
    chip: ProgrammedChip, result: Result, gates: Gates, transitions: NDArray[np.int64], memory_bits: int
) -> tuple[dict[str, Values], dict[str, float]]:
    """Part -> joules of its nets, float64 [images]; and joules of a clock cycle, leakage included, of `CLOCK`, which is
    all but memories, and of `MEMORY_CLOCK`.
    """
    memories = _memories(Events(chip, result), memory_bits)
    nets: defaultdict[str, Values] = defaultdict(lambda: np.zeros(len(result)))
    clock_J = {CLOCK: 0.0, MEMORY_CLOCK: 0.0}
    energy = gates.energy
    for path, joules in energy.of_nets(transitions).items():
        part, memory = book(path, memories)
        nets[part] = nets[part] + joules
        clock_J[MEMORY_CLOCK if memory else CLOCK] += energy.clock_J[path] + energy.leakage_W[path] / chip.clock_Hz
    return dict(nets), clock_J


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
    result, cycles = run.result.part(rows), run.cycles[rows].astype(np.float64)
    out = held_out(activity_of(result))
    checked = out.checked
    nets, clock_J = part_energies(chip, result, gates, run.transitions[rows], memory_bits)
    head = Calibration(
        format=FORMAT, library=", ".join(library.name for library in libraries), corner=_corner(gates),
        voltage_V=gates.voltage_V, clock_Hz=chip.clock_Hz, memory_bits=memory_bits, chip=chip.name, design=design,
        images=int((~checked).sum()), images_checked=int(checked.sum()),
        images_beyond=int((out.least | out.most).sum()), error=0.0, error_of_data=0.0,
        parts=dict.fromkeys([*nets, CLOCK, MEMORY_CLOCK, OTHER], (0.0, 0.0, 0.0)),
    )  # fmt: skip
    parts, nets = _fits(_counted(with_calibration(chip, head), result), nets, cycles, ~checked)
    counted = _counted(with_calibration(chip, head), result)
    for name, joules in clock_J.items():
        nets[name] = joules * cycles
        if counted[name].any():
            parts[name] = (float(nets[name][0] / counted[name][0]),) * 3
    found = head.model_copy(update={"parts": {part.name: parts[part.name] for part in PARTS if part.name in parts}})
    predicted = predicted_energies(with_calibration(chip, found), result)
    simulated_J, predicted_J, data_J, predicted_data_J = (
        _sum(values, len(rows), left_out) for left_out in ((), (CLOCK, MEMORY_CLOCK)) for values in (nets, predicted)
    )
    error, error_of_data = (
        float(np.abs(b / a - 1.0)[checked].max()) for a, b in ((simulated_J, predicted_J), (data_J, predicted_data_J))
    )
    return Fit(
        found.model_copy(update={"error": error, "error_of_data": error_of_data}),
        simulated_J, predicted_J, data_J, predicted_data_J, result.ids.astype(np.int64), out, nets,
        _components(gates, run.transitions[rows], float(cycles.mean()), chip.clock_Hz),
        sum(gates.energy.clock_J.values()), sum(gates.energy.leakage_W.values()),
    )  # fmt: skip


def _fits(
    counted: dict[str, Values], nets: dict[str, Values], cycles: Values, fitted: NDArray[np.bool_]
) -> tuple[dict[str, Interval], dict[str, Values]]:
    """Part -> joules per event; and the energies that they are fitted to: those of a part without events are in
    `OTHER`.
    """
    energies = {name: values for name, values in nets.items() if name != OTHER and counted[name].any()}
    rest = [values for name, values in nets.items() if name not in energies]
    energies[OTHER] = sum(rest, np.zeros(len(cycles)))
    found = {name: _fitted(counted[name][fitted], values[fitted]) for name, values in energies.items()}
    inside = [part.name for part in PARTS if part.component == "memory" and counted[part.name].any()]
    without = {name: (0.0, 0.0, 0.0) for name in (*nets, *inside) if name not in found}
    return {**found, **without}, energies


def _corner(gates: Gates) -> str:
    corner = gates.corner
    words = [corner.name or "nominal", f"{gates.voltage_V:g} V"]
    if corner.temperature_C is not None:
        words.append(f"{corner.temperature_C:g} degrees Celsius")
    return ", ".join(words)


def _components(gates: Gates, transitions: NDArray[np.int64], cycles: float, clock_Hz: float) -> dict[str, float]:
    energy = gates.energy
    return {
        path: float(joules.mean()) + cycles * (energy.clock_J[path] + energy.leakage_W[path] / clock_Hz)
        for path, joules in energy.of_nets(transitions).items()
    }


def _sum(energies: dict[str, Values], images: int, left_out: Sequence[str]) -> Values:
    return sum((each for name, each in energies.items() if name not in left_out), np.zeros(images))


def with_calibration(chip: ProgrammedChip, calibration: Calibration) -> ProgrammedChip:
    """The chip with these energies."""
    return replace(chip, energy=chip.energy.model_copy(update={"calibration": calibration}))


def _events(counts: Sequence[Count], images: int) -> Values:
    found = np.zeros(images)
    for count in counts:
        if count.events is not None:
            found = found + count.events * count.scale
    return found


def _counted(chip: ProgrammedChip, result: Result) -> dict[str, Values]:
    """Part -> its events where the calibration holds, float64 [images]."""
    events = Events(chip, result)
    return {
        part.name: _events([count for count in part.count(events) if count.calibrated], len(result)) for part in PARTS
    }


def predicted_energies(chip: ProgrammedChip, result: Result) -> dict[str, Values]:
    """Part -> typical joules by the report's rows, float64 [images], of the parts that are calibrated."""
    assert chip.energy.calibration is not None
    found: dict[str, Values] = {}
    for row in energy_rows(chip, result)[0]:
        if row.part.name in chip.energy.calibration.parts and row.counts[0].calibrated:
            joules = _events(row.counts, len(result)) / row.counts[0].scale * row.costs_J["typical"]
            found[row.part.name] = found.get(row.part.name, np.zeros(len(result))) + joules
    return found


def _fitted(events: Values, joules: Values) -> Interval:
    """Joules per event by least squares through zero, with the lowest and the highest of a single image."""
    some = events > 0.0
    if not some.any():
        return 0.0, 0.0, 0.0
    typical = max(0.0, float(events @ joules) / float(events @ events))
    each = joules[some] / events[some]
    return max(0.0, min(float(each.min()), typical)), typical, max(float(each.max()), typical)
