"""Asynchronous serial line: a start bit, eight data bits with the lowest first, a stop bit; no parity."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.serial.protocol import MOST_CLOCKS

__all__ = ["FEWEST_CLOCKS", "UartReceiver", "UartTransmitter", "checked_clocks"]

FEWEST_CLOCKS = 4
"""Fewest clock cycles of a bit."""
_LAST_BIT = 9  # start bit 0, data bits 1 .. 8, stop bit 9


def checked_clocks(clocks_per_bit: object) -> int:
    """`clocks_per_bit`; SpikeLoomError if it is not an integer from 4 to 65,535."""
    if isinstance(clocks_per_bit, bool) or not isinstance(clocks_per_bit, int):
        raise ArgumentTypeError(f"clocks_per_bit must be an integer, not {clocks_per_bit!r}")
    if not FEWEST_CLOCKS <= clocks_per_bit <= MOST_CLOCKS:
        raise SpikeLoomError(
            f"clocks_per_bit must be from {FEWEST_CLOCKS} to {MOST_CLOCKS}, not {clocks_per_bit}: choose another baud "
            "rate"
        )
    return clocks_per_bit


class UartReceiver(wiring.Component):
    """Takes bytes from the line; each bit is sampled once, in its middle.

    A start bit that is over before its middle is no byte. After a stop bit that is low (another baud rate, noise, a
    line that was cut) the line must be high before another byte begins.

    Parameters
    ----------
    clocks_per_bit : >= 4; with 4 the baud rates of both sides may differ by 2.5 %, with 8 and more by 4 %

    Members
    -------
    rx : In(1), the line, not synchronous to the clock
    data : Out(8), the byte
    valid : Out(1), a byte was received, for one cycle
    error : Out(1), a byte's stop bit was low, for one cycle
    idle : Out(1), no byte is being received

    Raises
    ------
    TypeError, ValueError : clocks_per_bit is not an integer from 4 to 65,535
    """

    def __init__(self, *, clocks_per_bit: int) -> None:
        self._clocks_per_bit = checked_clocks(clocks_per_bit)
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1), "error": Out(1), "idle": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        clocks = self._clocks_per_bit
        first, line = Signal(init=1), Signal(init=1)  # the two flip-flops of the synchroniser
        active = Signal()
        held_low = Signal()  # since a stop bit that was low
        timer = Signal(range(clocks))  # cycles to the next sample
        bit = Signal(range(_LAST_BIT + 1))  # which is that of
        sampled, stopped = Signal(), Signal()
        m.d.sync += [first.eq(self.rx), line.eq(first), timer.eq(timer - 1)]
        m.d.comb += [
            sampled.eq(active & (timer == 0)),
            stopped.eq(sampled & (bit == _LAST_BIT)),
            self.valid.eq(stopped & line),
            self.error.eq(stopped & ~line),
            self.idle.eq(~active & line & first),
        ]
        with m.If(~active):
            m.d.sync += [timer.eq((clocks - 1) // 2 - 1), bit.eq(0), active.eq(~line & ~held_low)]
            with m.If(line):
                m.d.sync += held_low.eq(0)
        with m.Elif(sampled):
            m.d.sync += [timer.eq(clocks - 1), bit.eq(bit + 1)]
            with m.If(stopped | ((bit == 0) & line)):
                m.d.sync += [active.eq(0), held_low.eq(~line)]
            with m.Else():
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
        return m


class UartTransmitter(wiring.Component):
    """Puts bytes on the line.

    Parameters
    ----------
    clocks_per_bit : >= 4

    Members
    -------
    i : In(stream of 8 bits)
    tx : Out(1), the line, a register; high when idle
    idle : Out(1), nothing is being sent

    Cycles: a byte is taken every 10 clocks_per_bit + 1 cycles.

    Raises
    ------
    TypeError, ValueError : clocks_per_bit is not an integer from 4 to 65,535
    """

    def __init__(self, *, clocks_per_bit: int) -> None:
        self._clocks_per_bit = checked_clocks(clocks_per_bit)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1), "idle": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        clocks = self._clocks_per_bit
        active = Signal()
        rest = Signal(8)  # bits behind the one on the line, the next one lowest; ones from above
        bit = Signal(range(_LAST_BIT + 1))  # on the line
        timer = Signal(range(clocks))
        m.d.comb += [self.i.ready.eq(~active), self.idle.eq(~active)]
        with m.If(~active):
            m.d.sync += [timer.eq(clocks - 1), bit.eq(0)]
            with m.If(self.i.valid):
                m.d.sync += [active.eq(1), rest.eq(self.i.payload), self.tx.eq(0)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(clocks - 1), bit.eq(bit + 1), self.tx.eq(rest[0]), rest.eq(Cat(rest[1:], 1))]
            with m.If(bit == _LAST_BIT):
                m.d.sync += active.eq(0)
        return m
