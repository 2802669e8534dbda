"""Takes frames apart: a whole one is held in a memory until it has been carried out, all others are only counted."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.serial.checksum import Checksum
from spikeloom.hw.serial.protocol import CRC_BYTES, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE, OVERHEAD_BYTES

__all__ = ["FrameReceiver"]


class FrameReceiver(wiring.Component):
    """Bytes of the line to the body of a frame: sequence number, operation, payload.

    What stands between two delimiters is one of

    - nothing: passed over
    - a whole frame: has its checksum and at most `buffer_bytes` bytes with it. It is held until `free`
    - broken: anything else, also a byte with a wrong stop bit
    - lost: a part of it came while a frame was held; whatever it was

    Parameters
    ----------
    buffer_bytes : size of the memory, a power of two, >= 64

    Members
    -------
    data : In(8), valid : In(1), error : In(1), see `UartReceiver`; at least 10 cycles from one byte to the next
    whole : Out(1), a frame is held
    length : Out, its bytes without the checksum, while `whole`
    request_address : In, number of one of its bytes; request_byte : Out(8), that byte, two cycles later
    free : In(1), the frame that is held is no longer needed
    broken, lost : Out(1), a broken or lost frame has ended; for one cycle
    """

    def __init__(self, *, buffer_bytes: int) -> None:
        self._buffer = memory.MemoryData(shape=8, depth=buffer_bytes, init=[])
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "error": In(1),
                "whole": Out(1),
                "length": Out(range(buffer_bytes + 1)),
                "request_address": In(range(buffer_bytes)),
                "request_byte": Out(8),
                "free": In(1),
                "broken": Out(1),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        depth = self._buffer.depth
        m.submodules.buffer = buffer = memory.Memory(self._buffer)
        m.submodules.checksum = checksum = Checksum()
        write, read = buffer.write_port(), buffer.read_port()
        m.d.comb += [read.addr.eq(self.request_address), read.en.eq(1)]
        m.d.sync += self.request_byte.eq(read.data)

        count = Signal(range(depth + 1))  # bytes in the memory
        escaped = Signal()
        bad = Signal()  # the frame that comes is broken
        late = Signal()  # the frame that comes is lost
        open_ = Signal()
        is_full = count[-1]
        is_end, is_escape, stores, good = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            open_.eq(~self.whole & ~late),
            is_end.eq(self.valid & (self.data == END)),
            is_escape.eq((self.data == ESCAPE) & ~escaped),
            stores.eq(self.valid & open_ & ~is_end & ~is_escape),
            write.addr.eq(count),
            write.data.eq(Mux(escaped, Mux(self.data == ESCAPED_END, END, ESCAPE), self.data)),
            write.en.eq(stores & ~is_full),
            checksum.data.eq(write.data),
            checksum.valid.eq(write.en),
            checksum.clear.eq(is_end | self.free),
            good.eq(checksum.good & ~bad & ~escaped & (count >= OVERHEAD_BYTES)),
            self.broken.eq(is_end & open_ & ~good & (bad | escaped | (count != 0))),
            self.lost.eq(is_end & late),
        ]
        m.d.sync += self.length.eq(count - CRC_BYTES)  # there are many cycles between the last byte and END
        with m.If(self.valid & open_):
            m.d.sync += escaped.eq(is_escape & ~is_end)
        with m.If(stores):
            with m.If(~is_full):
                m.d.sync += count.eq(count + 1)
            with m.If(is_full | (escaped & (self.data != ESCAPED_END) & (self.data != ESCAPED_ESCAPE))):
                m.d.sync += bad.eq(1)
        with m.If(self.error & open_):
            m.d.sync += bad.eq(1)
        with m.If(is_end & open_):
            m.d.sync += [bad.eq(0), self.whole.eq(good)]
            with m.If(~good):
                m.d.sync += count.eq(0)
        with m.If(self.whole & (self.error | (self.valid & ~is_end))):
            m.d.sync += late.eq(1)
        with m.If(is_end):
            m.d.sync += late.eq(0)
        with m.If(self.free):
            m.d.sync += [self.whole.eq(0), count.eq(0)]
        return m
