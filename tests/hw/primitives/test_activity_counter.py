"""ActivityCounter against plain addition, and the proof that it never wraps."""

from __future__ import annotations

import gc
import random

import pytest
from amaranth.hdl import Assert, Mux, Signal

from spikeloom.hw.primitives.activity_counter import ActivityCounter
from tests.benches.stream_bench import simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches


@pytest.mark.parametrize("amount_bits, bits", [(1, 1), (1, 5), (4, 4), (3, 8), (11, 32)])
def test_adds_and_saturates(amount_bits, bits):
    dut = ActivityCounter(amount_bits=amount_bits, bits=bits)
    rng = random.Random(bits)

    async def bench(ctx):
        total = 0
        for _ in range(300):
            amount = rng.getrandbits(amount_bits) * (rng.random() < 0.6)
            clear = rng.random() < 0.05
            ctx.set(dut.amount, amount)
            ctx.set(dut.clear, clear)
            await ctx.tick()
            total = amount + (0 if clear else total)
            assert ctx.get(dut.value) == min(total, (1 << bits) - 1)

    simulate(dut, bench)


def test_counts_of_all_values():
    """Random amounts up to the largest, and what is left to the largest count, to it exactly or one past it."""
    dut, rng, top = ActivityCounter(amount_bits=32, bits=32), random.Random(32), (1 << 32) - 1

    async def bench(ctx):
        total = 0
        for number in range(400):
            left = top - total
            amount = rng.choice([rng.getrandbits(32), rng.getrandbits(rng.randint(0, 32)), left, min(left + 1, top)])
            clear = total == top or rng.random() < 0.2
            ctx.set(dut.amount, amount)
            ctx.set(dut.clear, clear)
            await ctx.tick()
            total = min(amount + (0 if clear else total), top)
            assert ctx.get(dut.value) == total, number

    simulate(dut, bench)


@pytest.mark.filterwarnings("ignore:.*created but never used")
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"amount_bits": 0}, ValueError, r"^Activity counter's amount_bits must be a positive integer, not 0$"),
        ({"amount_bits": 1.0}, TypeError, r"^Activity counter's amount_bits must be an integer, not 1\.0$"),
        ({"amount_bits": 1, "bits": True}, TypeError, r"^Activity counter's bits must be an integer, not True$"),
        ({"amount_bits": 9, "bits": 8}, ValueError, r"^Activity counter's amount_bits \(9\) must not exceed its bits"),
    ],
)
def test_wrong_widths(arguments, error, message):
    with pytest.raises(error, match=message):
        ActivityCounter(**arguments)
    gc.collect()  # the half-built component warns when it goes, which must happen under this test's filter


class NeverWraps(Harness):
    """The value only falls with `clear`, misses nothing until it is at its largest, and is not there too early."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        started, clear, before, amount = Signal(), Signal(), Signal(dut.bits), Signal(dut.amount_bits)
        m.d.sync += [started.eq(1), clear.eq(dut.clear), before.eq(dut.value), amount.eq(dut.amount)]
        with m.If(started):
            with m.If(~clear):
                m.d.comb += Assert(dut.value >= before)
            total, largest = Mux(clear, 0, before) + amount, (1 << dut.bits) - 1
            m.d.comb += Assert(dut.value == Mux(total > largest, largest, total))
            full = dut.value == largest
            reaches(m, counts=in_turn(m, amount, amount) & (dut.value != 0), cleared=clear & (before != 0))
            if dut.bits - dut.amount_bits <= 5:  # within sight
                reaches(m, full=full, misses=full & (total > largest), clears_full=clear & (before == largest))
        return m


class Wrapping(ActivityCounter):
    """Deliberately faulty: a plain adder."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.sync += self.value.eq(Mux(self.clear, 0, self.value) + self.amount)
        return m


def test_never_wraps():
    prove(NeverWraps(ActivityCounter(amount_bits=3, bits=8)), "activity", depth=4, mode="prove", reach=45)
    prove(NeverWraps(ActivityCounter(amount_bits=16, bits=32)), "activity_wide", depth=4, mode="prove")


def test_mutants_fail_never_wraps():
    assert_fails(NeverWraps(Wrapping(amount_bits=3, bits=4)), "activity_wrapping", depth=8)
