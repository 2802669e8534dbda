"""Linear cells: not changed by reads, changed by pulses in steps (`sim.programming.cells`, docs/devices.md)."""

from __future__ import annotations

from spikeloom.sim.chip.cell_kinds import CellKind

__all__ = ["Linear"]


class Linear(CellKind):
    """Cells that have any conductance, and move by steps of the pulses' amplitude, with soft bounds if set."""

    name = "linear"
    meaning = "reads do not disturb cells"
    unused = ((("read_polarity", "acceleration", "drift_every", "refresh_every"), "which does not drift"),)
