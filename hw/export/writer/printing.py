"""What the parts of the printer of values have in common: names of the module, shapes, and how deep they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from amaranth.hdl import Signal

from spikeloom.hw.export.writer.folding import Folding
from spikeloom.hw.export.writer.text import Text, resized, typed

__all__ = ["Printing", "Scope", "shape_of"]


class Scope(Protocol):
    """What the printer asks about names."""

    def bits(self, signal: Any, start: int, stop: int) -> Text:
        """Bits of a signal."""

    def named(self, value: Any) -> Text | None:
        """The net that holds a value, for one that has a name of its own."""

    def net(self, value: Any) -> Text:
        """A net for a value of which bits are selected."""

    def meaning(self, signal: Any) -> Any:
        """The value that is printed for a signal without a name, else None."""

    def state(self, signal: Any, code: int) -> str | None:
        """Name of a state, where the signal is that of a state machine."""


def shape_of(value: Any) -> tuple[int, bool]:
    """Bits of a value, and whether it is signed."""
    shape = value.shape()
    return shape.width, bool(shape.signed)


class Printing(ABC):
    """A printer of values in the names of one module."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._shapes: dict[int, tuple[Any, int, bool]] = {}
        self._folding = Folding()
        self._depth = 0
        self._defined: Any = None

    def shape(self, value: Any) -> tuple[int, bool]:
        """As `shape_of`, remembered: asking a tree asks all of it."""
        known = self._shapes.get(id(value))
        if known is None:
            known = self._shapes[id(value)] = (value, *shape_of(value))
        return known[1], known[2]

    @abstractmethod
    def value(self, value: Any, width: int | None = None) -> Text:
        """The value in `width` bits, its own without one; neither may be 0."""

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """What is printed meanwhile is an operand."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def state(self, test: Any, code: int) -> str | None:
        """Name of a state, where the value is that of a state machine."""
        return self._scope.state(test, code) if isinstance(test, Signal) else None

    def _fitted(self, text: Text, own: int, signed: bool, width: int) -> Text:
        """A text of `own` bits that holds a number of the given sign, in `width` bits."""
        if width == own:
            return text
        return resized(typed(text, signed), width, own)
