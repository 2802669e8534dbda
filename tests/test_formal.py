"""The proof harness itself: it must accept what holds, and reject what does not for the right reason."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from tests.formal import Harness, assert_fails, assert_reaches, in_turn, prove, reaches, reaches_stalls


class Bounded(wiring.Component):
    """A counter that must stay below `bound`; it wraps at 5. `never` makes the assumptions contradict each other."""

    def __init__(self, bound: int, never: bool = False) -> None:
        super().__init__({"enable": In(1)})
        self.bound = bound
        self.never = never

    def elaborate(self, platform):
        m = Module()
        count = Signal(4)
        with m.If(self.enable):
            m.d.sync += count.eq(Mux(count == 5, 0, count + 1))
        m.d.comb += Assert(count < self.bound)
        if self.never:
            m.d.comb += Assume(count == 9)
        reaches(m, wraps=in_turn(m, count == 5, count == 1))
        return m


@pytest.mark.parametrize("mode", ["bmc", "prove"])
def test_holds_and_fails(mode):
    prove(Bounded(6), "bounded", depth=10, mode=mode)
    assert_fails(Bounded(5), "bounded", depth=10, mode=mode)


def test_wrong_expectations_raise():
    with pytest.raises(AssertionError, match=r"^Proof bounded \(bmc, depth 10\) ended with FAIL"):
        prove(Bounded(5), "bounded", depth=10)
    with pytest.raises(AssertionError, match=r"^Proof bounded \(bmc, depth 10\) passed, but"):
        assert_fails(Bounded(6), "bounded", depth=10)


@pytest.mark.parametrize("check", [prove, assert_fails])
def test_contradictory_assumptions_are_no_proof(check):
    with pytest.raises(AssertionError, match=r"^Proof never \(bmc, depth 4\) ended with ERROR") as raised:
        check(Bounded(6, never=True), "never", depth=4)
    assert "Assumptions are unsatisfiable!" in str(raised.value)


def test_name_is_checked():
    with pytest.raises(ValueError, match=r"^A proof's name must consist of a-z, 0-9 and _, not 'A b'$"):
        prove(None, "A b")


class Late(wiring.Component):
    """Says something wrong of every count, under assumptions that contradict each other at a count of `end` only."""

    def __init__(self, end: int, covers: bool = True) -> None:
        super().__init__({"enable": In(1)})
        self.end, self.covers = end, covers

    def elaborate(self, platform):
        m = Module()
        count, wide = Signal(4), Signal(4)
        with m.If(self.enable & (count != 12)):
            m.d.sync += [count.eq(count + 1), wide.eq(count + 1)]
        m.d.comb += [Assume((count != self.end) | self.enable), Assume((count != self.end) | ~self.enable)]
        m.d.comb += [Assert(count <= self.end), Assert(count == wide)]
        if self.covers:
            reaches(m, at_5=count == 5, at_8=count == 8)
            with m.If(self.enable):
                reaches(m, goes_on_from_10=count == 10)
        return m


def test_covers_find_contradictory_assumptions():
    """The proof itself goes through: nothing follows the count at which the assumptions contradict each other."""
    assert_reaches(Late(12), "late", depth=14)
    with pytest.raises(
        AssertionError, match=r"^Proof late says nothing about at_8, goes_on_from_10: its assumptions let"
    ):
        prove(Late(7), "late", depth=3, mode="prove")
    with pytest.raises(AssertionError, match=r"^Proof late says nothing about goes_on_from_10: its assumptions let no"):
        prove(Late(9), "late", depth=3, mode="prove")


def test_covers_out_of_reach_are_named():
    assert_reaches(Late(15), "late", depth=11)
    with pytest.raises(AssertionError, match=r"about goes_on_from_10: .* reach it in 9 cycles \(FAIL\)$"):
        assert_reaches(Late(15), "late", depth=9)


def test_a_proof_needs_covers():
    with pytest.raises(ValueError, match=r"^Proof late has no covers: say with `reaches` which states it must reach$"):
        prove(Late(15, covers=False), "late", depth=3, mode="prove")


class Queue(wiring.Component):
    """One place; `deaf` never waits for the receiver, so that nothing ever waits twice."""

    def __init__(self, deaf: bool) -> None:
        self.deaf = deaf
        super().__init__({"o": Out(stream.Signature(1))})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.valid.eq(self.o.valid & ~self.o.ready & ~self.deaf | ~self.o.valid)
        return m


class Stalls(Harness):
    def elaborate(self, platform):
        m = super().elaborate(platform)
        reaches_stalls(m, "o", self.dut.o)
        return m


def test_stalls_are_a_cover():
    assert_reaches(Stalls(Queue(deaf=False)), "queue")
    with pytest.raises(AssertionError, match=r"^Proof queue says nothing about o_waits_and_goes_on"):
        assert_reaches(Stalls(Queue(deaf=True)), "queue")
