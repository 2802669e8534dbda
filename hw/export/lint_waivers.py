"""Verilator waivers of an export, one per signal, with the reason.

What is left of Verilator's warnings, after the text says every width and every default (`hw.export.explicit_widths`),
is of one kind, and meant (UNUSEDSIGNAL):

- a field of a structured signal has a name of its own that nobody reads, for waveforms and readers
- bits of a signal are cut off, a carry for one, or a port has fields that this module does not need

A waiver names the file and the signal. A signal that is not named here, of these files or of others, is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from spikeloom.hw.export.explicit_widths import widths_of

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

// One line a signal: a field of a structured signal has a name of its own, for waveforms and readers, whether it is
// read here or not; and bits that are not wanted are cut off, such as a carry.
"""
_PORTS = re.compile(r"^    (input|output) +(?:wire|reg) +(?:\[\d+:0\] )?(\w+)", re.M)
_INSTANCE = re.compile(r"^  (\w+) (?:#\(\n(?: +\..*\n)+  \) )?\w+ \(\n((?: +\.\w+\(.*\),?\n)+)  \);", re.M)
_CONNECTION = re.compile(r"^ +\.(\w+)\((.*?)\),?$", re.M)
_DECLARATION = re.compile(r"^ *(?:input|output|reg|wire) .*[;,]?$", re.M)
_TARGET = re.compile(r"^ *(?:assign )?\w+(?:\[[\d:]+\])?(?P<index>\[[a-z][^=<]*)? <?= ", re.M)
_COMMENT = re.compile(r"//.*$", re.M)
_USE = re.compile(r"(?<![\w'.])([A-Za-z_]\w*)(?:\[(\d+)(?::(\d+))?\])?(\[)?")


def _inputs(text: str) -> frozenset[str]:
    return frozenset(name for direction, name in _PORTS.findall(text) if direction == "input")


def _read(text: str, inputs: Mapping[str, frozenset[str]]) -> str:
    """What of a module reads signals: no declarations, no targets of assignments, no outputs of instances."""

    def connections(match: re.Match[str]) -> str:
        wanted = inputs[match[1]]
        return "\n".join(value for port, value in _CONNECTION.findall(match[2]) if port in wanted) + "\n"

    body = text.split(");\n", 1)[1]
    body = _INSTANCE.sub(connections, body)
    body = _DECLARATION.sub("", body)
    return _TARGET.sub(lambda match: match["index"] or "", body)


def _unused(text: str, inputs: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Signals of a module of which not every bit is read, as they are declared; outputs are read outside."""
    text = _COMMENT.sub("", text)
    widths = widths_of(text)
    left = {name: (1 << bits) - 1 for name, bits in widths.items()}
    for name, high, low, _ in _USE.findall(_read(text, inputs)):
        if name in left:
            bits = (1 << int(high) + 1) - (1 << int(low or high)) if high else -1
            left[name] &= ~bits
    outputs = {name for direction, name in _PORTS.findall(text) if direction == "output"}
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
