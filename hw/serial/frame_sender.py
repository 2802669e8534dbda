"""Sends answers: sequence number, status and payload become a frame on the line."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.serial.checksum import Checksum
from spikeloom.hw.serial.protocol import CRC_BYTES, END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE

__all__ = ["FrameSender"]


class FrameSender(wiring.Component):
    """Delimiter, sequence number, status, payload, checksum, delimiter; all but delimiters escaped.

    The payload is written to a memory before. It stays there and may be sent again.

    Parameters
    ----------
    buffer_bytes : size of the memory, a power of two, >= 64

    Members
    -------
    write : In(1), address : In, data : In(8), a byte of the payload; not while `busy`
    start : In(1), send; not while `busy`
    sequence_number, status : In(8), length : In, bytes of the payload; stable while `busy`
    empty : In(1), there is no payload, whatever `length` is; stable while `busy`
    busy : Out(1), a frame is being sent, from the cycle after `start` until its last byte has been taken
    line_data : Out(8), line_valid : Out(1), line_ready : In(1), bytes for the line; one is taken in a cycle with valid
        and ready, at least 10 cycles after the one before: it may change until then
    """

    def __init__(self, *, buffer_bytes: int) -> None:
        self._buffer = memory.MemoryData(shape=8, depth=buffer_bytes, init=[])
        super().__init__(
            {
                "write": In(1),
                "address": In(range(buffer_bytes)),
                "data": In(8),
                "start": In(1),
                "sequence_number": In(8),
                "status": In(8),
                "length": In(range(buffer_bytes)),
                "empty": In(1),
                "busy": Out(1),
                "line_data": Out(8),
                "line_valid": Out(1),
                "line_ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.buffer = buffer = memory.Memory(self._buffer)
        m.submodules.checksum = checksum = Checksum()
        write, read = buffer.write_port(), buffer.read_port()
        position = Signal(range(self._buffer.depth))  # in the payload or the checksum
        # At hand, and as it is in a register a cycle later: the memory's byte has a long way.
        chosen, delimits = Signal(8), Signal()
        byte, delimiter = Signal(8), Signal()
        counted = Signal()  # the checksum covers the byte
        drawn = Signal()  # it is one of the checksum
        ended, passed = Signal(), Signal()  # no byte of the payload is left; there is none at hand
        special, second, advance = Signal(), Signal(), Signal()  # to be escaped; the escape is sent; the byte is sent
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.data),
            write.en.eq(self.write),
            read.addr.eq(position),
            read.en.eq(1),
            special.eq(~delimiter & ((byte == END) | (byte == ESCAPE))),
            self.line_data.eq(byte),
            advance.eq(self.line_valid & self.line_ready & (~special | second)),
            self.line_valid.eq(self.busy & ~passed),
            checksum.next.eq(drawn & advance),
            checksum.data.eq(byte),
            checksum.valid.eq(counted & advance),
            checksum.clear.eq(self.start),
        ]
        m.d.sync += [byte.eq(chosen), delimiter.eq(delimits)]
        with m.If(special):
            m.d.comb += self.line_data.eq(
                Mux(second, Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE), ESCAPE),
            )
        with m.If(self.line_valid & self.line_ready):
            m.d.sync += second.eq(special & ~second)

        with m.FSM() as machine:
            m.d.comb += [
                self.busy.eq(~machine.ongoing("IDLE")),
                ended.eq(self.empty | (position == self.length)),
                passed.eq(machine.ongoing("PAYLOAD") & ended),
            ]
            with m.State("IDLE"):
                m.d.comb += [chosen.eq(END), delimits.eq(1)]
                with m.If(self.start):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.comb += [chosen.eq(END), delimits.eq(1)]
                m.d.sync += position.eq(0)
                with m.If(advance):
                    m.next = "SEQUENCE"
            with m.State("SEQUENCE"):
                m.d.comb += [chosen.eq(self.sequence_number), counted.eq(1)]
                with m.If(advance):
                    m.next = "STATUS"
            with m.State("STATUS"):
                m.d.comb += [chosen.eq(self.status), counted.eq(1)]
                with m.If(advance):
                    m.next = "PAYLOAD"
            with m.State("PAYLOAD"):
                m.d.comb += [chosen.eq(read.data), counted.eq(1)]
                with m.If(ended):
                    m.d.sync += position.eq(0)
                    m.next = "CHECKSUM"
                with m.Elif(advance):
                    m.d.sync += position.eq(position + 1)
            with m.State("CHECKSUM"):
                m.d.comb += [chosen.eq(checksum.value), drawn.eq(1)]
                with m.If(advance):
                    m.d.sync += position.eq(position + 1)
                    with m.If(position[:2] == CRC_BYTES - 1):
                        m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += [chosen.eq(END), delimits.eq(1)]
                with m.If(advance):
                    m.next = "IDLE"
        return m
