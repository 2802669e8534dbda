"""The host's view of the bus: every register with its byte address, declared once.

A byte address is four times a load address of `hw.interfaces.registers`, so that the run-time registers and biases keep
their place: bits 25 .. 18 select the scope (0 the unit, l + 1 layer l), bits 17 .. 2 the offset in it. The host's own
registers (identification, build parameters, status, errors, load session, programming, counters) start at offset
0x4000 of each scope. A layer also has register blocks of many words: target codes, programming results, biases.

Hardware (`hw.host.host_block`), Python names, C header (`hw.export.c_header`), SystemRDL (`hw.export.system_rdl`) and
the manual (`hw.export.register_manual`) all follow from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.host.feature_word import FEATURE_MEANINGS, FEATURE_WORD, feature_word
from spikeloom.hw.host.plan_words import words_of
from spikeloom.hw.host.register_types import Access, Field, HostRegister, RegisterBlock, fields_of
from spikeloom.hw.interfaces.layouts import pack, word_layout
from spikeloom.hw.interfaces.programming_port import MAX_TARGETS, RESULT_WORD, START_WORD, TARGET_WORD
from spikeloom.hw.interfaces.registers import (
    GLOBAL_REGISTERS,
    LAYER_REGISTERS,
    LOAD_BITS,
    MAX_BIASES,
    Register,
    bias_address,
    layer_address,
    layer_registers,
)
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = [
    "ADDRESS_BITS",
    "BIAS_BYTES",
    "HOST_OFFSET",
    "IDENTIFICATION",
    "LAYER_BLOCKS",
    "LAYER_HOST_REGISTERS",
    "LAYER_OFFSETS",
    "LAYER_STRIDE",
    "MAP_VERSION",
    "PROGRAM_RESULT_BYTES",
    "PROGRAM_TARGET_BYTES",
    "UNIT_HOST_REGISTERS",
    "UNIT_OFFSETS",
    "VERSION_WORD",
    "Field",
    "HostRegister",
    "MapEntry",
    "RegisterBlock",
    "bias_byte_address",
    "block_byte_address",
    "build_id",
    "host_map",
    "layer_byte_address",
    "program_result_byte_address",
    "program_target_byte_address",
    "unit_byte_address",
]

ADDRESS_BITS = 26
LAYER_STRIDE = 1 << 18
BIAS_BYTES = 0x20000
"""Byte offset of a layer's bias 0 in its scope."""
HOST_OFFSET = 0x4000
PROGRAM_TARGET_BYTES = 0x14000
"""Byte offset of a layer's target word 0 in its scope."""
PROGRAM_RESULT_BYTES = 0x18000
"""Byte offset of a layer's programming result 0 in its scope."""
IDENTIFICATION = 0x4C4F4F4D
"""The letters LOOM."""
MAP_VERSION = (0, 4, 0)
"""Major, minor, patch; the major number changes when a register moves or changes its meaning."""
VERSION_WORD = word_layout([("patch", 0, 8), ("minor", 8, 8), ("major", 16, 8)])


def _version(_: object) -> int:
    return pack(VERSION_WORD, dict(zip(("major", "minor", "patch"), MAP_VERSION, strict=True)))


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
    )


