"""Load session: the checksum is zlib's, and LOADED means a session of the right build, whole, without a gap."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.host.load_guard import Checksum, LoadGuard
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches

BUILD = 0x1234ABCD


def test_checksum_is_that_of_zlib() -> None:
    rng = random.Random(1)
    dut = Checksum()

    async def bench(ctx):
        for _ in range(5):
            written = b""
            for number in range(rng.randrange(6)):
                address, data = rng.getrandbits(32), rng.getrandbits(32)
                written += struct.pack("<II", address, data)
                ctx.set(dut.data, data << 32 | address)
                ctx.set(dut.valid, 1)
                ctx.set(dut.start, number == 0)
                await ctx.tick()
                ctx.set(dut.valid, 0)
            if not written:
                ctx.set(dut.start, 1)
                await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.data, rng.getrandbits(64))
            await ctx.tick()
            assert ctx.get(dut.crc) == zlib.crc32(written)

    simulate(dut, bench)


class Expected:
    """The session in plain integers."""

    def __init__(self) -> None:
        self.state, self.quiet, self.written, self.sum = "EMPTY", 0, b"", 0

    def cycle(self, given: dict[str, int]) -> dict[str, int]:
        """What comes out in a cycle with these inputs; goes on to the next one."""
        free = not given["busy"] and not given["programming"]
        begin = given["load_begin"] and free
        end = given["load_end"] and self.state == "LOADING" and not given["programming"]
        still = not given["access"] and not given["programming"]
        late = self.state == "LOADING" and given["timeout"] and self.quiet >= given["timeout"] - 1 and still
        told = {
            "loading": self.state == "LOADING",
            "loaded": self.state == "LOADED",
            "checksum": self.sum,
            "refused": (given["load_begin"] and not begin) or (given["load_end"] and not end),
            "wrong_build": begin and given["value"] != BUILD,
            "wrong_checksum": end and given["value"] != self.sum,
            "timed_out": late,
            "opens": begin and given["value"] == BUILD,
        }
        self.quiet = self.quiet + 1 if still else 0
        if late or told["wrong_build"] or told["wrong_checksum"]:
            self.state = "EMPTY"
        elif end:
            self.state = "LOADED"
        counted = given["counted"] and self.state == "LOADING"
        if told["opens"]:
            self.state, self.written = "LOADING", b""
        if counted:
            self.written += struct.pack("<II", given["address"], given["data"])
        self.sum = zlib.crc32(self.written)
        return {name: int(bool(value)) if name != "checksum" else value for name, value in told.items()}


def test_random_sessions() -> None:
    """Every output in every cycle, with words of all widths, wrong and right builds and sums, and pauses."""
    dut, rng, expected = LoadGuard(build=BUILD), random.Random(2), Expected()
    seen = dict.fromkeys(("refused", "wrong_build", "wrong_checksum", "timed_out", "opens", "loaded"), 0)

    async def bench(ctx):
        timeout = 0
        for number in range(4000):
            if number % 200 == 0:
                timeout = rng.choice((0, 1, 5, 40, 1 << rng.randrange(32), rng.getrandbits(32)))
            calm = number % 400 > 300  # a long pause now and then
            begin, end = rng.choice(((0, 0), (0, 0), (0, 0), (1, 0), (0, 1))) if not calm else (0, 0)
            counted = not calm and not begin and not end and rng.random() < 0.7
            given = {
                "load_begin": begin,
                "load_end": end,
                "value": rng.choice((BUILD if begin else expected.sum, BUILD ^ 1, rng.getrandbits(32))),
                "counted": int(counted),
                "address": rng.getrandbits(32),
                "data": rng.getrandbits(32),
                "access": int(begin or end or counted),
                "busy": int(rng.random() < 0.1),
                "programming": int(rng.random() < 0.02),
                "timeout": timeout,
            }
            for name, value in given.items():
                ctx.set(getattr(dut, name), value)
            told = expected.cycle(given)
            assert {name: ctx.get(getattr(dut, name)) for name in told} == told
            for name in seen:
                seen[name] += told[name]
            await ctx.tick()

    simulate(dut, bench)
    assert all(seen.values()), seen


class Folded(wiring.Component):
    """Stands in for the checksum in the proof: simpler, but words, halves and their order count too."""

    def __init__(self) -> None:
        members = {"start": In(1), "valid": In(1), "data": In(64), "crc": Out(32)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        before = Mux(self.start, 0, self.crc)
        with m.If(self.valid):
            m.d.sync += self.crc.eq(
                Cat(before[31], before[:31]) ^ self.data[:32] ^ Cat(self.data[63], self.data[32:63])
            )
        with m.Elif(self.start):
            m.d.sync += self.crc.eq(0)
        return m


def guard(old: str = "LOADED = 2", new: str = "LOADED = 2", programmer: bool = True) -> Any:
    """The guard, or a mutant, with the checksum's stand-in; `programmer` as of the guard."""
    component = mutant(LoadGuard, old, new)
    component.elaborate.__globals__["Checksum"] = Folded
    return component(build=BUILD, programmer=programmer)


