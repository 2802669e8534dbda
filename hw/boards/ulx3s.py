"""ULX3S: ECP5 with 25,000 to 85,000 look-up tables, USB serial port by an FT231X [Radiona ULX3S manual]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.ecp5 import ECP5
from spikeloom.hw.boards.family import Usage

if TYPE_CHECKING:
    from amaranth.hdl import Module

__all__ = ["Ulx3s25F", "Ulx3s45F", "Ulx3s85F"]

_ESP32 = ("en", "tx", "rx", "gpio0", "gpio5", "gpio16", "gpio17")


class _Ulx3s(Board):
    family = ECP5
    crystal = "clk25"
    crystal_Hz = 25_000_000
    clock_Hz = 50e6
    baud = 1_000_000
    buffer_bytes = 4096  # five images of 784 pixels: while one is recognised, the next comes
    block_ram_bits = 18_432
    loader = ("-b", "ulx3s")

    def add_extras(self, m: Module, platform: Any) -> None:
        """The ESP32 loads the FPGA anew when its GPIO0 is low."""
        from amaranth.hdl import Const

        from spikeloom.hw.boards.top import pad

        lines = platform.request("esp32", 0, dir=dict.fromkeys(_ESP32, "-"))
        m.d.comb += pad(m, "esp32", "o", lines.gpio0).eq(Const(1))


class Ulx3s85F(_Ulx3s):
    """ULX3S with LFE5U-85F."""

    name = "ulx3s-85f"
    meaning = "ULX3S with the largest ECP5 (LFE5U-85F)"
    capacity = Usage(luts=83_640, flip_flops=83_640, carry=83_640, block_rams=208, dsps=156)

    def platform(self) -> Any:
        """As `Board.platform`."""
        from amaranth_boards.ulx3s import ULX3S_85F_Platform

        return ULX3S_85F_Platform()


class Ulx3s45F(_Ulx3s):
    """ULX3S with LFE5U-45F."""

    name = "ulx3s-45f"
    meaning = "ULX3S with a smaller ECP5 (LFE5U-45F)"
    capacity = Usage(luts=43_848, flip_flops=43_848, carry=43_848, block_rams=108, dsps=72)

    def platform(self) -> Any:
        """As `Board.platform`."""
        from amaranth_boards.ulx3s import ULX3S_45F_Platform

        return ULX3S_45F_Platform()


class Ulx3s25F(_Ulx3s):
    """ULX3S with LFE5U-25F."""

    name = "ulx3s-25f"
    meaning = "ULX3S with a small ECP5 (LFE5U-25F)"
    capacity = Usage(luts=24_288, flip_flops=24_288, carry=24_288, block_rams=56, dsps=28)

    def platform(self) -> Any:
        """As `Board.platform`."""
        from amaranth_boards.ulx3s import ULX3S_25F_Platform

        return ULX3S_25F_Platform()