UNIT_HOST_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister("id", 0, "ro", "identification, the letters LOOM", value=lambda p: IDENTIFICATION),
    HostRegister(
        "version",
        1,
        "ro",
        "version of this map",
        fields=fields_of(
            VERSION_WORD, patch="correction", minor="registers were added", major="registers moved or changed"
        ),
        value=_version,
    ),
    HostRegister(
        "control",
        2,
        "rw",
        "causes of the interrupt, and contents of the stream frames",
        fields=(
            Field("irq_result", 0, 1, "interrupt while a word of the result stream waits"),
            Field("irq_error", 1, 1, "interrupt while an error flag is set"),
            Field("irq_program", 2, 1, "interrupt while events.programmed is set: the programmers have finished"),
            Field("seeds", 3, 1, "image frames begin with a seed of 16 bytes"),
            Field("activity", 4, 1, "result frames carry cycles, gap and the layers' activity"),
        ),
    ),
    HostRegister(
        "status",
        3,
        "ro",
        "state of the accelerator",
        fields=(
            Field("busy", 0, 1, "an image is received or processed: from the first word of its frame until its result"),
            Field("result", 1, 1, "a word of the result stream waits"),
            Field("error", 2, 1, "an error flag is set"),
            Field("overflow", 3, 1, "a membrane has saturated since clear_flags was written"),
            Field("loading", 4, 1, "a load session is open"),
            Field("loaded", 5, 1, "a load session was completed: image frames are accepted"),
            Field("programming", 6, 1, "a programmer is busy"),
        ),
    ),
    HostRegister(
        "errors",
        4,
        "w1c",
        "error flags; they stay until a one is written to them",
        fields=(
            Field("refused", 0, 1, "a write was refused in the current state"),
            Field("frame", 1, 1, "an image frame was too short or too long, and was dropped"),
            Field("build", 2, 1, "load_begin was written with another build's number"),
            Field("checksum", 3, 1, "load_end was written with another checksum"),
            Field("timeout", 4, 1, "a load session or an image frame was interrupted, and was dropped"),
            Field("unloaded", 5, 1, "an image frame was received while nothing was loaded, and was dropped"),
        ),
    ),
    HostRegister("layers", 5, "ro", "layers", value=lambda p: len(p.layers)),
    HostRegister("phases", 6, "ro", "K, phases per period", "steps", value=lambda p: p.phases),
    HostRegister("max_steps", 7, "ro", "largest t_max", "steps", value=lambda p: p.max_steps),
    HostRegister("encoder_lanes", 8, "ro", "pixels per word of the stream", "pixels", value=lambda p: p.encoder_lanes),
    HostRegister("pixel_words", 9, "ro", "words of an image", "words", value=lambda p: p.pixel_words),
    HostRegister("pulse_cycles", 10, "ro", "shortest read pulse", "clock cycles", value=lambda p: p.pulse_cycles),
    HostRegister("images", 11, "ro", "images answered since reset; wraps", "images"),
    HostRegister("cycles", 12, "ro", "last result: from the first pixel word to the result", "clock cycles"),
    HostRegister(
        "reset",
        13,
        "wo",
        "soft reset; the cells keep their conductances",
        fields=(
            Field("soft", 0, 1, "write 1: everything is as after a reset, except the bus and a waiting result word"),
        ),
    ),
    HostRegister("build", 14, "ro", "number of this build, from its structural parameters", value=build_id),
    HostRegister(
        "load_begin", 15, "wo", "opens a load session: write the number of the build the data is for", whole=True
    ),
    *(
        HostRegister(f"seed_{i}", 16 + i, "rw", f"seed of the rate coding, part {i} of 4, lowest first", idle_only=True)
        for i in range(4)
    ),
    HostRegister("load_end", 20, "wo", "completes a load session: write the CRC-32 of its writes", whole=True),
    HostRegister("load_checksum", 21, "ro", "CRC-32 of the writes of this session, or the last one, so far"),
    HostRegister("timeout", 22, "rw", "longest pause in a load session or an image frame, 0 is off", "clock cycles"),
    HostRegister(
        "gap", 23, "ro", "last result: from the previous result, or reset, to this image's first vector", "clock cycles"
    ),
    HostRegister(
        "events",
        25,
        "w1c",
        "events; the flags stay until a one is written to them",
        fields=(Field("programmed", 0, 1, "the last busy programmer has finished"),),
    ),
    _byte("program_window", 26, 2, "tolerance: largest accepted distance of a cell from its target", "1/8 level"),
    _byte("program_tries", 27, 60, "largest number of pulses per cell", "pulses"),
    _byte("program_amplitude_min", 28, 2, "smallest requested step of a pulse, at least 1", "1/8 level"),
    _byte("program_amplitude_max", 29, 8, "largest requested step of a pulse, at least 1", "1/8 level"),
    HostRegister(
        "plan_words",
        30,
        "ro",
        "number of words of the plan: maps and windows (`spikeloom.hw.host.plan_words`); 0 for dense layers in a row",
        "words",
        value=lambda p: len(words_of(p.plan)),
    ),
    HostRegister("plan_index", 31, "rw", "index of the word of the plan shown by plan_word"),
    HostRegister("plan_word", 32, "ro", "word plan_index of the plan; 0 past its end"),
    HostRegister("encoders", 33, "ro", "spike encoders, 1 or 2", value=lambda p: p.encoders),
)

