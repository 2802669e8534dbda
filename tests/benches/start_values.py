"""Registers and memories of an exported unit, and exports that start from random values in all of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["State", "instances_of", "paths_of", "scrambled", "state_of", "without_reset"]

_REGISTER = re.compile(
    r"^(?P<head> +(?:output )?reg +(?:signed )?(?:\[(?P<high>\d+):0\] )?)(?P<name>\w+)(?P<end>;|,?$|;  //)", re.M
)
_CLOCKED = re.compile(r"^(?P<margin> +)always_ff @\(posedge clk\) begin\n(?P<body>.*?)^(?P=margin)end$", re.M | re.S)
_RESET = re.compile(r"(?P<margin> +)if \(rst\) begin\n(?P<values>.*?)^(?P=margin)end\b", re.M | re.S)
_TARGET = re.compile(r"^ +(\w+)(?:\[.*?\])* <= ", re.M)
_VALUE = re.compile(r"^ +(\w+) <= (.+);$", re.M)
_LOOP = re.compile(
    r"^  for \(\w+ = 0; \w+ < (?P<count>\d+); [^\n]*\) begin : (?P<label>\w+)\n(?P<body>.*?)^  end$", re.M | re.S
)
_STATES = re.compile(r"^  localparam \[\d+:0\] (.*?);$", re.M | re.S)
_STORAGE = re.compile(r"^ +reg \[(\w+) - 1:0\] storage \[0:DEPTH - 1\];\n", re.M)
_FETCHED = re.compile(r"^( +reg \[(\w+) - 1:0\] fetched\w*);$", re.M)
_HEAD = re.compile(r"(?:^//.*\n)+", re.M)
_ALL_BITS = 96


@dataclass(frozen=True)
class State:
    """What a module keeps.

    Attributes
    ----------
    registers : name -> bits, of all that are written at a clock edge, without those of a memory
    resets : register -> its value after a reset, as Verilog, where the text gives it one
    loops : register -> name and number of turns of the loop that declares it
    memory : the module is a memory: words, and those that were read, are all that it keeps
    """

    registers: dict[str, int]
    resets: dict[str, str]
    loops: dict[str, tuple[str, int]]
    memory: bool


def state_of(text: str) -> State:
    """What an exported module keeps."""
    if _STORAGE.search(text):
        return State({}, {}, {}, True)
    blocks = [match["body"] for match in _CLOCKED.finditer(text)]
    written = {name for block in blocks for name in _TARGET.findall(block)}
    bits = {match["name"]: int(match["high"] or 0) + 1 for match in _REGISTER.finditer(text)}
    states = dict(re.findall(r"(\w+) = (\d+'d\d+)", " ".join(_STATES.findall(text))))
    resets = {}
    for reset in (found for block in blocks if (found := _RESET.match(block))):
        for name, value in _VALUE.findall(reset["values"]):
            resets[name] = f"{bits[name]}'d0" if value == "'0" else states.get(value, f"({value})")
    loops = {
        match["name"]: (loop["label"], int(loop["count"]))
        for loop in _LOOP.finditer(text)
        for match in _REGISTER.finditer(loop["body"])
    }
    return State({name: bits[name] for name in bits if name in written}, resets, loops, False)


def instances_of(text: str) -> list[str]:
    """Places of a module's instances, as the comment above it says them."""
    head = _HEAD.match(text)
    said = re.search(r"Instances?: (.*)$", " ".join(line[3:] for line in head[0].splitlines())) if head else None
    return said[1].split(", ") if said else []


def paths_of(files: Mapping[str, str]) -> dict[str, str]:
    """Every register of an export, by its place under the unit, such as `npu_axi.host.guard.state`, and its value after
    a reset, in Verilog. A register that a reset leaves alone is an error.
    """
    found = {}
    for file, text in files.items():
        state = state_of(text) if file.endswith(".sv") else State({}, {}, {}, False)
        assert set(state.resets) == set(state.registers), (file, set(state.registers) - set(state.resets))
        for instance in instances_of(text):
            for name, value in state.resets.items():
                label, count = state.loops.get(name, ("", 0))
                for place in [f"{label}[{turn}].{name}" for turn in range(count)] or [name]:
                    found[f"{instance}.{place}"] = value
    return found


def scrambled(files: Mapping[str, str], seed: int) -> dict[str, str]:
    """The files with a random start value for every register, read port and memory word; instances have the same.

    Parameters
    ----------
    files : file name -> text of an export, modules with `.sv`
    seed : of the values
    """
    rng = random.Random(seed)
    return {file: _started(text, rng) if file.endswith(".sv") else text for file, text in files.items()}


def _started(text: str, rng: random.Random) -> str:
    state = state_of(text)

    def register(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in state.registers:
            return match[0]
        bits = state.registers[name]
        return f"{match['head']}{name} = {bits}'h{rng.getrandbits(bits):x}{match['end']}"

    def words(match: re.Match[str]) -> str:
        return match[0] + "".join(f"{line}\n" for line in _drawn(match[1], rng.getrandbits(32)))

    text = _REGISTER.sub(register, text)
    if state.memory:
        fill = f"{{{_ALL_BITS}{{32'h{rng.getrandbits(32):08x}}}}}"
        text = _FETCHED.sub(rf"\1 = \2'({fill});", _STORAGE.sub(words, text))
    return text


def _drawn(width: str, start: int) -> Iterator[str]:
    """A block that gives every bit of every word a value from a shift register."""
    yield "  initial begin : start"
    yield "    reg [31:0] drawn;"
    yield "    integer word, place;"
    yield f"    drawn = 32'h{start | 1:08x};"
    yield "    for (word = 0; word < DEPTH; word = word + 1)"
    yield f"      for (place = 0; place < {width}; place = place + 1) begin"
    yield "        drawn = {drawn[30:0], drawn[31] ^ drawn[21] ^ drawn[1] ^ drawn[0]};"
    yield "        storage[word][place] = drawn[0];"
    yield "      end"
    yield "  end"


def without_reset(files: Mapping[str, str], file: str, register: str) -> dict[str, str]:
    """The files with one register that a reset leaves alone.

    Raises
    ------
    ValueError : the file does not reset that register
    """
    count = 0

    def left(match: re.Match[str]) -> str:
        nonlocal count
        values, found = re.subn(rf"^ +{register} <= .+;\n", "", match["values"], flags=re.M)
        count += found
        return match[0].replace(match["values"], values)

    broken = _CLOCKED.sub(lambda block: block[0].replace(block["body"], _RESET.sub(left, block["body"])), files[file])
    if count != 1:
        raise ValueError(f"{file} must reset {register} in one place to be broken, not in {count}")
    return {**files, file: broken}
