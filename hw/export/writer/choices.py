"""Choices between values in Verilog, and patterns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from spikeloom.hw.export.writer.selections import Selections
from spikeloom.hw.export.writer.text import TERNARY, UNARY, Text, binary, constant, joined, unary

__all__ = ["Choices"]


class Choices(Selections):
    """Prints what is chosen by the value of a test."""

    @abstractmethod
    def condition(self, value: Any) -> Text:
        """A value as a condition: true unless it is 0."""

    def _choice(self, value: Any, width: int) -> Text:
        """The first case whose pattern matches, 0 without one."""
        bits = self.shape(value.test)[0]
        signed = self.shape(value)[1]
        cases: list[tuple[Sequence[str] | None, Any]] = []
        seen: set[str] = set()
        for patterns, element in value.cases:
            seen.update(patterns or ())
            last = patterns is None or (len(seen) == 1 << bits and not any("-" in pattern for pattern in seen))
            if last or patterns:
                cases.append((None if last else patterns, element))
            if last:
                break
        if len(cases) == 2 and cases[0][0] == ("0" * bits,) and cases[1][0] is None:
            yes, no = self.value(cases[1][1], width), self.value(cases[0][1], width)
            return yes if yes.text == no.text else self._ternary(self.condition(value.test), yes, no)
        result = constant(0, width, signed)
        for patterns, element in reversed(cases):
            chosen = self.value(element, width)
            if patterns is None or chosen.text == result.text:
                result = chosen
            else:
                result = self._ternary(self.matches(value.test, patterns), chosen, result)
        return result

    def _ternary(self, test: Text, yes: Text, no: Text) -> Text:
        signed, (yes, no) = joined(yes, no)
        last = no.text if no.level >= TERNARY else f"({no.text})"
        text = f"{test.at(UNARY - 1)} ? {yes.at(5)} : {last}"
        return Text(text, signed, TERNARY, yes.fragile or no.fragile)

    def chosen(self, arms: Sequence[tuple[Any, Any]], otherwise: Any, width: int) -> str:
        """The value of the first arm whose test is true, or has none."""
        result = self.value(otherwise, width)
        for test, value in reversed(arms):
            yes = self.value(value, width)
            if test is None or yes.text == result.text:
                result = yes
            else:
                result = self._simplified(self.condition(test), yes, result)
        return result.text

    def _simplified(self, test: Text, yes: Text, no: Text) -> Text:
        """A choice, which is the test itself where it is one of 1 and 0."""
        return test if (yes.text, no.text) == ("1'b1", "1'b0") else self._ternary(test, yes, no)

    def matches(self, test: Any, patterns: Sequence[str]) -> Text:
        """Whether a value matches one of the patterns, which are strings of 0, 1 and -."""
        with self._inside():
            each = [self._match(test, pattern) for pattern in patterns]
        result = each[0]
        for more in each[1:]:
            result = binary(result, "|", more)
        return result

    def _match(self, test: Any, pattern: str) -> Text:
        bits = len(pattern)
        if "-" not in pattern:
            code = int(pattern, 2)
            if bits == 1:
                given = self.value(test)
                return given if code else unary("~", given)
            state = self.state(test, code)
            right = Text(state) if state else constant(code, bits)
            return Text(binary(self.value(test), "==", right).text, level=40)
        terms = []
        run: list[int] = []
        for bit in range(bits + 1):
            if bit < bits and pattern[bits - 1 - bit] != "-":
                run.append(bit)
            elif run:
                low, high = run[0], run[-1] + 1
                code = int(pattern[bits - high : bits - low], 2)
                part = self.part(test, low, high)
                terms.append(Text(binary(part, "==", constant(code, high - low)).text, level=40))
                run = []
        result = terms[0] if terms else Text("1'b1")
        for more in terms[1:]:
            result = binary(result, "&", more)
        return result