LAYER_HOST_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister("inputs", 0, "ro", "rows of the weight matrix", value=lambda p: p.inputs),
    HostRegister("outputs", 1, "ro", "columns of the weight matrix, neurons", value=lambda p: p.outputs),
    HostRegister("row_bits", 2, "ro", "bits of a row code", "bits", value=lambda p: p.row_bits),
    HostRegister("tile_rows", 3, "ro", "rows per tile", value=lambda p: p.tile_rows),
    HostRegister("tile_columns", 4, "ro", "columns per tile", value=lambda p: p.tile_columns),
    HostRegister("lanes", 5, "ro", "ADCs per row tile", value=lambda p: p.lanes),
    HostRegister("adc_bits", 6, "ro", "bits of an ADC", "bits", value=lambda p: p.adc_bits),
    HostRegister("max_gain_shift", 7, "ro", "largest gain", "bits", value=lambda p: p.max_gain_shift),
    HostRegister("max_theta", 8, "ro", "largest theta", "conductance steps", value=lambda p: p.max_theta),
    HostRegister("max_bias", 9, "ro", "largest magnitude of a bias", "conductance steps", value=lambda p: p.max_bias),
    HostRegister("positions", 11, "ro", "output positions, each read once per step", value=lambda p: p.positions),
    HostRegister(
        "flags",
        10,
        "ro",
        "flags of the layer",
        fields=(Field("overflow", 0, 1, "a membrane has saturated since clear_flags was written"),),
    ),
    HostRegister(
        "features",
        12,
        "ro",
        "what the neurons are built with; a register of what is missing is not there",
        fields=fields_of(FEATURE_WORD, **FEATURE_MEANINGS),
        value=feature_word,
    ),
    HostRegister("row_pulses", 16, "ro", "last result: active rows times column tiles, over the reads", "pulses"),
    HostRegister("tile_reads", 17, "ro", "last result: tiles driven, over the reads", "reads"),
    HostRegister("conversions", 18, "ro", "last result: ADC conversions", "conversions"),
    HostRegister("saturations", 19, "ro", "last result: conversions whose code was clipped", "conversions"),
    HostRegister("spikes", 20, "ro", "last result: spikes emitted", "spikes"),
    HostRegister(
        "program_start",
        24,
        "rw",
        "programs the cells of a row of every row tile and a column group; only in a load session; reads the last",
        fields=fields_of(START_WORD, row="row in the tiles", group="column group"),
        whole=True,
    ),
    HostRegister(
        "program_status",
        25,
        "ro",
        "state of the layer's programmer",
        fields=(Field("busy", 0, 1, "cells are being programmed"),),
    ),
    HostRegister("pulses", 26, "ro", "programming pulses since load_begin; stops at 2^32 - 1", "pulses"),
    HostRegister("verify_reads", 27, "ro", "verify reads of cells since load_begin; stops at 2^32 - 1", "reads"),
    HostRegister("failed_cells", 28, "ro", "failed cells since load_begin; stops at 2^32 - 1", "cells"),
)

LAYER_BLOCKS: tuple[RegisterBlock, ...] = (
    RegisterBlock(
        "program_target",
        PROGRAM_TARGET_BYTES,
        "wo",
        lambda p: p.lanes * p.row_tiles,
        lambda p: 26,
        "target codes of a cell pair, word lane * row_tiles + tile; only in a load session",
        "1/8 level",
        fields=fields_of(TARGET_WORD, p="of the positive cell", n="of the negative cell"),
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
    ),
    RegisterBlock(
        "bias",
        BIAS_BYTES,
        "wo",
        lambda p: p.outputs,
        lambda p: min(LOAD_BITS, p.bias_bits),
        "bias of a neuron, added to the column's sum in every step",
        "conductance steps",
        signed=True,
        idle_only=True,
        init=0,
    ),
)
"""Register blocks of a layer, by offset."""

UNIT_OFFSETS: dict[str, int] = {
    **{r.name: 4 * r.offset for r in GLOBAL_REGISTERS},
    **{r.name: 4 * (HOST_OFFSET + r.offset) for r in UNIT_HOST_REGISTERS},
}
"""Byte address of every register of the unit, by name."""

