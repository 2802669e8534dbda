"""A unit with the ports of a board's: it sends back every byte it receives, and the number of bytes after it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out


class Receiver(Component):
    """`valid` for a cycle with a byte of 8N1."""

    def __init__(self, clocks: int) -> None:
        super().__init__({"rx": In(1), "value": Out(8), "valid": Out(1)})
        self._clocks = clocks

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        first, line = Signal(init=1), Signal(init=1)
        m.d.sync += [first.eq(self.rx), line.eq(first)]
        left, bits = Signal(range(2 * self._clocks)), Signal(range(11))
        m.d.sync += self.valid.eq(0)
        with m.If(bits == 0):
            with m.If(~line):
                m.d.sync += [bits.eq(9), left.eq(self._clocks + self._clocks // 2 - 1)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += [left.eq(self._clocks - 1), bits.eq(bits - 1)]
            with m.If(bits == 1):
                m.d.sync += self.valid.eq(line)
            with m.Else():
                m.d.sync += self.value.eq(Cat(self.value[1:], line))
        return m


class Sender(Component):
    """Sends a byte when `start` is high and `busy` is not."""

    def __init__(self, clocks: int) -> None:
        super().__init__({"value": In(8), "start": In(1), "busy": Out(1), "tx": Out(1, init=1)})
        self._clocks = clocks

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        frame, bits, left = Signal(9), Signal(range(11)), Signal(range(self._clocks))
        m.d.comb += self.busy.eq(bits != 0)
        with m.If(bits == 0):
            m.d.sync += self.tx.eq(1)
            with m.If(self.start):
                m.d.sync += [self.tx.eq(0), frame.eq(Cat(self.value, Const(1, 1))), bits.eq(10)]
                m.d.sync += left.eq(self._clocks - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += [left.eq(self._clocks - 1), bits.eq(bits - 1)]
            m.d.sync += [self.tx.eq(frame[0]), frame.eq(Cat(frame[1:], Const(1, 1)))]
        return m


class StandIn(Component):
    """The unit. Bytes go through a memory of 512 words, so that the design has a block memory.

    clocks : clock cycles of a bit
    words : of the memory
    """

    shapes = ()  # it has no crossbars

    def __init__(self, clocks: int, words: int = 512) -> None:
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1), "error": Out(1)})
        self._clocks = clocks
        self._words = words

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.receiver = receiver = Receiver(self._clocks)
        m.submodules.sender = sender = Sender(self._clocks)
        m.submodules.store = store = memory.Memory(shape=8, depth=self._words, init=[])
        write, read = store.write_port(), store.read_port()
        count, state = Signal(8), Signal(2)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            write.addr.eq(count),
            write.data.eq(receiver.value),
            write.en.eq(receiver.valid & (state == 0)),
            read.addr.eq(count),
            read.en.eq(1),
            sender.value.eq(Mux(state == 3, count, read.data)),
            sender.start.eq(state[1]),
            self.tx.eq(sender.tx),
            self.busy.eq(sender.busy),
            self.error.eq(receiver.valid & (state != 0)),
        ]
        with m.If(state == 0):
            m.d.sync += state.eq(receiver.valid)
        with m.Elif(state == 1):
            m.d.sync += state.eq(2)
        with m.Elif(~sender.busy):
            m.d.sync += state.eq(state + 1)
            with m.If(state == 2):
                m.d.sync += count.eq(count + 1)
        return m
