"""The manual's page of the host's registers, `docs/hardware/host_registers.md`, from their declaration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from hw.host_registers import (
    ADDRESS_BITS,
    BIAS_BYTES,
    LAYER_HOST_REGISTERS,
    LAYER_OFFSETS,
    LAYER_STRIDE,
    MAP_VERSION,
    UNIT_HOST_REGISTERS,
    UNIT_OFFSETS,
    Field,
    HostRegister,
)
from hw.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register

__all__ = ["bit_picture", "manual"]

_HEAD = """\
# Host registers

What a host reads and writes through the [AXI4-Lite bus](axi_lite.md) of [`npu_axi`](npu_axi.md). Generated from
`hw/host_registers.py` and `hw/registers.py`; a test keeps it up to date. Map version {version}.

Words have 32 bits, addresses are byte addresses of {bits} bits, four times a [load address](registers.md):

| address bits | meaning |
|---|---|
| 25 .. 18 | 0: the unit; l + 1: layer l, so layer l starts at {stride:#x} (l + 1) |
| 17 .. 2 | word in the scope |
| 1 .. 0 | 0; anything else is an error |

- Bits that a register does not have read 0 and ignore what is written; a signed register is sign-extended when read.
- Bytes without a strobe keep their value.
- An access to an address that is not listed, a misaligned one, a write to a read-only register, and one of a part of a
  bias answer SLVERR and change nothing.
- A write to a register marked *idle* while an image is in work answers SLVERR, changes nothing, and sets the flag
  `refused` of `errors`.
- Counters and `cycles` are those of the last result that was taken, and stand still until the next is taken.

Access: ro read only, rw read and write, wo write only (`clear_flags` reads 0, reading a bias answers SLVERR), w1c read,
and write 1 to clear. `build` as the value after reset: what the hardware was generated with. Widths of the run-time
registers are in [registers](registers.md).
"""

_TABLE = "| address | name | access | after reset | unit | meaning |\n|---|---|---|---|---|---|"
_NAMES = """\
## Other forms

| form | where |
|---|---|
| Python | `hw.host_registers.UNIT_OFFSETS`, `hw.host_registers.LAYER_OFFSETS`, `hw.host_registers.unit_byte_address`, \
`hw.host_registers.layer_byte_address`, `hw.host_registers.bias_byte_address` |
| C | `hw.c_header.c_header()`: an address macro a register, a mask and a shift a field |
| SystemRDL | `hw.system_rdl.system_rdl(parameters)`: widths and constants of one build |
"""


def bit_picture(fields: Iterable[tuple[str, int, int]], bits: int) -> str:
    """Wavedrom bit-field picture of a word: name, lowest bit and bits of its fields, lowest first."""
    parts: list[dict[str, object]] = []
    position = 0
    for name, low, width in fields:
        if low > position:
            parts.append({"bits": low - position})
        parts.append({"name": name, "bits": width})
        position = low + width
    if position < bits:
        parts.append({"bits": bits - position})
    body = ",\n".join(f"  {json.dumps(part)}" for part in parts)
    config = json.dumps({"bits": bits, "lanes": bits // 16, "vflip": True})
    return f'```wavedrom\n{{ "reg": [\n{body}\n], "config": {config} }}\n```'


def _row(register: Register | HostRegister, address: int) -> str:
    if isinstance(register, Register):
        access, init = "wo, idle" if register.pulse else "rw, idle", str(register.init)
    else:
        access = f"{register.access}, idle" if register.idle_only else register.access
        init = "build" if register.value else "0"
    meaning = register.meaning.replace("|", r"\|")
    return f"| {address:#x} | `{register.name}` | {access} | {init} | {register.unit} | {meaning} |"


def _bits(field: Field) -> str:
    return str(field.low) if field.bits == 1 else f"{field.low + field.bits - 1} .. {field.low}"


def _details(register: HostRegister) -> Iterator[str]:
    yield f"### `{register.name}`\n"
    yield bit_picture(((f.name, f.low, f.bits) for f in register.fields), 32) + "\n"
    rows = "\n".join(f"| {_bits(field)} | `{field.name}` | {field.meaning} |" for field in register.fields)
    yield f"| bits | field | meaning |\n|---|---|---|\n{rows}\n"


def _scope(
    title: str,
    run_time: tuple[Register, ...],
    own: tuple[HostRegister, ...],
    offsets: dict[str, int],
    more: tuple[str, ...],
) -> Iterator[str]:
    registers: tuple[Register | HostRegister, ...] = (*run_time, *own)
    rows = [_row(register, offsets[register.name]) for register in registers]
    yield "\n".join([f"## {title}\n", _TABLE, *rows, *more]) + "\n"
    for register in own:
        if register.fields:
            yield from _details(register)


def manual() -> str:
    """Text of the page."""
    bias = (
        f"| {BIAS_BYTES:#x} + 4 n | bias of neuron n | wo, idle | 0 | conductance steps "
        "| added to the column's sum in every step; signed; whole words |"
    )
    parts = [
        _HEAD.format(version=".".join(map(str, MAP_VERSION)), bits=ADDRESS_BITS, stride=LAYER_STRIDE),
        *_scope("The unit", GLOBAL_REGISTERS, UNIT_HOST_REGISTERS, UNIT_OFFSETS, ()),
        *_scope("A layer (offsets in its scope)", LAYER_REGISTERS, LAYER_HOST_REGISTERS, LAYER_OFFSETS, (bias,)),
        _NAMES,
    ]
    return "\n".join(parts)
