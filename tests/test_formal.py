"""The proof harness itself: it must accept what holds, and reject what does not for the right reason."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tests.formal import assert_fails, prove


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
