"""Clock cycles of a crossbar emulator: of reads, which depend on the rows that are driven, and of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.cell_pulses import CELL_CYCLES
from spikeloom.hw.emulator.column_sums import sum_stages
from spikeloom.hw.emulator.converter import converter_stages
from spikeloom.hw.emulator.read_words import READY_CYCLE
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import ceil_div

__all__ = [
    "ReadCycles", "convert_cycles", "line_entries", "operation_cycles", "read_cycles", "row_cycles", "settle_cycles",
]  # fmt: skip


@dataclass(frozen=True)
class ReadCycles:
    """A read of a crossbar, as `hw.params.window_cycles.Macro` counts.

    settle : cycle of the drive, its first one is 1, in which `sampled` is first up
    convert : for every column group, cycles from the first cycle of `convert` to the one with `done`
    """

    settle: int
    convert: tuple[int, ...]

    @property
    def conversions(self) -> int:
        """Cycles of all conversions, if each begins in the cycle after the one before."""
        return sum(self.convert) + len(self.convert)


def line_entries(shape: EmulatorShape, row_codes: NDArray[np.integer[Any]]) -> list[int]:
    """Entries of the list for every line, of row codes [inputs]: driven words, and the ends of row tiles."""
    p = shape.parameters
    counts: list[int] = []
    for start in range(0, p.inputs, p.tile_rows):
        rows = min(p.tile_rows, p.inputs - start)
        words = np.unique(np.flatnonzero(row_codes[start : start + rows]) // shape.rows_per_cycle)
        lines = ceil_div(rows, shape.line_words * shape.rows_per_cycle)
        of_lines = np.bincount(words // shape.line_words, minlength=lines)
        if any(counts) and words.size:
            of_lines[words[0] // shape.line_words] += 1
        counts += of_lines.tolist()
    return counts


def convert_cycles(shape: EmulatorShape, entries: int) -> tuple[int, ...]:
    """Cycles of the conversions of all column groups, one right after the other: see `ReadCycles`.

    Group j is read in cycles s_j .. e_j, e_j = s_j + entries, and its codes are there in cycle e_j + L. It is asked for
    from cycle c_j on, the one after group j - 1 was done. Group j + 1 is read after both: s_j+1 = max(e_j, c_j) + 1.
    """
    latency = sum_stages(shape) + converter_stages(shape)
    waits: list[int] = []
    asked = reads = 0
    for _ in range(shape.parameters.groups):
        end = reads + entries
        done = max(end + latency, asked)
        waits.append(done - asked)
        asked, reads = done + 1, max(end, asked) + 1
    return tuple(waits)


def read_cycles(shape: EmulatorShape, entries: Sequence[int]) -> ReadCycles:
    """A read with so many entries for each line (`line_entries`)."""
    return ReadCycles(int(settle_cycles(shape, np.array([entries]))[0]), convert_cycles(shape, sum(entries)))


def settle_cycles(shape: EmulatorShape, entries: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """`ReadCycles.settle` of reads with so many entries for each line, [reads, lines]: int64 [reads].

    Every line takes a cycle, or one for each entry; with noise, the read's random words have to be there, too.
    """
    settle: NDArray[np.int64] = 2 + np.maximum(entries, 1).sum(axis=1, dtype=np.int64)
    return np.maximum(settle, READY_CYCLE) if shape.noise else settle


def row_cycles(shape: EmulatorShape, row_codes: NDArray[np.integer[Any]]) -> ReadCycles:
    """A read of these row codes, [inputs]."""
    return read_cycles(shape, line_entries(shape, row_codes))


def operation_cycles(tiles: int) -> int:
    """Cycles of a pulse or a verify read on so many row tiles, the one with `program_done` included."""
    return CELL_CYCLES * tiles + 2
