"""All uses of Amaranth's internals in `hw`, in one place: a new release may change them.

| used | for |
|---|---|
| `hdl._ast.SignalDict`, `SignalSet` | dictionaries and sets of signals, which have no order of their own |
| `hdl._ir.PortDirection`, a design's `signal_names`, `signal_lca` | ports and names of the exported modules |
| `hdl._xfrm.TransformedElaboratable` | the `ResetInserter` around a component |
| `hdl._mem.MemoryInstance` (`_data`, `_read_ports`), `_lhs_signals` of statements | memories and flip-flops of a unit |
| `hdl._nir.Net`, `back.rtlil.Wire` and `_make_attributes` | signals of more than 65,536 bits |
| `_toolchain.yosys.YosysError` | the error of a Yosys that does not read its input |

`tests/hw/export/test_amaranth_internals.py` says which of them a release has changed.
"""

from __future__ import annotations

from amaranth._toolchain.yosys import YosysError
from amaranth.back import rtlil
from amaranth.hdl import Const, Fragment, ResetInserter, Shape, Signal, Value
from amaranth.hdl._ast import SignalDict, SignalSet
from amaranth.hdl._ir import Design, PortDirection
from amaranth.hdl._mem import MemoryInstance
from amaranth.hdl._nir import Net
from amaranth.hdl._xfrm import TransformedElaboratable

__all__ = [
    "Design",
    "Net",
    "PortDirection",
    "SignalDict",
    "YosysError",
    "clocked_signals",
    "memory_of",
    "prefer_names",
    "take_reset",
    "wire_attributes",
]

wire_attributes = rtlil._make_attributes
"""Attributes of a wire in RTLIL, from those that were given and the place in the source."""


def memory_of(fragment: Fragment) -> tuple[int, int, int, bool] | None:
    """Of a memory: bits of a word, words, bits of all its clocked read ports, and whether one of them reads in every
    cycle, having no enable. None for a fragment that is not a memory.
    """
    if not isinstance(fragment, MemoryInstance):
        return None
    width, depth = Shape.cast(fragment._data._shape).width, fragment._data._depth
    clocked = [port for port in fragment._read_ports if port._domain != "comb"]
    return width, depth, width * len(clocked), any(isinstance(port._en, Const) for port in clocked)


def clocked_signals(fragment: Fragment) -> SignalSet:
    """Signals that a fragment itself drives from a clock."""
    driven = SignalSet()
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for statement in statements:
                for signal in statement._lhs_signals():
                    driven.add(signal)
    return driven


def prefer_names(design: Design, signals: list[Signal]) -> None:
    """Let these signals give their names to the nets they share with others: the backend takes the first."""
    info = design.fragments[design.fragment]
    ordered = SignalDict()
    for signal in signals:
        if signal in info.signal_names:
            ordered[signal] = info.signal_names[signal]
        elif signal in design.signal_lca and signal.name not in info.assigned_names:
            info.assigned_names.add(signal.name)
            ordered[signal] = signal.name
    for signal, name in info.signal_names.items():
        ordered[signal] = name
    info.signal_names = ordered


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
