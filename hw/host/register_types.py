"""Types for the declarations of host registers in `hw.host.register_map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from amaranth.lib import data

from spikeloom.hw.interfaces.layouts import layout_fields, word_layout
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["Access", "Field", "HostRegister", "RegisterBlock", "fields_of"]

Access = Literal["ro", "rw", "w1c", "wo"]


@dataclass(frozen=True)
class Field:
    """Bits `low` .. `low + bits - 1` of a register; `there` says whether a build has it, from the structural
    parameters.
    """

    name: str
    low: int
    bits: int
    meaning: str
    there: Callable[[Any], bool] = lambda p: True


def fields_of(layout: data.Layout, **meanings: str) -> tuple[Field, ...]:
    """The fields of a layout, in its order, with what they mean."""
    places = layout_fields(layout)
    assert list(places) == list(meanings), f"fields {list(places)}, but meanings of {list(meanings)}"
    return tuple(Field(name, low, width, meanings[name]) for name, (low, width, _) in places.items())


@dataclass(frozen=True)
class HostRegister:
    """One register of the host's own.

    Parameters
    ----------
    name : of the register
    offset : word offset after `HOST_OFFSET` in its scope
    access : "ro" read only, "rw" read and written, "w1c" read, and cleared where ones are written, "wo" written, and
        reads 0
    meaning, unit : a sentence and a unit for the manual
    fields : parts of the word, lowest first; without any, it is one number of 32 bits
    value : of a constant, from the structural parameters (NpuParameters or LayerParameters)
    idle_only : writes are refused while an image is being processed
    init : value after a reset, of one that is not a constant
    whole : a write is an action: of the whole word, or of no byte at all, which does nothing
    group : "programming" of the programmers' settings, which are not written while one of them is busy
    there : whether a build has the register, from the structural parameters
    """

    name: str
    offset: int
    access: Access
    meaning: str
    unit: str = "-"
    fields: tuple[Field, ...] = ()
    value: Callable[[Any], int] | None = None
    idle_only: bool = False
    init: int = 0
    whole: bool = False
    group: Literal["", "programming"] = ""
    there: Callable[[Any], bool] = lambda p: True

    def built(self, parameters: NpuParameters | LayerParameters) -> HostRegister:
        """The register with those of its fields that a build has."""
        return replace(self, fields=tuple(field for field in self.fields if field.there(parameters)))

    @property
    def mask(self) -> int:
        """Bits that mean something."""
        if not self.fields:
            return (1 << 32) - 1
        return sum(((1 << field.bits) - 1) << field.low for field in self.fields)

    @property
    def layout(self) -> data.FlexibleLayout:
        """The fields as a layout, up to the last bit that means something."""
        return word_layout(((field.name, field.low, field.bits) for field in self.fields), self.mask.bit_length())


@dataclass(frozen=True)
class RegisterBlock:
    """Words of a layer that follow each other from a byte offset in its scope on.

    Parameters
    ----------
    name : of one word
    offset : byte offset of word 0 in the layer's scope
    access : "ro" read only, "wo" written in whole words, and not read
    words, bits : how many, and width of the number in one, from the layer's structural parameters
    signed : two's complement
    meaning, unit : a sentence and a unit for the manual
    fields : parts of a word, lowest first
    idle_only : writes are refused while an image is being processed
    init : value of every word after a reset; None for memory that a reset leaves alone, unknown after power-up
    there : whether a layer has the block, from its structural parameters
    """

    name: str
    offset: int
    access: Access
    words: Callable[[LayerParameters], int]
    bits: Callable[[LayerParameters], int]
    meaning: str
    unit: str = "-"
    signed: bool = False
    fields: tuple[Field, ...] = ()
    idle_only: bool = False
    init: int | None = None
    there: Callable[[LayerParameters], bool] = lambda p: True

    @property
    def after_reset(self) -> str:
        """What a reset does to it, in a few words; "" if that is its value."""
        return "kept by resets, unknown after power-up" if self.init is None else ""
