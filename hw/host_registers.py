"""What a host sees over a bus: every register with its byte address, declared once.

A byte address is four times a load address of `hw.registers`, so that the run-time registers and biases keep their
place: bits 25 .. 18 select the scope (0 the unit, l + 1 layer l), bits 17 .. 2 the offset in it. The host's own
registers (identification, build parameters, status, errors, counters) start at offset 0x4000 of each scope.

Hardware (`hw.host_block`), Python names, C header (`hw.c_header`), SystemRDL (`hw.system_rdl`) and the manual
(`hw.host_manual`) all follow from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hw.params import NpuParameters
from hw.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register, bias_address, layer_address

__all__ = [
    "ADDRESS_BITS",
    "BIAS_BYTES",
    "HOST_OFFSET",
    "IDENTIFICATION",
    "LAYER_HOST_REGISTERS",
    "LAYER_OFFSETS",
    "LAYER_STRIDE",
    "MAP_VERSION",
    "UNIT_HOST_REGISTERS",
    "UNIT_OFFSETS",
    "Field",
    "HostRegister",
    "MapEntry",
    "bias_byte_address",
    "host_map",
    "layer_byte_address",
    "unit_byte_address",
]

ADDRESS_BITS = 26
LAYER_STRIDE = 1 << 18
BIAS_BYTES = 0x20000
"""Byte offset of a layer's bias 0 in its scope."""
HOST_OFFSET = 0x4000
IDENTIFICATION = 0x4C4F4F4D
"""The letters LOOM."""
MAP_VERSION = (0, 1, 0)
"""Major, minor, patch; the major number changes when a register moves or changes its meaning."""

Access = Literal["ro", "rw", "w1c"]


@dataclass(frozen=True)
class Field:
    """Bits `low` .. `low + bits - 1` of a register."""

    name: str
    low: int
    bits: int
    meaning: str


@dataclass(frozen=True)
class HostRegister:
    """One register of the host's own.

    Parameters
    ----------
    name : of the register
    offset : word offset after `HOST_OFFSET` in its scope
    access : "ro" read only, "rw" read and written, "w1c" read, and cleared where ones are written
    meaning, unit : a sentence and a unit for the manual
    fields : parts of the word, lowest first; without any, it is one number of 32 bits
    value : of a constant, from the structural parameters (NpuParameters or LayerParameters)
    idle_only : writes are refused while an image is in work
    """

    name: str
    offset: int
    access: Access
    meaning: str
    unit: str = "-"
    fields: tuple[Field, ...] = ()
    value: Callable[[Any], int] | None = None
    idle_only: bool = False

    @property
    def mask(self) -> int:
        """Bits that mean something."""
        if not self.fields:
            return (1 << 32) - 1
        return sum(((1 << field.bits) - 1) << field.low for field in self.fields)


def _version(_: Any) -> int:
    major, minor, patch = MAP_VERSION
    return major << 16 | minor << 8 | patch


UNIT_HOST_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister("id", 0, "ro", "identification, the letters LOOM", value=lambda p: IDENTIFICATION),
    HostRegister(
        "version",
        1,
        "ro",
        "version of this map",
        fields=(
            Field("patch", 0, 8, "correction"),
            Field("minor", 8, 8, "registers were added"),
            Field("major", 16, 8, "registers moved or changed"),
        ),
        value=_version,
    ),
    HostRegister(
        "control",
        2,
        "rw",
        "what raises the interrupt",
        fields=(
            Field("irq_result", 0, 1, "a result waits"),
            Field("irq_error", 1, 1, "an error flag is up"),
        ),
    ),
    HostRegister(
        "status",
        3,
        "ro",
        "what the unit does now",
        fields=(
            Field("busy", 0, 1, "an image is in work: from its first pixel word until its result is taken"),
            Field("result", 1, 1, "a result waits"),
            Field("error", 2, 1, "an error flag is up"),
            Field("overflow", 3, 1, "a membrane has saturated since clear_flags was written"),
        ),
    ),
    HostRegister(
        "errors",
        4,
        "w1c",
        "error flags; they stay until a one is written to them",
        fields=(
            Field("refused", 0, 1, "a write was refused because an image was in work"),
            Field("frame", 1, 1, "tlast came with another pixel word than an image's last, or not with it"),
        ),
    ),
    HostRegister("layers", 5, "ro", "layers", value=lambda p: len(p.layers)),
    HostRegister("phases", 6, "ro", "K, phases of a period", "steps", value=lambda p: p.phases),
    HostRegister("max_steps", 7, "ro", "largest t_max", "steps", value=lambda p: p.max_steps),
    HostRegister("encoder_lanes", 8, "ro", "pixels of a word of the stream", "pixels", value=lambda p: p.encoder_lanes),
    HostRegister("pixel_words", 9, "ro", "words of an image", "words", value=lambda p: p.pixel_words),
    HostRegister("pulse_cycles", 10, "ro", "shortest read pulse", "clock cycles", value=lambda p: p.pulse_cycles),
    HostRegister("images", 11, "ro", "results taken since reset; wraps", "images"),
    HostRegister("cycles", 12, "ro", "last result: from the first pixel word to the result", "clock cycles"),
    *(
        HostRegister(f"seed_{i}", 16 + i, "rw", f"seed of the rate coding, part {i} of 4, lowest first", idle_only=True)
        for i in range(4)
    ),
)

