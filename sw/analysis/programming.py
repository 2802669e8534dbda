"""Programming data of the report: numbers, conductances of the cells, and the resulting accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.common.energy_sums import summed
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sim.programming.write_verify import ChipProgramming, LayerProgramming, program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.waterfall import ideal_cells

__all__ = ["CellsReached", "cells_reached", "programmed", "programming_accuracies", "programming_summary"]


@dataclass(frozen=True, eq=False)
class CellsReached:
    """Every cell of a chip once, in one order; lengths in levels.

    Parameters
    ----------
    target, reached : float64 [cells], what the last pass aimed at (for a failed cell: its level), and what it holds
    pulses : int64 [cells], of all passes
    failed : bool [cells], given up in a pass
    first_error, final_error : float64 [pairs], weight p - n less that wanted, after the first and after the last pass
    """

    target: NDArray[np.float64]
    reached: NDArray[np.float64]
    pulses: NDArray[np.int64]
    failed: NDArray[np.bool_]
    first_error: NDArray[np.float64]
    final_error: NDArray[np.float64]

    __repr__ = short_repr


def programmed(programmed: ProgrammedChip) -> ChipProgramming | None:
    """The chip's programming; None where levels are put straight into the cells."""
    return program_chip(programmed) if programmed.programming.method == "write-verify" else None


def cells_reached(programmed: ProgrammedChip, programming: ChipProgramming) -> CellsReached:
    """Targets, conductances, pulses and errors of all layers."""
    device = programmed.device
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in CellsReached.__dataclass_fields__}
    for layer in programming.layers:
        failed = layer.first.failed | layer.final.failed
        parts["failed"].append(failed)
        parts["target"].append(np.where(failed, layer.wanted, layer.targets) / CODES_PER_LEVEL)
        parts["reached"].append((layer.state.g_S - device.g_min_S) / device.step_S)
        parts["pulses"].append(layer.state.pulses)
        first = layer.first.codes.astype(np.int64) - layer.wanted
        parts["first_error"].append((first[0] - first[1]) / CODES_PER_LEVEL)
        parts["final_error"].append(layer.error / CODES_PER_LEVEL)
    return CellsReached(**{name: np.concatenate([a.ravel() for a in arrays]) for name, arrays in parts.items()})


def programming_accuracies(
    programmed: ProgrammedChip, images: NDArray[np.uint8], labels: NDArray[np.integer]
) -> dict[str, float]:
    """Accuracy, 0 .. 1, with levels put exactly into the cells, and programmed without and with fault-aware mapping.

    Noise of reads and wires are on in all three, and drift in none, so that what differs is programming alone.
    `images` is uint8 [images, inputs], `labels` integers [images].
    """
    device, programming = programmed.device, programmed.programming
    ideal = ideal_cells(programmed)
    names = [name for entry in EFFECTS if entry.where != "pulses" and entry.write_verify for name in entry.fields]
    kept = ideal.device.model_copy(update={name: getattr(device, name) for name in names})
    chips = {
        "ideal": replace(ideal, device=kept),
        "programmed": replace(programmed, programming=programming.model_copy(update={"fault_aware": False})),
        "fault_aware": replace(programmed, programming=programming.model_copy(update={"fault_aware": True})),
    }
    return {name: run_reference(frozen(chip), images).accuracy(labels) for name, chip in chips.items()}


def programming_summary(
    programmed: ProgrammedChip, programming: ChipProgramming | None, accuracies: Mapping[str, float] | None = None
) -> dict[str, Any] | None:
    """Plain values for `summary.json`; None where there were no pulses.

    Times are those of the chip's programmers at `clock_Hz`, without the host; energies are joules.
    """
    if programming is None:
        return None
    known: dict[str, float | None] = dict.fromkeys(("ideal", "programmed", "fault_aware"))
    cells = sum(layer.wanted.size for layer in programming.layers)
    return {
        "method": programmed.programming.method,
        "fault_aware": programmed.programming.fault_aware,
        "cell": programmed.device.cell,
        "v_read_V": programmed.device.v_read_V,
        "v_program_V": programmed.device.v_program_V,
        "pulse_s": programmed.pulse_s,
        "cells": cells,
        "pulses": programming.pulses,
        "pulses_mean": programming.pulses / cells,
        "pulses_max": max(int(layer.state.pulses.max()) for layer in programming.layers),
        "verify_reads": programming.verify_reads,
        "failed_cells": programming.failed,
        "compensated_pairs": programming.compensated,
        "lost_pairs": programming.lost,
        "cycles": programming.cycles,
        "time_s": programming.cycles / programmed.clock_Hz,
        "energy_J": programming.energy_J,
        "accuracy": {**known, **(accuracies or {})},
        "layers": [
            _layer(layer.name, result, programmed.clock_Hz)
            for layer, result in zip(programmed.layers, programming.layers, strict=True)
        ],
    }


def _layer(name: str, layer: LayerProgramming, clock_Hz: float) -> dict[str, Any]:
    good = ~layer.faulty
    return {
        "name": name,
        "cells": int(layer.wanted.size),
        "pulses": layer.pulses,
        "verify_reads": layer.verify_reads,
        "failed_cells": int(layer.first.failed.sum()),
        "compensated_pairs": int(layer.compensated.sum()),
        "lost_pairs": int(layer.lost.sum()),
        "second_pass_starts": int(layer.second.sum()),
        "error_levels": float(np.sqrt(np.mean((layer.error[good] / CODES_PER_LEVEL) ** 2))) if good.any() else None,
        "cycles": layer.cycles,
        "time_s": layer.cycles / clock_Hz,
        "energy_J": summed(layer.energy_J.values()),
    }
