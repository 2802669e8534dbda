"""Constants by number."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value

__all__ = ["looked_up"]


def looked_up(m: Module, index: Value, values: Sequence[int], name: str) -> Signal:
    """values[index], of unsigned constants; 0 past the last one; values that the index cannot have
    are left out. A signal of this name."""
    found = Signal(range(max(*values, 1) + 1), name=name)
    with m.Switch(index):
        for number, value in enumerate(values[: 1 << len(index)]):
            with m.Case(number):
                m.d.comb += found.eq(value)
    return found
