"""Sum of many small numbers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Value

__all__ = ["adder_tree"]


def adder_tree(values: Sequence[Value]) -> Value:
    """Sum by a balanced tree of adders, each as wide as its operands need; 0 for no values.

    `sum` would make a chain, whose adders grow by one bit each.
    """
    level = list(values) or [Const(0)]
    while len(level) > 1:
        pairs = [left + right for left, right in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]
