"""Pieces of Verilog expressions: text, the type Verilog gives it, and how tightly it binds.

Every expression here has exactly the width of the place it stands in, so that Verilog's rules for contexts have nothing
to extend or cut. What is left of them is the type: an expression is signed only if all its operands are. That matters
to `>>>`, to comparisons and to casts, and `Text` keeps track of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ATOM", "TERNARY", "UNARY", "Text", "binary", "closed", "constant", "joined", "resized", "typed", "unary"]

ATOM, UNARY, TERNARY = 100, 90, 0
LEVELS = {
    "*": 80, "+": 70, "-": 70, "<<": 60, ">>": 60, ">>>": 60, "<": 50, "<=": 50, ">": 50, ">=": 50,
    "==": 40, "!=": 40, "&": 30, "^": 20, "|": 10,
}  # fmt: skip
_CHAINS = frozenset("+&|^*")
_PLAIN_DECIMAL = 1000


@dataclass(frozen=True)
class Text:
    """An expression.

    Attributes
    ----------
    text : Verilog
    signed : Verilog takes it for signed
    level : how tightly its outermost operator binds, ATOM for a name or anything in brackets
    fragile : its value depends on being taken for signed, as that of `a >>> b` does
    """

    text: str
    signed: bool = False
    level: int = ATOM
    fragile: bool = False

    def at(self, level: int) -> str:
        """The text where only what binds more tightly than `level` may stand without brackets."""
        return self.text if self.level > level else f"({self.text})"


def constant(value: int, width: int, signed: bool = False) -> Text:
    """A constant of so many bits: decimal where people count, hexadecimal where the bits matter."""
    value &= (1 << width) - 1
    if signed:
        top = 1 << width - 1
        if value == top:
            return Text(f"{width}'sh{value:x}", True)
        if value > top:
            return Text(f"-{width}'sd{(1 << width) - value}", True, UNARY)
        return Text(f"{width}'sd{value}", True)
    if width == 1:
        return Text(f"1'b{value}")
    if value < _PLAIN_DECIMAL:
        return Text(f"{width}'d{value}")
    return Text(f"{width}'h{value:x}")


def typed(given: Text, signed: bool) -> Text:
    """The same bits as a signed or an unsigned expression."""
    if given.signed == signed:
        return given
    return Text(f"{'$signed' if signed else '$unsigned'}({given.text})", signed)


def resized(given: Text, width: int, own: int) -> Text:
    """An expression of `own` bits in another width: extended by its own type, or cut.

    The operand of a cast is an expression of its own [IEEE 1800-2017, 6.24.1], but to Yosys, which computes `8'(~x)` in
    8 bits.
    """
    loose = width > own and given.level < ATOM and given.level not in (LEVELS["<"], LEVELS["=="])
    if loose and given.signed:
        return Text(f"{width}'($signed({given.text}))", True)
    if loose:
        return Text(f"{{{width - own}'d0, {given.text}}}")
    return Text(f"{width}'({given.text})", given.signed)


def closed(given: Text) -> Text:
    """The expression so that no operand beside it changes its type."""
    return Text(f"$signed({given.text})", True) if given.fragile else given


def joined(*given: Text) -> tuple[bool, list[Text]]:
    """Whether Verilog takes an expression of these operands for signed, and the operands so that it may."""
    signed = all(each.signed for each in given)
    return signed, list(given) if signed else [closed(each) for each in given]


def unary(operator: str, given: Text) -> Text:
    """An operator before an operand, which must not begin with a cast: Yosys reads `~5'(x)` as a cast to ~5 bits."""
    cast = given.level == ATOM and re.match(r"\d+'\(", given.text)
    text = f"({given.text})" if cast else given.at(UNARY)
    return Text(f"{operator}{text}", given.signed and operator in "~-", UNARY, given.fragile and operator in "~-")


def binary(left: Text, operator: str, right: Text) -> Text:
    """Two operands of the same width, and an operator whose result has that width too.

    Brackets are set wherever a reader would have to know the order of operators: everywhere but in `a + b + c`.
    """
    signed, (left, right) = joined(left, right)
    level = LEVELS[operator]
    chain = operator in _CHAINS and left.level == level
    same = left.text if chain or left.level >= UNARY else f"({left.text})"
    other = right.text if right.level >= UNARY else f"({right.text})"
    return Text(f"{same} {operator} {other}", signed, level, left.fragile or right.fragile)
