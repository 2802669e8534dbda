"""Which wires of a module are no more than a name for what they are joined to.

An input of a module or memory inside that is assigned once is connected to what it is assigned. An output of a module
inside that is handed on as a port is connected to the port.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from amaranth.hdl import Signal

from spikeloom.hw.export.amaranth_internals import Operator, Slice
from spikeloom.hw.export.writer.grouping import Group
from spikeloom.hw.export.writer.statements import Case, If, Put, Statement
from spikeloom.hw.export.writer.variables import Variable, Variables

__all__ = ["Joined", "join"]

_LONGEST = 70


class Joined:
    """What became of the wires.

    Attributes
    ----------
    values : input of a module or memory inside -> the value it is connected to
    aliases : variable -> the variable whose name it has, and which is declared for both
    groups : the groups that are left
    """

    def __init__(self) -> None:
        self.values: dict[Variable, Any] = {}
        self.aliases: dict[Variable, Variable] = {}
        self.groups: list[Group] = []


def join(
    groups: Iterable[Group],
    clocked: Iterable[Group],
    variables: Variables,
    *,
    sinks: Collection[Variable],
    sources: Collection[Variable],
    outputs: Collection[Variable],
    length: Callable[[Any], int],
) -> Joined:
    """Find the wires that are only names.

    Parameters
    ----------
    groups, clocked : combinational and clocked ones of the module
    variables : of the module
    sinks : inputs of what is inside
    sources : outputs of the modules inside
    outputs : the module's own outputs
    length : letters of a value's text
    """
    groups = list(groups)
    read = _reads([*groups, *clocked], variables)
    joined = Joined()
    for group in groups:
        target, value = _only(group)
        if target is None:
            joined.groups.append(group)
            continue
        source = _variable(value, variables)
        if target in sinks and not read[target] and length(value) <= _LONGEST:
            joined.values[target] = value
        elif source is not None and target in sinks:
            joined.aliases[target] = source
        elif source in sources and target in outputs and source not in joined.aliases:
            assert source is not None
            joined.aliases[source] = target
        else:
            joined.groups.append(group)
    return joined


def _only(group: Group) -> tuple[Variable | None, Any]:
    """The variable that a group assigns as a whole, and its value, if it does nothing else."""
    put = group.statements[0]
    if group.continuous and len(group.statements) == 1 and isinstance(put, Put) and put.whole is not None:
        return put.whole, put.value
    return None, None


def _variable(value: Any, variables: Variables) -> Variable | None:
    """The variable that a value is, with all its bits and its sign."""
    if isinstance(value, Signal):
        pieces = list(variables.pieces(value, 0, len(value)))
    elif isinstance(value, Slice) and isinstance(value.value, Signal):
        pieces = list(variables.pieces(value.value, value.start, value.stop))
    elif isinstance(value, Operator) and value.operator in ("u", "s"):
        return _variable(value.operands[0], variables)
    else:
        return None
    (variable, low, width), *rest = pieces
    return variable if not rest and (low, width) == (0, variable.width) else None


def _reads(groups: Iterable[Group], variables: Variables) -> Counter[Variable]:
    """How often the variables are read."""
    found: Counter[Variable] = Counter()
    for group in groups:
        for value in _values(group.statements):
            found.update(variables.reads(value))
    return found


def _values(statements: Iterable[Statement]) -> Iterator[Any]:
    for statement in statements:
        if isinstance(statement, Put):
            yield statement.value
            if statement.index is not None:
                yield statement.index[0]
        elif isinstance(statement, If):
            for test, body in statement.arms:
                if test is not None:
                    yield test
                yield from _values(body)
        else:
            assert isinstance(statement, Case)
            yield statement.test
            for _, body in statement.arms:
                yield from _values(body)
