"""Verilog expressions for Amaranth's values.

`Printer.value(v, width)` gives an expression of exactly `width` bits that holds v's number, extended by v's own sign or
cut to the lowest bits. Amaranth's arithmetic is exact, so sums, products, shifts to the left and choices can be
computed in any width: their operands are printed in it. All else is computed in its own width and cast.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Const, ResetSignal, Signal

from spikeloom.hw.export.amaranth_internals import Concat, Operator, Part, Slice, SwitchValue
from spikeloom.hw.export.writer.choices import Choices
from spikeloom.hw.export.writer.printing import Scope, shape_of
from spikeloom.hw.export.writer.selections import is_exact
from spikeloom.hw.export.writer.text import UNARY, Text, binary, constant, typed, unary

__all__ = ["Printer", "Scope", "shape_of"]

_EQUALITIES = ("==", "!=")
_ORDERS = ("<", "<=", ">", ">=")
_REDUCTIONS = {"b": "|", "r|": "|", "r&": "&", "r^": "^"}


class Printer(Choices):
    """Prints values in the names of one module; see the module's description."""

    def value(self, value: Any, width: int | None = None) -> Text:
        """The value in `width` bits, its own without one; neither may be 0."""
        with self._inside():
            own, signed = self.shape(value)
            return self._value(value, own, signed, own if width is None else width)

    def definition(self, value: Any) -> Text:
        """What a net of its own is assigned."""
        with self._inside():
            own, signed = self.shape(value)
            self._defined = value
            try:
                return self._value(value, own, signed, own)
            finally:
                self._defined = None

    def _value(self, value: Any, own: int, signed: bool, width: int) -> Text:
        if own == 0:
            return constant(0, width)
        if value is not self._defined and (net := self._scope.named(value)):
            return self._selected(net, 0, width) if width < own else self._fitted(net, own, signed, width)
        if (number := self._folding.number(value)) is not None:
            return constant(number, width, signed)
        if isinstance(value, Operator) and is_exact(value, own, signed, width):
            return self._exact(value, width)
        if isinstance(value, SwitchValue):
            return self._choice(value, width)
        if width < own:
            return self.part(value, 0, width)
        return self._fitted(self._whole(value), own, signed, width)

    def condition(self, value: Any) -> Text:
        """A value as the condition of an `if`: true unless it is 0."""
        width, _ = self.shape(value)
        with self._inside():
            return self.value(value) if width == 1 else unary("|", self.value(value))

    def _exact(self, value: Any, width: int) -> Text:
        """An operator whose result can be computed in any width."""
        operator, operands = value.operator, value.operands
        if operator in ("u", "s"):
            return self.value(operands[0], width)
        if len(operands) == 1:
            if operator == "~" and width == 1 and (reduced := self._reduced(operands[0])) is not None:
                return Text(f"~{reduced}", level=UNARY)
            if operator == "~" and width == 1 and (denied := self._denied(operands[0])) is not None:
                return denied
            inner = self.value(operands[0], width)
            return unary(operator, inner)
        if operator == "<<":
            left = self.value(operands[0], width)
            return Text(f"{left.at(UNARY - 1)} << {self._amount(operands[1])}", left.signed, 60, left.fragile)
        if (only := self._folding.operand(value)) is not None:
            return self.value(only, width)
        return binary(self.value(operands[0], width), operator, self.value(operands[1], width))

    def _amount(self, value: Any) -> str:
        """What is shifted by: its width is its own."""
        if isinstance(value, Const) or self.shape(value)[0] == 0:
            return str(value.value if isinstance(value, Const) else 0)
        return typed(self.value(value), False).at(UNARY - 1)

    def _whole(self, value: Any) -> Text:
        """A value that is computed in its own width."""
        if isinstance(value, Signal):
            meaning = self._scope.meaning(value)
            return self._scope.bits(value, 0, len(value)) if meaning is None else self.value(meaning)
        if isinstance(value, ClockSignal):
            return Text("clk")
        if isinstance(value, ResetSignal):
            return Text("rst")
        if isinstance(value, Slice):
            return self.part(value.value, value.start, value.stop)
        if isinstance(value, Concat):
            return self._concatenation(list(self._pieces(value, 0, len(value))))
        if isinstance(value, Part):
            return self._indexed(value)
        if not isinstance(value, Operator):
            raise ValueError(f"Verilog has no words for {value!r}")
        return self._closed_operator(value)

    def _closed_operator(self, value: Any) -> Text:
        operator, operands = value.operator, value.operands
        if operator in ("u", "s"):
            return self.value(operands[0])
        if operator == "~":
            return self._exact(value, len(operands[0]))
        if operator in _REDUCTIONS:
            reduced = self._reduced(value)
            return self.value(operands[0]) if reduced is None else Text(reduced, level=UNARY)
        if operator == ">>":
            width, signed = self.shape(operands[0])
            left = typed(self.value(operands[0], width), signed)
            sign = ">>>" if signed else ">>"
            return Text(f"{left.at(UNARY - 1)} {sign} {self._amount(operands[1])}", signed, 60, signed)
        if operator in _EQUALITIES or operator in _ORDERS:
            return self._comparison(operator, *operands)
        raise ValueError(f"Operator {operator} of {value!r} is not exported: divide by constants with hw.primitives")

    def _signed(self, value: Any, text: Text, width: int) -> Text:
        """A value as a signed expression, a number as a signed number."""
        number = self._folding.number(value)
        return typed(text, True) if number is None else constant(number, width, True)

    def _denied(self, value: Any) -> Text | None:
        """That two values are not equal, for the equality that is denied."""
        if isinstance(value, Signal) and (meaning := self._scope.meaning(value)) is not None:
            value = meaning
        if isinstance(value, Operator) and value.operator == "==" and self._scope.named(value) is None:
            return self._comparison("!=", *value.operands)
        return None

    def _reduced(self, value: Any) -> str | None:
        """A reduction of several bits to one."""
        if not isinstance(value, Operator) or value.operator not in _REDUCTIONS:
            return None
        (operand,) = value.operands
        return unary(_REDUCTIONS[value.operator], self.value(operand)).text if self.shape(operand)[0] > 1 else None

    def _comparison(self, operator: str, left: Any, right: Any) -> Text:
        state = self.state(left, right.value) if isinstance(right, Const) else None
        if state is not None and operator in _EQUALITIES:
            return Text(f"{self.value(left).text} {operator} {state}", level=40)
        shapes = [self.shape(each) for each in (left, right)]
        signed = any(sign for _, sign in shapes)
        width = max(1, *(bits + (signed and not sign) for bits, sign in shapes))
        first, second = (self.value(each, width) for each in (left, right))
        if operator in _ORDERS and signed:
            first, second = (self._signed(each, text, width) for each, text in ((left, first), (right, second)))
        elif operator in _ORDERS and first.signed and second.signed:
            first, second = (typed(each, False) for each in (first, second))
        made = binary(first, operator, second)
        return Text(made.text, False, made.level)
