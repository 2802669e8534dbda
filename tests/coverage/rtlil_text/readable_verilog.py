"""Makes Yosys' Verilog readable: one file per module, plain identifiers, ports in the header.

Only spelling changes, never meaning:

- escaped names become plain ones: ``\\npu.layer_0 `` is `npu_layer_0`
- a register's anonymous next value is named after it: `step_next`
- other anonymous signals are numbered in each module from 1, in order of appearance: `n_1`, `n_2`
- ports are declared in the module header, in a given order; instances connect them in the same order
- a module starts with a comment
- signals without bits (the address of a memory of one word) are left out
- neighbouring clocked assignments share one `always_ff` block
- registers and memories have no start values: the unit begins with a reset, on an FPGA as on an ASIC, and an `initial`
  block must not write what an `always_ff` block writes [IEEE 1800-2017, 9.2.2.4]
- operands and results have the widths that they are used in (`explicit_widths`), every `casez` has a default,
and
  every file says its time scale, so that none takes that of the file before it
- a combinational block computes into a local variable and assigns its signal once: an event-driven simulator (Icarus)
  would see the passing default as a change, and two blocks that read each other could wake each other for good
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from spikeloom.hw.export.writer.layout import TIMESCALE
from tests.coverage.rtlil_text.explicit_widths import explicit_widths

__all__ = ["readable_modules"]

_MODULE = re.compile(
    r"^module (?:\\(?P<escaped>\S+) |(?P<plain>\w+))\s*\((?P<ports>.*?)\);\n(?P<body>.*?)^endmodule$", re.M | re.S
)
_ESCAPED = re.compile(r"\\(\S+) ")
_NEXT = re.compile(r"^    (?:\\(\S+) |(\w+)) <= \\(\$\d+) ;$", re.M)
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);\n  (wire|reg) (?:\[\d+:0\] )?\w+;\n", re.M)
_EMPTY = re.compile(r"^  wire \[-1:0\] \w+;\n", re.M)
_CLOCKED = re.compile(r"(?:^  always_ff @\(posedge clk\)\n    \S[^\n]*;\n)+", re.M)
_INITIAL = re.compile(r"^  initial begin\n(?:    \w+\[\d+\] = [^;]*;\n)*  end\n", re.M)
_START = re.compile(r"^(  reg (?:\[\d+:0\] )?\w+) = [^;]+;$", re.M)
_CASE = re.compile(r"^(?P<margin> *)casez \(.*?^(?P=margin)endcase$", re.M | re.S)
_COMBINATIONAL = re.compile(r"^  always_comb begin\n(?P<body>.*?)^  end$", re.M | re.S)
_ASSIGNED = re.compile(r"^ +(\w+)(?:\[[^\]]*\])? = ", re.M)
_WORD = re.compile(r"\w+")
_INSTANCE = re.compile(r"^  (?P<module>\w+) \w+ \(\n(?P<connections>(?:    \.\w+\(.*\),?\n)+)  \);", re.M)
_COMMENT_WIDTH = 120


def _plain(name: str) -> str:
    """Legal identifier for an escaped name: `a.b[3]` is `a_b_3`, a keyword gets an underscore."""
    return f"{name}_" if re.fullmatch(r"[A-Za-z_]\w*", name) else re.sub(r"\W+", "_", name).strip("_")


def _free(name: str, taken: set[str]) -> str:
    """`name`, with underscores if it is taken."""
    while name in taken:
        name += "_"
    return name


def _names(body: str) -> dict[str, str]:
    """New name of every escaped name of a module; different names stay different, and the first keep theirs."""
    escaped = dict.fromkeys(_ESCAPED.findall(body))
    taken = set(_WORD.findall(_ESCAPED.sub(" ", body)))
    register_of = {anonymous: escaped_name or plain for escaped_name, plain, anonymous in _NEXT.findall(body)}
    names: dict[str, str] = {}
    numbers = count(1)
    for name in sorted(escaped, key=lambda name: name.startswith("$")):
        if name in register_of:
            register = register_of[name]
            candidate = f"{names.get(register) or register}_next"
        elif name.startswith("$"):
            candidate = f"n_{next(numbers)}"
        else:
            candidate = _plain(name)
        names[name] = _free(candidate, taken)
        taken.add(names[name])
    return names


def _rename(text: str, names: dict[str, str]) -> str:
    return _ESCAPED.sub(lambda match: names[match[1]], text)


def _merge_clocked(match: re.Match[str]) -> str:
    assignments = re.findall(r"^    \S.*;$", match[0], re.M)
    return "\n".join(["  always_ff @(posedge clk) begin", *assignments, "  end\n"])


def _with_defaults(text: str) -> str:
    """Give every `casez` a default that does nothing: the block's variable has its default value already."""

    def completed(match: re.Match[str]) -> str:
        margin = match["margin"]
        inside, ending = match[0][: -len(f"{margin}endcase")], f"{margin}endcase"
        first, rest = inside.split("\n", 1)
        has_default = re.search(rf"^{margin}  default:", rest, re.M)
        return f"{first}\n{_with_defaults(rest)}" + ("" if has_default else f"{margin}  default: ;\n") + ending

    return _CASE.sub(completed, text)


