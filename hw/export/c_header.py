"""The host registers as a C header, the same for every build: differences between builds are read from the chip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spikeloom.hw.host.register_map import (
    IDENTIFICATION,
    LAYER_BLOCKS,
    LAYER_HOST_REGISTERS,
    LAYER_OFFSETS,
    LAYER_STRIDE,
    MAP_VERSION,
    UNIT_HOST_REGISTERS,
    UNIT_OFFSETS,
    HostRegister,
    RegisterBlock,
)
from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT

__all__ = ["c_header"]

_HEAD = """\
/* SpikeLoom: registers of npu_axi as byte addresses from the base of its AXI4-Lite bus; map version {version}.
 * Words have 32 bits. l is a layer (0 is the first), i a word of a window. */
#ifndef SPIKELOOM_REGISTERS_H
#define SPIKELOOM_REGISTERS_H

#include <stdint.h>

#define SPIKELOOM_IDENTIFICATION UINT32_C({identification:#x})
#define SPIKELOOM_MAP_VERSION UINT32_C({number:#x})
#define SPIKELOOM_LAYER(l) (((uint32_t)(l) + 1u) * UINT32_C({stride:#x}))
"""

_NOTES = {"ro": "read only", "w1c": "write 1 to clear", "rw": "", "wo": "write only, reads 0"}


def _comment(register: Register | HostRegister) -> str:
    notes = [register.meaning]
    if register.unit != "-":
        notes.append(f"[{register.unit}]")
    if isinstance(register, Register) and register.signed:
        notes.append("(two's complement)")
    if isinstance(register, HostRegister) and register.access != "rw":
        notes.append(f"({_NOTES[register.access]})")
    return f"/* {' '.join(notes)} */"


def _block(block: RegisterBlock) -> Iterator[str]:
    notes = [block.meaning]
    if block.unit != "-":
        notes.append(f"[{block.unit}]")
    if block.signed:
        notes.append("(two's complement)")
    notes.append("(read only)" if block.access == "ro" else "(whole words, write only)")
    notes.append(f"({block.after_reset or f'{block.init} after a reset'})")
    yield f"/* {' '.join(notes)} */"
    address = f"SPIKELOOM_LAYER(l) + UINT32_C({block.offset:#x}) + 4u * (uint32_t)(i)"
    yield f"#define SPIKELOOM_{block.name.upper()}(l, i) ({address})"
    yield from _fields(block.name, ((f.name, f.low, f.bits, f.meaning) for f in block.fields), "UINT32_C")


def _fields(register: str, fields: Iterable[tuple[str, int, int, str]], suffix: str) -> Iterator[str]:
    """Mask and shift of every field: name, lowest bit, bits, meaning."""
    for name, low, bits, meaning in fields:
        prefix = f"SPIKELOOM_{register}_{name}".upper()
        if meaning:
            yield f"/* {register}.{name}: {meaning} */"
        yield f"#define {prefix}_SHIFT {low}"
        yield f"#define {prefix}_MASK {suffix}({((1 << bits) - 1) << low:#x})"


def _register(register: Register | HostRegister, definition: str) -> Iterator[str]:
    yield _comment(register)
    yield definition
    if isinstance(register, HostRegister):
        fields = ((field.name, field.low, field.bits, field.meaning) for field in register.fields)
        yield from _fields(register.name, fields, "UINT32_C")


def c_header() -> str:
    """Text of the header: an address macro per register, a mask and a shift per field."""
    major, minor, patch = MAP_VERSION
    head = _HEAD.format(
        version=".".join(map(str, MAP_VERSION)),
        number=major << 16 | minor << 8 | patch,
        identification=IDENTIFICATION,
        stride=LAYER_STRIDE,
    )
    unit: tuple[Register | HostRegister, ...] = (*GLOBAL_REGISTERS, *UNIT_HOST_REGISTERS)
    layer: tuple[Register | HostRegister, ...] = (*LAYER_REGISTERS, *LAYER_HOST_REGISTERS)
    lines = ["/* The unit */", ""]
    for register in unit:
        macro = f"#define SPIKELOOM_{register.name.upper()} UINT32_C({UNIT_OFFSETS[register.name]:#x})"
        lines += _register(register, macro)
    lines += ["", "/* A layer */", ""]
    for register in layer:
        address = f"SPIKELOOM_LAYER(l) + UINT32_C({LAYER_OFFSETS[register.name]:#x})"
        lines += _register(register, f"#define SPIKELOOM_LAYER_{register.name.upper()}(l) ({address})")
    for block in LAYER_BLOCKS:
        lines += _block(block)
    lines += ["", "/* Bits of the first word of a result frame; margin is two's complement. */", ""]
    result = ((str(name), field.offset, field.width, "") for name, field in RESULT_LAYOUT)
    lines += _fields("result", result, "UINT64_C")
    return "\n".join([head, *lines, "", "#endif", ""])
