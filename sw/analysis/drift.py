"""What the report shows of drift in numbers: read pulses of every row, and where they have brought the cells, level by
level. The pictures are in `sw.report.plots.drift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray
from spikeloom.sim.programming.write_verify import ChipProgramming

__all__ = ["DriftedCells", "drift_summary", "drifted_cells"]


@dataclass(frozen=True, eq=False)
class DriftedCells:
    """The cells of a chip before and after the images that have been run.

    Parameters
    ----------
    drift : the state that they are in
    levels : uint8 [cells], the level that each was programmed to; all cells of all layers
    layers : int64 [cells], the layer that each is in
    before, after : float64 [cells], conductance after the last programming and now, in levels above g_min
    """

    drift: DriftSnapshot
    levels: NDArray[np.uint8]
    layers: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    __repr__ = short_repr

    @property
    def change(self) -> NDArray[np.float64]:
        """Levels, float64 [cells]."""
        return self.after - self.before


def drifted_cells(
    chip: ProgrammedChip, result: Result | None, programming: ChipProgramming | None = None
) -> DriftedCells | None:
    """The cells after a result's images; None where they do not drift, or nothing has been run.

    `programming` is the chip's, if it is programmed by pulses.
    """
    if result is None or result.drift is None:
        return None
    drift, device = result.drift, chip.device
    levels, layers = [], []
    before: list[NDArray[np.float64]] = []
    after: list[NDArray[np.float64]] = []
    for index, (layer, shape) in enumerate(zip(chip.layers, chip.parameters.layers, strict=True)):
        held_S = None if programming is None else programming.layers[index].state.g_S
        array = CrossbarArray(index, layer, shape, device, chip.seed, programmed_S=held_S, read_s=chip.read_s)
        array.program(drift.programmings - 1)
        levels.append(np.stack([layer.positive, layer.negative]).ravel())
        layers.append(np.full(levels[-1].size, index))
        for cells_S, found in ((array.cells_S, before), (array.cells_after(drift.row_pulses[index]), after)):
            found.append(((cells_S - device.g_min_S) / device.step_S).ravel())
    return DriftedCells(drift, *(np.concatenate(parts) for parts in (levels, layers, before, after)))


def drift_summary(chip: ProgrammedChip, cells: DriftedCells | None) -> dict[str, Any] | None:
    """Plain values for `summary.json`: of every layer its pulses and change, and of every level its change."""
    if cells is None:
        return None
    drift, change = cells.drift, cells.change
    rows = zip(chip.layers, drift.row_pulses, drift.total_pulses, strict=True)
    layers = [
        {
            "name": layer.name,
            "rows": len(pulses),
            "pulses_max": int(pulses.max()),
            "pulses_mean": float(pulses.mean()),
            "reads_max": int(reads.max()),
            "reads_mean": float(reads.mean()),
            "change_mean": float(change[cells.layers == index].mean()),
            "change_max": float(np.abs(change[cells.layers == index]).max()),
        }
        for index, (layer, pulses, reads) in enumerate(rows)
    ]
    levels = [
        {
            "level": level,
            "cells": int(held.sum()),
            "before": float(cells.before[held].mean()),
            "after": float(cells.after[held].mean()),
        }
        for level in range(chip.device.levels)
        if (held := cells.levels == level).any()
    ]
    return {
        "images": drift.images,
        "programmings": drift.programmings,
        "drift_every": chip.device.drift_every,
        "refresh_every": chip.device.refresh_every,
        "acceleration": chip.device.acceleration,
        "layers": layers,
        "levels": levels,
    }
