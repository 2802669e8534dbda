"""Formal proofs of small hardware contracts, run from pytest.

A proof is a wrapper: a component whose inputs are free, whose `elaborate` holds the device under test, `Assume`
statements for what the environment promises, `Assert` statements for what must follow, and covers: states that must be
possible under the assumptions (`reaches`). `prove` hands it to SymbiYosys with z3, and looks for a way to every cover;
`assert_fails` takes a mutant, which must break an assertion.

Registers start at their initial values and there is no reset, so that the first cycle is the one after a reset. A
bounded proof of depth n looks at every input sequence of n cycles; `mode="prove"` (k-induction) looks at all sequences.
It asks whether `depth` cycles without a broken assertion, from any state at all, can be followed by one with it:
assertions about the state ("invariants") keep out the states that the device never reaches.

Assumptions that contradict each other prove everything. A contradiction in the first `depth` cycles is an error of the
proof; a later one, or one of those only that lead to the interesting states, is what covers are for.
docs/verification.md lists the proofs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Assume, ClockDomain, Const, Cover, Elaboratable, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.formal_solver import Mode, prove_by_induction, search

__all__ = [
    "Harness",
    "assert_fails",
    "assert_reaches",
    "constant",
    "in_turn",
    "prove",
    "reaches",
    "reaches_stalls",
    "stream_contract",
]

_COVER = "cover_"


class Harness(wiring.Component):
    """A proof's wrapper with the ports of its device under test, wired through: every input is free.

    Derived classes call `super().elaborate(platform)` and add `Assume`, `Assert` and `reaches` about `self.dut`'s
    ports. `free` names further free inputs, with their shapes.
    """

    def __init__(self, dut: wiring.Component, **free: Any) -> None:
        self.dut = dut
        super().__init__({"ports": Out(dut.signature), **{name: In(shape) for name, shape in free.items()}})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        wiring.connect(m, wiring.flipped(self.ports), self.dut)
        return m


def stream_contract(m: Module, stream: Any, statement: Callable[[Value], Any]) -> None:
    """Assume or assert (`statement`) that what a stream offers stays valid and unchanged until it is taken."""
    payload = Value.cast(stream.payload)
    pending = Signal()
    offered = Signal(len(payload))
    m.d.sync += [pending.eq(stream.valid & ~stream.ready), offered.eq(payload)]
    with m.If(pending):
        m.d.comb += [statement(stream.valid), statement(payload == offered)]


def constant(m: Module, *values: Value) -> None:
    """Assume that `values` never change."""
    started = Signal()
    m.d.sync += started.eq(1)
    for value in values:
        before = Signal.like(value)
        m.d.sync += before.eq(value)
        with m.If(started):
            m.d.comb += Assume(value == before)


def reaches(m: Module, **states: Any) -> None:
    """Covers: each of `states` (name = condition) must come true in some cycle of some allowed input sequence.

    Inside of `m.If`, only cycles in which it holds count. A cover stays reached, so that one look at a late cycle
    finds them all (`skip` of `prove`).
    """
    for name, state in states.items():
        happens = Signal(name=f"happens_{name}")
        m.d.comb += happens.eq(Value.cast(state).any())
        # A module of its own: its name is what the solver calls the cover by.
        m.submodules[f"{_COVER}{name}"] = part = Module()
        ever = Signal(name="ever")
        part.d.sync += ever.eq(happens | ever)
        part.d.comb += Cover(happens | ever)


def in_turn(m: Module, *events: Any) -> Value:
    """1 in a cycle in which the last event happens, if the others have happened in cycles before, in this order."""
    seen: Value = Const(1)
    m.submodules += (store := Module())
    for event in events[:-1]:
        done = Signal(name="done")
        store.d.sync += done.eq(done | (seen & Value.cast(event).any()))
        seen = done
    return seen & Value.cast(events[-1]).any()


def reaches_stalls(m: Module, name: str, stream: Any) -> None:
    """Cover: `stream` offers something that waits for two cycles, is taken, and something after it is taken."""
    waits = Signal()
    m.submodules += (store := Module())
    store.d.sync += waits.eq(stream.valid & ~stream.ready)
    again, taken = waits & stream.valid & ~stream.ready, stream.valid & stream.ready
    reaches(m, **{f"{name}_waits_and_goes_on": in_turn(m, again, taken, taken)})


class _Top(Elaboratable):
    """The wrapper in a clock domain without reset."""

    def __init__(self, spec: wiring.Component) -> None:
        self.spec = spec
        self.domain = ClockDomain("sync", reset_less=True)
        self.ports = [self.domain.clk, *(Value.cast(value) for _, _, value in spec.signature.flatten(spec))]

    def elaborate(self, platform):
        m = Module()
        m.domains += self.domain
        m.submodules.spec = self.spec
        return m


def _write(spec: wiring.Component, name: str, folder: str) -> list[str]:
    """Write the design to `name`.il; returns the names of its covers."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"A proof's name must consist of a-z, 0-9 and _, not {name!r}")
    top = _Top(spec)
    text = rtlil.convert(top, name=name, ports=top.ports, emit_src=True)
    Path(folder, f"{name}.il").write_text(text)
    return re.findall(rf"^module \\\S*\.{_COVER}(\w+)$", text, re.MULTILINE)


