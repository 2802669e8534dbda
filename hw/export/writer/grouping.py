"""Which assignments become a continuous `assign`, and which statements make up one process.

Clocked statements that assign a variable together stay together. Combinational ones, too, but only as far as no loop
arises that is none: if what one block gives comes back into it by way of another, a simulator must run both until
nothing changes, and with passing default values they may wake each other for good. So the blocks are made such that
they can be run one after another; and a block may read a variable of its own only below all its assignments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const

from spikeloom.hw.export.writer.statements import Put, Statement, reads_of, restricted, targets
from spikeloom.hw.export.writer.variables import Variable

__all__ = ["Dependences", "Group", "clocked_groups", "combinational_groups"]

Reads = Callable[[Any], frozenset[Variable]]
Dependences = dict[Variable, set[Variable]]
"""Variable -> the variables on which it depends without a clock."""


@dataclass(frozen=True)
class Group:
    """Statements that are printed together: one or several `assign`, or one process.

    Attributes
    ----------
    variables : what they assign
    statements : as they stand in the source
    continuous : no process, but an `assign` each
    """

    variables: tuple[Variable, ...]
    statements: tuple[Statement, ...]
    continuous: bool = False


class _Statements:
    """Statements, and which of them assign a variable."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.all = [(statement, targets([statement])) for statement in statements]
        self.touching: dict[Variable, list[int]] = {}
        for number, (_, inside) in enumerate(self.all):
            for variable in inside:
                self.touching.setdefault(variable, []).append(number)

    def of(self, variables: Collection[Variable]) -> list[Statement]:
        """What assigns these variables."""
        numbers = sorted({number for variable in variables for number in self.touching[variable]})
        return restricted((self.all[number][0] for number in numbers), variables)

    def together(self, apart: Collection[Variable] = ()) -> list[list[Variable]]:
        """Variables that some statement assigns together, in their order; `apart` are left out."""
        leader: dict[Variable, Variable] = {}

        def root(variable: Variable) -> Variable:
            while leader.setdefault(variable, variable) is not variable:
                variable = leader[variable]
            return variable

        for _, inside in self.all:
            members = [variable for variable in inside if variable not in apart]
            for other in members[1:]:
                leader[root(other)] = root(members[0])
        classes: dict[Variable, list[Variable]] = {}
        for variable in self.touching:
            if variable not in apart:
                classes.setdefault(root(variable), []).append(variable)
        return list(classes.values())


def clocked_groups(statements: Iterable[Statement]) -> list[Group]:
    """Processes of clocked statements, in the order of their first ones; registers without a reset are apart.

    Neighbours that would have a process for one register each share one; lanes, which become a loop, do not.
    """
    all_of_them = _Statements(statements)
    classes: list[list[Variable]] = []
    singles: list[Variable] = []
    for variables in all_of_them.together():
        for reset in (True, False):
            inside = [variable for variable in variables if variable.reset is reset]
            single = len(inside) == 1 and reset and not inside[0].name[-1].isdigit()
            if single and singles and singles is classes[-1]:
                singles += inside
            elif inside:
                classes.append(inside)
                singles = inside if single else []
    return [Group(tuple(inside), tuple(all_of_them.of(inside))) for inside in classes]


def combinational_groups(
    statements: Sequence[Statement],
    reads: Reads,
    known: Dependences,
    inputs: Iterable[Variable] = (),
    outputs: Iterable[Variable] = (),
) -> list[Group]:
    """Assignments and processes of combinational statements, in the order of their first ones.

    Parameters
    ----------
    statements : all of a module
    reads : what a value depends on
    known : what else depends on what; what the statements add is entered
    inputs, outputs : of the module. Whoever uses it may let every input depend on every output that does not depend on
        the input, without a clock.

    Raises
    ------
    ValueError : a signal depends on itself without a clock
    """
    alive = _Statements(_alive(statements))
    for variable in alive.touching:
        needed = known.setdefault(variable, set())
        for target, sources in reads_of(alive.of((variable,)), reads):
            if target is not None:
                needed |= sources
    continuous = {variable: None for variable in alive.touching if _is_continuous(variable, alive)}
    _check_loops(known, set(alive.touching) - set(continuous))
    classes = _Classes(_with_outside(known, set(inputs), outputs))
    for variables in alive.together(continuous):
        _partition(variables, alive, reads, classes)
    groups: list[tuple[int, Group]] = []
    for variable in continuous:
        for number in alive.touching[variable]:
            for put in restricted([alive.all[number][0]], {variable}):
                groups.append((number, Group((variable,), (put,), continuous=True)))
        for put in _left_over(variable, alive.of((variable,))):
            groups.append((alive.touching[variable][-1], Group((variable,), (put,), continuous=True)))
    for members in classes.made:
        number = min(alive.touching[variable][0] for variable in members)
        groups.append((number, Group(tuple(members), tuple(alive.of(members)))))
    return [group for _, group in sorted(groups, key=lambda entry: entry[0])]


