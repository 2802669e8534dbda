"""Loops in clocked processes: neighbouring statements that differ in nothing but places, which grow evenly, become one.

Such are the parts of a vector that a source assigns lane by lane: `x[13:0] <= y[13:0]`, `x[27:14] <= y[27:14]`, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spikeloom.hw.export.writer.lanes import LEAST, TOKEN, differing, printed

__all__ = ["repeated"]

_NUMBER = re.compile(r"\d+")
_STEP = "  "

_Tokens = list[str | tuple[str, int, int]]


def repeated(lines: Sequence[str], index: str) -> Iterator[str]:
    """Lines of a module's logic with loops in its clocked processes.

    Parameters
    ----------
    lines : each unbroken
    index : name of the loops' variable
    """
    number = 0
    while number < len(lines):
        line = lines[number]
        yield line
        number += 1
        if line.lstrip().startswith("always_ff"):
            end = _end(lines, number - 1)
            yield from _body(lines[number:end], index)
            number = end


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: Sequence[str], start: int) -> int:
    """The line that ends what begins in a line, which has the same margin."""
    margin = _margin(lines[start])
    return next(n for n in range(start + 1, len(lines)) if lines[n] and _margin(lines[n]) == margin)


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Statements, with the comments above them."""
    chunk: list[str] = []
    margin = _margin(lines[0]) if lines else 0
    for number, line in enumerate(lines):
        chunk.append(line)
        closes = _margin(line) == margin and not line.lstrip().startswith("//")
        opens = line.endswith(("begin", ")")) or (number + 1 < len(lines) and _margin(lines[number + 1]) > margin)
        if closes and not opens:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _body(lines: Sequence[str], index: str) -> Iterator[str]:
    """Lines of a body, of statements or of the arms of a `case`."""
    chunks = list(_chunks(lines))
    keys = [_NUMBER.sub("#", "\n".join(chunk)) for chunk in chunks]
    number = 0
    while number < len(chunks):
        count = 1
        while number + count < len(chunks) and keys[number + count] == keys[number]:
            count += 1
        made = _loop(chunks[number : number + count], index) if count >= LEAST else None
        if made is None:
            yield from _inner(chunks[number], index)
            number += 1
        else:
            yield from made[0]
            number += made[1]


def _inner(chunk: Sequence[str], index: str) -> Iterator[str]:
    """A statement, with loops in what it has inside."""
    margin = next((_margin(line) for line in chunk if not line.lstrip().startswith("//")), 0)
    inside: list[str] = []
    for line in chunk:
        if _margin(line) > margin:
            inside.append(line)
            continue
        yield from _body(inside, index)
        inside = []
        yield line
    yield from _body(inside, index)


def _loop(chunks: Sequence[Sequence[str]], index: str) -> tuple[list[str], int] | None:
    """The loop of the first of these statements, and how many it has; None where they do not grow evenly."""
    first = chunks[0]
    if re.match(r" *(//|reg |[\w\']+(, [\w\']+)*: )", first[0]):
        return None
    count = len(chunks)
    texts: list[_Tokens] = []
    for number in range(len(first)):
        turns = [TOKEN.findall(chunk[number]) for chunk in chunks]
        tokens: _Tokens = []
        for place, token in enumerate(turns[0]):
            others = [turn[place] if len(turn) == len(turns[0]) else "" for turn in turns]
            same = next((turn for turn, other in enumerate(others) if other != token), len(others))
            if same >= count:
                tokens.append(token)
                continue
            made, alike = differing(others, {}) if same == 1 else (None, 0)
            if made is None:
                return None
            count = min(count, alike)
            tokens.append(made)
        if not _is_plain(tokens):
            return None
        texts.append(tokens)
    if count < LEAST:
        return None
    margin = " " * _margin(first[0])
    head = f"{margin}for (int {index} = 0; {index} < {count}; {index} = {index} + 1) begin"
    return [head, *(f"{_STEP}{printed(tokens, index, {}, ())}" for tokens in texts), f"{margin}end"], count


def _is_plain(tokens: _Tokens) -> bool:
    """Whether all that grows are places in `[ ]`, of one bit or of parts of one width, and constants."""
    for number, token in enumerate(tokens):
        if isinstance(token, str) or token[0] != "number":
            continue
        before, after = tokens[number - 1], tokens[number + 1] if number + 1 < len(tokens) else ""
        high = tokens[number + 2] if after == ":" and number + 2 < len(tokens) else ""
        low = tokens[number - 2] if before == ":" else ""
        other = high or low
        paired = isinstance(other, tuple) and other[:2] == token[:2]
        if not paired and (before, after) != ("[", "]"):
            return False
    return True
