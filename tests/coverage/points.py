"""Verilator's coverage points as points of the source: by block, place in the Amaranth source, name, and what happened.

Where loops are unrolled, a module has several signals or statements of one place and name. They are points of their
own, told apart by their number, and of another module only the one with the same number out of as many is the same
point. Nets without a name in the source (`n_12`: results of operators, next values of registers) have numbers that
mean another net in each variant: they are points of the kind "net", which belong to one variant alone.

A packed signal has a wire for each of its fields, whose place in it depends on the widths of the others: bits of the
signal are bits of its fields.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import importlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from spikeloom.hw.export.writer.comments import summary_of
from tests.coverage.origins import Origins, origins_of
from tests.coverage.raw import Build, Raw
from tests.coverage.verilator import OUTSIDE
from tests.mutation.blocks import BLOCKS, module_of

__all__ = [
    "Counts",
    "Point",
    "Variant",
    "block_of",
    "block_summaries",
    "constant_bits",
    "field_bits",
    "read",
    "variant_of",
]

_ROW = re.compile(r"^C '(?P<fields>.*)' (?P<count>\d+)$", re.M)
_TOGGLED = re.compile(r"(\w+)((?:\[\d+\])*):([01]->[01])$")
_WIDTH = re.compile(r"\b(?:wire|reg) +(?:signed +)?\[(\d+):0\] (\w+)[;,\n]")
_JOINED = re.compile(r"^ *assign (\w+) = \{ ([^{}]*) \};$", re.M)
_FIELD = re.compile(r"^ *assign (\w+) = (\w+)\[(\d+)(?::(\d+))?\];$", re.M)
_LITERAL = re.compile(r"(\d+)'[hbd][0-9a-f]+$")
_HEAD = re.compile(r"^module (\w+) \(", re.M)

_NO_BLOCK = (*OUTSIDE, "chip.sv", "axi_chip.sv")
"""Files that are of no block, as patterns of names: besides, the wrappers that join a unit with its crossbars."""

Variant = str
"""Digest of a module's Verilog without comments and without its name."""


@dataclass(frozen=True, order=True, slots=True)
class Point:
    """One thing that should happen.

    Parameters
    ----------
    block : module of `hw` that the Verilog is of
    kind : "line", "branch" or "toggle"; "net" is a toggle of a net without a name in the source
    place : file and line of the source that a signal or a choice is in
    name : of the signal, or of the one that the statement is for; which of several with this place
    what : of a toggle bit and change, of others the arm: "if" and "else", "case", ...
    """

    block: str
    kind: str
    place: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.block}: {self.kind} {self.place} {self.name} {self.what}"


@dataclass
class Counts:
    """What happened in some runs.

    Attributes
    ----------
    happened : how often each point happened in each variant
    added : statements that are not in the source, such as a `default` that does nothing: no points, but told
    """

    happened: dict[tuple[Variant, Point], int] = field(default_factory=dict)
    added: set[tuple[Variant, int]] = field(default_factory=set)

    def add(self, more: Counts) -> None:
        for key, count in more.happened.items():
            self.happened[key] = self.happened.get(key, 0) + count
        self.added |= more.added

    def points(self) -> dict[Point, int]:
        """Over all variants: a point has happened if it has in one. Nets are left out."""
        found: dict[Point, int] = {}
        for (_, point), count in self.happened.items():
            if point.kind != "net":
                found[point] = found.get(point, 0) + count
        return found


def variant_of(text: str) -> Variant:
    """Digest of a Verilog file without its comments, and without the module's name, which begins those inside."""
    head = _HEAD.search(text)
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    if head is not None:
        bare = re.sub(rf"\b{head[1]}(?=\b|_)", "it", bare)
    return hashlib.sha256(bare.encode()).hexdigest()[:16]


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


