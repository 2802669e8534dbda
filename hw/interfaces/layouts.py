"""Where the fields of a layout are: for Python that takes words apart or puts them together, and for generated text.

Amaranth's layouts (`amaranth.lib.data`) say which bits a field has; nothing else in the program does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from amaranth.hdl import Cat, Const, Shape, Value
from amaranth.lib import data
from numpy.typing import NDArray

__all__ = ["FieldBits", "layout_fields", "pack", "unpack", "word_layout", "word_of"]

Word = TypeVar("Word", int, NDArray[np.int64])
"""A word, or many; an array's words have at most 63 bits."""


class FieldBits(NamedTuple):
    """Bits `low` .. `low + width - 1` of a word; `signed` in two's complement. An array is its bits."""

    low: int
    width: int
    signed: bool


def layout_fields(layout: data.Layout) -> dict[str, FieldBits]:
    """The fields of a layout, by name, in its order."""
    places = ((str(name), field, Shape.cast(field.shape)) for name, field in layout)
    return {name: FieldBits(field.offset, field.width, bool(shape.signed)) for name, field, shape in places}


def unpack(layout: data.Layout | Mapping[str, FieldBits], word: Word) -> dict[str, Word]:
    """The numbers in a word, by the names of its fields; of an array of words, arrays int64 of the same shape.

    `layout` may be what `layout_fields` gives, which spares the time to ask Amaranth.
    """
    fields = layout if isinstance(layout, Mapping) else layout_fields(layout)
    numbers = {}
    for name, (low, width, signed) in fields.items():
        number = word >> low & (1 << width) - 1
        numbers[name] = number - ((number >> width - 1) << width) if signed else number
    return numbers


def pack(layout: data.Layout, values: Mapping[str, Word]) -> Word:
    """The word of these numbers, by the names of the fields; bits of fields that are not named are 0."""
    fields = layout_fields(layout)
    parts = [(value & (1 << fields[name].width) - 1) << fields[name].low for name, value in values.items()]
    return sum(parts[1:], start=parts[0])


def word_layout(fields: Iterable[tuple[str, int, int]], bits: int = 32) -> data.FlexibleLayout:
    """The layout of a word of so many bits with these fields: name, lowest bit, width."""
    return data.FlexibleLayout(bits, {name: data.Field(width, low) for name, low, width in fields})


def word_of(layout: data.Layout, **values: Value) -> Value:
    """The word of these signals in hardware: every field of the layout, in its order, and zeros between them."""
    fields = layout_fields(layout)
    assert list(values) == list(fields), f"fields {list(fields)}, but values {list(values)}"
    parts: list[Value] = []
    for (name, value), (low, width, _) in zip(values.items(), fields.values(), strict=True):
        gap = low - sum(map(len, parts))
        parts += [Const(0, gap)] * (gap > 0) + [value]
        assert gap >= 0 and len(value) == width, f"field {name} has {width} bits from {low} on"
    return Cat(parts)
