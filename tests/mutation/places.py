"""All mutants of a module, found in its source; each is named by what it says, not by its line."""

from __future__ import annotations

import ast
import copy
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tests.mutation.blocks import is_block_function
from tests.mutation.operators import Change, assigned, changes_of_drop, changes_of_expression, changes_of_item

__all__ = ["Mutant", "mutants_of", "text_of"]


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Parameters
    ----------
    block, function : module of `hw`, and qualified name of the function in it
    operator : kind of the change, see `tests.mutation.operators`
    original, mutated : the assignment, condition or statement before and after, as `ast.unparse` writes it
    occurrence : which of the function's changes with the same words it is, from 0
    line : line of the statement, for the choice of tests and for people; not part of the mutant's name
    number : position in `mutants_of`
    """

    block: str
    function: str
    operator: str
    original: str
    mutated: str
    occurrence: int
    line: int
    number: int

    @property
    def name(self) -> tuple[str, str, str, str, int]:
        return self.block, self.function, self.original, self.mutated, self.occurrence

    def __str__(self) -> str:
        again = f" ({self.occurrence + 1})" if self.occurrence else ""
        return f"{self.block}:{self.line} {self.function}: {self.original} -> {self.mutated}{again}"

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class _Place:
    """A change, and the item (assignment, condition, statement) that shows it."""

    def __init__(self, change: Change, item: ast.AST, line: int) -> None:
        self.change, self.item, self.line = change, item, line


def _fields(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for index, element in enumerate(value):
                if isinstance(element, ast.AST):
                    yield field, index, element


def _expression(
    owner: ast.AST, field: str, index: int | None, node: ast.AST, item: ast.AST, line: int
) -> Iterator[_Place]:
    """Changes of an expression and all inside it."""
    if isinstance(node, ast.JoinedStr):
        return  # a name
    if assigned(node) or (isinstance(owner, ast.IfExp) and field == "test"):
        item = node if assigned(node) else owner
        yield from (_Place(change, item, line) for change in changes_of_item(owner, field, index, node))
    yield from (_Place(change, item, line) for change in changes_of_expression(owner, field, index, node))
    for inner, place, child in _fields(node):
        if not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.unaryop | ast.boolop):
            yield from _expression(node, inner, place, child, item, line)


def _statements(owner: ast.AST, field: str, body: list[ast.stmt]) -> Iterator[_Place]:
    for index, statement in enumerate(body):
        line = statement.lineno
        if isinstance(statement, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Raise):
            continue
        if isinstance(statement, ast.FunctionDef):
            yield from _statements(statement, "body", statement.body)
            continue
        for change in changes_of_drop(owner, field, index, statement):
            dropped = change.owner.elts[change.index] if change.field == "elts" else statement  # type: ignore[index]
            yield _Place(change, dropped, line)
        if isinstance(statement, ast.With):
            for part in statement.items:
                call = part.context_expr
                yield from (_Place(c, call, line) for c in changes_of_item(part, "context_expr", None, call))
                yield from _expression(part, "context_expr", None, call, call, line)
        elif isinstance(statement, ast.If | ast.While):
            test = statement.test
            yield from (_Place(c, statement, line) for c in changes_of_item(statement, "test", None, test))
            yield from _expression(statement, "test", None, test, statement, line)
        elif isinstance(statement, ast.For):
            yield from _expression(statement, "iter", None, statement.iter, statement, line)
        elif isinstance(statement, ast.AnnAssign):
            if statement.value is not None:
                yield from _expression(statement, "value", None, statement.value, statement, line)
        else:
            for inner, place, child in _fields(statement):
                if isinstance(child, ast.expr) and inner not in ("target", "targets"):
                    yield from _expression(statement, inner, place, child, statement, line)
        for inner in ("body", "orelse"):
            yield from _statements(statement, inner, getattr(statement, inner, []))


def _functions(tree: ast.Module, block: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and is_block_function(block, None, node):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and is_block_function(block, node, inner):
                    yield f"{node.name}.{inner.name}", inner


def _places(tree: ast.Module, block: str) -> Iterator[tuple[str, _Place]]:
    for name, function in _functions(tree, block):
        for place in _statements(function, "body", function.body):
            yield name, place


def _words(item: ast.AST) -> str:
    """What the item says, without the statements inside it."""
    if isinstance(item, ast.If | ast.While | ast.For):
        head: Any = copy.copy(item)
        head.body, head.orelse = [ast.Pass()], []
        return ast.unparse(head).split("\n")[0]
    return ast.unparse(item)


def mutants_of(block: str, source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its source.

    Parameters
    ----------
    block : name of the module in `hw`
    source : its text
    """
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for number, (function, place) in enumerate(_places(ast.parse(source), block)):
        original = _words(place.item)
        if place.change.operator == "dropped":
            mutated = "nothing"
        else:
            back = place.change.swap()
            mutated = _words(place.item)
            back.swap()
        key = (function, original, mutated)
        found.append(Mutant(block, function, place.change.operator, *key[1:], seen[key], place.line, number))
        seen[key] += 1
    return found


def text_of(mutant: Mutant, source: str) -> str:
    """The module's text with the mutant's change made, and else as it is.

    Raises
    ------
    ValueError : the source is not the one that the mutant is of
    """
    known = mutants_of(mutant.block, source)
    if mutant.number >= len(known) or known[mutant.number].name != mutant.name:
        raise ValueError(f"{mutant.block}.py has changed since this mutant was found in it: {mutant}")
    places = itertools.islice(_places(ast.parse(source), mutant.block), mutant.number, None)
    change = next(places)[1].change
    old = getattr(change.owner, change.field)
    old = old if change.index is None else old[change.index]
    new = ast.unparse(ast.fix_missing_locations(change.new))
    lines = source.encode().splitlines(keepends=True)  # columns count bytes
    start = sum(map(len, lines[: old.lineno - 1])) + old.col_offset
    end = sum(map(len, lines[: old.end_lineno - 1])) + old.end_col_offset
    bare = isinstance(change.new, ast.stmt | ast.Starred)
    text = source.encode()
    return (text[:start] + (new if bare else f"({new})").encode() + text[end:]).decode()
