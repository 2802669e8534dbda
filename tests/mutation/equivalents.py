"""Mutants that a person found to be equivalent, with the reason; `equivalents.toml` has them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.places import Mutant

__all__ = ["FILE", "Equivalent", "read", "stale"]

FILE = Path(__file__).with_name("equivalents.toml")
_KEYS = {"block", "function", "original", "mutated", "occurrence", "reason"}


@dataclass(frozen=True)
class Equivalent:
    """An entry: the mutant's name, without a line, and why no test can tell it from the original."""

    name: tuple[str, str, str, str, int]
    reason: str


def read(path: Path = FILE) -> dict[tuple[str, str, str, str, int], Equivalent]:
    """Entries of the file, by the mutants' names.

    Raises
    ------
    ValueError : an entry with other keys, without a reason, or twice
    """
    found: dict[tuple[str, str, str, str, int], Equivalent] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", []):
        if not set(entry) <= _KEYS or not _KEYS - set(entry) <= {"occurrence"} or not entry["reason"].strip():
            raise ValueError(f"An entry of {path.name} must have {', '.join(sorted(_KEYS))}, not {entry}")
        name = (entry["block"], entry["function"], entry["original"], entry["mutated"], entry.get("occurrence", 0))
        if name in found:
            raise ValueError(f"{path.name} has an entry twice: {name}")
        found[name] = Equivalent(name, entry["reason"])
    return found


def stale(entries: Iterable[tuple[str, str, str, str, int]], mutants: Iterable[Mutant]) -> list[str]:
    """Sentences about entries that match no mutant of the sources any more."""
    known = {mutant.name for mutant in mutants}
    return [
        f"tests/mutation/equivalents.toml names a mutant of {name[0]}.py {name[1]} that is not there any more: "
        f"{name[2]} -> {name[3]}; remove the entry, or give it the words of today's source"
        for name in entries
        if name not in known
    ]
