"""Mutation operators: the ways in which one expression or statement of a circuit's description is made wrong."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Change", "assigned", "changes_of_drop", "changes_of_expression", "changes_of_item"]

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Mult: ast.Add,
}


class Change(NamedTuple):
    """One way to change a tree: `new` in the place of `owner.field` (of its element `index`, if that is a list)."""

    operator: str
    owner: Any
    field: str
    index: int | None
    new: Any

    def swap(self) -> Change:
        """Apply it; returns the change back."""
        place = getattr(self.owner, self.field)
        if self.index is None:
            setattr(self.owner, self.field, self.new)
            return self._replace(new=place)
        old, place[self.index] = place[self.index], self.new
        return self._replace(new=old)


def assigned(node: ast.AST) -> bool:
    """Whether a node is an assignment of the circuit: a call of `eq`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "eq"


def _constant(value: int) -> ast.expr:
    return ast.Constant(value)


def changes_of_expression(owner: ast.AST, field: str, index: int | None, node: ast.AST) -> Iterator[Change]:
    """The operators on one node of an expression; not on what is inside of it."""

    def change(operator: str, new: ast.AST) -> Change:
        return Change(operator, owner, field, index, new)

    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
        yield change("compare", ast.Compare(node.left, [_COMPARED[type(node.ops[0])]()], node.comparators))
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        yield change("operator", ast.BinOp(node.left, _BINARY[type(node.op)](), node.right))
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            yield change("term", node.left)
            yield change("term", node.right)
    elif isinstance(node, ast.BoolOp):
        yield change("operator", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
    elif isinstance(node, ast.UnaryOp):
        yield change("operator", node.operand)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield change("constant", _constant(node.value + 1))
        if node.value > 0:
            yield change("constant", _constant(node.value - 1))
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield change("constant", ast.Constant(not node.value))
    elif (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Mux" and len(node.args) == 3
    ):
        yield change("choice", ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], []))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("any", "all"):
        other = "all" if node.func.attr == "any" else "any"
        yield change("operator", ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords))
    elif isinstance(node, ast.Slice):
        for bound in ("lower", "upper"):
            value = getattr(node, bound)
            if value is not None and not isinstance(value, ast.Constant):
                yield Change("slice", node, bound, None, ast.BinOp(value, ast.Sub(), _constant(1)))


def changes_of_item(owner: ast.AST, field: str, index: int | None, node: ast.AST) -> Iterator[Change]:
    """The operators on an assignment, a condition of the circuit (`m.If`), or one of the description (`if`)."""
    if assigned(node):
        assert isinstance(node, ast.Call)
        for value in (0, 1):
            if node.args and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == value):
                yield Change("forced", node, "args", 0, _constant(value))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("If", "Elif"):
        condition = copy.deepcopy(node.args[0])
        yield Change("condition", node, "args", 0, ast.Compare(condition, [ast.Eq()], [_constant(0)]))
        for value in (0, 1):
            yield Change("condition", node, "args", 0, _constant(value))
    elif isinstance(owner, ast.If | ast.IfExp):
        yield Change("condition", owner, field, index, ast.UnaryOp(ast.Not(), copy.deepcopy(node)))


def changes_of_drop(owner: ast.AST, field: str, index: int, statement: ast.stmt) -> Iterator[Change]:
    """Without a statement that adds to the circuit, or without one assignment of it."""
    if isinstance(statement, ast.AugAssign):
        if isinstance(statement.value, ast.List) and len(statement.value.elts) > 1:
            for place, _ in enumerate(statement.value.elts):
                yield Change("dropped", statement.value, "elts", place, _nothing())
        elif ast.unparse(statement.target).startswith("m.d."):
            yield Change("dropped", owner, field, index, ast.Pass())
    elif isinstance(statement, ast.Expr) and "connect" in ast.unparse(statement.value).split("(")[0]:
        yield Change("dropped", owner, field, index, ast.Pass())


def _nothing() -> ast.expr:
    """In a list: no element."""
    return ast.Starred(ast.List([], ast.Load()), ast.Load())