def _check_loops(known: Dependences, processes: Collection[Variable]) -> None:
    """Raise an error for variables of processes that depend on themselves; parts of others may."""
    done: set[Variable] = set()
    for start in list(known):
        path: dict[Variable, None] = {}
        stack = [(start, False)]
        while stack:
            current, left = stack.pop()
            if left:
                del path[current]
                done.add(current)
            elif current in path:
                loop = list(path)[list(path).index(current) :]
                if not set(loop).isdisjoint(processes):
                    names = " <- ".join(variable.name for variable in loop)
                    raise ValueError(f"Signals depend on themselves without a clock: {names}")
            elif current not in done:
                path[current] = None
                stack.append((current, True))
                stack += [(source, False) for source in known.get(current, ())]


def _with_outside(known: Dependences, inputs: set[Variable], outputs: Iterable[Variable]) -> Dependences:
    """What depends on what if every input depends on all outputs on which it may."""
    found = {variable: set(sources) for variable, sources in known.items()}
    for output in outputs:
        seen: set[Variable] = set()
        stack = [output]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack += known.get(current, ())
        for variable in inputs - seen:
            found.setdefault(variable, set()).add(output)
    return found


def _left_over(variable: Variable, statements: Sequence[Statement]) -> list[Statement]:
    """Assignments of the initial value to the bits that have no other."""
    covered = 0
    for put in statements:
        assert isinstance(put, Put)
        for _, low, width in put.pieces:
            covered |= (1 << width) - 1 << low
    found: list[Statement] = []
    low = 0
    while low < variable.width:
        high = low
        while high < variable.width and not covered >> high & 1:
            high += 1
        if high > low:
            rest = Const(variable.init >> low & (1 << high - low) - 1, high - low)
            found.append(Put(((variable, low, high - low),), rest, None))
        low = high + 1
    return found


def _alive(statements: Sequence[Statement]) -> list[Statement]:
    """The statements without what later ones always replace."""
    dead: dict[Variable, int] = {}
    for number, statement in enumerate(statements):
        if isinstance(statement, Put) and statement.whole is not None:
            dead[statement.whole] = number
    alive: list[Statement] = []
    for number, statement in enumerate(statements):
        inside = targets([statement])
        wanted = {variable for variable in inside if dead.get(variable, 0) <= number}
        alive += [statement] if len(wanted) == len(inside) else restricted([statement], wanted)
    return alive


def _is_continuous(variable: Variable, statements: _Statements) -> bool:
    """Whether a variable is assigned without conditions, and no bit of it twice."""
    bits = 0
    for number in statements.touching[variable]:
        statement = statements.all[number][0]
        if not isinstance(statement, Put) or statement.index is not None:
            return False
        for target, low, width in statement.pieces:
            if target is variable:
                mask = (1 << width) - 1 << low
                if bits & mask:
                    return False
                bits |= mask
    return True


class _Classes:
    """Variables joined to blocks such that no block depends on itself by way of others."""

    def __init__(self, known: Dependences) -> None:
        self.made: list[list[Variable]] = []
        self._sources = known
        self._of: dict[Variable, list[Variable]] = {}

    def enter(self, variable: Variable, members: list[Variable] | None = None) -> list[Variable]:
        """Add a variable to a block, or make one of it."""
        if members is None:
            self.made.append(members := [])
        members.append(variable)
        self._of[variable] = members
        return members

    def may_join(self, variable: Variable, members: Sequence[Variable]) -> bool:
        """Whether nothing leads from the block to the variable, or back, by way of anything else."""
        inside = {*members, variable}
        return not any(self._comes_back(start, inside) for start in inside)

    def _comes_back(self, start: Variable, inside: set[Variable]) -> bool:
        """Whether something outside, on which `start` depends, depends on something inside."""
        seen: set[Variable] = set()
        stack = [source for source in self._sources.get(start, ()) if source not in inside]
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            for fellow in self._of.get(current, [current]):
                for source in self._sources.get(fellow, ()):
                    if source in inside:
                        return True
                    if source not in seen:
                        stack.append(source)
        return False


def _partition(variables: Sequence[Variable], statements: _Statements, reads: Reads, classes: _Classes) -> None:
    """Blocks of variables that are assigned together, as few as may be."""
    made: list[list[Variable]] = []
    for variable in variables:
        for members in made:
            inside = {*members, variable}
            if classes.may_join(variable, members) and _in_order(statements.of(inside), inside, reads):
                classes.enter(variable, members)
                break
        else:
            made.append(classes.enter(variable))


def _in_order(statements: Sequence[Statement], inside: set[Variable], reads: Reads) -> bool:
    """Whether every variable of a block is assigned for the last time before the block reads it."""
    read: set[Variable] = set()
    for target, needed in reads_of(statements, reads):
        read |= needed & inside
        if target in read:
            return False
    return True
