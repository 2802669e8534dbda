"""Nets of a mapped netlist, and the netlist with a probe in every module: one vector of all nets at pins of cells.

A bench writes the probes of all instances once per clock cycle (`Probes.writer`), so that transitions of every net are
counted outside of the simulator (`sim.cosim.gate_run`), in any simulator. Between two rising edges a net changes once
or not: what gates do before they settle is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["NAME", "Instance", "Probes", "probed"]

_MODULE = re.compile(r"^module (\S+?) ?\(", re.M)
_INSTANCE = re.compile(r"^  (?!module\b)([A-Za-z_]\w*) (\\\S+ |\w+) ?\(\n((?:    \..*\n)+)  \);", re.M)
_PIN = re.compile(r"^    \.(\w+)\((.*)\),?$", re.M)
_CONSTANT = re.compile(r"\d+'")

NAME = "spikeloom_probe"
"""Name of the vector in every module."""
WORD = 32
"""Probes are padded to words of so many bits, as `$fwrite` with `%u` writes them."""


@dataclass(frozen=True)
class Instance:
    """A cell in a module: its kind, its name, and pin -> place of its net in the module's probe, if it has one."""

    cell: str
    name: str
    pins: dict[str, int]


@dataclass(frozen=True)
class Probes:
    """A netlist with probes.

    Parameters
    ----------
    netlist : Verilog
    cells : module -> its cells
    bits : module -> nets in its probe
    instances : path -> module of every instance with cells, the top first, path ""; in the order of what is written
    """

    netlist: str
    cells: dict[str, tuple[Instance, ...]]
    bits: dict[str, int]
    instances: dict[str, str]

    def words(self, module: str) -> int:
        """Words of a module's probe."""
        return -(-self.bits[module] // WORD)

    @property
    def starts(self) -> dict[str, int]:
        """Path -> first bit of an instance's probe in what is written for a clock cycle."""
        found, at = {}, 0
        for path, module in self.instances.items():
            found[path] = at
            at += self.words(module) * WORD
        return found

    @property
    def size(self) -> int:
        """Bits that are written for a clock cycle."""
        return sum(self.words(module) for module in self.instances.values()) * WORD

    def writer(self, file: str, unit: str) -> str:
        """Verilog statements that write all probes to an open file; `unit` is the way to the unit."""
        names = [".".join([unit, *map(_reference, filter(None, path.split("/")))]) for path in self.instances]
        return "".join(f'            $fwrite({file}, "%u", {name}.{NAME});\n' for name in names)


def _reference(name: str) -> str:
    """A name as Verilog refers to it: others than plain ones are escaped."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"\\{name} "


def probed(
    netlist: str, top: str, pins: Mapping[str, frozenset[str]], boxes: Mapping[str, int] | None = None
) -> Probes:
    """A netlist, as `hw.standard_cells.cell_mapping` makes it, with probes.

    pins : cell -> its pins, for every cell of the library
    boxes : module that is not in the netlist, but has a probe -> its bits
    """
    boxes = boxes or {}
    cells: dict[str, tuple[Instance, ...]] = dict.fromkeys(boxes, ())
    inside: dict[str, dict[str, str]] = {name: {} for name in boxes}
    bits: dict[str, int] = dict(boxes)
    pieces: list[str] = []
    starts = [(match.start(), match[1]) for match in _MODULE.finditer(netlist)]
    ends = [start for start, _ in starts[1:]] + [len(netlist)]
    for (start, name), end in zip(starts, ends, strict=True):
        text = netlist[start:end]
        nets: dict[str, int] = {}
        found: list[Instance] = []
        inside[name] = {}
        for match in _INSTANCE.finditer(text):
            kind, own = match[1], match[2].strip().removeprefix("\\")
            if kind not in pins:
                inside[name][own] = kind
                continue
            places = {
                pin: nets.setdefault(net.strip(), len(nets))
                for pin, net in _PIN.findall(match[3])
                if pin in pins[kind] and net.strip() and not _CONSTANT.match(net)
            }
            found.append(Instance(kind, own, places))
        cells[name], bits[name] = tuple(found), len(nets)
        if nets:
            at = text.rindex("endmodule")
            text = text[:at] + _vector(list(nets)) + text[at:]
        pieces.append(text)
    instances: dict[str, str] = {}
    _walk(inside, bits, top, "", instances)
    return Probes("".join(pieces), cells, bits, instances)


def _vector(nets: list[str]) -> str:
    """The declaration of a probe, net 0 lowest."""
    names = [f"{net} " if net.startswith("\\") else net for net in reversed(nets)]  # a blank ends such a name
    listed = ",\n    ".join(", ".join(names[at : at + 8]) for at in range(0, len(names), 8))
    return f"  wire [{len(nets) - 1}:0] {NAME} = {{\n    {listed}}};\n"


def _walk(
    inside: Mapping[str, Mapping[str, str]], bits: Mapping[str, int], module: str, path: str, found: dict[str, str]
) -> None:
    if bits[module]:
        found[path] = module
    for name, inner in inside[module].items():
        if inner in inside:  # not a memory without a probe
            _walk(inside, bits, inner, f"{path}/{name}" if path else name, found)