LAYER_HOST_REGISTERS: tuple[HostRegister, ...] = (
    HostRegister("inputs", 0, "ro", "rows of the weight matrix", value=lambda p: p.inputs),
    HostRegister("outputs", 1, "ro", "columns of the weight matrix, neurons", value=lambda p: p.outputs),
    HostRegister("row_bits", 2, "ro", "bits of a row code", "bits", value=lambda p: p.row_bits),
    HostRegister("tile_rows", 3, "ro", "most rows of a tile", value=lambda p: p.tile_rows),
    HostRegister("tile_columns", 4, "ro", "most columns of a tile", value=lambda p: p.tile_columns),
    HostRegister("lanes", 5, "ro", "ADCs a row tile", value=lambda p: p.lanes),
    HostRegister("adc_bits", 6, "ro", "bits of an ADC", "bits", value=lambda p: p.adc_bits),
    HostRegister("max_gain_shift", 7, "ro", "largest gain", "bits", value=lambda p: p.max_gain_shift),
    HostRegister("max_theta", 8, "ro", "largest theta", "conductance steps", value=lambda p: p.max_theta),
    HostRegister("max_bias", 9, "ro", "largest magnitude of a bias", "conductance steps", value=lambda p: p.max_bias),
    HostRegister(
        "flags",
        10,
        "ro",
        "flags of the layer",
        fields=(Field("overflow", 0, 1, "a membrane has saturated since clear_flags was written"),),
    ),
    HostRegister("row_pulses", 16, "ro", "last result: active rows times column tiles, over the reads", "pulses"),
    HostRegister("tile_reads", 17, "ro", "last result: tiles driven, over the reads", "reads"),
    HostRegister("conversions", 18, "ro", "last result: ADC conversions", "conversions"),
    HostRegister("saturations", 19, "ro", "last result: conversions whose code was clipped", "conversions"),
    HostRegister("spikes", 20, "ro", "last result: spikes emitted", "spikes"),
)

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
        raise ValueError(f"{scope} register must be one of {', '.join(offsets)}, not {name!r}")
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


@dataclass(frozen=True)
class MapEntry:
    """One register of one build.

    Attributes
    ----------
    name, layer : name, and the layer it belongs to or None
    address : byte address
    bits, signed : width of the number in the word; a signed one is sign-extended when read
    access : "ro", "rw" or "w1c"
    init : value after a reset
    idle_only : writes are refused while an image is in work
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
    register: Register | HostRegister


def host_map(parameters: NpuParameters) -> tuple[MapEntry, ...]:
    """Every register of a build but the biases, by address."""
    entries = []
    scopes: list[tuple[int | None, Any]] = [(None, parameters), *enumerate(parameters.layers)]
    for layer, p in scopes:
        run_time = GLOBAL_REGISTERS if layer is None else LAYER_REGISTERS
        own = UNIT_HOST_REGISTERS if layer is None else LAYER_HOST_REGISTERS
        for r in run_time:
            address = unit_byte_address(r.name) if layer is None else layer_byte_address(layer, r.name)
            entries.append(MapEntry(r.name, layer, address, r.bits(p), r.signed, "rw", r.init, True, r))
        for h in own:
            address = unit_byte_address(h.name) if layer is None else layer_byte_address(layer, h.name)
            init = h.value(p) if h.value else 0
            bits = h.mask.bit_length()
            entries.append(MapEntry(h.name, layer, address, bits, False, h.access, init, h.idle_only, h))
    return tuple(entries)
