"""The table [board]: the FPGA board that `spikeloom board` makes a bitstream for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spikeloom.hw.boards.board import TRIES
from spikeloom.hw.boards.boards import BOARDS
from spikeloom.sim.common.choices import Choices
from spikeloom.sim.common.units import FREQUENCY
from spikeloom.sw.config.sections import Section

__all__ = ["BoardSection"]


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
        Field(ge=1, le=64, description="rows of a crossbar that are added up in a clock cycle, rows"),
    ] = 1
    gain: Annotated[
        Literal["fixed", "loaded"],
        Field(description="whether the ADC gains of the chip are part of the design, which is smaller, or loaded"),
    ] = "fixed"
    tries: Annotated[
        int, Field(ge=1, le=100, description="placements that are tried until the clock is met, each with another seed")
    ] = TRIES