def _tail(log: str, lines: int = 30) -> str:
    return "\n".join(log.splitlines()[-lines:])


def _reach(covers: list[str], name: str, folder: str, depth: int, timeout: int, skip: int = 0) -> None:
    status, log = search(folder, name, depth, "cover", timeout, skip)
    if status == "PASS":
        return
    reached = set(re.findall(rf"Reached cover statement .*{_COVER}(\w+?)__\d+\)", log))
    missing = [cover for cover in covers if cover not in reached]
    if status == "ERROR" or not missing:
        raise AssertionError(f"Covers of proof {name} (depth {depth}) ended with {status}:\n{_tail(log)}")
    raise AssertionError(
        f"Proof {name} says nothing about {', '.join(missing)}: its assumptions let no input sequence reach "
        f"{'it' if len(missing) == 1 else 'them'} in {depth} cycles ({status})"
    )


def prove(
    spec: wiring.Component,
    name: str,
    depth: int = 20,
    mode: Mode = "bmc",
    timeout: int = 120,
    reach: int = 20,
    skip: int = 0,
) -> None:
    """Prove the assertions of `spec` for every allowed input sequence, and reach its covers.

    Parameters
    ----------
    spec : wrapper component; its `In` members are free inputs
    name : name of the proof, for the log
    depth : cycles of a bounded proof, or of the induction
    mode : "bmc" (bounded) or "prove" (k-induction)
    timeout : seconds after which the proof counts as failed
    reach : cycles in which every cover must be reached
    skip : first cycle in which the solver looks for covers; it is late, and `reach` not much later, where the way is
        long: with a look at every cycle, most of the time goes into proving that it is too early

    Raises
    ------
    AssertionError : an assertion can be broken, the assumptions contradict each other, a cover cannot be reached, or a
        tool failed
    ValueError : the wrapper has no covers
    """
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        covers = _write(spec, name, folder)
        if not covers:
            raise ValueError(f"Proof {name} has no covers: say with `reaches` which states it must reach")
        status, log = prove_by_induction(folder, name, depth, mode, timeout)
        if status != "PASS":
            raise AssertionError(f"Proof {name} ({mode}, depth {depth}) ended with {status}:\n{_tail(log)}")
        _reach(covers, name, folder, reach, timeout, skip)


def assert_reaches(spec: wiring.Component, name: str, depth: int = 20, timeout: int = 120) -> None:
    """Check that for each cover of `spec`, some allowed input sequence of `depth` cycles reaches it; no proof.

    Raises
    ------
    AssertionError : a cover cannot be reached, or a tool failed
    """
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        _reach(_write(spec, name, folder), name, folder, depth, timeout)


def assert_fails(spec: wiring.Component, name: str, depth: int = 20, mode: Mode = "bmc", timeout: int = 120) -> None:
    """Check that some input sequence breaks an assertion of `spec`, a mutant of a proof.

    Raises
    ------
    AssertionError : the proof went through, or ended for another reason than a broken assertion
    """
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        _write(spec, name, folder)
        find = search if mode == "bmc" else prove_by_induction
        status, log = find(folder, name, depth, mode, timeout)
    if status == "PASS":
        raise AssertionError(f"Proof {name} ({mode}, depth {depth}) passed, but its design is deliberately faulty")
    if status != "FAIL" or "Assert failed in" not in log:
        raise AssertionError(
            f"Proof {name} ({mode}, depth {depth}) ended with {status}, not a broken assertion:\n{_tail(log)}"
        )
