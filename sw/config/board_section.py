"""The table [board]: the FPGA board that `spikeloom board` makes a bitstream for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from spikeloom.hw.boards.board import TRIES
from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.emulator.shape import ROWS_PER_CYCLE
from spikeloom.sim.common.choices import Choices
from spikeloom.sim.common.units import FREQUENCY
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.sections import Section

__all__ = ["NEEDS", "BoardSection", "board_problems"]

NEEDS = (
    "`board.rows_per_cycle` is 1, 2, 4 or 8; `board.clock_Hz` is a clock that the board's PLL makes (0.1 % apart at "
    "most), and `board.baud` a rate that the clock divides to (2 % apart at most, and a bit of 65,535 cycles at most)"
)
"""What `board_problems` checks, for the manual."""


class BoardSection(Section):
    """The board on which `spikeloom board` puts the chip, its crossbars in block memory: [boards](boards/README.md).

    Other commands do not use it.
    """

    name: Annotated[str, Choices(BOARDS.names, BOARDS.meanings), Field(description="the board")] = "ulx3s-85f"
    clock_Hz: Annotated[
        float, FREQUENCY, Field(ge=0.0, description="clock of the design; 0 is the board's usual one, hertz")
    ] = 0.0
    baud: Annotated[
        int, Field(ge=0, description="rate of the serial port; 0 is the board's usual one, bits per second")
    ] = 0
    rows_per_cycle: Annotated[
        int,
        Field(ge=1, le=ROWS_PER_CYCLE[-1], description="rows of a crossbar that are added up in a clock cycle, rows"),
    ] = 1
    gain: Annotated[
        Literal["fixed", "loaded"],
        Field(description="whether the ADC gains of the chip are part of the design, which is smaller, or loaded"),
    ] = "fixed"
    tries: Annotated[
        int, Field(ge=1, le=100, description="placements that are tried until the clock is met, each with another seed")
    ] = TRIES


def board_problems(config: Any) -> Iterator[str]:
    """A sentence for a number of rows, a clock, or a rate of the serial port, that the board cannot have."""
    table = config.board
    if table.rows_per_cycle not in ROWS_PER_CYCLE:
        yield f"[board] rows_per_cycle must be 1, 2, 4 or 8, not {table.rows_per_cycle}"
    if not table.clock_Hz and not table.baud:
        return
    board = BOARDS[table.name]
    field = "clock_Hz"
    try:
        clock = board.clock(table.clock_Hz or None)
        field = "baud"
        board.clocks_per_bit(clock, table.baud or None)
    except SpikeLoomError as error:
        yield f"[board] {field} {getattr(table, field):.12g}: {error}"
