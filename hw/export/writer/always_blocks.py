"""Text of assignments and processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from amaranth.hdl import Const

from spikeloom.hw.export.writer.grouping import Group
from spikeloom.hw.export.writer.statements import Case, If, Put, Statement
from spikeloom.hw.export.writer.text import constant, unary
from spikeloom.hw.export.writer.values import Printer
from spikeloom.hw.export.writer.variables import Names, Variable, declared

__all__ = ["Writer"]

_STEP = "  "


class Writer:
    """Prints the statements of one module.

    Parameters
    ----------
    printer : prints values
    names : of the module
    comment : lines of the comment that belongs to a place in the source, which is given once
    """

    def __init__(
        self, printer: Printer, names: Names, comment: Callable[[tuple[str, int] | None], Sequence[str]]
    ) -> None:
        self._printer = printer
        self._names = names
        self._comment = comment
        self._inside: dict[str, str] = {}

    def assigns(self, group: Group) -> Iterator[str]:
        """A continuous assignment."""
        (put,) = group.statements
        assert isinstance(put, Put)
        yield from self._commented(put, "")
        yield f"assign {self._target(put)} = {self._value(put, put.pieces[0][2])};"

    def clocked(self, group: Group) -> Iterator[str]:
        """A clocked process."""
        reset = group.variables[0].reset
        yield "always_ff @(posedge clk) begin"
        margin = _STEP
        if reset:
            yield f"{_STEP}if (rst) begin"
            yield from (f"{_STEP * 2}{variable.name} <= {self.start(variable)};" for variable in group.variables)
            only = group.statements[0]
            if len(group.statements) == 1 and isinstance(only, If) and only.arms[0][1]:
                yield from self._commented(only, _STEP)
                yield from self._if(only, _STEP, "<=", "end else if")
                yield "end"
                return
            yield f"{_STEP}end else begin"
            margin = _STEP * 2
        yield from self._body(group.statements, margin, "<=")
        if reset:
            yield f"{_STEP}end"
        yield "end"

    def combinational(self, group: Group) -> Iterator[str]:
        """A combinational process; what is not assigned at once has its initial value first.

        It computes in variables of its own and assigns each signal once: an event-driven simulator sees a passing
        default as a change, and many blocks behind each other would wake each other for good (Icarus).
        """
        lines = []
        at_once = {put.whole for put in group.statements if isinstance(put, Put)}
        for variable in group.variables:
            if variable not in at_once or not self._comes_first(variable, group.statements):
                lines.append(f"{_STEP}{variable.name} = {self.start(variable)};")
        lines += self._body(group.statements, _STEP, "=")
        inside = {variable.name: f"{variable.name}_value" for variable in group.variables}
        if len(inside) == 1:
            inside = dict.fromkeys(inside, "value")
        yield "always_comb begin"
        for variable in group.variables:
            yield f"{_STEP}reg {declared(variable)}{self._own(inside[variable.name])};"
        word = re.compile(rf"\b({'|'.join(inside)})\b")
        for line in lines:
            comment = line.lstrip().startswith("//")
            yield line if comment else word.sub(lambda match: self._own(inside[match[1]]), line)
        yield from (f"{_STEP}{name} = {self._own(value)};" for name, value in inside.items())
        yield "end"

    def _own(self, name: str) -> str:
        """A name for a variable of a block, in all blocks of the module the same."""
        if name not in self._inside:
            self._inside[name] = self._names.take(name)
        return self._inside[name]

    def choice(self, group: Group) -> str | None:
        """The `assign` of a variable that has one value or another, depending on one choice of conditions."""
        if len(group.variables) > 1:
            return None
        (variable,) = group.variables
        first, *rest = group.statements
        values = [*(() if isinstance(first, Put) else (first,)), *rest]
        if len(values) != 1 or not isinstance(values[0], If) or (isinstance(first, Put) and first.whole is None):
            return None
        arms = values[0].arms
        puts = [body[0] for _, body in arms if len(body) == 1 and isinstance(body[0], Put)]
        if len(puts) < len(arms) or any(put.whole is not variable for put in puts) or len(arms) > 2:
            return None
        start = first.value if isinstance(first, Put) else Const(variable.init, variable.width)
        tests = [test for test, _ in arms]
        chosen = [(test, put.value) for test, put in zip(tests, puts, strict=True)]
        text = self._printer.chosen(chosen, start, variable.width)
        return f"assign {variable.name} = {text};"

    def _comes_first(self, variable: Variable, statements: Iterable[Statement]) -> bool:
        for statement in statements:
            if isinstance(statement, Put):
                if statement.whole is variable:
                    return True
                if any(variable is target for target, _, _ in statement.pieces):
                    return False
            elif variable in _assigned(statement):
                return False
        return False

    def start(self, variable: Variable) -> str:
        """The initial value of a variable."""
        if variable.machine is not None:
            return variable.machine.states[variable.init]
        if variable.init == 0 and variable.width > 1:
            return "'0"
        return constant(variable.init, variable.width, variable.signed).text

    def _body(self, statements: Iterable[Statement], margin: str, sign: str) -> Iterator[str]:
        for statement in self._merged(statements) if sign == "<=" else statements:
            yield from self._commented(statement, margin)
            if isinstance(statement, Put):
                yield from self._put(statement, margin, sign)
            elif isinstance(statement, If):
                yield from self._if(statement, margin, sign)
            else:
                yield from self._case(statement, margin, sign)

    def _merged(self, statements: Iterable[Statement]) -> Iterator[Statement]:
        """Statements of a clocked process; neighbouring ones that depend on the same tests are one."""
        before: Statement | None = None
        for statement in statements:
            if isinstance(before, If) and isinstance(statement, If) and self._tests(before) == self._tests(statement):
                pairs = zip(before.arms, statement.arms, strict=True)
                before = If(tuple((test, (*first, *second)) for (test, first), (_, second) in pairs), before.place)
                continue
            if before is not None:
                yield before
            before = statement
        if before is not None:
            yield before

    def _tests(self, statement: If) -> list[str | None]:
        return [None if test is None else self._printer.condition(test).text for test, _ in statement.arms]

    def _put(self, put: Put, margin: str, sign: str) -> Iterator[str]:
        width = sum(width for _, _, width in put.pieces)
        yield f"{margin}{self._target(put)} {sign} {self._value(put, width)};"

    def _if(self, statement: If, margin: str, sign: str, word: str = "if") -> Iterator[str]:
        arms = statement.arms
        if len(arms) > 1 and not arms[0][1]:  # what is to be done if the first test fails
            inverted = unary("~", self._printer.condition(arms[0][0]))
            rest = arms[1:]
            yield f"{margin}if ({inverted.text}) begin"
            inner = rest[0][1] if rest[0][0] is None else (If(rest, None),)
            yield from self._body(inner, margin + _STEP, sign)
            yield f"{margin}end"
            return
        for test, body in arms:
            if test is None:
                yield f"{margin}end else begin"
            else:
                yield f"{margin}{word} ({self._printer.condition(test).text}) begin"
            yield from self._body(body, margin + _STEP, sign)
            word = "end else if"
        yield f"{margin}end"

    def _case(self, statement: Case, margin: str, sign: str) -> Iterator[str]:
        patterns = [pattern for given, _ in statement.arms for pattern in given or ()]
        word = "casez" if any("-" in pattern for pattern in patterns) else "case"
        yield f"{margin}{word} ({self._printer.value(statement.test).text})"
        has_default = False
        for given, body in statement.arms:
            if given is not None and not given:
                continue
            has_default = given is None
            label = "default" if given is None else ", ".join(self._label(statement, pattern) for pattern in given)
            if not body:
                yield f"{margin}{_STEP}{label}: ;"
                continue
            yield f"{margin}{_STEP}{label}: begin"
            yield from self._body(body, margin + _STEP * 2, sign)
            yield f"{margin}{_STEP}end"
            if has_default:
                break
        if not has_default:
            yield f"{margin}{_STEP}default: ;"
        yield f"{margin}endcase"

    def _label(self, statement: Case, pattern: str) -> str:
        if "-" in pattern:
            return f"{len(pattern)}'b{pattern.replace('-', '?')}"
        code = int(pattern, 2)
        state = self._printer.state(statement.test, code)
        return state or constant(code, len(pattern)).text

    def _target(self, put: Put) -> str:
        if put.index is not None:
            ((variable, _, width),) = put.pieces
            number, stride = put.index
            place = self._printer.index(number, stride, max(1, (variable.width - 1).bit_length())).text
            return f"{variable.name}[{place}]" if width == 1 else f"{variable.name}[{place} +: {width}]"
        names = [self._select(*piece) for piece in put.pieces]
        return names[0] if len(names) == 1 else "{" + ", ".join(reversed(names)) + "}"

    def _select(self, variable: Variable, low: int, width: int) -> str:
        if (low, width) == (0, variable.width):
            return variable.name
        return f"{variable.name}[{low}]" if width == 1 else f"{variable.name}[{low + width - 1}:{low}]"

    def _value(self, put: Put, width: int) -> str:
        whole = put.whole
        if whole is not None and whole.machine is not None:
            if isinstance(put.value, Const):
                return whole.machine.states[put.value.value]
        return self._printer.value(put.value, width).at(-1)

    def _commented(self, statement: Statement, margin: str) -> Iterator[str]:
        yield from (f"{margin}// {line}" for line in self._comment(statement.place))


def _assigned(statement: Statement) -> set[Variable]:
    found: set[Variable] = set()
    if isinstance(statement, Put):
        return {variable for variable, _, _ in statement.pieces}
    for _, body in statement.arms:
        for inner in body:
            found |= _assigned(inner)
    return found
