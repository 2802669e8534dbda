"""Comments of the components' sources for the exported text: above a statement, beside a signal, and of members.

Where a source is not at hand, as in an archive without it, there are no comments.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
import tokenize
from collections.abc import Sequence

from amaranth.lib import wiring

__all__ = ["Comments", "local_name", "member_notes", "names_at", "summary_of"]

_ONE_MORE = re.compile(r"(?:In|Out)(?:\([^()]*\))?,\s(?P<names>[\w<>, ]+) : ")
_KIND = re.compile(r"(?:In|Out)\((?P<inner>(?:[^()]|\([^()]*\))*)\)")
_SKIPPED = re.compile(r"#\s*(?:noqa|type:|fmt:|pragma)")


def summary_of(component: object) -> str:
    """First sentence of the class' own docstring, on one line."""
    first = inspect.cleandoc(type(component).__doc__ or "").split("\n\n")[0]
    return re.split(r"(?<=\.)\s", " ".join(first.split()))[0]


def member_notes(described: object) -> dict[str, str]:
    """What the section "Members" of an object's class says of each: name -> text, without direction and width.

    A signature may be flipped, as that of a member `In(...)` is.
    """
    described = described.flip() if isinstance(described, wiring.FlippedSignature) else described
    if type(described).__module__.startswith("amaranth."):
        return {}
    text = inspect.cleandoc(type(described).__doc__ or "")
    section = re.search(r"^Members\n-+\n(.*?)(?=\n\n\w|\Z)", text, re.M | re.S)
    notes: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section[1]) if section else ():
        names, _, note = entry.partition(" : ")
        while more := _ONE_MORE.match(note):  # `cycles : In(32), activity_<l> : In(Signature), of ...`
            names, note = f"{names}, {more['names']}", note[more.end() :]
        kinds = [match["inner"] for match in _KIND.finditer(note)]
        rest = re.sub(rf"^(?:{_KIND.pattern.replace('?P<inner>', '?:')}|In|Out)[,;: ]*", "", " ".join(note.split()))
        rest = re.sub(r"^(?:In|Out)\b(?:\([^()]*\))?[,;: ]*", "", rest)
        stream = next((kind for kind in kinds if kind.startswith("stream of")), "")
        said = ", ".join(part for part in (stream, rest) if part)
        for name in names.split(","):
            notes[name.strip()] = said
    return notes


@functools.lru_cache(maxsize=256)
def _tree(file: str) -> ast.Module:
    """A source; an empty one where there is none, or none of Python."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


@functools.lru_cache(maxsize=256)
def _statements(file: str) -> tuple[tuple[int, int], ...]:
    """First and last line of every statement of a source that has no others inside, the shortest first."""
    simple = [node for node in ast.walk(_tree(file)) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    spans = [(node.lineno, node.end_lineno or node.lineno) for node in simple]
    return tuple(sorted(spans, key=lambda span: span[1] - span[0]))


@functools.lru_cache(maxsize=256)
def _tuples(file: str) -> dict[int, tuple[str, ...]]:
    """First line -> names, of every assignment to several names."""
    found = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = tuple(name.id for name in node.targets[0].elts if isinstance(name, ast.Name))
            found[node.lineno] = names if len(names) == len(node.targets[0].elts) else ()
    return found


def names_at(place: tuple[str, int]) -> tuple[str, ...]:
    """Names that a line of a source gives to several things side by side."""
    return _tuples(place[0]).get(place[1], ())


@functools.lru_cache(maxsize=256)
def _assigned(file: str) -> dict[int, str]:
    """Line -> name, of every line of an assignment to one name."""
    found = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[line] = node.targets[0].id
    return found


def local_name(place: tuple[str, int] | None) -> str:
    """Name of the local variable that a source gives to what it makes at a place, "" without one."""
    return _assigned(place[0]).get(place[1], "") if place else ""


def _above(lines: Sequence[str], line: int) -> tuple[int, list[str]]:
    """The comment directly above a line: its first line's number, and what it says."""
    found: list[str] = []
    number = line - 1
    while number >= 1 and lines[number - 1].lstrip().startswith("#") and not _SKIPPED.search(lines[number - 1]):
        found.insert(0, lines[number - 1].strip().lstrip("#").strip())
        number -= 1
    return number + 1, found


@functools.lru_cache(maxsize=256)
def _beside(file: str) -> dict[int, str]:
    """Line -> the comment at its end, of the lines that have more than that."""
    lines = iter(linecache.getlines(file))
    found = {}
    try:
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                if not _SKIPPED.search(token.string):
                    found[token.start[0]] = token.string.lstrip("# ")
    except (tokenize.TokenError, SyntaxError):
        return {}
    return found


class Comments:
    """Comments for one module, each given once."""

    def __init__(self) -> None:
        self._given: set[tuple[str, int]] = set()

    def above(self, place: tuple[str, int] | None) -> list[str]:
        """The comment above a place in a source: above its line, or above the statement that the line is part of."""
        if place is None:
            return []
        file, line = place[0], place[1]
        lines = linecache.getlines(file)
        starts = [line, *(first for first, last in _statements(file) if first <= line <= last)][:2]
        for start in starts:
            number, found = _above(lines, start)
            if found and (file, number) not in self._given:
                self._given.add((file, number))
                return found
        return []

    def beside(self, place: tuple[str, int] | None) -> str:
        """The comment at the end of a place's line."""
        if place is None:
            return ""
        return _beside(place[0]).get(place[1], "")
