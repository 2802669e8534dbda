"""Where lines and names of a Verilog file come from: places in the Amaranth source, by RTLIL with `src` attributes.

The RTLIL goes through Yosys once more, with attributes; what comes out has the same statements and declarations in the
same order as the file, which was made without, so that they are told one by one. That is checked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tests.coverage.raw import Build
from tests.coverage.rtlil_text.files import yosys
from tests.mutation.blocks import ROOT

__all__ = ["Origin", "Origins", "origins_of"]

_ATTRIBUTE = re.compile(r'^\s*(?:\(\*|/\*) +(?:(src) = "(.*?)"|\w+ *= *.*?) +\*[)/]$')
_INLINE = re.compile(r'\(\* src = "([^"]*)" \*\) ')
_MODULE = re.compile(r"^module (?:\\(\S+) |(\w+))\s*\(.*?\);\n(.*?)^endmodule$", re.M | re.S)
_IF = re.compile(r"^\s*(end else )?if \(.*\)(?: begin)?$")
_LABEL = re.compile(r"^\s*(default|\d+'[^:;=]*):")
_CASE = re.compile(r"^\s*casez? \(")
_COND = re.compile(r"^  assign (\S+) += .* \? .* : .*;$")
_DECLARED = re.compile(
    r"^  (?:wire|reg) (?:signed )?(?:\[(-?\d+):0\] )?(?:\\(\S+) |(\w+))(?: \[\d+:0\])?(?: = [^;]*)?;$"
)
_PORT = re.compile(r"^  (?:input|output) (?:\[\d+:0\] )?(\w+);$")
_HEAD = re.compile(r"^    (?:input|output) +(?:wire|reg) +(?:\[\d+:0\] )?(\w+),?$")
_COMB = re.compile(r"^  always_comb begin : (\w+)_comb$")
_STORED = re.compile(r"^\s+(\w+)(\[.*\])? <= (\w*)")
_WIRE = re.compile(r"^  (?:wire|memory) .*\\(\S+)$")
_SOURCE = re.compile(r'^  attribute \\src "(.*)"$')


_Thing = TypeVar("_Thing", int, str)


@dataclass(frozen=True)
class Origin:
    """Where something comes from.

    Parameters
    ----------
    place : file and line of the source, from `hw/`; "reset" is what every register has
    name : of the signal, or of the one that the statement is for, as the source calls it; "" without
    index, of : which of the signals or statements of a module with this place, name and kind: loops are unrolled
    choice : of a choice of a `case` the value that it is for
    """

    place: str
    name: str
    index: int = 0
    of: int = 1
    choice: str = ""

    def __str__(self) -> str:
        which = f" ({self.index + 1} of {self.of})" if self.of > 1 else ""
        return f"{self.place} {self.name}{which}"


@dataclass
class Origins:
    """Of one Verilog file: of each line with statements, and of each name that is one of the source."""

    lines: dict[int, Origin] = field(default_factory=dict)
    names: dict[str, Origin] = field(default_factory=dict)


@dataclass
class _Node:
    kind: str  # "if", "elsif", "case", "label", "cond"
    line: int
    text: str
    place: str | None


def _place(source: str) -> str:
    """From `hw/` on, without the folders of this machine."""
    source = source.split("|")[0]
    file, _, line = source.rpartition(":")
    if source.startswith(f"{ROOT}/") and "site-packages" not in source:
        return re.sub(r"^(\.venv/tree/spikeloom/)?hw/", "", source.removeprefix(f"{ROOT}/"))
    return "reset" if file.endswith("/_ir.py") else f"amaranth {file.rpartition('/')[2]}:{line}"


def _nodes(lines: Iterable[str]) -> Iterator[_Node]:
    """Statements with choices, in order; a `default` that does nothing is not one of the source."""
    place: str | None = None
    for number, line in enumerate(lines, 1):
        if attribute := _ATTRIBUTE.match(line):
            place = _place(attribute[2]) if attribute[1] else place
            continue
        if found := _IF.match(line):
            yield _Node("elsif" if found[1] else "if", number, line.strip(), place)
        elif _CASE.match(line):
            yield _Node("case", number, "", place)
        elif (label := _LABEL.match(line)) and line.strip() != "default: ;":
            yield _Node("label", number, label[1], place)
        elif _COND.match(line):
            inside = _INLINE.search(line)
            yield _Node("cond", number, "", _place(inside[1]) if inside else None)
        place = None


def _declared(lines: Iterable[str]) -> list[tuple[str, int]]:
    """Names and widths of declarations but for ports, in order."""
    found, before = [], ""
    for line in lines:
        if (match := _DECLARED.match(line)) and not _PORT.match(before) and match[1] != "-1":
            found.append((match[2] or match[3], int(match[1] or 0) + 1))
        if not _ATTRIBUTE.match(line):
            before = line
    return found


def _sources(rtlil: str) -> dict[str, str]:
    """Place of each signal and memory, by its name in RTLIL; those of Amaranth's own nets are not there."""
    found, place = {}, ""
    for line in rtlil.split("\n"):
        if source := _SOURCE.match(line):
            place = _place(source[1])
        elif wire := _WIRE.match(line):
            if place:
                found[wire[1]] = place
            place = ""
        elif not line.startswith("  attribute"):
            place = ""
    return found


