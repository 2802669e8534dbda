"""Bits of values in Verilog: slices, concatenations, and words at a place that a signal says.

Verilog selects bits of names only. Of what has none, the lowest bits are a cast, where nothing is around it; else the
value gets a net. Yosys takes `2'(x >> n)` beside an operator for as wide as x.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from amaranth.hdl import Const, Signal

from spikeloom.hw.export.amaranth_internals import Concat, Operator, Slice, SwitchValue
from spikeloom.hw.export.writer.printing import Printing
from spikeloom.hw.export.writer.text import UNARY, Text, binary, constant, resized, typed

__all__ = ["Selections", "is_exact"]

_EXACT = ("+", "-", "*", "<<", "&", "|", "^")


def is_exact(value: Any, own: int, signed: bool, width: int) -> bool:
    """Whether an operator of `own` bits can be computed in `width` bits right away."""
    if len(value.operands) == 2:
        return value.operator in _EXACT
    if value.operator == "~":
        return signed or width <= own
    if value.operator in ("u", "s"):
        return width <= own
    return bool(value.operator == "-")


class Selections(Printing):
    """Prints bits of values."""

    @abstractmethod
    def _exact(self, value: Any, width: int) -> Text:
        """An operator whose result can be computed in any width."""

    @abstractmethod
    def _choice(self, value: Any, width: int) -> Text:
        """The first case whose pattern matches, 0 without one."""

    def part(self, value: Any, start: int, stop: int) -> Text:
        """Bits of a value, from `start` to before `stop`."""
        own, signed = self.shape(value)
        if (start, stop) == (0, own):
            return self.value(value)
        if net := self._scope.named(value):
            return self._selected(net, start, stop)
        if isinstance(value, Const):
            return constant(value.value >> start, stop - start)
        if isinstance(value, Signal):
            return self._scope.bits(value, start, stop)
        if isinstance(value, Slice):
            return self.part(value.value, value.start + start, value.start + stop)
        if isinstance(value, Concat):
            return self._concatenation(list(self._pieces(value, start, stop)))
        if isinstance(value, Operator):
            if value.operator in ("u", "s"):
                return self.part(value.operands[0], start, stop)
            if start == 0 and is_exact(value, own, signed, stop):
                return self._exact(value, stop)
        if start == 0 and isinstance(value, SwitchValue):
            return self._choice(value, stop)
        if start == 0 and self._depth <= 1:
            return resized(self.value(value), stop, own)
        return self._selected(self._scope.net(value), start, stop)

    def _selected(self, net: Text, start: int, stop: int) -> Text:
        return Text(f"{net.text}[{start}]" if stop == start + 1 else f"{net.text}[{stop - 1}:{start}]")

    def _pieces(self, value: Any, start: int, stop: int) -> Iterator[tuple[Any, int, int]]:
        """(value, start, stop) of the pieces of a concatenation between two bits, lowest first."""
        low = 0
        for part in value.parts:
            bits = self.shape(part)[0]
            first, last = max(start, low) - low, min(stop, low + bits) - low
            if first < last:
                if isinstance(part, Concat):
                    yield from self._pieces(part, first, last)
                else:
                    yield part, first, last
            low += bits

    def _concatenation(self, pieces: Sequence[tuple[Any, int, int]]) -> Text:
        """Pieces of values, lowest first; equal ones as a repetition, neighbouring bits of one signal as one slice."""
        merged: list[tuple[Any, int, int]] = []
        for piece in pieces:
            if merged and (base := self._base(piece)) is not None and (last := self._base(merged[-1])) is not None:
                if last[0] is base[0] and last[2] == base[1]:
                    merged[-1] = (base[0], last[1], base[2])
                    continue
            merged.append(piece)
        with self._inside():
            texts = [self.part(*piece) for piece in merged]
        if len(texts) == 1:
            return texts[0]
        if len({text.text for text in texts}) == 1:
            return Text(f"{{{len(texts)}{{{texts[0].text}}}}}")
        return Text("{" + ", ".join(text.text for text in reversed(texts)) + "}")

    def _base(self, piece: tuple[Any, int, int]) -> tuple[Any, int, int] | None:
        """The bits of a signal that a piece is, if it is that."""
        value, start, stop = piece
        while not isinstance(value, Signal):
            if isinstance(value, Slice):
                start, stop, value = start + value.start, stop + value.start, value.value
            elif isinstance(value, Operator) and value.operator in ("u", "s"):
                value = value.operands[0]
            else:
                return None
        return value, start, stop

    def _indexed(self, value: Any) -> Text:
        """Bits at a place that a signal says; beyond the end there are zeros."""
        own, signed = self.shape(value.value)
        bits = self.shape(value.offset)[0]
        if value.width < own and self._depth > 1 and not self._lies_within(value):
            return self._scope.net(value)
        if bits == 0:
            return self._fitted(self.value(value.value), own, signed, value.width)
        if signed and not self._lies_within(value):
            raise ValueError(f"Bits of a signed value beyond its end are not exported: {value!r}")
        base = self._base((value.value, 0, own))
        text = self.part(*base) if base else self.value(value.value)
        if self._lies_within(value) and text.text.isidentifier() and base:
            index = self.index(value.offset, value.stride, max(1, (own - 1).bit_length())).text
            return Text(f"{text.text}[{index}]" if value.width == 1 else f"{text.text}[{index} +: {value.width}]")
        highest = ((1 << bits) - 1) * value.stride
        index = self.index(value.offset, value.stride, max(1, highest.bit_length())).at(UNARY - 1)
        moved = Text(f"{text.at(UNARY - 1)} >> {index}", text.signed, 60)
        return moved if value.width == own else resized(typed(moved, False), value.width, own)

    def _lies_within(self, value: Any) -> bool:
        """Whether a word at a place that a signal says cannot lie beyond the end."""
        highest = (1 << self.shape(value.offset)[0]) - 1
        return bool(highest * value.stride + value.width <= self.shape(value.value)[0])

    def index(self, offset: Any, stride: int, width: int) -> Text:
        """Place of a word of `stride` bits, in `width` bits."""
        own = self.shape(offset)[0]
        zeros = stride.bit_length() - 1
        if stride & (stride - 1) == 0 and own + zeros == width and zeros:
            return Text(f"{{{self.value(offset).text}, {zeros}'d0}}")
        if stride == 1:
            return self.value(offset, width)
        return binary(self.value(offset, width), "*", constant(stride, width))
