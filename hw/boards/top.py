"""A board's top: clock and reset, the pins of the serial port, two lamps, and the unit as the text that is exported.

The unit is any component with the ports clk, rst, rx, tx, busy and error. It is an instance of the Verilog that
`hw.export.verilog.export_component` writes, so that what is simulated is what is synthesised.
"""

from __future__ import annotations

from typing import Any

from amaranth.build import Subsignal
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.clocks import Clock

__all__ = ["RESET_BITS", "UNIT", "UNIT_NAME", "BoardTop", "pad"]

UNIT = "spikeloom_board"
"""Module of the unit."""
UNIT_NAME = "unit"
"""Name of its instance, with which all names of cells in it begin."""
RESET_BITS = 12
"""The reset lasts 2^RESET_BITS clock cycles from the PLL's lock on. iCE40's block memories read as zeros in the first
3 us after configuration, which ends within them at any clock up to a gigahertz."""


def pad(m: Module, name: str, direction: str, pin: Any) -> Any:
    """A pin's buffer, which becomes a part of the module; returns the signal on the inner side.

    direction : "i" or "o"
    pin : as `platform.request(..., dir="-")` gives it
    """
    m.submodules[f"pad_{name}"] = buffer = io.Buffer(direction, pin)
    return buffer.i if direction == "i" else buffer.o


class BoardTop(Elaboratable):
    """The top of a design for a board.

    Parameters
    ----------
    board, clock : Board and Clock of it
    """

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def elaborate(self, platform: Any) -> Module:
        """The module; `platform` is that of the board."""
        board = self._board
        m = Module()
        m.domains.sync = ClockDomain()
        clock = Signal(name="board_clock")
        m.d.comb += ClockSignal().eq(clock)
        self._add_clock(m, platform, clock)
        lines = [line.name for line in platform.lookup("uart", 0).ios if isinstance(line, Subsignal)]
        uart = platform.request("uart", 0, dir=dict.fromkeys(lines, "-"))
        m.submodules[UNIT_NAME] = Instance(
            UNIT,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_rx=pad(m, "rx", "i", uart.rx),
            o_tx=pad(m, "tx", "o", uart.tx),
            o_busy=pad(m, "busy", "o", platform.request("led", board.busy_led, dir="-")),
            o_error=pad(m, "error", "o", platform.request("led", board.error_led, dir="-")),
        )
        board.add_extras(m, platform)
        return m

    def _add_clock(self, m: Module, platform: Any, clock: Signal) -> None:
        """Drive the clock, and the reset, which lasts until the PLL has locked and some time longer."""
        board = self._board
        pin = platform.request(board.crystal, 0, dir="-")
        lock = Signal(name="pll_lock")
        if not self._clock.settings:
            m.d.comb += [clock.eq(pad(m, "crystal", "i", pin)), lock.eq(Const(1))]
        elif board.pll_pad:
            board.family.add_pll(m, self._clock, pin.io, True, clock, lock)
        else:
            board.family.add_pll(m, self._clock, pad(m, "crystal", "i", pin), False, clock, lock)
        m.domains.start = ClockDomain(local=True, reset_less=True)
        m.d.comb += ClockSignal("start").eq(clock)
        locked = Signal(2)
        count = Signal(RESET_BITS)
        running = Signal()
        m.d.start += locked.eq(Cat(lock, locked))
        with m.If(~locked[1]):
            m.d.start += [count.eq(0), running.eq(0)]
        with m.Elif(~running):
            m.d.start += Cat(count, running).eq(count + 1)
        m.d.comb += ResetSignal().eq(~running)
