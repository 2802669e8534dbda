"""AXI4-Lite subordinate: accesses under stalls, cycles, and the handshake rules proven for every input."""

from __future__ import annotations

import gc
import random

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import wiring

from spikeloom.hw.host.axi_lite import OKAY, SLVERR, AxiLite
from tests.benches.axi_bench import Manager
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import CYCLE, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches

WORDS = 8


class Words(wiring.Component):
    """AxiLite with a few words behind it; addresses past them are errors."""

    def __init__(self) -> None:
        self.axi_lite = AxiLite(address_bits=8)
        super().__init__({name: m for name, m in self.axi_lite.signature.members.items() if name != "registers"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.axi_lite = axi_lite = self.axi_lite
        for name, member in self.signature.members.items():
            inner, outer = getattr(axi_lite, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        bus = axi_lite.registers
        words = Array(Signal(32, name=f"word_{index}") for index in range(WORDS))

        def wrong(address):
            return (address[:2] != 0) | (address >= 4 * WORDS)

        m.d.comb += [
            bus.read_error.eq(wrong(bus.read_address)),
            bus.read_data.eq(words[bus.read_address[2:5]]),
            bus.write_error.eq(wrong(bus.write_address)),
        ]
        with m.If(bus.write_enable & ~bus.write_error):
            for lane in range(4):
                with m.If(bus.write_strobe[lane]):
                    m.d.sync += (
                        words[bus.write_address[2:5]].word_select(lane, 8).eq(bus.write_data.word_select(lane, 8))
                    )
        return m


@pytest.mark.parametrize("stall", [0.0, 0.3, 0.8])
def test_accesses_under_stalls(stall: float) -> None:
    dut, rng = Words(), random.Random(5)
    host = Manager(dut, random.Random(6), stall)
    model = [0] * WORDS

    async def bench(ctx):
        for _ in range(150):
            address = rng.choice([4 * rng.randrange(WORDS), rng.randrange(256)])
            good = address % 4 == 0 and address < 4 * WORDS
            if rng.random() < 0.5:
                data, strobe = rng.getrandbits(32), rng.getrandbits(4)
                assert await host.write(ctx, address, data, strobe) == (OKAY if good else SLVERR)
                if good:
                    mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
                    model[address // 4] = (model[address // 4] & ~mask) | (data & mask)
            else:
                assert await host.read(ctx, address) == ((OKAY, model[address // 4]) if good else (SLVERR, 0))

    simulate(dut, bench)


def test_accesses_of_all_values() -> None:
    """Every bit of addresses, data and strobes, as wide as the unit's bus has them, high and low on both sides."""
    bits = 26
    dut, rng = AxiLite(address_bits=bits), random.Random(7)
    host, bus = Manager(dut, random.Random(8), 0.2), dut.registers
    made: list[tuple[int, ...]] = []

    async def registers(ctx):
        """Answers a read with a word made of its address, and makes an error of every odd address."""
        while True:
            address = ctx.get(bus.read_address)
            ctx.set(bus.read_data, address * 0x01000193 & 0xFFFFFFFF)
            ctx.set(bus.read_error, address & 1)
            ctx.set(bus.write_error, ctx.get(bus.write_address) & 1)
            await ctx.delay(1e-9)
            ports = (bus.write_enable, bus.write_address, bus.write_data, bus.write_strobe)
            _, _, write, *words = await ctx.tick().sample(*ports)
            if write:
                made.append(tuple(words))
            await ctx.delay(1e-9)

    async def bench(ctx):
        for _ in range(60):
            word = [rng.getrandbits(bits), rng.getrandbits(32), rng.getrandbits(4), rng.getrandbits(3)]
            for flip in (0, -1):
                address, data = (word[0] ^ flip) & (1 << bits) - 1, (word[1] ^ flip) & 0xFFFFFFFF
                strobe, protection = (word[2] ^ flip) & 15, (word[3] ^ flip) & 7
                ctx.set(dut.awprot, protection)  # both are ignored
                ctx.set(dut.arprot, protection)
                assert await host.write(ctx, address, data, strobe) == (SLVERR if address & 1 else OKAY)
                assert made.pop() == (address, data, strobe) and not made
                expected = (SLVERR, 0) if address & 1 else (OKAY, address * 0x01000193 & 0xFFFFFFFF)
                assert await host.read(ctx, address) == expected

    simulate(dut, bench, background=[registers])


def test_cycles() -> None:
    """The docstring's: a write is made two cycles after the transfer, a read one, answered in the next."""
    dut = Words()
    answers: dict[str, list[int]] = {"b": [], "r": []}

    async def bench(ctx):
        for name in ("awvalid", "wvalid", "arvalid", "bready", "rready"):
            ctx.set(getattr(dut, name), 1)
        for _ in range(20):
            _, _, b, r, now = await ctx.tick().sample(dut.bvalid, dut.rvalid, CYCLE)
            answers["b"] += [now] * b
            answers["r"] += [now] * r

    simulate(dut, bench)
    assert answers == {"b": list(range(3, 20, 3)), "r": list(range(2, 20, 2))}


@pytest.mark.filterwarnings("ignore:.*created but never used")
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (2, ValueError, r"^AXI4-Lite address_bits must be at least 3, not 2$"),
        (True, TypeError, r"^AXI4-Lite address_bits must be an integer, not True$"),
    ],
)
def test_parameters_are_checked(value, error, message) -> None:
    with pytest.raises(error, match=message):
        AxiLite(address_bits=value)
    gc.collect()  # the half-built component warns when it goes, which must happen under this test's filter


class Rules(Harness):
    """For any manager that keeps requests until they are taken, and any answers of the registers.

    Responses stay and stand still until they are taken; one for each request and none without, in order, each with the
    answer that its own access got; every access is made once, with its own address, data and strobes, when all of it is
    there, a write's since the cycle before; and nothing ever waits for long: a request channel is ready unless its
    request is waiting, and a complete access is made as soon as the response before it is gone. Transactions are
    numbered modulo 4.

    `inductive` adds what the component holds to what has happened, for the induction.
    """

    def __init__(self, dut: AxiLite, inductive: bool = False) -> None:
        super().__init__(dut)
        self.inner = inside(dut)
        self.inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, bus = self.dut, self.dut.registers
        self.channel(m, dut.awvalid, dut.awready, [dut.awaddr], Assume)
        self.channel(m, dut.wvalid, dut.wready, [dut.wdata, dut.wstrb], Assume)
        self.channel(m, dut.arvalid, dut.arready, [dut.araddr], Assume)
        self.channel(m, dut.bvalid, dut.bready, [dut.bresp], Assert)
        self.channel(m, dut.rvalid, dut.rready, [dut.rdata, dut.rresp], Assert)

        def number(happens):
            count = Signal(2)
            m.d.sync += count.eq(count + happens)
            return count

        def log(happens, count, value):
            """Values of the last four happenings, by number."""
            entries = Array(Signal(len(value)) for _ in range(4))
            with m.If(happens):
                m.d.sync += entries[count].eq(value)
            return entries

        def waiting(later, earlier):
            return (later - earlier)[:2]

        made = bus.write_enable
        aw, w = dut.awvalid & dut.awready, dut.wvalid & dut.wready
        n_aw, n_w, n_made, n_b = number(aw), number(w), number(made), number(dut.bvalid & dut.bready)
        addresses, data, strobes = log(aw, n_aw, dut.awaddr), log(w, n_w, dut.wdata), log(w, n_w, dut.wstrb)
        errors = log(made, n_made, bus.write_error)
        complete = Signal()  # all of the write was there in the cycle before
        m.d.sync += complete.eq((n_aw != n_made) & (n_w != n_made))
        m.d.comb += [
            Assert(dut.awready == (n_aw == n_made)),
            Assert(dut.wready == (n_w == n_made)),
            Assert(made == (complete & (n_made == n_b))),
            Assert(dut.bvalid == (n_made != n_b)),
        ]
        before = [past(m, value) for value in (bus.write_address, bus.write_data, bus.write_strobe)]
        with m.If(made):
            m.d.comb += [
                Assert(Cat(before) == Cat(bus.write_address, bus.write_data, bus.write_strobe)),
                Assert(bus.write_address == addresses[n_made]),
                Assert(bus.write_data == data[n_made]),
                Assert(bus.write_strobe == strobes[n_made]),
            ]
        with m.If(dut.bvalid):
            m.d.comb += Assert(dut.bresp == Mux(errors[n_b], SLVERR, OKAY))

        ar, r = dut.arvalid & dut.arready, dut.rvalid & dut.rready
        n_ar, n_r = number(ar), number(r)
        read_addresses = log(ar, n_ar, dut.araddr)
        looked = Signal()  # the oldest read has been made
        make = (n_ar != n_r) & ~looked
        answer, wrong = Signal(32), Signal()
        with m.If(make):
            m.d.comb += Assert(bus.read_address == read_addresses[n_r])
            m.d.sync += [looked.eq(1), answer.eq(bus.read_data), wrong.eq(bus.read_error)]
        with m.If(r):
            m.d.sync += looked.eq(0)
        m.d.comb += [
            Assert(dut.arready == (waiting(n_ar, n_r) == looked)),
            Assert(dut.rvalid == looked),
            Assert(bus.read_enable == make),
        ]
        with m.If(dut.rvalid):
            m.d.comb += [Assert(dut.rdata == Mux(wrong, 0, answer)), Assert(dut.rresp == Mux(wrong, SLVERR, OKAY))]

        def waits(valid, ready):
            return past(m, valid & ~ready) & valid & ~ready

        b, again = dut.bvalid & dut.bready, past(m, 1)
        reaches(
            m,
            address_first=in_turn(m, aw & ~w, w & ~aw, made),
            data_first=in_turn(m, w & ~aw, aw & ~w, made),
            write_answer_waits=in_turn(m, waits(dut.bvalid, dut.bready) & dut.awvalid & dut.wvalid, b, b),
            read_answer_waits=in_turn(m, waits(dut.rvalid, dut.rready) & dut.arvalid, r, r),
            write_error=in_turn(m, b & (dut.bresp == SLVERR), b & (dut.bresp == OKAY)),
            read_error=in_turn(m, r & (dut.rresp == SLVERR), r & (dut.rresp == OKAY) & (dut.rdata != 0)),
            both_at_once=b & r & again,
            numbers_wrap=in_turn(m, b, b, b, b, b),
        )
        if self.inductive:
            inner = self.inner
            m.d.comb += [
                Assert(waiting(n_aw, n_made) == inner.aw_held),
                Assert(waiting(n_w, n_made) == inner.w_held),
                Assert(waiting(n_made, n_b) == dut.bvalid),
                Assert(waiting(n_ar, n_r) == inner.ar_held + looked),
                Assert(inner.decoded == complete),
                Assert(~complete | (inner.aw_held & inner.w_held) | dut.bvalid),
            ]
            with m.If(complete):
                m.d.comb += Assert(Cat(before) == Cat(bus.write_address, bus.write_data, bus.write_strobe))
            with m.If(inner.aw_held):
                m.d.comb += Assert(bus.write_address == addresses[n_made])
            with m.If(inner.w_held):
                m.d.comb += [Assert(bus.write_data == data[n_made]), Assert(bus.write_strobe == strobes[n_made])]
            with m.If(inner.ar_held):
                m.d.comb += Assert(bus.read_address == read_addresses[(n_r + looked)[:2]])
        return m

    def channel(self, m, valid, ready, payload, statement) -> None:
        """A payload that was not taken stays."""
        pending = past(m, valid & ~ready)
        before = [past(m, value) for value in payload]
        with m.If(pending):
            m.d.comb += [statement(valid), *(statement(a == b) for a, b in zip(payload, before, strict=True))]


def test_proof() -> None:
    prove(Rules(AxiLite(address_bits=4), inductive=True), "axi_lite", depth=3, mode="prove")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.bvalid.eq(0)", "self.bvalid.eq(0)\n        m.d.sync += self.bvalid.eq(0)"),
        ("decoded.eq(aw_held & w_held)", "decoded.eq(aw_held)"),
        ("decoded & ~self.bvalid", "aw_held & w_held & ~self.bvalid"),
        ("decoded & ~self.bvalid", "decoded"),
        ("decoded & ~self.bvalid", "decoded & ~self.bvalid & self.bready"),
        ("self.awready.eq(~aw_held)", "self.awready.eq(1)"),
        ("self.wready.eq(~w_held)", "self.wready.eq(~w_held & aw_held)"),
        ("                w_held.eq(0),\n", ""),
        ("Mux(registers.write_error, SLVERR, OKAY)", "OKAY"),
        ("read_enable.eq(ar_held & ~self.rvalid)", "read_enable.eq(ar_held)"),
        ("                ar_held.eq(0),\n", ""),
        ("Mux(registers.read_error, 0, registers.read_data)", "registers.read_data"),
        ("self.arready.eq(~ar_held)", "self.arready.eq(~ar_held & ~self.rvalid)"),
    ],
    ids=[
        "response withdrawn",
        "without data",
        "not decoded",
        "response overwritten",
        "waits for bready",
        "address overwritten",
        "data waits for address",
        "data used twice",
        "error forgotten",
        "answer overwritten",
        "read made twice",
        "data with an error",
        "ready too rarely",
    ],
)
def test_mutants_fail(old: str, new: str) -> None:
    assert_fails(Rules(mutant(AxiLite, old, new)(address_bits=4)), "axi_lite_twin", depth=12)
