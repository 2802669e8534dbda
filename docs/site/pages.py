"""Pages of the site: which Markdown files it has, and the navigation, which is that of the two indexes.

The site mirrors the repository's folders, so that links between pages are right as they are written.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "navigation", "pages", "pictures"]

ROOT = Path(__file__).resolve().parents[2]
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.M)
_ROW = re.compile(r"^\| \[(?P<title>[^\]]+)\]\((?P<target>[^)#]+)\) \|", re.M)
_MANUAL = "docs/hardware/README.md"
_PROJECT = {
    "this site": "docs/site/README.md",
    "changes": "CHANGELOG.md",
    "examples": "examples/README.md",
    "firmware of the examples": "examples/firmware/README.md",
    "speed": "benchmarks/results.md",
    "bounds of the speed": "benchmarks/bounds.md",
}


def pages(root: Path = ROOT) -> list[str]:
    """Markdown files of the site, as paths from the repository's root."""
    names = ["README.md", "CHANGELOG.md"]
    for folder in ("docs", "examples", "benchmarks"):
        names += sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*.md"))
    return names


def pictures(root: Path = ROOT) -> list[str]:
    """Pictures that pages show, likewise."""
    return sorted(path.relative_to(root).as_posix() for path in (root / "docs/pictures").glob("*.svg"))


def navigation(root: Path = ROOT) -> list[dict[str, Any]]:
    """The navigation as MkDocs takes it: groups of docs/README.md, with the hardware manual's rooms within.

    Raises `ValueError` for a page that no group has: the index lacks it.
    """
    groups: list[dict[str, Any]] = [{"SpikeLoom": "README.md"}, {"all pages": "docs/README.md"}]
    for section in _SECTION.finditer((root / "docs/README.md").read_text(encoding="utf-8")):
        rows = [(row["title"], f"docs/{row['target']}") for row in _ROW.finditer(section["body"])]
        entries = [{title: _manual(root) if target == _MANUAL else target} for title, target in rows]
        if entries:
            groups.append({section["title"]: entries})
    groups.append({"The project": [{title: target} for title, target in _PROJECT.items()]})
    missing = set(pages(root)) - set(_targets(groups))
    if missing:
        raise ValueError(
            f"No group of the navigation has {', '.join(sorted(missing))}: add a row to its folder's index"
        )
    return groups


def _manual(root: Path) -> list[Any]:
    """The hardware manual: its index, pages of the whole unit, then a group for each folder, in the index's order."""
    entries: list[Any] = [_MANUAL]
    rooms: dict[str, list[dict[str, str]]] = {}
    for row in _ROW.finditer((root / _MANUAL).read_text(encoding="utf-8")):
        room = row["target"].rpartition("/")[0]
        page = {row["title"]: f"docs/hardware/{row['target']}"}
        if not room:
            entries.append(page)
            continue
        if room not in rooms:
            rooms[room] = []
            entries.append({room.replace("_", " "): rooms[room]})
        rooms[room].append(page)
    return entries


def _targets(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [target for part in parts for target in _targets(part)]
