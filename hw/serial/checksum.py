"""CRC-32 of a frame, bit by bit: there is far more time between two bytes than it takes."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Checksum"]

_POLYNOMIAL = 0xEDB88320  # of IEEE 802.3, lowest bit first
_RESIDUE = 0xDEBB20E3  # what is left behind a message and its checksum


class Checksum(wiring.Component):
    """The CRC-32 that `zlib.crc32` computes.

    Members
    -------
    clear : In(1), begin a new message; not while a byte is being worked on
    data : In(8), valid : In(1), the next byte; 9 cycles after the one before at the earliest
    next : In(1), the checksum's next byte is asked for; as far from others as `valid`
    value : Out(8), the first byte of the message's checksum, or the one behind those that `next` was given for
    good : Out(1), the message so far ends with its checksum, lowest byte first

    Both are stable from the 9th cycle after the last `valid` or `next` on.
    """

    def __init__(self) -> None:
        super().__init__(
            {"clear": In(1), "data": In(8), "valid": In(1), "next": In(1), "value": Out(8), "good": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        byte = Signal(8)
        left = Signal(range(9))  # bits of the byte
        divides = Signal()  # the byte is one of the message
        works = Signal()
        m.d.comb += [
            works.eq(left != 0),
            self.value.eq(~register),
            self.good.eq(register == _RESIDUE),
        ]
        with m.If(works):
            feedback = (register[0] ^ byte[0]) & divides
            m.d.sync += [
                register.eq(Cat(register[1:], 0) ^ Mux(feedback, Const(_POLYNOMIAL, 32), 0)),
                byte.eq(byte >> 1),
                left.eq(left - 1),
            ]
        with m.If(self.clear):
            m.d.sync += register.eq(0xFFFFFFFF)
        with m.If(self.valid | self.next):
            m.d.sync += [byte.eq(self.data), left.eq(8), divides.eq(self.valid)]
        return m
