"""What the encoder is built with, as registers that a chip shows to its host."""

from __future__ import annotations

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.host.register_types import HostRegister, fields_of
from spikeloom.hw.interfaces.layouts import pack, word_layout
from spikeloom.hw.params.codings import CODINGS, Coding
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["CODING_WORD", "ENCODER_REGISTERS", "coding_word", "codings_of", "has_seeds"]

CODING_WORD = word_layout([(coding.name, int(coding), 1) for coding in CODINGS.unit])
"""A bit for each input coding that the encoder is built for."""


def has_seeds(parameters: NpuParameters) -> bool:
    """Whether a build has a coding that draws at random, and registers for its seeds."""
    return parameters.draws_seeds


def coding_word(codings: tuple[Coding, ...]) -> int:
    """The word of codings."""
    return pack(CODING_WORD, {coding.name: int(coding in codings) for coding in CODINGS.unit})


def codings_of(word: int) -> tuple[Coding, ...]:
    """The codings that `coding_word` gives this word for.

    Raises
    ------
    ValueError : a bit that stands for no coding
    """
    if word >> len(CODINGS.unit):
        raise SpikeLoomError(f"Bits 0 .. {len(CODINGS.unit) - 1} of codings have a meaning, not {word:#x}")
    return tuple(coding for coding in CODINGS.unit if word >> int(coding) & 1)


ENCODER_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister("encoders", 33, "ro", "spike encoders, 1 or 2", value=lambda p: p.encoders),
    HostRegister(
        "codings",
        34,
        "ro",
        "input codings that the encoder is built for; a register of what is missing is not there",
        fields=fields_of(CODING_WORD, **{coding.name: f"the coding {coding.name}" for coding in CODINGS.unit}),
        value=lambda p: coding_word(p.codings),
    ),
)
"""Constants of the unit, with their word offsets in its scope."""
