"""Coverage points that cannot happen; `excluded.toml` has them, each with the reason."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.coverage.points import Point

__all__ = ["FILE", "Excluded", "complaints", "left_out", "read_excluded"]

FILE = Path(__file__).with_name("excluded.toml")
_KEYS = {"kind", "block", "where", "reason"}


@dataclass(frozen=True)
class Excluded:
    """An entry: points of a kind whose block and name match patterns, and why they cannot happen.

    Parameters
    ----------
    kind : "line", "branch" or "toggle"
    block : pattern of whole names of blocks
    where : pattern of the whole name and what happens there: "cycles[31] 0->1", "start case"
    reason : why none of them can happen
    """

    kind: str
    block: str
    where: str
    reason: str

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return re.compile(self.block), re.compile(self.where)

    def __contains__(self, point: Point) -> bool:
        if point.kind != self.kind:
            return False
        block, where = self._patterns
        if not block.fullmatch(point.block):
            return False
        joint = "" if point.what.startswith("[") else " "
        return where.fullmatch(f"{point.name}{joint}{point.what}") is not None


def read_excluded(path: Path = FILE) -> list[Excluded]:
    """Entries of the file.

    Raises
    ------
    ValueError : an entry with other keys, or without a reason
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("excluded", [])
    for entry in entries:
        if set(entry) != _KEYS or not entry["reason"]:
            raise ValueError(f"An entry of {path.name} must have kind, block, where and reason, not {entry}")
    return [Excluded(**entry) for entry in entries]


def _matches(excluded: Sequence[Excluded], points: Iterable[Point]) -> dict[Excluded, list[Point]]:
    found: dict[Excluded, list[Point]] = defaultdict(list)
    for point in points:
        for entry in excluded:
            if point in entry:
                found[entry].append(point)
    return found


def left_out(excluded: Sequence[Excluded], points: Iterable[Point]) -> set[Point]:
    """The points that some entry excludes."""
    return {point for matched in _matches(excluded, points).values() for point in matched}


def complaints(excluded: Sequence[Excluded], points: Mapping[Point, int]) -> list[str]:
    """Sentences about entries that no point matches, and about those whose points did happen."""
    matches = _matches(excluded, points)
    said = []
    for entry in excluded:
        name = f"{FILE.parent.name}/{FILE.name}: {entry.kind} of {entry.block} at {entry.where!r}"
        happened = sorted(point for point in matches[entry] if points[point])
        if not matches[entry]:
            said.append(f"{name} matches no point; remove the entry")
        elif happened:
            some = "; ".join(f"{point} ({points[point]} times)" for point in happened[:3])
            said.append(f"{name} is said to be impossible, but {len(happened)} points happened: {some}")
    return said
