"""Registers of a unit in the text of RTLIL, and their values after a reset, for benches that look at them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["paths_of"]

_DECLARED = re.compile(r"^(?P<head>(?:  |    output )reg +(?:\[(?P<high>\d+):0\] )?)(?P<name>\w+)(?P<end>;|,?)$", re.M)
_MEMORY = re.compile(r"^  reg \[(\d+):0\] (\w+) \[(\d+):0\];\n", re.M)
_CLOCKED = re.compile(r"^  always_ff @\(posedge clk\) begin\n(.*?)^  end$", re.M | re.S)
_TARGET = re.compile(r"^ +(\w+)(?:\[.*?\])? <= ", re.M)
_NEXT = re.compile(r"^    (\w+) <= (\w+);$", re.M)


@dataclass(frozen=True)
class State:
    """What a module keeps.

    Attributes
    ----------
    registers : name -> bits, of all that are written at a clock edge, but for the next ones
    reads : name -> bits, data of memories' read ports
    memories : name -> (words, bits)
    resets : register -> its value after a reset, as Verilog, where the text gives it one
    """

    registers: dict[str, int]
    reads: dict[str, int]
    memories: dict[str, tuple[int, int]]
    resets: dict[str, str]


def state_of(text: str) -> State:
    """What an exported module keeps."""
    memories = {name: (int(top) + 1, int(high) + 1) for high, name, top in _MEMORY.findall(text)}
    blocks = _CLOCKED.findall(text)
    written = {name for block in blocks for name in _TARGET.findall(block)} - set(memories)
    reads = {name for block in blocks for name, _ in re.findall(r"^ +(\w+) <= (\w+)\[", block, re.M)} & written
    reads = {name for name in reads if any(f"{name} <= {memory}[" in block for block in blocks for memory in memories)}
    bits = {match["name"]: int(match["high"] or 0) + 1 for match in _DECLARED.finditer(text)}
    resets = {}
    for name, following in (pair for block in blocks for pair in _NEXT.findall(block)):
        block = re.search(rf"^  always_comb begin : {following}_comb\n(.*?)^  end$", text, re.M | re.S)
        values = re.findall(r"^    if \(rst\) begin\n      \w+ = (\d+'\w+);\n    end$", block[1] if block else "", re.M)
        if values and block and re.search(rf"    end\n    {following} = value_*;\n$", block[1]):
            resets[name] = values[-1]
    return State(
        {name: bits[name] for name in bits if name in written - reads},
        {name: bits[name] for name in bits if name in reads},
        memories,
        resets,
    )


def paths_of(files: Mapping[str, str]) -> dict[str, str]:
    """Every register of an export, by its place under the unit, such as `npu_axi.host.guard.state`, and its value after
    a reset, in Verilog. A register that a reset leaves alone is an error.
    """
    found = {}
    for text in files.values():
        if instance := re.search(r"^// Instance: (\S+)$", text, re.M):
            state = state_of(text)
            assert set(state.resets) == set(state.registers), (instance[1], set(state.registers) - set(state.resets))
            found |= {f"{instance[1]}.{name}": value for name, value in state.resets.items()}
    return found
