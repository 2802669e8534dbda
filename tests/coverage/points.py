"""Verilator's coverage points, by the block of the hardware whose Verilog they are in."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikeloom.hw.export.rtlil_modules import summary_of
from tests.mutation.blocks import BLOCKS, module_of

__all__ = ["Point", "block_of", "block_summaries", "constant_bits", "read"]

_LINE = re.compile(r"^C '(?P<fields>.*)' (?P<count>\d+)$", re.M)
_NUMBER = re.compile(r"\d+'s?[hbdo][0-9a-fA-FxzXZ?_]+|\d+")
_WIDTH = re.compile(r"\b(?:wire|reg) +(?:signed +)?\[(\d+):0\] (\w+)[;,\n]")
_JOINED = re.compile(r"^ *assign (\w+) = \{ ([^{}]*) \};$", re.M)
_LITERAL = re.compile(r"(\d+)'[hbd][0-9a-f]+$")


@dataclass(frozen=True)
class Point:
    """One thing that should happen in a block's Verilog, whatever the component's parameters are.

    Parameters
    ----------
    block : module of `hw` that the Verilog is of
    kind : "line", "branch" or "toggle"
    where : of a line or branch the Verilog there and in the next line, with # for every number, and in a `case` the
        choice; of a toggle the signal and the bit
    what : of a branch which, of a toggle the change
    """

    block: str
    kind: str
    where: str
    what: str


def _fields(text: str) -> dict[str, str]:
    return dict(part.split("\x02", 1) for part in text.split("\x01") if part)


def _words(lines: Sequence[str], number: int) -> str:
    """A line and the one after it, so that `else begin` says what."""
    here = [line.strip() for line in lines[number - 1 : number + 1]]
    if here[0].endswith(": begin") or re.match(r"^\S+:", here[0]):
        heads = [line.strip() for line in lines[:number] if re.match(r"\s*(unique )?casez? ?\(", line)]
        return f"{heads[-1] if heads else ''} {here[0]}"
    return _NUMBER.sub("#", " ".join(here))


def _toggle(what: str) -> tuple[str, str]:
    where, _, change = what.replace("___05F", "__").rpartition(":")
    return where, change


def _literal_bits(items: Sequence[str]) -> int:
    """Bits of the numbers that a concatenation begins with."""
    return sum(int(found[1]) for found in itertools.takewhile(bool, map(_LITERAL.match, items)) if found)


def constant_bits(text: str) -> set[str]:
    """Bits that a Verilog file fills up with constants, such as "word[31]": first and last numbers of a `{ }`."""
    widths = {name: int(last) + 1 for last, name in _WIDTH.findall(text)}
    found: set[str] = set()
    for name, parts in _JOINED.findall(text):
        items, width = parts.split(", "), widths.get(name, 0)
        high, low = _literal_bits(items), _literal_bits(items[::-1])
        found |= {f"{name}[{bit}]" for bit in (*range(width - high, width), *range(low))}
    return found


def read(path: Path, texts: Mapping[str, str], summaries: Mapping[str, str]) -> dict[Point, int]:
    """How often each point of a file of Verilator happened, over all instances and parameters.

    Bits that are constant in the Verilog (`constant_bits`) are no points.

    Parameters
    ----------
    path : written by Verilator
    texts : Verilog, file name -> text; files of other folders with these names are taken for them
    summaries : first sentence of a component's docstring -> its block
    """
    found: dict[Point, int] = {}
    lines = {name: text.split("\n") for name, text in texts.items()}
    constants = {name: constant_bits(text) for name, text in texts.items()}
    blocks = {name: block_of(text, summaries) for name, text in texts.items()}
    for match in _LINE.finditer(path.read_text(encoding="utf-8")):
        fields = _fields(match["fields"])
        file = fields["f"].rpartition("/")[2]
        block, kind = blocks.get(file), re.sub(r"^v_|/.*", "", fields["page"])
        if block is None:
            continue
        if kind == "toggle":
            where, what = _toggle(fields["o"])
            if where in constants[file]:
                continue
        else:
            where, what = _words(lines[file], int(fields["l"])), fields["o"]
        point = Point(block, kind, where, what)
        found[point] = found.get(point, 0) + int(match["count"])
    return found


def block_of(text: str, summaries: Mapping[str, str]) -> str | None:
    """The block of a Verilog file: its first comment is the first sentence of the component's docstring."""
    comment = itertools.takewhile(lambda line: line.startswith("//"), text.splitlines())
    head = " ".join(line.removeprefix("//").strip() for line in comment)
    return next((block for summary, block in summaries.items() if summary and head.startswith(summary)), None)


def block_summaries() -> dict[str, str]:
    """First sentence of each component's docstring -> its block."""
    found = {}
    for block in BLOCKS:
        module = importlib.import_module(module_of(block))
        for component in vars(module).values():
            if isinstance(component, type) and component.__module__ == module.__name__ and component.__doc__:
                if hasattr(component, "elaborate"):
                    found[summary_of(object.__new__(component))] = block
    return found