def field_bits(text: str) -> dict[str, tuple[str, str]]:
    """Of a Verilog file's packed signals the field that each bit is in, and which bit of it that is.

    Fields have the name of their signal with their own behind it: "o__payload[9]" -> ("o__payload_count", "[2]").
    """
    found: dict[str, tuple[str, str]] = {}
    for part, packed, high, low in _FIELD.findall(text):
        if part.startswith(f"{packed}_"):
            first, last = int(low or high), int(high)
            for bit in range(first, last + 1):
                found[f"{packed}[{bit}]"] = part, f"[{bit - first}]" if last > first else ""
    return found


class _File:
    """A Verilog file, and the points of what Verilator counts in it."""

    def __init__(self, text: str, block: str, origins: Origins) -> None:
        self.variant = variant_of(text)
        self._block, self._origins = block, origins
        self._fields = field_bits(text)
        self._constants = constant_bits(text)
        self._constants |= {"".join(self._fields[bit]) for bit in self._constants if bit in self._fields}

    @functools.cache  # noqa: B019  (files live as long as they are read)
    def point(self, kind: str, line: int, what: str) -> Point | None:
        """None for a bit that is constant, and for a statement that the source does not have."""
        if kind == "toggle":
            return self._toggle(what)
        origin = self._origins.lines.get(line)
        if origin is None:
            return None
        name = f"{origin.name} ({origin.index + 1} of {origin.of})" if origin.of > 1 else origin.name
        arm = "if" if what == "elsif" else what
        return Point(self._block, kind, origin.place, name, f"{arm} {origin.choice}".strip())

    def _toggle(self, what: str) -> Point | None:
        found = _TOGGLED.match(what.replace("___05F", "__"))
        if found is None:
            raise ValueError(f"Toggle of an unknown form: {what}")
        name, bits, change = found.groups()
        if f"{name}{bits}" in self._constants:
            return None
        part, inside = self._fields.get(f"{name}{bits}", (name, bits))
        if part in self._origins.names:
            name, bits = part, inside
        origin = self._origins.names.get(name)
        if origin is None:
            return Point(self._block, "net", "", name, f"{bits} {change}")
        name = f"{origin.name} ({origin.index + 1} of {origin.of})" if origin.of > 1 else origin.name
        return Point(self._block, "toggle", origin.place, name, f"{bits} {change}")


def _rows(counts: str) -> Iterator[tuple[str, str, int, str, int]]:
    """File, kind, line, what and count of each row of a file of Verilator."""
    for match in _ROW.finditer(counts):
        fields = dict(part.split("\x02", 1) for part in match["fields"].split("\x01") if part)
        kind = re.sub(r"^v_|/.*", "", fields["page"])
        yield fields["f"].rpartition("/")[2], kind, int(fields["l"]), fields["o"], int(match["count"])


def _files(build: Build, summaries: Mapping[str, str]) -> dict[str, _File]:
    origins = origins_of(build)
    found = {}
    for name, text in build.texts.items():
        if any(fnmatch.fnmatch(name, pattern) for pattern in _NO_BLOCK):
            continue
        block = block_of(text, summaries)
        if block is None:
            raise ValueError(f"{name} is of no block: no component's docstring begins like its first comment")
        if name not in origins:
            raise ValueError(f"{name} of {block} was exported before: there is no RTLIL of it")
        found[name] = _File(text, block, origins[name])
    return found


def read(raw: Raw, summaries: Mapping[str, str]) -> Counts:
    """How often each point happened, over all runs and instances.

    Bits that are constant in the Verilog (`constant_bits`) are no points.

    Parameters
    ----------
    raw : what runs left
    summaries : first sentence of a component's docstring -> its block

    Raises
    ------
    ValueError : a bit that is said to be constant has changed, Verilog of a block has no RTLIL, or is of no block
    """
    found = Counts()
    files = [_files(build, summaries) for build in raw.builds]
    for run, (number, _) in enumerate(raw.runs):
        for name, kind, line, what, count in _rows(raw.counts(run)):
            file = files[number].get(name)
            if file is None:
                continue
            point = file.point(kind, line, what)
            if point is not None:
                key = file.variant, point
                found.happened[key] = found.happened.get(key, 0) + count
            elif kind != "toggle":
                found.added.add((file.variant, line))
            elif count:
                raise ValueError(f"A constant bit of {name} has changed: {what}")
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
