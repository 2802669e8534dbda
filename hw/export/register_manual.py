"""The manual page of the host registers, `docs/hardware/host/register_map.md`, from their declaration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from spikeloom.hw.host.register_map import (
    ADDRESS_BITS,
    LAYER_BLOCKS,
    LAYER_HOST_REGISTERS,
    LAYER_OFFSETS,
    LAYER_STRIDE,
    MAP_VERSION,
    UNIT_HOST_REGISTERS,
    UNIT_OFFSETS,
    Field,
    HostRegister,
    RegisterBlock,
)
from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, LAYER_REGISTERS, Register

__all__ = ["bit_picture", "manual"]

_HEAD = """\
# Host registers

The registers that a host accesses over the [AXI4-Lite bus](axi_lite.md) of [`npu_axi`](../npu_axi.md). Generated from
`hw/host/register_map.py` and `hw/interfaces/registers.py`; a test keeps it up to date. Map version {version}.

Words have 32 bits, addresses are byte addresses of {bits} bits, four times a
[load address](../interfaces/registers.md):

| address bits | meaning |
|---|---|
| 25 .. 18 | 0: the unit; l + 1: layer l, so layer l starts at {stride:#x} (l + 1) |
| 17 .. 2 | word in the scope |
| 1 .. 0 | 0; anything else is an error |

- Unused bits of a register read as 0 and ignore writes; a signed register is sign-extended when read.
- Bytes without a strobe keep their value.
- An access to an address that is not listed, a misaligned one, a write to a read-only register, a write of a part of a
  window's word or of a register marked *whole*, and a read of a window that is written only answer SLVERR and change
  nothing. A write of no byte is accepted where one of the whole word is, and has no effect.
- A write to a register marked *idle* while an image is being processed answers SLVERR, changes nothing, and sets the
  flag `refused` of `errors`. So does a write to the programmers' settings while a programmer is busy, and one to a
  target or to `program_start` outside of a [load session](load_guard.md) or while the layer's programmer is busy.
- `coding` of the unit is there with several input codings only, `even_start` with the coding even, `seed_0` .. `seed_3`
  and bit 3 of `control` with the coding rate: `codings` says what there is. `clip`, `leak` and `reset` of a layer are
  there only where its neurons need them: `features` says what they are built with. A unit without programmers has no
  programming settings, no register `events`, and of a layer no register, target or result of programming; bit 2 of
  `control` and bit 6 of `status` are 0. A unit without activity counters has no registers `row_pulses` .. `spikes`.
  `stable_theta` of the unit is there with the decision rule stable only; without, `rule` has one bit.
  `parts` says what there is. An access to one that is missing is one to an address that is not listed.
- The activity counters, `cycles` and `gap` are those of the last result, and do not change until the next.
- Flags of `errors` and `events` are set regardless of writes in the same cycle.

Access: ro read only, rw read and write, wo write only (a register reads 0), w1c read, and write 1 to clear. `build` as
the value after reset: the value with which the hardware was generated; kept: memory that a reset does not change,
unknown after power-up, see [reset](../reset.md). Widths of the run-time registers are in
[registers](../interfaces/registers.md).
"""

_TABLE = "| address | name | access | after reset | unit | meaning |\n|---|---|---|---|---|---|"
_NAMES = """\
## Other forms

| form | where |
|---|---|
| Python | in `spikeloom.hw.host.register_map`: `UNIT_OFFSETS`, `LAYER_OFFSETS`, `unit_byte_address`, \
`layer_byte_address`, `bias_byte_address`, `program_target_byte_address`, `program_result_byte_address`, `build_id` |
| C | `spikeloom.hw.export.c_header.c_header()`: an address macro per register, a mask and a shift per field |
| SystemRDL | `spikeloom.hw.export.system_rdl.system_rdl(parameters)`: widths and constants of one build |
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
        access = register.access + ", idle" * register.idle_only + ", whole" * register.whole
        init = "build" if register.value else str(register.init)
    meaning = register.meaning.replace("|", r"\|")
    return f"| {address:#x} | `{register.name}` | {access} | {init} | {register.unit} | {meaning} |"


def _bits(field: Field) -> str:
    return str(field.low) if field.bits == 1 else f"{field.low + field.bits - 1} .. {field.low}"


def _block(block: RegisterBlock) -> str:
    access = f"{block.access}, idle" if block.idle_only else block.access
    init = "kept" if block.init is None else block.init
    words = {"program_target": "lanes * row_tiles", "program_result": "2 * lanes * row_tiles", "bias": "outputs"}
    return (
        f"| {block.offset:#x} + 4 i | `{block.name}`, i < {words[block.name]} | {access} | {init} | {block.unit} "
        f"| {block.meaning} |"
    )


def _details(register: HostRegister | RegisterBlock) -> Iterator[str]:
    yield f"### `{register.name}`\n"
    yield bit_picture(((f.name, f.low, f.bits) for f in register.fields), 32) + "\n"
    rows = "\n".join(f"| {_bits(field)} | `{field.name}` | {field.meaning} |" for field in register.fields)
    yield f"| bits | field | meaning |\n|---|---|---|\n{rows}\n"


def _scope(
    title: str,
    run_time: tuple[Register, ...],
    own: tuple[HostRegister, ...],
    offsets: dict[str, int],
    windows: tuple[RegisterBlock, ...],
) -> Iterator[str]:
    registers: tuple[Register | HostRegister, ...] = (*run_time, *own)
    rows = [_row(register, offsets[register.name]) for register in registers]
    rows += [_block(block) for block in windows]
    yield "\n".join([f"## {title}\n", _TABLE, *rows]) + "\n"
    detailed: tuple[HostRegister | RegisterBlock, ...] = (*own, *windows)
    for register in detailed:
        if register.fields:
            yield from _details(register)


def manual() -> str:
    """Text of the page."""
    parts = [
        _HEAD.format(version=".".join(map(str, MAP_VERSION)), bits=ADDRESS_BITS, stride=LAYER_STRIDE),
        *_scope("The unit", GLOBAL_REGISTERS, UNIT_HOST_REGISTERS, UNIT_OFFSETS, ()),
        *_scope("A layer (offsets in its scope)", LAYER_REGISTERS, LAYER_HOST_REGISTERS, LAYER_OFFSETS, LAYER_BLOCKS),
        _NAMES,
    ]
    return "\n".join(parts)
