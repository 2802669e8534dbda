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
from spikeloom.hw.host.activity_registers import LAYER_ACTIVITY_REGISTERS
from spikeloom.hw.host.build_id import build_id
from spikeloom.hw.host.encoder_registers import ENCODER_REGISTERS, has_seeds
from spikeloom.hw.host.feature_word import FEATURE_MEANINGS, FEATURE_WORD, feature_word
from spikeloom.hw.host.part_word import PART_MEANINGS, PART_WORD, part_word
from spikeloom.hw.host.plan_words import words_of
from spikeloom.hw.host.programming_registers import (
    LAYER_PROGRAMMING_REGISTERS,
    PROGRAM_RESULT_BYTES,
    PROGRAM_TARGET_BYTES,
    PROGRAMMING_BLOCKS,
    UNIT_PROGRAMMING_REGISTERS,
    has_programmer,
)
from spikeloom.hw.host.register_types import Access, Field, HostRegister, RegisterBlock, fields_of
from spikeloom.hw.interfaces.layouts import pack, word_layout
from spikeloom.hw.interfaces.programming_port import MAX_TARGETS
from spikeloom.hw.interfaces.registers import (
    GLOBAL_REGISTERS,
    LAYER_REGISTERS,
    LOAD_BITS,
    MAX_BIASES,
    Register,
    bias_address,
    global_registers,
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
IDENTIFICATION = 0x4C4F4F4D
"""The letters LOOM."""
MAP_VERSION = (0, 6, 0)
"""Major, minor, patch; the major number changes when a register moves or changes its meaning."""
VERSION_WORD = word_layout([("patch", 0, 8), ("minor", 8, 8), ("major", 16, 8)])


_SEED = "seed of images whose frames have none; only with rate coding"


def _version(_: object) -> int:
    return pack(VERSION_WORD, dict(zip(("major", "minor", "patch"), MAP_VERSION, strict=True)))


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
            Field(
                "irq_program",
                2,
                1,
                "interrupt while events.programmed is set: the programmers have finished",
                has_programmer,
            ),
            Field("seeds", 3, 1, "image frames begin with a seed of 16 bytes; only with rate coding", has_seeds),
            Field("activity", 4, 1, "result frames carry cycles, gap and, with counters, the layers' activity"),
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
            Field("programming", 6, 1, "a programmer is busy", has_programmer),
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
    HostRegister(
        "cycles",
        12,
        "ro",
        "last result: from the image's first pixel word, or the result before it if that is later, to the result",
        "clock cycles",
    ),
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
    HostRegister("load_begin", 15, "wo", "opens a load session: write the number of the data's build", whole=True),
    *(
        HostRegister(
            f"seed_{i}", 16 + i, "rw", f"{_SEED}, part {i} of 4, lowest first", idle_only=True, there=has_seeds
        )
        for i in range(4)
    ),
    HostRegister("load_end", 20, "wo", "completes a load session: write the CRC-32 of its writes", whole=True),
    HostRegister("load_checksum", 21, "ro", "CRC-32 of the writes of this session, or the last one, so far"),
    HostRegister("timeout", 22, "rw", "longest pause in a load session or an image frame, 0 is off", "clock cycles"),
    HostRegister(
        "gap", 23, "ro", "last result: from the previous result, or reset, to this image's first vector", "clock cycles"
    ),
    *UNIT_PROGRAMMING_REGISTERS,
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
    *ENCODER_REGISTERS,
    HostRegister(
        "parts",
        35,
        "ro",
        "optional parts that the unit is built with; a register of what is missing is not there",
        fields=fields_of(PART_WORD, **PART_MEANINGS),
        value=part_word,
    ),
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
    *LAYER_ACTIVITY_REGISTERS,
    *LAYER_PROGRAMMING_REGISTERS,
)

LAYER_BLOCKS: tuple[RegisterBlock, ...] = (
    *PROGRAMMING_BLOCKS,
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
        run_time = layer_registers(p) if isinstance(p, LayerParameters) else global_registers(p)
        own = UNIT_HOST_REGISTERS if layer is None else LAYER_HOST_REGISTERS
        for r in run_time:
            address = unit_byte_address(r.name) if layer is None else layer_byte_address(layer, r.name)
            entries.append(MapEntry(r.name, layer, address, r.width(p), r.signed, "rw", r.init, True, False, r))
        for h in (declared.built(p) for declared in own if declared.there(p)):
            address = unit_byte_address(h.name) if layer is None else layer_byte_address(layer, h.name)
            init = h.value(p) if h.value else h.init
            bits = h.mask.bit_length()
            entries.append(MapEntry(h.name, layer, address, bits, False, h.access, init, h.idle_only, h.whole, h))
    return tuple(entries)
