"""Statements of a module in the form in which they are printed: what is assigned are variables, not signals.

`lowered` takes Amaranth's statements apart: a choice of conditions is an `If`, any other switch a `Case`, and an
assignment a `Put` into pieces of variables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Signal

from spikeloom.hw.export.amaranth_internals import Assign, Concat, Operator, Part, Slice, Switch, SwitchValue
from spikeloom.hw.export.writer.variables import Variable, Variables

__all__ = ["Case", "If", "Put", "Statement", "lowered", "reads_of", "restricted", "targets"]

Place = tuple[str, int] | None
Piece = tuple[Variable, int, int]


@dataclass(frozen=True)
class Put:
    """`value` into pieces of variables, lowest first: (variable, lowest bit, bits).

    `index`: the one piece is a word of a variable, and this is (number of the word, bits between two words).
    """

    pieces: tuple[Piece, ...]
    value: Any
    place: Place
    index: tuple[Any, int] | None = None

    @property
    def whole(self) -> Variable | None:
        """The variable, if it is assigned as a whole."""
        variable, low, width = self.pieces[0]
        is_whole = len(self.pieces) == 1 and self.index is None and (low, width) == (0, variable.width)
        return variable if is_whole else None


@dataclass(frozen=True)
class If:
    """The body of the first arm whose test is true, or has none."""

    arms: tuple[tuple[Any, tuple[Statement, ...]], ...]
    place: Place


@dataclass(frozen=True)
class Case:
    """The body of the first arm of which a pattern matches, or which has None for its patterns."""

    test: Any
    arms: tuple[tuple[tuple[str, ...] | None, tuple[Statement, ...]], ...]
    place: Place


Statement = Put | If | Case


def lowered(statements: Iterable[Any], variables: Variables) -> list[Statement]:
    """Amaranth's statements as they are printed."""
    found: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Assign):
            found += _put(statement.lhs, statement.rhs, statement.src_loc, variables)
        elif isinstance(statement, Switch):
            found += _switch(statement, variables)
        else:
            raise ValueError(f"Statement {statement!r} is not exported: no print and no property is a circuit")
    return found


def _switch(statement: Any, variables: Variables) -> Iterator[Statement]:
    arms = [(patterns, tuple(lowered(body, variables))) for patterns, body, _ in statement.cases]
    if not any(body for _, body in arms):
        return
    test = statement.test
    if isinstance(test, Concat) and all(len(part) == 1 for part in test.parts):
        wanted = [("1" + "-" * number).rjust(len(test), "-") for number in range(len(test))]
        patterns = [given for given, _ in arms]
        if patterns in ([(one,) for one in wanted], [*((one,) for one in wanted), None]):
            tests = [*test.parts, None][: len(arms)]
            yield If(tuple((each, body) for each, (_, body) in zip(tests, arms, strict=True)), statement.src_loc)
            return
    if len(test) == 0:
        yield from next((body for patterns, body in arms if patterns is None or patterns), ())
        return
    yield Case(test, tuple(arms), statement.src_loc)


def _put(target: Any, value: Any, place: Place, variables: Variables) -> Iterator[Statement]:
    """An assignment, of which the target may be parts of several signals, or a choice of them."""
    if len(target) == 0:
        return
    if isinstance(target, SwitchValue):
        arms = [(p, tuple(_put(element, value, place, variables))) for p, element in target.cases]
        yield Case(target.test, tuple(arms), place)
        return
    if isinstance(target, Operator):
        yield from _put(target.operands[0], value, place, variables)
        return
    if isinstance(target, Part):
        yield _indexed(target, value, place, variables)
        return
    pieces = list(_pieces(target, 0, len(target), variables))
    if len(pieces) > 1 and _is_plain(value):
        yield from _split(Put(tuple(pieces), value, place))
    else:
        yield Put(tuple(pieces), value, place)


def _indexed(target: Any, value: Any, place: Place, variables: Variables) -> Put:
    ((variable, low, width),) = _pieces(target.value, 0, len(target.value), variables)
    if (low, width) != (0, variable.width):
        raise ValueError(f"A word of a part of {variable.name} is assigned at a place that is a signal")
    return Put(((variable, 0, target.width),), value, place, (target.offset, target.stride))


