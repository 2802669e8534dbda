"""The chip's registers as accessed by the driver: by name, with their fields."""

from __future__ import annotations

from typing import Any

from spikeloom.hw.host.encoder_registers import codings_of
from spikeloom.hw.host.feature_word import features_of
from spikeloom.hw.host.part_word import parts_of, rules_of
from spikeloom.hw.host.plan_words import plan_of
from spikeloom.hw.host.register_map import (
    IDENTIFICATION,
    MAP_VERSION,
    UNIT_HOST_REGISTERS,
    VERSION_WORD,
    HostRegister,
    build_id,
    layer_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.layouts import unpack
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.host.errors import BusError, ForeignChipError, HostError
from spikeloom.sw.host.transport import Transport

__all__ = ["bit", "flags", "identify", "read_layer", "read_parameters", "read_unit", "write_unit"]

_UNIT = {register.name: register for register in UNIT_HOST_REGISTERS}
_LAYER_BUILD = (
    "inputs", "outputs", "row_bits", "tile_rows", "tile_columns", "lanes", "adc_bits", "max_gain_shift", "max_theta",
    "max_bias", "positions",
)  # fmt: skip
_MOST_PLAN_WORDS = 1 << 16
_UNIT_BUILD = ("phases", "max_steps", "encoder_lanes", "pulse_cycles", "encoders")


def _field(register: HostRegister, name: str) -> int:
    """The bits of a field."""
    (field,) = (field for field in register.fields if field.name == name)
    return ((1 << field.bits) - 1) << field.low


def bit(register: str, *fields: str) -> int:
    """The bits of fields of a register of the unit."""
    return sum(_field(_UNIT[register], field) for field in fields)


def flags(register: str, word: int) -> tuple[str, ...]:
    """Names of the flags that are up in the word of a register of the unit."""
    return tuple(field.name for field in _UNIT[register].fields if word & _field(_UNIT[register], field.name))


def read_unit(transport: Transport, *names: str) -> list[int]:
    """Registers of the unit."""
    return [int(word) for word in transport.read_many([unit_byte_address(name) for name in names])]


def read_layer(transport: Transport, layer: int, *names: str) -> list[int]:
    """Registers of a layer."""
    return [int(word) for word in transport.read_many([layer_byte_address(layer, name) for name in names])]


def write_unit(transport: Transport, name: str, word: int) -> None:
    """Write a register of the unit."""
    transport.write(unit_byte_address(name), word)


def identify(transport: Transport) -> tuple[int, int, int]:
    """Version of the chip's register map; raises `ForeignChipError` where it is none, or one that is not known."""
    try:
        identification, version = read_unit(transport, "id", "version")
    except BusError as error:
        raise ForeignChipError(f"What answers is not a SpikeLoom chip: {error}") from None
    if identification != IDENTIFICATION:
        raise ForeignChipError(
            f"What answers is not a SpikeLoom chip: its identification is 0x{identification:08X}, "
            f"not 0x{IDENTIFICATION:08X}"
        )
    parts = unpack(VERSION_WORD, version)
    major, minor, patch = parts["major"], parts["minor"], parts["patch"]
    if major != MAP_VERSION[0] or minor < MAP_VERSION[1]:
        known = ".".join(map(str, MAP_VERSION))
        raise ForeignChipError(
            f"The chip's register map has version {major}.{minor}.{patch}, but this driver needs {known}; use the "
            "driver that the chip was generated with, or generate its Verilog anew"
        )
    return major, minor, patch


def _plan_words(transport: Transport, length: int) -> list[int]:
    """Words of the chip's plan, one after another."""
    if length > _MOST_PLAN_WORDS:
        raise SpikeLoomError(f"a plan of {length} words is longer than any that fits")
    words = []
    for index in range(length):
        write_unit(transport, "plan_index", index)
        words += read_unit(transport, "plan_word")
    return words


def read_parameters(transport: Transport) -> NpuParameters:
    """Structural parameters of the chip from its registers, checked against its build number, else
    `ForeignChipError`."""
    count, build, length, codings, parts = read_unit(transport, "layers", "build", "plan_words", "codings", "parts")
    unit: dict[str, Any] = dict(zip(_UNIT_BUILD, read_unit(transport, *_UNIT_BUILD), strict=True))
    shared: dict[str, Any] = {name: unit[name] for name in ("phases", "max_steps")}
    try:
        shared |= parts_of(parts)
        layers = []
        for index in range(count):
            own: dict[str, Any] = dict(zip(_LAYER_BUILD, read_layer(transport, index, *_LAYER_BUILD), strict=True))
            own |= features_of(read_layer(transport, index, "features")[0])
            layers.append(LayerParameters(**own, **shared))
        plan = plan_of(_plan_words(transport, length))
        if plan is not None:
            unit["plan"] = plan
        parameters = NpuParameters(layers=tuple(layers), codings=codings_of(codings), rules=rules_of(parts), **unit)
    except HostError:
        raise
    except SpikeLoomError as error:
        raise ForeignChipError(f"The chip's build registers make no sense: {error}") from None
    if build_id(parameters) != build:
        raise ForeignChipError(
            f"The chip's build number is 0x{build:08X}, but its build registers give 0x{build_id(parameters):08X}"
        )
    return parameters
