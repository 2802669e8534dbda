"""Memristor cells that answer programming pulses and verify reads: one compiled function for each.

A cell has a conductance G that an up pulse raises and a down pulse lowers; nothing sets it at once:

    up    G <- min(G_max, G + a dG pulse_up   (1 - soft_bounds x)       D P)     x = (G - G_min) / (G_max - G_min)
    down  G <- max(G_min, G - a dG pulse_down (1 - soft_bounds (1 - x)) D P)
    D = max(0, 1 + device_sigma Nd), one Nd a cell for life        P = max(0, 1 + pulse_sigma N), one N a pulse
    verify read: code = clip(rint((G (1 + read_sigma N) - G_min) / dG * 8), 0, 1023), one N a read

with amplitude a in levels (a whole number of eighths). Stuck cells answer reads and never move. The k-th pulse or read
of a cell's life has its own draw, so a cell's history does not depend on what its neighbours do, nor on the order in
which cells are programmed. Sources and ranges: docs/devices.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.config import Device

__all__ = ["CellModel", "CellState"]


@dataclass(frozen=True, eq=False)
class CellState:
    """What the cells of a layer remember; every array is [2, inputs, outputs], side 0 the p and 1 the n cell.

    Parameters
    ----------
    g_S : float64, conductances, siemens, without IR drop; changed in place by pulses
    pulses, reads : int64, programming pulses and verify reads of the cell's life
    load, read_load : int64, sum over those pulses, or reads, of rint(G / dG * 2^10) before the pulse; for the energy
    """

    g_S: NDArray[np.float64]
    pulses: NDArray[np.int64]
    reads: NDArray[np.int64]
    load: NDArray[np.int64]
    read_load: NDArray[np.int64]

    def copy(self) -> CellState:
        """The same cells, to be changed apart."""
        return CellState(
            self.g_S.copy(), self.pulses.copy(), self.reads.copy(), self.load.copy(), self.read_load.copy()
        )


class CellModel:
    """What never changes about the cells of layer `layer`: device, spread, stuck cells, address of the draws."""

    def __init__(self, device: Device, inputs: int, outputs: int, seed: int, layer: int) -> None:
        self.device = device

    def fresh(self) -> CellState:
        """Cells as they leave the fab: at G_min, stuck ones at their place, without pulses or reads."""
        raise NotImplementedError

    def pulse(self, state: CellState, side: int, row: int, column: int, up: bool, amplitude: int) -> None:
        """One pulse of `amplitude` eighths of a level on one cell of `state`, in place."""
        raise NotImplementedError

    def verify(self, state: CellState, side: int, row: int, column: int) -> int:
        """Code, 0 .. 1023, of one verify read of one cell; books it in `state`."""
        raise NotImplementedError
