"""Makes Yosys' Verilog text readable: a file a module, plain identifiers, ports in the header.

Only spelling changes, never meaning:

- escaped names become plain ones: ``\\npu.layer_0 `` is `npu_layer_0`, ``\\$12 `` is `n_12`
- a register's anonymous next value is named after it: `step_next`
- ports are declared in the module header, clock and reset first
- signals without bits (the address of a memory of one word) are left out
- neighbouring clocked assignments share one `always_ff` block
- a combinational block computes into a local variable and assigns its signal once: an event-driven simulator (Icarus)
  would see the passing default as a change, and two blocks that read each other could wake each other for good
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["readable_modules"]

_MODULE = re.compile(
    r"^module (?:\\(?P<escaped>\S+) |(?P<plain>\w+))\s*\((?P<ports>.*?)\);\n(?P<body>.*?)^endmodule$", re.M | re.S
)
_ESCAPED = re.compile(r"\\(\S+) ")
_NEXT = re.compile(r"^    (?:\\(\S+) |(\w+)) <= \\(\$\d+) ;$", re.M)
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);\n  (wire|reg) (?:\[\d+:0\] )?\w+( = [^;]+)?;\n", re.M)
_EMPTY = re.compile(r"^  wire \[-1:0\] \w+;\n", re.M)
_CLOCKED = re.compile(r"(?:^  always_ff @\(posedge clk\)\n    \S[^\n]*;\n)+", re.M)
_COMBINATIONAL = re.compile(r"^  always_comb begin\n(?P<body>.*?)^  end$", re.M | re.S)
_ASSIGNED = re.compile(r"^ +(\w+)(?:\[[^\]]*\])? = ", re.M)
_WORD = re.compile(r"\w+")


def _plain(name: str) -> str:
    """Legal identifier for an escaped name: `a.b[3]` is `a_b_3`, `$12` is `n_12`."""
    if name.startswith("$"):
        name = "n_" + name[1:]
    return re.sub(r"\W+", "_", name).strip("_")


def _free(name: str, taken: set[str]) -> str:
    """`name`, with underscores if it is taken."""
    while name in taken:
        name += "_"
    return name


def _names(body: str) -> dict[str, str]:
    """New name of every escaped name of a module; different names stay different."""
    escaped = dict.fromkeys(_ESCAPED.findall(body))
    taken = set(_WORD.findall(_ESCAPED.sub(" ", body)))
    register_of = {anonymous: escaped_name or plain for escaped_name, plain, anonymous in _NEXT.findall(body)}
    names = {}
    for name in escaped:
        candidate = _plain(register_of[name]) + "_next" if name in register_of else _plain(name)
        names[name] = _free(candidate, taken)
        taken.add(names[name])
    return names


def _rename(text: str, names: dict[str, str]) -> str:
    return _ESCAPED.sub(lambda match: names[match[1]], text)


def _merge_clocked(match: re.Match[str]) -> str:
    assignments = re.findall(r"^    \S.*;$", match[0], re.M)
    return "\n".join(["  always_ff @(posedge clk) begin", *assignments, "  end\n"])


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


def _header(name: str, order: list[str], body: str) -> tuple[str, str]:
    """Module header with declared ports, and the body without their declarations."""
    declared = {}
    for direction, high, port, kind, init in _PORT.findall(body):
        bits = f"[{high}:0] " if high else ""
        declared[port] = f"    {direction:6} {kind:4} {bits}{port}{init}"
    order = sorted(order, key=lambda port: {"clk": 0, "rst": 1}.get(port, 2))
    return f"module {name} (\n" + ",\n".join(declared[port] for port in order) + "\n);\n", _PORT.sub("", body)


def readable_modules(text: str) -> Iterator[tuple[str, str]]:
    """Split Yosys' Verilog into modules.

    Parameters
    ----------
    text : output of `write_verilog -sv -noattr -norename`

    Yields
    ------
    (module name, module text), in the order of the text
    """
    for match in _MODULE.finditer(text):
        body = match["body"]
        names = _names(match["ports"] + body)
        ports, body = (_rename(part, names) for part in (match["ports"], body))
        name = _plain(match["escaped"]) if match["escaped"] else match["plain"]
        order = [port.strip() for port in ports.split(",") if port.strip()]
        header, body = _header(name, order, _EMPTY.sub("", body))
        yield name, _settle_once(f"{header}{_CLOCKED.sub(_merge_clocked, body)}endmodule\n")
