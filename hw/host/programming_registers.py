"""Registers and windows of the programmers; a unit that is built without them has none of these."""

from __future__ import annotations

from spikeloom.hw.host.register_types import Field, HostRegister, RegisterBlock, fields_of
from spikeloom.hw.interfaces.programming_port import RESULT_WORD, START_WORD, TARGET_WORD
from spikeloom.hw.params.optional_parts import OptionalParts

__all__ = [
    "LAYER_PROGRAMMING_REGISTERS",
    "PROGRAMMING_BLOCKS",
    "PROGRAM_RESULT_BYTES",
    "PROGRAM_TARGET_BYTES",
    "UNIT_PROGRAMMING_REGISTERS",
    "has_programmer",
]

PROGRAM_TARGET_BYTES = 0x14000
"""Byte offset of a layer's target word 0 in its scope."""
PROGRAM_RESULT_BYTES = 0x18000
"""Byte offset of a layer's programming result 0 in its scope."""


def has_programmer(parts: OptionalParts) -> bool:
    """Whether a unit, or a layer of it, has programmers."""
    return parts.programmer


def _byte(name: str, offset: int, init: int, meaning: str, unit: str) -> HostRegister:
    """One of the programmers' settings, 8 bits."""
    return HostRegister(
        name,
        offset,
        "rw",
        meaning,
        unit,
        (Field("value", 0, 8, meaning),),
        idle_only=True,
        init=init,
        group="programming",
        there=has_programmer,
    )


UNIT_PROGRAMMING_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister(
        "events",
        25,
        "w1c",
        "events; the flags stay until a one is written to them",
        fields=(Field("programmed", 0, 1, "the last busy programmer has finished"),),
        there=has_programmer,
    ),
    _byte("program_window", 26, 2, "tolerance: largest accepted distance of a cell from its target", "1/8 level"),
    _byte("program_tries", 27, 60, "largest number of pulses per cell", "pulses"),
    _byte("program_amplitude_min", 28, 2, "smallest requested step of a pulse, at least 1", "1/8 level"),
    _byte("program_amplitude_max", 29, 8, "largest requested step of a pulse, at least 1", "1/8 level"),
)
"""Of the unit, with their word offsets in its scope."""

LAYER_PROGRAMMING_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister(
        "program_start",
        24,
        "rw",
        "programs the cells of a row of every row tile and a column group; only in a load session; reads the last",
        fields=fields_of(START_WORD, row="row in the tiles", group="column group"),
        whole=True,
        there=has_programmer,
    ),
    HostRegister(
        "program_status",
        25,
        "ro",
        "state of the layer's programmer",
        fields=(Field("busy", 0, 1, "cells are being programmed"),),
        there=has_programmer,
    ),
    *(
        HostRegister(name, offset, "ro", f"{meaning} since load_begin; stops at 2^32 - 1", unit, there=has_programmer)
        for name, offset, meaning, unit in (
            ("pulses", 26, "programming pulses", "pulses"),
            ("verify_reads", 27, "verify reads of cells", "reads"),
            ("failed_cells", 28, "failed cells", "cells"),
        )
    ),
)
"""Of a layer, with their word offsets in its scope."""

PROGRAMMING_BLOCKS: tuple[RegisterBlock, ...] = (
    RegisterBlock(
        "program_target",
        PROGRAM_TARGET_BYTES,
        "wo",
        lambda p: p.lanes * p.row_tiles,
        lambda p: 26,
        "target codes of a cell pair, word lane * row_tiles + tile; only in a load session",
        "1/8 level",
        fields=fields_of(TARGET_WORD, p="of the positive cell", n="of the negative cell"),
        there=has_programmer,
    ),
    RegisterBlock(
        "program_result",
        PROGRAM_RESULT_BYTES,
        "ro",
        lambda p: 2 * p.lanes * p.row_tiles,
        lambda p: 32,
        "result of a cell, word (lane * row_tiles + tile) * 2 + side; side 0 the positive cell",
        fields=fields_of(
            RESULT_WORD,
            code="last verify read [1/8 level]",
            pulses="pulses given",
            failed="failed: not within the tolerance",
        ),
        init=0,
        there=has_programmer,
    ),
)
"""Register blocks of a layer, by offset."""
