"""Registers and memories of an exported unit, and exports that start from random values in all of them."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["State", "paths_of", "scrambled", "state_of", "without_reset"]

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


def scrambled(files: Mapping[str, str], seed: int) -> dict[str, str]:
    """The files with a random start value for every register, read port and memory word.

    Parameters
    ----------
    files : file name -> text of an export, modules with `.sv`
    seed : of the values
    """
    rng = random.Random(seed)
    made = {}
    for file, text in files.items():
        state = state_of(text)
        kept = state.registers | state.reads

        def started(match: re.Match[str]) -> str:
            name = match["name"]
            if name not in kept:  # noqa: B023
                return match[0]
            bits = kept[name]  # noqa: B023
            return f"{match['head']}{name} = {bits}'h{rng.getrandbits(bits):x}{match['end']}"

        def filled(match: re.Match[str]) -> str:
            bits, name, words = int(match[1]) + 1, match[2], int(match[3]) + 1
            lines = [f"    {name}[{word}] = {bits}'h{rng.getrandbits(bits):x};\n" for word in range(words)]
            return f"{match[0]}  initial begin\n{''.join(lines)}  end\n"

        made[file] = _MEMORY.sub(filled, _DECLARED.sub(started, text)) if file.endswith(".sv") else text
    return made


def without_reset(files: Mapping[str, str], file: str, register: str) -> dict[str, str]:
    """The files with one register that a reset leaves alone.

    Raises
    ------
    ValueError : the file does not reset that register
    """
    block = rf"(begin : {register}_next_comb\n(?:(?!\n  end\n).)*?)    if \(rst\) begin\n.*?\n    end\n"
    broken, count = re.subn(block, r"\1", files[file], flags=re.S)
    if count != 1:
        raise ValueError(f"{file} must reset {register} in one place to be broken, not in {count}")
    return {**files, file: broken}
