"""Coverage points that cannot happen; `excluded.toml` has them, each with the reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.coverage.points import Point

__all__ = ["FILE", "Excluded", "read_excluded", "unused"]

FILE = Path(__file__).with_name("excluded.toml")


@dataclass(frozen=True)
class Excluded:
    """An entry: points of a kind whose block (all without one) and place match patterns, and why they cannot happen."""

    kind: str
    where: str
    reason: str
    block: str = ""

    def __contains__(self, point: Point) -> bool:
        mine = point.kind == self.kind and (not self.block or re.fullmatch(self.block, point.block) is not None)
        return mine and re.fullmatch(self.where, point.where) is not None


def read_excluded(path: Path = FILE) -> list[Excluded]:
    """Entries of the file.

    Raises
    ------
    ValueError : an entry with other keys, or without a reason
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("excluded", [])
    for entry in entries:
        if not {"kind", "where", "reason"} <= set(entry) <= {"kind", "where", "reason", "block"} or not entry["reason"]:
            raise ValueError(f"An entry of {path.name} must have kind, where, reason and perhaps block, not {entry}")
    return [Excluded(**entry) for entry in entries]


def unused(excluded: Sequence[Excluded], points: Iterable[Point]) -> list[str]:
    """Sentences about entries that no point matches."""
    found = list(points)
    return [
        f"tests/coverage/excluded.toml: no {entry.kind} of {entry.block or 'any block'} matches {entry.where!r}; "
        "remove it"
        for entry in excluded
        if not any(point in entry for point in found)
    ]
