"""What a component's statements drive, what the signals are called that have no name, and what is not driven at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Const, signed, unsigned

from spikeloom.hw.export.amaranth_internals import (
    Assign,
    Concat,
    Operator,
    Part,
    SignalDict,
    Slice,
    Switch,
    SwitchValue,
)
from spikeloom.hw.export.writer.comments import names_at
from spikeloom.hw.export.writer.statements import Put
from spikeloom.hw.export.writer.variables import Variable

__all__ = ["driven", "names_of", "start_values"]


def driven(statements: Iterable[Any]) -> SignalDict:
    """Signals that statements assign, each with whether a part of it is assigned alone."""
    found = SignalDict()

    def visit(target: Any, part: bool) -> None:
        if isinstance(target, Concat):
            for inner in target.parts:
                visit(inner, part)
        elif isinstance(target, SwitchValue):
            for _, inner in target.cases:
                visit(inner, part)
        elif isinstance(target, Operator):
            visit(target.operands[0], part)
        elif isinstance(target, Slice):
            visit(target.value, part or len(target) < len(target.value))
        elif isinstance(target, Part):
            visit(target.value, True)
        else:
            found[target] = found.get(target, False) or part

    def walk(given: Iterable[Any]) -> None:
        for statement in given:
            if isinstance(statement, Assign):
                visit(statement.lhs, False)
            elif isinstance(statement, Switch):
                for _, body, _ in statement.cases:
                    walk(body)

    walk(statements)
    return found


def names_of(signals: Iterable[Any]) -> SignalDict:
    """Names of the signals to which Python gives none, being made side by side: `a, b = Signal(), Signal()`."""
    found = SignalDict()
    places: dict[tuple[str, int], list[Any]] = {}
    for signal in sorted(signals, key=lambda signal: signal.duid):
        places.setdefault(signal.src_loc, []).append(signal)
    for place, made in places.items():
        names = names_at(place)
        if len(made) <= len(names) <= len(made) + 1:  # the last may have its name
            found.update(zip(made, names, strict=False))
    return found


def start_values(idle: Iterable[Variable]) -> list[Put]:
    """Assignments to variables that nothing drives.

    Amaranth's simulator has the start value in such a signal. A wire without a driver is unknown, and synthesis makes
    what it likes of everything that depends on it.
    """
    shapes = {v: signed(v.width) if v.signed else unsigned(v.width) for v in idle if v.width}
    ordered = sorted(shapes, key=lambda variable: (variable.order, variable.name))
    return [Put(((v, 0, v.width),), Const(v.init, shapes[v]), None) for v in ordered]
