"""Makes the implicit widths of Verilog explicit: no operand is extended, and no value truncated, silently.

Yosys writes `assign total = n_1 + amount` for operands of any width and leaves the rest to the language. The value is
the right one, but a linter cannot tell such a line from a mistake. Here an operand that is narrower than its expression
is cast to the expression's width (`33'(amount)`), a constant is written in it, a shift to the right of which the lowest
bits are taken is cast to them, and `! x` of several bits is `x == 4'h0`. The value of no line changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["explicit_widths", "operand_width", "widths_of"]

_DECLARED = re.compile(r"\b(?:wire|reg) +(?:\[(\d+):0\] )?(\w+)")
_CONSTANT = re.compile(r"(\d+)'([hdb])([0-9a-f]+)")
_NAMED = re.compile(r"(\w+)(?:\[(\d+)(?::(\d+))?\])?")
_ASSIGN = re.compile(r"^  assign (\w+) = (.+);$", re.M)
_PART = r"(?:\$signed\((?:[^(){}]|\{[^{}]*\})*\)|\{[^{}]*\}|\d+'[hdb][0-9a-f]+|\w+(?:\[\d+(?::\d+)?\])?)"
_TWO = re.compile(rf"({_PART}) (\+|-|\*|<<|>>>|>>|==|!=|<=|>=|<|>) ({_PART})")
_NOT = re.compile(rf"! ({_PART})")
_MINUS = re.compile(rf"- ({_PART})")
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_SHIFTS = ("<<", ">>", ">>>")


def widths_of(text: str) -> dict[str, int]:
    """Width of every signal that a module declares, in bits."""
    return {name: int(high or 0) + 1 for high, name in _DECLARED.findall(text)}


def operand_width(operand: str, widths: Mapping[str, int]) -> int:
    """Bits of a name, a part of one, a constant, a concatenation, or one of these in `$signed`.

    Raises
    ------
    ValueError : it is none of these, or its name is not declared
    """
    operand = operand.strip()
    if operand.startswith("$signed("):
        return operand_width(operand[len("$signed(") : -1], widths)
    if operand.startswith("{"):
        return sum(operand_width(part, widths) for part in operand[1:-1].split(","))
    if constant := _CONSTANT.fullmatch(operand):
        return int(constant[1])
    named = _NAMED.fullmatch(operand)
    if named is None or named[1] not in widths:
        raise ValueError(f"Operand {operand!r} has no width that is known")
    if named[2] is None:
        return widths[named[1]]
    return int(named[2]) - int(named[3] or named[2]) + 1


def _constant(value: int, bits: int) -> str:
    return f"{bits}'h{value:0{-(-bits // 4)}x}"


def _widened(operand: str, bits: int, widths: Mapping[str, int]) -> str:
    """An operand in a wider expression."""
    if operand_width(operand, widths) >= bits:
        return operand
    if constant := _CONSTANT.fullmatch(operand):
        return _constant(int(constant[3], {"h": 16, "d": 10, "b": 2}[constant[2]]), bits)
    return f"{bits}'({operand})"


def _cut(expression: str, given: int, bits: int) -> str:
    """An expression of `given` bits, of which only the lowest `bits` are wanted."""
    return expression if given <= bits else f"{bits}'({expression})"


def explicit_widths(text: str) -> str:
    """A module with explicit widths.

    Parameters
    ----------
    text : a module as `readable_verilog` makes it: every `assign` has one operator, on one line

    Raises
    ------
    ValueError : an operator joins a signed and an unsigned operand of different widths, which Verilog would both take
        for unsigned
    """
    widths = widths_of(text)

    def rewritten(match: re.Match[str]) -> str:
        target, expression = match[1], match[2]
        if inverted := _NOT.fullmatch(expression):
            bits = operand_width(inverted[1], widths)
            return f"  assign {target} = {inverted[1]} == {_constant(0, bits)};" if bits > 1 else match[0]
        if negated := _MINUS.fullmatch(expression):
            bits = widths[target]  # Yosys reads `- 14'(x)` as a cast to -14 bits
            return f"  assign {target} = {_constant(0, bits)} - {_widened(negated[1], bits, widths)};"
        two = _TWO.fullmatch(expression)
        if two is None:
            return match[0]
        left, operator, right = two.groups()
        first, second = operand_width(left, widths), operand_width(right, widths)
        bits = widths[target]
        if operator in _SHIFTS:
            wide = f"{_widened(left, bits, widths)} {operator} {right}"
            return f"  assign {target} = {_cut(wide, first, bits)};"
        if operator in _COMPARISONS:
            bits = max(first, second)
        if left.startswith("$signed") != right.startswith("$signed") and (first, second) != (bits, bits):
            raise ValueError(f"{match[0].strip()}: one operand is signed, the other is not")
        wide = f"{_widened(left, bits, widths)} {operator} {_widened(right, bits, widths)}"
        return f"  assign {target} = {_cut(wide, max(first, second), bits)};"

    return _ASSIGN.sub(rewritten, text)