LAYER_OFFSETS: dict[str, int] = {
    **{r.name: 4 * r.offset for r in LAYER_REGISTERS},
    **{r.name: 4 * (HOST_OFFSET + r.offset) for r in LAYER_HOST_REGISTERS},
}
"""Byte offset of every register of a layer in the layer's scope, by name."""


def _lookup(offsets: dict[str, int], scope: str, name: str) -> int:
    if name not in offsets:
        raise SpikeLoomError(f"{scope} register must be one of {', '.join(offsets)}, not {name!r}")
    return offsets[name]


def unit_byte_address(name: str) -> int:
    """Byte address of a register of the unit; ValueError for an unknown name."""
    return _lookup(UNIT_OFFSETS, "Unit", name)


def layer_byte_address(layer: int, name: str) -> int:
    """Byte address of a register of layer `layer` (0 is the first); ValueError for an unknown name or layer."""
    base = 4 * layer_address(layer, LAYER_REGISTERS[0].name) - 4 * LAYER_REGISTERS[0].offset
    return base + _lookup(LAYER_OFFSETS, "Layer", name)


def bias_byte_address(layer: int, neuron: int) -> int:
    """Byte address of the bias of a neuron: written in whole words only, not read; ValueError outside 0 .. 32767."""
    return 4 * bias_address(layer, neuron)


_MOST_WORDS = {"program_target": MAX_TARGETS, "program_result": 2 * MAX_TARGETS, "bias": MAX_BIASES}


def block_byte_address(block: RegisterBlock, layer: int, index: int) -> int:
    """Byte address of word `index` of a layer's register block; ValueError for a layer or a word that no build has."""
    most = _MOST_WORDS[block.name]
    if not 0 <= index < most:
        raise SpikeLoomError(f"Index of a {block.name} must be in 0 .. {most - 1}, not {index!r}")
    return layer_byte_address(layer, LAYER_REGISTERS[0].name) - 4 * LAYER_REGISTERS[0].offset + block.offset + 4 * index


def program_target_byte_address(layer: int, index: int) -> int:
    """Byte address of target word `index` = lane * row_tiles + tile; ValueError outside 0 .. 4095."""
    return block_byte_address(LAYER_BLOCKS[0], layer, index)


def program_result_byte_address(layer: int, index: int) -> int:
    """Byte address of result `index` = (lane * row_tiles + tile) * 2 + side; ValueError outside 0 .. 8191."""
    return block_byte_address(LAYER_BLOCKS[1], layer, index)


@dataclass(frozen=True)
class MapEntry:
    """One register of one build.

    Attributes
    ----------
    name, layer : name, and the layer it belongs to or None
    address : byte address
    bits, signed : width of the number in the word; a signed one is sign-extended when read
    access : "ro", "rw", "w1c" or "wo"
    init : value after a reset
    idle_only : writes are refused while an image is being processed
    whole : written as a whole word, or not at all
    register : the declaration
    """

    name: str
    layer: int | None
    address: int
    bits: int
    signed: bool
    access: Access
    init: int
    idle_only: bool
    whole: bool
    register: Register | HostRegister


def host_map(parameters: NpuParameters) -> tuple[MapEntry, ...]:
    """Every register of a build but the words of register blocks, by address."""
    entries = []
    scopes: list[tuple[int | None, NpuParameters | LayerParameters]] = [(None, parameters)]
    for layer, p in [*scopes, *enumerate(parameters.layers)]:
        run_time = layer_registers(p) if isinstance(p, LayerParameters) else GLOBAL_REGISTERS
        own = UNIT_HOST_REGISTERS if layer is None else LAYER_HOST_REGISTERS
        for r in run_time:
            address = unit_byte_address(r.name) if layer is None else layer_byte_address(layer, r.name)
            entries.append(MapEntry(r.name, layer, address, r.width(p), r.signed, "rw", r.init, True, False, r))
        for h in own:
            address = unit_byte_address(h.name) if layer is None else layer_byte_address(layer, h.name)
            init = h.value(p) if h.value else h.init
            bits = h.mask.bit_length()
            entries.append(MapEntry(h.name, layer, address, bits, False, h.access, init, h.idle_only, h.whole, h))
    return tuple(entries)
