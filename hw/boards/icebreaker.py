"""iCEBreaker of 1BitSquared: iCE40 UP5K, USB serial port by an FT2232H."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.ice40 import ICE40_ULTRA_PLUS

__all__ = ["Icebreaker"]


class Icebreaker(Board):
    """iCEBreaker V1.0. LED 0 is the red one, LED 1 the green one."""

    name = "icebreaker"
    meaning = "iCEBreaker, with an iCE40 UltraPlus (UP5K)"
    family = ICE40_ULTRA_PLUS
    crystal = "clk12"
    crystal_Hz = 12_000_000
    clock_Hz = 18e6
    baud = 1_000_000
    buffer_bytes = 512
    capacity = Usage(luts=5_280, flip_flops=5_280, carry=5_280, block_rams=30, dsps=8)
    block_ram_bits = 4_096
    pll_pad = True
    busy_led = 1
    error_led = 0
    loader = ("-b", "ice40_generic")

    def platform(self) -> Any:
        """As `Board.platform`."""
        from amaranth_boards.icebreaker import ICEBreakerPlatform

        return ICEBreakerPlatform()