class Session(Harness):
    """For any accesses, and any behaviour of images and programmers.

    A model beside the guard holds what has happened: whether a session is open, its checksum, how long it has been
    quiet. Loading and loaded are what follows from that, and every refusal and flag comes exactly with its cause.
    """

    def __init__(self, dut: LoadGuard, inductive: bool = False) -> None:
        super().__init__(dut)
        self.inner = inside(dut)
        self.inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        m.submodules.model = model = Folded()
        is_open = Signal()
        done = Signal()
        pause = Signal(32)  # cycles of the session without an access so far
        m.d.comb += [
            Assume(~(dut.load_begin & dut.load_end)),
            Assume(~(dut.counted & (dut.load_begin | dut.load_end))),
            Assume(~(dut.counted | dut.load_begin | dut.load_end) | dut.access),
        ]
        programming = dut.programming if dut.programmer else Const(0)
        may_begin = dut.load_begin & ~dut.busy & ~programming
        may_end = dut.load_end & is_open & ~programming
        right_build, right_checksum = dut.value == BUILD, dut.value == model.crc
        silent = ~dut.access & ~programming
        expires = is_open & silent & (dut.timeout != 0) & (pause >= dut.timeout - 1)
        m.d.comb += [
            model.start.eq(may_begin & right_build),
            model.valid.eq(is_open & dut.counted),
            model.data.eq(Cat(dut.address, dut.data)),
            Assert(dut.loading == is_open),
            Assert(dut.loaded == done),
            Assert(dut.checksum == model.crc),
            Assert(dut.opens == (may_begin & right_build)),
            Assert(dut.refused == ((dut.load_begin & ~may_begin) | (dut.load_end & ~may_end))),
            Assert(dut.wrong_build == (may_begin & ~right_build)),
            Assert(dut.wrong_checksum == (may_end & ~right_checksum)),
            Assert(dut.timed_out == expires),
        ]
        m.d.sync += pause.eq(Mux(is_open & silent, pause + 1, 0))
        with m.If(may_begin):
            m.d.sync += [is_open.eq(right_build), done.eq(0)]
        with m.Elif(may_end):
            m.d.sync += [is_open.eq(0), done.eq(right_checksum)]
        with m.Elif(expires):
            m.d.sync += is_open.eq(0)
        opens = may_begin & right_build
        reaches(
            m,
            loaded=in_turn(m, model.valid, model.valid, may_end & right_checksum, done),
            wrong_build=dut.wrong_build & done,
            wrong_checksum=in_turn(m, model.valid, dut.wrong_checksum),
            begun_again=in_turn(m, opens, model.valid, opens, may_end & right_checksum),
            next_session=in_turn(m, done, opens, done),
            timed_out=in_turn(m, model.valid, dut.timed_out & (dut.timeout == 3), ~dut.loading),
            begin_refused_by_an_image=dut.load_begin & dut.busy & done,
            end_refused_outside=dut.load_end & ~is_open & ~programming,
        )
        if dut.programmer:
            reaches(
                m,
                quiet_but_programming=in_turn(m, is_open & programming & ~dut.access, dut.timed_out),
                begin_refused_by_a_programmer=dut.load_begin & programming & is_open,
                end_refused_by_a_programmer=dut.load_end & programming & is_open,
            )
        if self.inductive:
            m.d.comb += [
                Assert(~(is_open & done)),
                Assert(self.inner.state != 3),
                Assert(~is_open | (self.inner.quiet == pause)),
            ]
        return m


@pytest.mark.parametrize("programmer", [True, False], ids=["programmer", "no programmer"])
def test_proof(programmer: bool) -> None:
    prove(Session(guard(programmer=programmer), inductive=True), "load_guard", depth=2, mode="prove")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.opens.eq(begin & (self.value == self._build))", "self.opens.eq(begin)"),
        ("self.wrong_checksum.eq(end & (self.value != self.checksum))", "self.wrong_checksum.eq(0)"),
        ("self.load_begin & ~self.busy,", "self.load_begin,"),
        ("begins & rests", "begins"),
        ("self.load_end & self.loading,", "self.load_end,"),
        ("ends & rests", "ends"),
        ("crc.valid.eq(self.counted & self.loading)", "crc.valid.eq(self.counted)"),
        ("crc.start.eq(self.opens)", "crc.start.eq(0)"),
        ("Cat(self.address, self.data)", "Cat(self.data, self.address)"),
        ("with m.If(self.wrong_build | self.wrong_checksum):", "with m.If(self.wrong_checksum):"),
        ("with m.If(self.timed_out):", "with m.If(0):"),
        ("with m.If(~still):", "with m.If(self.access):"),
    ],
    ids=[
        "any build",
        "any checksum",
        "in an image",
        "in programming",
        "end without a session",
        "ends in programming",
        "counts outside",
        "goes on counting",
        "address and data swapped",
        "stays loaded",
        "never given up",
        "given up in programming",
    ],
)
def test_mutants_fail(old: str, new: str) -> None:
    assert_fails(Session(guard(old, new)), "load_guard_twin", depth=6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.load_begin & ~self.busy,", "self.load_begin,"),
        ("self.load_end & self.loading,", "self.load_end,"),
        ("with m.If(~still):", "with m.If(0):"),
    ],
    ids=["in an image", "end without a session", "given up with accesses"],
)
def test_mutants_without_a_programmer_fail(old: str, new: str) -> None:
    assert_fails(Session(guard(old, new, programmer=False)), "load_guard_lean_twin", depth=6)
