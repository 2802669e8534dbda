"""What the text of RTLIL uses of Amaranth's inside, besides what `hw.export.amaranth_internals` has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amaranth._toolchain.yosys import YosysError
from amaranth.back import rtlil
from amaranth.hdl import Signal
from amaranth.hdl._ast import SignalDict
from amaranth.hdl._ir import Design, PortDirection
from amaranth.hdl._nir import Net

__all__ = ["Net", "PortDirection", "YosysError", "changed", "prefer_names", "wire_attributes"]

wire_attributes = rtlil._make_attributes
"""Attributes of a wire in RTLIL, from those that were given and the place in the source."""


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


@contextmanager
def changed(changes: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """While the block runs, (owner, name, what stands there instead) of classes and modules of Amaranth."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
