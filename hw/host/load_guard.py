"""Load session: images are accepted only after a complete and undamaged load for this build."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

__all__ = ["Checksum", "LoadGuard"]


class _State(enum.IntEnum):
    EMPTY = 0  # nothing is loaded, or what is must not be trusted
    LOADING = 1  # between load_begin and load_end
    LOADED = 2  # image frames are taken


class Checksum(wiring.Component):
    """CRC-32 (that of zlib and Ethernet) over words of 8 bytes, lowest byte first.

    Members
    -------
    start : In(1), start over; a word of the same cycle is the first
    valid : In(1), add `data` in this cycle
    data : In(64)
    crc : Out(32), of the words of all cycles before this one
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "valid": In(1), "data": In(64), "crc": Out(32)})

    def elaborate(self, platform: object) -> Elaboratable:
        """The circuit."""
        processor = catalog.CRC32_ISO_HDLC(data_width=64).create()
        processor.start, processor.valid, processor.data, processor.crc = self.start, self.valid, self.data, self.crc
        return processor


class LoadGuard(wiring.Component):
    """Opens a load session for the right build, and completes it for the right checksum.

    States: EMPTY -> LOADING -> LOADED. `load_begin` with this build's number opens a session, whatever was before; with
    another number everything counts as lost (EMPTY). `load_end` with the checksum of the session's writes completes it;
    with another one everything counts as lost. A session without any access of the bus for `timeout` cycles, while no
    programmer works, is given up. `load_begin` is refused while an image is being processed, `load_end` outside of a
    session, and both while a programmer is busy: nothing changes.

    The checksum is the CRC-32 of 8 bytes per write, in the order of the bus: address, then data, lowest byte first.

    Parameters
    ----------
    build : number of this build, 32 bits (`hw.host.register_map.build_id`)
    programmer : whether there are programmers; without, nothing is ever being programmed

    Members
    -------
    load_begin, load_end : In(1), a write to that register is made in this cycle; never both
    value : In(32), its word
    counted : In(1), a write that the checksum covers is made in this cycle
    address, data : In(32), of that write
    access : In(1), any access of the bus is made in this cycle
    busy : In(1), an image is being processed
    programming : In(1), a programmer is busy; only with programmers
    timeout : In(32), clock cycles, 0 is off
    opens : Out(1), a session opens with this cycle: counts start over
    loading : Out(1), a session is open
    loaded : Out(1), a session was completed
    checksum : Out(32), of the writes of the open session so far, or of the last one
    refused, wrong_build, wrong_checksum, timed_out : Out(1), causes of error flags, in the cycle they happen; the first
        three are the answer to the write of that cycle

    Cycles: everything takes effect with the next cycle.
    """

    def __init__(self, *, build: int, programmer: bool = True) -> None:
        self._build = build
        self._programmer = programmer
        super().__init__(
            {
                "load_begin": In(1),
                "load_end": In(1),
                "value": In(32),
                "counted": In(1),
                "address": In(32),
                "data": In(32),
                "access": In(1),
                "busy": In(1),
                **({"programming": In(1)} if programmer else {}),
                "timeout": In(32),
                "opens": Out(1),
                "loading": Out(1),
                "loaded": Out(1),
                "checksum": Out(32),
                "refused": Out(1),
                "wrong_build": Out(1),
                "wrong_checksum": Out(1),
                "timed_out": Out(1),
            }
        )

    @property
    def build(self) -> int:
        """Number of the build."""
        return self._build

    @property
    def programmer(self) -> bool:
        """Whether there are programmers."""
        return self._programmer

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.crc32 = crc = Checksum()
        state = Signal(_State)
        quiet = Signal(32)  # cycles since the last access; a session opens with one
        longer = quiet + 1
        # those that are not refused
        begin = Signal()
        end = Signal()
        begins, ends, still = self.load_begin & ~self.busy, self.load_end & self.loading, ~self.access
        if self._programmer:
            rests = ~self.programming
            begins, ends, still = begins & rests, ends & rests, still & rests

        m.d.comb += [
            self.loading.eq(state == _State.LOADING),
            self.loaded.eq(state == _State.LOADED),
            begin.eq(begins),
            end.eq(ends),
            self.refused.eq((self.load_begin & ~begin) | (self.load_end & ~end)),
            self.opens.eq(begin & (self.value == self._build)),
            self.wrong_build.eq(begin & (self.value != self._build)),
            self.wrong_checksum.eq(end & (self.value != self.checksum)),
            self.timed_out.eq(self.loading & (self.timeout != 0) & (longer >= self.timeout) & still),
            crc.start.eq(self.opens),
            crc.valid.eq(self.counted & self.loading),
            crc.data.eq(Cat(self.address, self.data)),
            self.checksum.eq(crc.crc),
        ]
        m.d.sync += quiet.eq(longer)
        with m.If(~still):
            m.d.sync += quiet.eq(0)
        with m.If(self.timed_out):
            m.d.sync += state.eq(_State.EMPTY)
        with m.If(end):
            m.d.sync += state.eq(_State.LOADED)
        with m.If(self.wrong_build | self.wrong_checksum):
            m.d.sync += state.eq(_State.EMPTY)
        with m.If(self.opens):
            m.d.sync += state.eq(_State.LOADING)
        return m
