"""Host side of a layer's programmer: targets, results, start, counts, and the settings of all programmers."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.crossbar_port import AMPLITUDE_BITS, CELL_CODE_BITS
from spikeloom.hw.interfaces.layouts import word_layout
from spikeloom.hw.params.parameters import LayerParameters

__all__ = [
    "MAX_TARGETS",
    "PROGRAM_COUNT_BITS",
    "RESULT_WORD",
    "START_WORD",
    "TARGET_WORD",
    "TRIES_BITS",
    "ProgramSettingsSignature",
    "ProgrammerHostSignature",
]

MAX_TARGETS = 4096
"""Most words of a layer's buffer of targets, one cell pair each: a column group in all row tiles, lanes * row_tiles."""

PROGRAM_COUNT_BITS = 32
TRIES_BITS = 8

TARGET_WORD = word_layout([("p", 0, CELL_CODE_BITS), ("n", 16, CELL_CODE_BITS)])
"""A target: codes of the positive and the negative cell of a pair, in 1/8 of a level."""
RESULT_WORD = word_layout([("code", 0, CELL_CODE_BITS), ("pulses", 16, TRIES_BITS), ("failed", 31, 1)])
"""What programming left of a cell: code of the last verify read, pulses given, given up."""
START_WORD = word_layout([("row", 0, 16), ("group", 16, 16)])
"""A start: row in the tiles, and column group."""


class ProgramSettingsSignature(wiring.Signature):
    """Settings that all programmers share, as seen from the host; changed only while no programmer is busy.

    Members
    -------
    window : Out(8), tolerance, the largest distance from the target that is accepted, in 1/8 of a level
    tries : Out(8), most pulses a cell gets; 0 only reads
    amplitude_min, amplitude_max : Out(8), bounds of a pulse's amplitude, in 1/8 of a level; the upper one wins
    """

    def __init__(self) -> None:
        amplitudes = {name: Out(AMPLITUDE_BITS) for name in ("amplitude_min", "amplitude_max")}
        super().__init__({"window": Out(AMPLITUDE_BITS), "tries": Out(TRIES_BITS), **amplitudes})


class ProgrammerHostSignature(wiring.Signature):
    """One layer's programmer, as seen from the host.

    Members
    -------
    target_write : write port of the buffer of targets (index, value, enable); no effect while busy. Index
        lane * row_tiles + tile; value: TARGET_WORD
    result_index : Out, (lane * row_tiles + tile) * 2 + side
    result : In(32), in the same cycle: RESULT_WORD; 0 of a lane that no start since the reset has reached
    start : Out(1), program the cells of a row and a column group; no effect while busy
    start_row : Out(16), row in the tile, of all row tiles
    start_group : Out(16), column group. A row or a group that does not exist: nothing is done
    busy : In(1), from the cycle after `start` until all is done
    pulses, verify_reads, failed_cells : In(32), since `clear_counts`: pulses and verify reads, counted per tile, and
        cells that were given up; each includes a cell from two cycles after its result is stored, the last one from
        the second cycle on that is not `busy`, and stops at 2^32 - 1
    clear_counts : Out(1), start over with what is stored in this cycle; `pulses` and the others do two cycles later

    Raises
    ------
    ValueError : lanes * row_tiles exceeds MAX_TARGETS
    """

    def __init__(self, parameters: LayerParameters) -> None:
        words = parameters.lanes * parameters.row_tiles
        if words > MAX_TARGETS:
            raise SpikeLoomError(f"Programmer's lanes * row tiles must be at most {MAX_TARGETS}, not {words}")
        write = {"index": Out(range(max(2, words))), "value": Out(32), "enable": Out(1)}
        super().__init__(
            {
                "target_write": Out(wiring.Signature(write)),
                "result_index": Out(range(2 * words)),
                "result": In(32),
                "start": Out(1),
                "start_row": Out(16),
                "start_group": Out(16),
                "busy": In(1),
                **{name: In(PROGRAM_COUNT_BITS) for name in ("pulses", "verify_reads", "failed_cells")},
                "clear_counts": Out(1),
            }
        )
