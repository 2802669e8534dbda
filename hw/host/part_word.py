"""Which optional parts the unit is built with, as a word of 32 bits that a chip shows to its host."""

from __future__ import annotations

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.interfaces.layouts import pack, unpack, word_layout
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL, OptionalParts

__all__ = ["PART_MEANINGS", "PART_WORD", "part_word", "parts_of"]

PART_WORD = word_layout([(name, bit, 1) for bit, name in enumerate(ALL_OPTIONAL)])
"""The word of the unit: a bit for each part that there is."""
PART_MEANINGS = {
    "programmer": "programmers of the cells, and their registers, windows, settings, event and interrupt",
    "activity_counters": "activity counters of the layers, their registers, and their words in result frames",
}
"""What a bit of each field says, in words."""


def part_word(parts: OptionalParts) -> int:
    """The word of a unit's parts."""
    return pack(PART_WORD, {name: int(getattr(parts, name)) for name in ALL_OPTIONAL})


def parts_of(word: int) -> dict[str, bool]:
    """The parts that `part_word` gives this word for, as arguments of `LayerParameters`.

    Raises
    ------
    ValueError : a bit that stands for no part
    """
    if word >> len(ALL_OPTIONAL):
        most = len(ALL_OPTIONAL) - 1
        raise SpikeLoomError(f"Bits 0 .. {most} of the unit's parts have a meaning, not {word:#x}")
    return {name: bool(value) for name, value in unpack(PART_WORD, word).items()}
