"""Cells that hold whole numbers: the integer arithmetic of the crossbar emulator, one compiled function each.

A cell is G = 0 .. top steps of 2^-10 level above G_min, and has a factor D in 1/128, fixed for life:

    D = clip(rint(128 (1 + device_sigma N)), 0, 255), one N per cell for life; 0 for a stuck cell
    pulse of amplitude a, eighths of a level:  G <- clip(G +- a D, 0, top)
    verify read:                               code = min((G + 64) >> 7, 1023)

a D is exact: a / 8 of a level, which is 1024 steps, times D / 128. A code is an eighth of a level, which is 128 steps;
halves round up. The N are those of linear cells' D (`sim.programming.cells`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.device_options import DeviceOptions
from spikeloom.sim.chip.units import CODES_PER_LEVEL, CURRENT_BITS, MAX_VERIFY_CODE
from spikeloom.sim.common.kernels import kernel

__all__ = ["MAX_FACTOR", "ONE", "CellGrid", "cell_grid", "code_of", "factor_of", "grid_numbers", "pulse_on_grid"]

ONE = 128
"""D of a cell whose steps are nominal."""
MAX_FACTOR = 255
"""Largest D, which has 8 bits."""
_STEPS_PER_CODE = (1 << CURRENT_BITS) // CODES_PER_LEVEL


class CellGrid(NamedTuple):
    """The conductances of cells that hold whole numbers: low_S + G unit_S, G = 0 .. top.

    Parameters
    ----------
    low_S, unit_S : conductance of G = 0, and of a step, siemens
    top : largest G
    """

    low_S: float
    unit_S: float
    top: int


def cell_grid(device: DeviceOptions) -> CellGrid:
    """The grid of 2^-10 level from `g_min_S` to `g_max_S`."""
    return CellGrid(device.g_min_S, device.step_S * 2.0**-CURRENT_BITS, (device.levels - 1) << CURRENT_BITS)


def grid_numbers(g_S: NDArray[np.float64], grid: CellGrid) -> NDArray[np.int32]:
    """G of conductances in siemens, int32 of the same shape; beside the grid, the nearest on it."""
    return np.clip(np.rint((g_S - grid.low_S) / grid.unit_S), 0, grid.top).astype(np.int32)


@kernel()
def _number(g: float, grid: CellGrid) -> np.int64:
    """As `grid_numbers`, of one cell."""
    return np.int64(min(max(np.rint((g - grid.low_S) / grid.unit_S), 0.0), float(grid.top)))


@kernel()
def factor_of(spread: float) -> np.int64:
    """D of a cell, from max(0, 1 + device_sigma N)."""
    return np.int64(min(np.rint(ONE * spread), float(MAX_FACTOR)))


@kernel()
def pulse_on_grid(g: float, up: bool, amplitude: int, factor: int, grid: CellGrid) -> float:
    """Conductance after a pulse of `amplitude` eighths of a level, siemens; factor D, grid a `CellGrid`."""
    step = np.int64(amplitude) * np.int64(factor)
    number = _number(g, grid)
    moved = min(number + step, np.int64(grid.top)) if up else max(number - step, np.int64(0))
    return grid.low_S + float(moved) * grid.unit_S


@kernel()
def code_of(g: float, grid: CellGrid) -> np.int64:
    """Code of a verify read, 0 .. MAX_VERIFY_CODE."""
    return min((_number(g, grid) + _STEPS_PER_CODE // 2) // _STEPS_PER_CODE, np.int64(MAX_VERIFY_CODE))
