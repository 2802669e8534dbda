"""Structure of an elaborated accelerator: bits of flip-flops, and memories.

Counted from what the components elaborate to, so that a count cannot go out of date with a formula. No netlist is made:
a second at most for thousands of flip-flops. Bits that synthesis would remove, because nothing reads them, are counted
too; the read registers of memories are not, they belong to the memories.
"""

from __future__ import annotations

import functools
import gc
from dataclasses import dataclass

from amaranth.hdl import Fragment
from amaranth.lib import wiring

from spikeloom.hw.export.amaranth_internals import clocked_signals, memory_of
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["MemoryBits", "Structure", "structure", "structure_of"]


@dataclass(frozen=True)
class MemoryBits:
    """One memory: its place in the hierarchy, such as "layer_0.neuron_array.membranes", bits of a word, words, bits of
    all its clocked read ports, and whether one of them reads in every cycle, having no enable.
    """

    path: str
    width: int
    depth: int
    read_bits: int
    always_read: bool

    @property
    def bits(self) -> int:
        """Bits of the memory."""
        return self.width * self.depth


@dataclass(frozen=True)
class Structure:
    """Flip-flops, in bits, and all memories of a unit."""

    flip_flops: int
    memories: tuple[MemoryBits, ...]


@functools.lru_cache(maxsize=32)
def structure(parameters: NpuParameters) -> Structure:
    """The unit `Npu(parameters=...)`, without crossbars and buses."""
    return structure_of(Npu(parameters=parameters))


def structure_of(component: wiring.Component) -> Structure:
    """Any component, with all that is inside it."""
    enabled = gc.isenabled()
    gc.disable()  # millions of small objects that live to the end
    try:
        memories: list[MemoryBits] = []
        flip_flops = _count(Fragment.get(component, None), (), memories)
    finally:
        if enabled:
            gc.enable()
    return Structure(flip_flops, tuple(memories))


def _count(fragment: Fragment, path: tuple[str, ...], memories: list[MemoryBits]) -> int:
    """Flip-flops of a fragment and of all inside it, in bits; memories are added to the list."""
    memory = memory_of(fragment)
    if memory is not None:
        memories.append(MemoryBits(".".join(path), *memory))
        return 0
    total = sum(len(signal) for signal in clocked_signals(fragment))
    for number, (inner, name, _) in enumerate(fragment.subfragments):
        total += _count(inner, (*path, name or f"part_{number}"), memories)
    return total
