"""Clock cycles of a crossbar emulator: of its reads, which depend on the rows that are driven, and of its operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.cell_pulses import CELL_CYCLES
from spikeloom.hw.emulator.column_sums import sum_stages
from spikeloom.hw.emulator.converter import converter_stages
from spikeloom.hw.emulator.shape import EmulatorShape

__all__ = ["ReadCycles", "line_words", "operation_cycles", "read_cycles", "row_cycles"]


@dataclass(frozen=True)
class ReadCycles:
    """A read of a crossbar, as `hw.params.window_cycles.Macro` counts.

    settle : cycle of the drive, its first one is 1, in which `sampled` is first up
    convert : cycles from the first cycle of `convert` to the one with `done`, the same for every column group
    """

    settle: int
    convert: int


def line_words(shape: EmulatorShape, row_codes: NDArray[np.integer]) -> list[int]:
    """Driven words of every line, of row codes [inputs]."""
    p = shape.parameters
    counts = []
    for start in range(0, p.inputs, p.tile_rows):
        tile = np.flatnonzero(row_codes[start : min(start + p.tile_rows, p.inputs)])
        words = np.unique(tile // shape.rows_per_cycle)
        rows = min(p.tile_rows, p.inputs - start)
        lines = -(-rows // (shape.line_words * shape.rows_per_cycle))
        counts += np.bincount(words // shape.line_words, minlength=lines).tolist()
    return counts


def read_cycles(shape: EmulatorShape, words: Sequence[int]) -> ReadCycles:
    """A read with so many driven words in each line (`line_words`)."""
    settle = 2 + sum(max(1, count) for count in words)
    return ReadCycles(settle, sum(words) + sum_stages(shape) + converter_stages(shape))


def row_cycles(shape: EmulatorShape, row_codes: NDArray[np.integer]) -> ReadCycles:
    """A read of these row codes, [inputs]."""
    return read_cycles(shape, line_words(shape, row_codes))


def operation_cycles(tiles: int) -> int:
    """Cycles of a pulse or a verify read on so many row tiles, the one with `program_done` included."""
    return CELL_CYCLES * tiles + 2