def _value(label: str) -> str:
    """Of a choice: its number, without the width, which other parameters change; patterns as they are."""
    return ", ".join(re.sub(r"^\d+'[hd]?0*(?=[^b])", "", part) for part in label.split(", "))


def _numbered(keys: Mapping[_Thing, tuple[str, ...]]) -> dict[_Thing, tuple[int, int]]:
    """Of each thing which it is of those with the same key, and how many there are."""
    count, seen = Counter(keys.values()), Counter[tuple[str, ...]]()
    found = {}
    for thing, key in keys.items():
        found[thing] = seen[key], count[key]
        seen[key] += 1
    return found


def _created(name: str) -> int:
    """To sort by: Amaranth numbers signals with the same name as they come, but for the first."""
    number = re.search(r"\$(\d+)$", name)
    return int(number[1]) if number else 0


def _lane(name: str) -> tuple[str, int]:
    """Name without the number that it ends with, and this number; -1 without one."""
    found = re.fullmatch(r"(\w+)_(\d+)", name)
    return (found[1], int(found[2])) if found else (name, -1)


def _lanes_together(keys: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Signals of a line whose names differ in their last number only (`f"target_{lane}"`) get one name, in order."""
    lanes = {mine: (place, *_lane(name)) for mine, (place, name) in keys.items()}
    number = Counter((place, stem) for place, stem, lane in lanes.values() if lane >= 0)
    ordered = sorted(lanes.items(), key=lambda entry: entry[1][2])
    return {mine: (place, stem) if number[place, stem] > 1 else keys[mine] for mine, (place, stem, _) in ordered}


def _names(text: str, annotated: str, rtlil: str) -> dict[str, Origin]:
    """Names of a Verilog file that are the source's."""
    ours, theirs = _declared(text.split("\n")), _declared(annotated.split("\n"))
    if [width for _, width in ours] != [width for _, width in theirs]:
        raise ValueError("The Verilog with places has other declarations than the one without")
    of_rtlil = {mine: its for (mine, _), (its, _) in zip(ours, theirs, strict=True)}
    of_rtlil |= {port: port for port in (m[1] for m in map(_HEAD.match, text.split("\n")) if m)}
    places = _sources(rtlil)
    keys = {}
    for mine, its in sorted(of_rtlil.items(), key=lambda names: _created(names[1])):
        if its in places:
            keys[mine] = places[its], re.sub(r"\$\d+$", "", its)
    keys = _lanes_together(keys)
    numbers = _numbered(keys)
    return {mine: Origin(*key, *numbers[mine]) for mine, key in keys.items()}


def _targets(lines: list[str]) -> dict[int, str]:
    """Line -> signal, memory or `clocked` that the process or assignment there is for."""
    found, target = {}, ""
    for number, line in enumerate(lines, 1):
        if comb := _COMB.match(line):
            target = comb[1]
        elif line.startswith("  always_ff"):
            stored = next(filter(None, map(_STORED.match, lines[number : number + 3])))
            memory = stored[3] if re.fullmatch(r"_\d+_", stored[1]) else stored[1] if stored[2] else "clocked"
            target = f"read of {memory}" if memory == stored[3] else memory
        elif cond := _COND.match(line):
            target = cond[1]
        elif line.startswith("  ") and line[2] != " " and not line.startswith("  end"):
            target = ""
        if target:
            found[number] = target
    return found


def _told(text: str, annotated: str) -> list[_Node]:
    """Statements of a Verilog file with their places."""
    ours, theirs = list(_nodes(text.split("\n"))), list(_nodes(annotated.split("\n")))
    if [(n.kind, n.text if n.kind == "label" else "") for n in ours] != [
        (n.kind, n.text if n.kind == "label" else "") for n in theirs
    ]:
        raise ValueError("The Verilog with places has other statements than the one without")
    for mine, its in zip(ours, theirs, strict=True):
        mine.place = its.place
    return ours


def _lines(text: str, annotated: str, names: Mapping[str, Origin]) -> dict[int, Origin]:
    lines = text.split("\n")
    targets = _targets(lines)
    keys: dict[int, tuple[str, str, str, str]] = {}

    def named(line: int) -> tuple[str, str]:
        target = targets.get(line, "")
        origin = names.get(target) or names.get(target.removesuffix("_next"))
        if origin is None:
            return "", target if target.startswith(("clocked", "read of")) else ""
        return origin.place, str(Origin("", origin.name, origin.index, origin.of)).strip()

    for number, line in enumerate(lines, 1):
        if line.startswith(("  always_comb", "  always_ff")):
            place, name = named(number)
            keys[number] = place, name, "process", ""
    head, chain = "", 0
    cases: dict[int, str] = {}  # margin -> place of the `case` there
    for node in _told(text, annotated):
        _, name = named(node.line)
        place, margin = node.place or "", len(lines[node.line - 1]) - len(lines[node.line - 1].lstrip())
        if node.kind == "if":
            head, chain = place, 0
        elif node.kind == "elsif":
            chain += 1
            place = place or f"{head} elif {chain}"
        elif node.kind == "case":
            cases[margin] = place
            continue
        elif node.kind == "label":
            keys[node.line] = place or cases[margin - 2], name, node.kind, _value(node.text)
            continue
        keys[node.line] = place, name, node.kind, ""
    numbers = _numbered(keys)
    return {line: Origin(key[0], key[1], *numbers[line], key[3]) for line, key in keys.items()}


def _annotated(rtlil: Iterable[str]) -> dict[str, str]:
    """Body of each module, with attributes, by the name of its file."""
    script = (
        "read_rtlil <<rtlil\n" + "\n".join(rtlil) + "\nrtlil\nproc -nomux -norom\nmemory_collect\n"
        "write_verilog -sv -norename\n"
    )
    found = {}
    for escaped, plain, body in _MODULE.findall(yosys(script)):
        found[re.sub(r"\W+", "_", escaped or plain) + ".sv"] = body
    return found


def origins_of(build: Build) -> dict[str, Origins]:
    """Origins of every file of a build that has RTLIL.

    Raises
    ------
    ValueError : Verilog made with places is another one
    """
    found = {}
    annotated = _annotated(build.rtlil.values())
    for name, rtlil in build.rtlil.items():
        text = build.texts[name]
        names = _names(text, annotated[name], rtlil)
        found[name] = Origins(_lines(text, annotated[name], names), names)
    return found
