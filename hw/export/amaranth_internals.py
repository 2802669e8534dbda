"""All uses of Amaranth's internals in `hw`, in one place: a new release may change them.

| used | for |
|---|---|
| `hdl._ast.SignalDict`, `SignalSet` | dictionaries and sets of signals, which have no order of their own |
| `hdl._xfrm.TransformedElaboratable` | the `ResetInserter` around a component |
| `hdl._mem.MemoryInstance` (`_data`, `_read_ports`), `_lhs_signals` of statements | memories and flip-flops of a unit |
| `hdl._ast.Assign`, `Switch`, `Operator`, `Slice`, `Part`, `Concat`, `SwitchValue`, `Format`, a signal's `_format` | \
what the writer of Verilog prints |
| `hdl._dsl.FSM` (`encoding`, `state`), `generated` of a fragment, `_generated` of a module | states of state machines |
| `hdl._mem.MemoryInstance` (`_write_ports`) and its ports | memories of the exported modules |

`tests/hw/export/test_amaranth_internals.py` says which of them a release has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Fragment, Module, ResetInserter, Shape, Value
from amaranth.hdl._ast import (
    Assign,
    Concat,
    Format,
    Operator,
    Part,
    SignalDict,
    SignalSet,
    Slice,
    Statement,
    Switch,
    SwitchValue,
)
from amaranth.hdl._dsl import FSM
from amaranth.hdl._mem import MemoryInstance
from amaranth.hdl._xfrm import TransformedElaboratable

__all__ = [
    "Assign",
    "Concat",
    "MemoryPort",
    "Operator",
    "Part",
    "SignalDict",
    "Slice",
    "Statement",
    "Switch",
    "SwitchValue",
    "clocked_signals",
    "enumeration_of",
    "fields_of",
    "machines_of",
    "memory_of",
    "memory_ports",
    "take_reset",
]


def memory_of(fragment: Fragment) -> tuple[int, int, int, bool] | None:
    """Of a memory: bits of a word, words, bits of all its clocked read ports, and whether one of them reads in every
    cycle, having no enable. None for a fragment that is not a memory.
    """
    if not isinstance(fragment, MemoryInstance):
        return None
    width, depth = Shape.cast(fragment._data._shape).width, fragment._data._depth
    clocked = [port for port in fragment._read_ports if port._domain != "comb"]
    return width, depth, width * len(clocked), any(isinstance(port._en, Const) for port in clocked)


@dataclass(frozen=True, eq=False)
class MemoryPort:
    """A port of a memory.

    Attributes
    ----------
    clocked : False for a port that reads without a clock
    address, data, enable : values; a write port's `enable` has a bit per `granularity` bits of `data`
    transparent_for : numbers of the write ports whose words a read port gives in the cycle in which they are written
    """

    clocked: bool
    address: Any
    data: Any
    enable: Any
    granularity: int
    transparent_for: tuple[int, ...]


def memory_ports(fragment: Any) -> tuple[list[MemoryPort], list[MemoryPort]]:
    """Read ports and write ports of a memory.

    Raises
    ------
    ValueError : a clock domain other than sync, or words with values before the first clock edge
    """
    ports = [*fragment._read_ports, *fragment._write_ports]
    if {port._domain for port in ports} - {"comb", "sync"}:
        raise ValueError(f"Memory {fragment._data.name} has ports of clock domains other than sync")
    if any(fragment._data._init._raw):
        raise ValueError(f"Memory {fragment._data.name} has start values, which an exported memory cannot have")
    reads = [
        MemoryPort(p._domain != "comb", p._addr, p._data, p._en, len(p._data), p._transparent_for)
        for p in fragment._read_ports
    ]
    writes = [MemoryPort(True, p._addr, p._data, p._en, p._granularity, ()) for p in fragment._write_ports]
    return reads, writes


def machines_of(fragment: Any) -> Iterator[tuple[str, Any, dict[int, str]]]:
    """State machines of a fragment: name, signal of the state, names of the states by code.

    A `ResetInserter` copies a fragment without them, but the copy names the modules that it comes from.
    """
    known = dict(fragment.generated)
    for origin in fragment.origins or ():
        if isinstance(origin, Module):
            known |= origin._generated
    for name, made in known.items():
        if isinstance(made, FSM) and len(made.state):
            yield name, made.state, {code: state for state, code in made.encoding.items()}


def enumeration_of(signal: Any) -> dict[int, str]:
    """Names of a signal's values by code, where it was made of an enumeration; else nothing."""
    shown = signal._format
    return {int(code): name for code, name in shown._variants.items()} if isinstance(shown, Format.Enum) else {}


def fields_of(signal: Any) -> list[tuple[str, int, int, bool]]:
    """Fields of a signal with a layout, as (name, lowest bit, bits, signed); of structs within it `outer_inner`."""
    found: list[tuple[str, int, int, bool]] = []

    def collect(shown: Any, prefix: str) -> None:
        for name, inner in shown._fields.items():
            label = f"{prefix}{name}"
            if isinstance(inner, Format.Struct):
                collect(inner, f"{label}_")
                continue
            value = inner._chunks[0][0] if isinstance(inner, Format) else inner._value
            shape, low = value.shape(), 0
            while value is not signal:
                if isinstance(value, Slice):
                    low += value.start
                    value = value.value
                else:
                    value = value.operands[0]
            if shape.width:
                found.append((label, low, shape.width, bool(shape.signed)))

    if isinstance(signal._format, Format.Struct):
        collect(signal._format, "")
    return found


def clocked_signals(fragment: Fragment) -> SignalSet:
    """Signals that a fragment itself drives from a clock."""
    driven = SignalSet()
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for statement in statements:
                for signal in statement._lhs_signals():
                    driven.add(signal)
    return driven


def take_reset(fragment: Fragment) -> Value | None:
    """The signal of a `ResetInserter` around a component; what it put into the component and all inside is removed."""
    transforms = [t for o in fragment.origins or () if isinstance(o, TransformedElaboratable) for t in o._transforms_]
    if not transforms:
        return None
    if len(transforms) > 1 or not isinstance(transforms[0], ResetInserter) or list(transforms[0].controls) != ["sync"]:
        raise ValueError("A component may be transformed by one ResetInserter of the domain sync only")
    reset = transforms[0].controls["sync"]

    def restore(inner: Fragment) -> None:
        if "sync" in inner.statements:
            inner.statements["sync"].pop()  # the switch that was added last
        for sub, _, _ in inner.subfragments:
            restore(sub)

    restore(fragment)
    return reset