def _settle_once(text: str) -> str:
    """Give every combinational block a local variable, so that its signal takes its final value only."""
    taken = set(_WORD.findall(text))
    widths = {name: bits or "" for bits, name in re.findall(r"\breg +(\[\d+:0\] )?(\w+)", text)}

    def rewritten(match: re.Match[str]) -> str:
        body = match["body"]
        targets = list(dict.fromkeys(_ASSIGNED.findall(body)))
        local = {target: _free("value" if len(targets) == 1 else f"{target}_value", taken) for target in targets}
        body = _WORD.sub(lambda word: local.get(word[0], word[0]), body)
        lines = [f"  always_comb begin : {targets[0]}_comb"]
        lines += [f"    reg {widths[target]}{local[target]};" for target in targets]
        lines += [body.rstrip("\n")]
        lines += [f"    {target} = {local[target]};" for target in targets]
        return "\n".join([*lines, "  end"])

    return _COMBINATIONAL.sub(rewritten, text)


def _header(name: str, order: Sequence[str], body: str) -> tuple[str, str]:
    """Module header with declared ports, and the body without their declarations."""
    declared = {}
    for direction, high, port, kind in _PORT.findall(body):
        bits = f"[{high}:0] " if high else ""
        declared[port] = f"    {direction:6} {kind:4} {bits}{port}"
    if missing := [port for port in order if port not in declared]:
        raise ValueError(f"Module {name} cannot have ports called {', '.join(missing)}: Verilog keywords")
    return f"module {name} (\n" + ",\n".join(declared[port] for port in order) + "\n);\n", _PORT.sub("", body)


def _order_connections(text: str, ports: Mapping[str, Sequence[str]]) -> str:
    """Connections of instances in the order of their modules' ports."""

    def ordered(match: re.Match[str]) -> str:
        places = {f".{port}": place for place, port in enumerate(ports.get(match["module"], ()))}
        lines = [line.rstrip(",") for line in match["connections"].splitlines()]
        lines.sort(key=lambda line: places.get(line.strip().split("(")[0], len(places)))
        return match[0].replace(match["connections"], ",\n".join(lines) + "\n")

    return _INSTANCE.sub(ordered, text)


def _comment(lines: Sequence[str]) -> str:
    """Comment above a module."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, _COMMENT_WIDTH - len("// "))]
    return "".join(f"// {line}\n" for line in wrapped)


def readable_modules(
    text: str, ports: Mapping[str, Sequence[str]] | None = None, comments: Mapping[str, Sequence[str]] | None = None
) -> Iterator[tuple[str, str]]:
    """Split Yosys' Verilog into modules.

    Parameters
    ----------
    text : output of `write_verilog -sv -noattr -norename`
    ports : module, by its name in `text` -> all its ports in the wanted order; a module not named keeps its order
    comments : module -> lines of the comment above it, which are wrapped

    Yields
    ------
    (module name, module text), in the order of the text

    Raises
    ------
    ValueError : a port has the name of a keyword
    """
    plain = {_plain(module) if "." in module else module: names for module, names in (ports or {}).items()}
    for match in _MODULE.finditer(text):
        body = match["body"]
        names = _names(match["ports"] + body)
        listed, body = (_rename(part, names) for part in (match["ports"], body))
        old_name = match["escaped"] or match["plain"]
        name = _plain(old_name) if match["escaped"] else old_name
        order = plain.get(name) or [port.strip() for port in listed.split(",") if port.strip()]
        body = _with_defaults(_START.sub(r"\1;", _INITIAL.sub("", _EMPTY.sub("", body))))
        header, body = _header(name, order, body)
        body = _order_connections(_CLOCKED.sub(_merge_clocked, body), plain)
        text = explicit_widths(_settle_once(f"{header}{body}endmodule\n"))
        yield name, _comment((comments or {}).get(old_name, ())) + TIMESCALE + text