def _pieces(target: Any, start: int, stop: int, variables: Variables) -> Iterator[Piece]:
    """Pieces of variables between two bits of a target, lowest first."""
    if isinstance(target, Signal):
        yield from variables.pieces(target, start, stop)
    elif isinstance(target, Slice):
        yield from _pieces(target.value, target.start + start, target.start + stop, variables)
    elif isinstance(target, Operator):
        yield from _pieces(target.operands[0], start, stop, variables)
    elif isinstance(target, Concat):
        low = 0
        for part in target.parts:
            first, last = max(start, low) - low, min(stop, low + len(part)) - low
            if first < last:
                yield from _pieces(part, first, last, variables)
            low += len(part)
    else:
        raise ValueError(f"{target!r} is assigned in a way that is not exported")


def _is_plain(value: Any) -> bool:
    """Whether pieces of a value are as short as the value: names, constants, and what is made of them."""
    if isinstance(value, Signal | Const):
        return True
    if isinstance(value, Slice):
        return _is_plain(value.value)
    if isinstance(value, Concat):
        return True
    return isinstance(value, Operator) and value.operator in ("u", "s") and _is_plain(value.operands[0])


def _split(put: Put) -> Iterator[Put]:
    """An assignment per piece."""
    value, total = put.value, sum(width for _, _, width in put.pieces)
    if len(value) < total:
        signed = value.shape().signed
        value = Cat(value, value[-1].replicate(total - len(value)) if signed else Const(0, total - len(value)))
    low = 0
    for variable, first, width in put.pieces:
        yield Put(((variable, first, width),), value[low : low + width], put.place)
        low += width


def targets(statements: Iterable[Statement]) -> dict[Variable, None]:
    """Variables that statements assign, in their order."""
    found: dict[Variable, None] = {}
    for put in _puts(statements):
        found.update((variable, None) for variable, _, _ in put.pieces)
    return found


def _puts(statements: Iterable[Statement]) -> Iterator[Put]:
    for statement in statements:
        if isinstance(statement, Put):
            yield statement
        else:
            for _, body in statement.arms:
                yield from _puts(body)


def restricted(statements: Iterable[Statement], wanted: Collection[Variable]) -> list[Statement]:
    """What of the statements assigns these variables, with the conditions of it."""
    found: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Put):
            inside = [variable in wanted for variable, _, _ in statement.pieces]
            if all(inside):
                found.append(statement)
            elif any(inside):
                found += [put for put in _split(statement) if put.pieces[0][0] in wanted]
        elif isinstance(statement, If):
            arms = [(test, tuple(restricted(body, wanted))) for test, body in statement.arms]
            while arms and not arms[-1][1]:
                arms.pop()
            if arms:
                found.append(If(tuple(arms), statement.place))
        else:
            cases = [(patterns, tuple(restricted(body, wanted))) for patterns, body in statement.arms]
            if any(body for _, body in cases):
                found.append(Case(statement.test, tuple(_without_idle(cases)), statement.place))
    return found


def _without_idle(
    arms: Sequence[tuple[tuple[str, ...] | None, tuple[Statement, ...]]],
) -> list[tuple[tuple[str, ...] | None, tuple[Statement, ...]]]:
    """Arms without those that do nothing, where no later one would be chosen in their place."""
    patterns = [pattern for given, _ in arms for pattern in given or ()]
    if any("-" in pattern for pattern in patterns) or len(set(patterns)) < len(patterns):
        return list(arms)
    default = any(given is None and body for given, body in arms)
    return [arm for arm in arms if arm[1] or (default and arm[0] is not None)]


def reads_of(
    statements: Iterable[Statement], reads: Callable[[Any], frozenset[Variable]]
) -> Iterator[tuple[Variable | None, frozenset[Variable]]]:
    """(variable, what its new value and the conditions of it depend on) of every piece, in order of the text.

    A condition itself comes before, with None for the variable.
    """
    for statement in statements:
        if isinstance(statement, Put):
            needed = reads(statement.value)
            if statement.index is not None:
                needed |= reads(statement.index[0])
            for variable, _, _ in statement.pieces:
                yield variable, needed
            continue
        tests = [test for test, _ in statement.arms] if isinstance(statement, If) else [statement.test]
        conditions = frozenset().union(*(reads(test) for test in tests if test is not None))
        yield None, conditions
        for _, body in statement.arms:
            for target, inner in reads_of(body, reads):
                yield target, inner | conditions
