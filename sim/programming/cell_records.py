"""What the compiled functions of programming take and leave (`sim.programming.cells`), as records."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CellArrays", "Operation", "WriteRule", "Written"]


class CellArrays(NamedTuple):
    """The arrays of a `CellState`."""

    g_S: NDArray[np.float64]
    pulses: NDArray[np.int64]
    reads: NDArray[np.int64]
    load: NDArray[np.int64]
    read_load: NDArray[np.int64]
    seen: NDArray[np.uint16]


class Operation(NamedTuple):
    """One operation of the programming port, see `CellModel.operate`."""

    pulse: bool
    row: int
    column: int
    side: int
    tile_rows: int
    tiles: NDArray[np.bool_]
    up: NDArray[np.bool_]
    amplitudes: NDArray[np.int64]


class WriteRule(NamedTuple):
    """When a cell is done, and how it is written: codes that it may be off, most pulses, amplitudes in eighths."""

    tolerance: int
    tries: int
    smallest: int
    largest: int


class Written(NamedTuple):
    """What programming leaves of every cell: code uint16, pulses of the pass uint8, whether it failed bool."""

    codes: NDArray[np.uint16]
    pulses: NDArray[np.uint8]
    failed: NDArray[np.bool_]
