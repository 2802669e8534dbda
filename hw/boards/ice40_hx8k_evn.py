"""iCE40-HX8K breakout board of Lattice: USB serial port by an FT2232H [FPGA-EB-02031]."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.ice40 import ICE40

__all__ = ["Ice40Hx8kEvn"]


class Ice40Hx8kEvn(Board):
    """ICE40HX8K-B-EVN."""

    name = "ice40-hx8k-evn"
    meaning = "iCE40-HX8K breakout board (ICE40HX8K-B-EVN)"
    family = ICE40
    crystal = "clk12"
    crystal_Hz = 12_000_000
    clock_Hz = 36e6
    baud = 1_000_000
    buffer_bytes = 512
    capacity = Usage(luts=7_680, flip_flops=7_680, carry=7_680, block_rams=32)
    block_ram_bits = 4_096
    loader = ("-b", "ice40_generic")

    def platform(self) -> Any:
        """As `Board.platform`."""
        from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

        return ICE40HX8KBEVNPlatform()
