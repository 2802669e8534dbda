"""Values that do not depend on any signal, and operators that change nothing.

Sources have formulas for any parameters. With those of one unit a factor is 1, a mask is all ones, or a lane is always
there, and what is multiplied, masked or added is the operand itself.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const

from spikeloom.hw.export.amaranth_internals import Operator, Slice

__all__ = ["Folding"]


class Folding:
    """Numbers of the constant values of one module, which are remembered: asking a tree asks all of it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int | None]] = {}

    def number(self, value: Any) -> int | None:
        """The number that a value has, if it is the same whatever the signals are."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, self._number(value))
        return known[1]

    def _number(self, value: Any) -> int | None:
        if isinstance(value, Const):
            return int(value.value)
        if isinstance(value, Slice):
            inner = self.number(value.value)
            return None if inner is None else inner >> value.start & (1 << len(value)) - 1
        if isinstance(value, Operator) and value.operator == "~":
            inner, shape = self.number(value.operands[0]), value.shape()
            return None if inner is None else ~inner if shape.signed else ~inner & (1 << shape.width) - 1
        if not isinstance(value, Operator) or len(value.operands) != 2 or value.operator not in ("*", "&", "+", "-"):
            return None
        left, right = (self.number(each) for each in value.operands)
        if value.operator in "*&" and 0 in (left, right):
            return 0
        if left is None or right is None:
            return None
        return {"*": left * right, "&": left & right, "+": left + right, "-": left - right}[value.operator]

    def operand(self, value: Any) -> Any:
        """The operand that an operator of two leaves as it is, else None."""
        first, second = value.operands
        left, right = self.number(first), self.number(second)
        for number, other in ((right, first), (left, second)):
            if number is None or (value.operator == "-" and other is second):
                continue
            if value.operator in ("+", "-", "|", "^") and number == 0:
                return other
            if value.operator == "*" and number == 1:
                return other
            if value.operator == "&" and _keeps(number, other):
                return other
        return None


def _keeps(mask: int, value: Any) -> bool:
    """Whether a mask has a 1 for every bit of a value."""
    shape = value.shape()
    ones = (1 << shape.width) - 1
    return mask == -1 or (mask & ones == ones and not shape.signed)
