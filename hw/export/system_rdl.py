"""The registers of one build as SystemRDL 2.0, for tools that generate drivers, verification models or pages."""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.hw.host.register_map import LAYER_BLOCKS, LAYER_STRIDE, HostRegister, MapEntry, RegisterBlock, host_map
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["system_rdl"]

_ACCESS = {
    "ro": "sw = r; hw = w;",
    "rw": "sw = rw; hw = r;",
    "w1c": "sw = rw; onwrite = woclr; hw = rw;",
    "wo": "sw = w; hw = r;",
}


def _register(entry: MapEntry, base: int) -> Iterator[str]:
    """Lines of one register, `base` is the address of its scope."""
    register = entry.register
    access = _ACCESS[entry.access]
    fields = [("value", 0, entry.bits, "")]
    if isinstance(register, HostRegister):
        fields = [(field.name, field.low, field.bits, field.meaning) for field in register.fields] or fields
    if isinstance(register, Register) and register.pulse:
        access = "sw = w; hw = r; singlepulse;"
    notes = [register.meaning]
    if register.unit != "-":
        notes.append(f"[{register.unit}]")
    if entry.signed:
        notes.append("(two's complement)")
    if entry.idle_only:
        notes.append("(not writable while an image is being processed)")
    yield "reg {"
    yield f'  desc = "{" ".join(notes)}";'
    for name, low, bits, meaning in fields:
        text = f' desc = "{meaning}";' if meaning else ""
        reset = entry.init >> low & ((1 << bits) - 1)
        yield f"  field {{ {access}{text} }} {name}[{low + bits - 1}:{low}] = {bits}'h{reset:x};"
    yield f"}} \\{entry.name} @ {entry.address - base:#x};"


def _block(block: RegisterBlock, layer: LayerParameters) -> Iterator[str]:
    """Lines of a window: an array of registers."""
    notes = [block.meaning]
    if block.unit != "-":
        notes.append(f"[{block.unit}]")
    if block.signed:
        notes.append("(two's complement)")
    if block.access == "wo":
        notes.append("(whole words only)")
    if block.after_reset:
        notes.append(f"({block.after_reset})")
    yield "reg {"
    yield f'  desc = "{" ".join(notes)}";'
    for field in block.fields:
        text = f'{_ACCESS[block.access]} desc = "{field.meaning}";'
        yield f"  field {{ {text} }} {field.name}[{field.low + field.bits - 1}:{field.low}];"
    if not block.fields:
        bits = block.bits(layer)
        reset = "" if block.init is None else f" = {bits}'h{block.init:x}"
        yield f"  field {{ {_ACCESS[block.access]} }} value[{bits - 1}:0]{reset};"
    yield f"}} {block.name}[{block.words(layer)}] @ {block.offset:#x} += 4;"


def system_rdl(parameters: NpuParameters) -> str:
    """SystemRDL text of the address map `npu_axi`, byte addresses, with the widths and constants of this build."""
    entries = host_map(parameters)
    lines = ['  name = "SpikeLoom";', "  default regwidth = 32;", "  default accesswidth = 32;"]
    lines += [f"  {line}" for entry in entries if entry.layer is None for line in _register(entry, 0)]
    for index, layer in enumerate(parameters.layers):
        base = (index + 1) * LAYER_STRIDE
        lines.append("  regfile {")
        lines += [f"    {line}" for entry in entries if entry.layer == index for line in _register(entry, base)]
        lines += [f"    {line}" for block in LAYER_BLOCKS if block.there(layer) for line in _block(block, layer)]
        lines.append(f"  }} layer_{index} @ {base:#x};")
    return "\n".join(["addrmap npu_axi {", *lines, "};", ""])
