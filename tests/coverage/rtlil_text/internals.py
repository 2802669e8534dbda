"""What the text of RTLIL uses of Amaranth's inside, besides what `hw.export.amaranth_internals` has."""

from __future__ import annotations

from amaranth._toolchain.yosys import YosysError
from amaranth.back import rtlil
from amaranth.hdl import Signal
from amaranth.hdl._ast import SignalDict
from amaranth.hdl._ir import Design, PortDirection
from amaranth.hdl._nir import Net

__all__ = ["Net", "PortDirection", "YosysError", "prefer_names", "wire_attributes"]

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
