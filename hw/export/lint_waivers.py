"""Verilator waivers of an export, one per signal, with the reason.

What is left of Verilator's warnings is of one kind, and meant (UNUSEDSIGNAL): nobody reads a signal or some bits of it.
Bits are cut off, a carry for one, a port has fields that this module does not need, or an instance has an output that
is not needed in this place.

A waiver names the file and the signal. A signal that is not named here, of these files or of others, is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["waivers"]

_HEAD = """\
`verilator_config

// The wrapper's file is named for what it is; the macro has one name in every variant's file.
lint_off -rule DECLFILENAME -file "*chip.sv"
lint_off -rule DECLFILENAME -file "*crossbar_macro_*.v"

// A black box has no inside: parameters and inputs are not used, outputs not driven.
lint_off -rule UNUSEDPARAM -file "*crossbar_macro_blackbox.v"
lint_off -rule UNUSEDSIGNAL -file "*crossbar_macro_blackbox.v"
lint_off -rule UNDRIVEN -file "*crossbar_macro_blackbox.v"

// The ideal macro is a simulation model: integers of 32 bits in loops, samples made by blocking assignments in one
// block, parameters that only other variants use.
lint_off -rule WIDTHEXPAND -file "*crossbar_macro_ideal.v"
lint_off -rule WIDTHTRUNC -file "*crossbar_macro_ideal.v"
lint_off -rule BLKSEQ -file "*crossbar_macro_ideal.v"
lint_off -rule UNUSEDPARAM -file "*crossbar_macro_ideal.v"
lint_off -rule UNUSEDSIGNAL -file "*crossbar_macro_ideal.v"

// The example is a bench: its clock and its counters have start values, numbers of any width are shown as 64 bits, and
// the interrupt is there to be seen.
lint_off -rule PROCASSINIT -file "*example_tb.v"
lint_off -rule WIDTHEXPAND -file "*example_tb.v"
lint_off -rule UNUSEDSIGNAL -file "*example_tb.v"

// One line a signal: bits that are not wanted are cut off, such as a carry, a port has fields that this module does not
// need, or an instance has an output that is not needed in this place.
"""
_PORT = re.compile(r"^    (input|output) +(?:wire|reg) +(?:signed )?(?:\[[^\]]*\] )?(\w+)", re.M)
_DECLARED = re.compile(r"\b(?:wire|reg) +(?:signed )?(?:\[(\d+):0\] )?(\w+)(?= *[;,=\n])")
_COMMENT = re.compile(r"//.*$", re.M)
_PIECE = re.compile(r";|\bbegin\b(?: : \w+)?|\bend(?:case)?\b|\belse\b")
_INSTANCE = re.compile(r"\s*(\w+) (?:#\(.*\) )?\w+ \((\s+\..*)\)$", re.S)
_ASSIGNED = re.compile(r"\s*(?:(?:assign|wire|reg) +(?:signed )?(?:\[\d+:0\] )?)?\w+(?:\[(?P<index>.*?)\])? <?= ", re.S)
_DECLARATION = re.compile(r"\s*(?:(?:genvar|localparam)\b|(?:wire|reg)\b[^=]*$)")
_USE = re.compile(r"(?<![\w'.$])([A-Za-z_]\w*)(?:\[(\d+)(?::(\d+))?\])?")


def _inputs(text: str) -> frozenset[str]:
    return frozenset(name for direction, name in _PORT.findall(text) if direction == "input")


def _connections(text: str) -> Iterator[tuple[str, str]]:
    """Ports of an instance, and what each is connected to."""
    depth, port, start = 0, "", 0
    for place, letter in enumerate(text):
        if letter == "(":
            depth += 1
            if depth == 1:
                port, start = text[:place].rpartition(".")[2], place + 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield port, text[start:place]


def _reads(body: str, inputs: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What of a module reads signals: no declarations, no targets of assignments, no outputs of instances."""
    for piece in _PIECE.split(body):
        if instance := _INSTANCE.match(piece):
            yield from (value for port, value in _connections(instance[2]) if port in inputs[instance[1]])
        elif not _DECLARATION.match(piece):
            target = _ASSIGNED.match(piece)
            yield piece if target is None else f"{target['index'] or ''} {piece[target.end() :]}"


def _unused(text: str, inputs: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Signals of a module of which not every bit is read, as they are declared; outputs are read outside."""
    text = _COMMENT.sub("", text)
    left = {name: (1 << int(high or 0) + 1) - 1 for high, name in _DECLARED.findall(text)}
    for read in _reads(text.split(");\n", 1)[1], inputs):
        for name, high, low in _USE.findall(read):
            if name in left:
                bits = (1 << int(high) + 1) - (1 << int(low or high)) if high else -1
                left[name] &= ~bits
    outputs = {name for direction, name in _PORT.findall(text) if direction == "output"}
    return (name for name, bits in left.items() if bits and name not in outputs)


def waivers(files: Mapping[str, str], macro: frozenset[str]) -> str:
    """The file of waivers.

    Parameters
    ----------
    files : file name -> text of an export, of which the `.sv` are modules
    macro : inputs of the crossbar macro
    """
    modules = {name: text for name, text in files.items() if name.endswith(".sv")}
    inputs = {name.removesuffix(".sv"): _inputs(text) for name, text in modules.items()} | {"crossbar_macro": macro}
    lines = []
    for name, text in modules.items():
        lines += [
            f'lint_off -rule UNUSEDSIGNAL -file "*{name}" -match "*\'{each}\'*"' for each in _unused(text, inputs)
        ]
    return _HEAD + "\n".join(lines) + "\n"
