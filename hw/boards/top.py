"""A board's top: clock and reset, the pins of the serial port, two lamps, and the unit as the text that is exported.

The unit is any component with the ports clk, rst, rx, tx, busy and error. It is an instance of the Verilog that
`hw.export.verilog.export_component` writes, so that what is simulated is what is synthesised.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.clocks import Clock

__all__ = ["RESET_BITS", "UNIT", "UNIT_NAME", "BoardTop"]

UNIT = "spikeloom_board"
"""Module of the unit."""
UNIT_NAME = "unit"
"""Name of its instance, with which all names of cells in it begin."""
RESET_BITS = 12
"""The reset lasts 2^RESET_BITS clock cycles from the PLL's lock on. iCE40's block memories read as zeros in the first
3 us after configuration, which ends within them at any clock up to a gigahertz."""


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
        uart = platform.request("uart", 0, dir=dict.fromkeys(board.unused_lines, "-") or None)
        m.submodules[UNIT_NAME] = Instance(
            UNIT,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_rx=uart.rx.i,
            o_tx=uart.tx.o,
            o_busy=platform.request("led", board.busy_led).o,
            o_error=platform.request("led", board.error_led).o,
        )
        board.add_extras(m, platform)
        return m

    def _add_clock(self, m: Module, platform: Any, clock: Signal) -> None:
        """Drive the clock, and the reset, which lasts until the PLL has locked and some time longer."""
        board, with_pll = self._board, bool(self._clock.settings)
        bare = with_pll and board.pll_pad
        crystal = platform.request(board.crystal, 0, **({"dir": "-"} if bare else {}))
        lock = Signal(name="pll_lock")
        if with_pll:
            board.family.add_pll(m, self._clock, crystal, bare, clock, lock)
        else:
            m.d.comb += [clock.eq(crystal.i), lock.eq(Const(1))]
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
