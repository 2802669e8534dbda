"""Lines of Verilog, broken where they are too long."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["TIMESCALE", "WIDTH", "broken"]

TIMESCALE = "`timescale 1ns / 1ps\n"
"""Above every module: where one file has a time scale, all must [IEEE 1800-2017, 3.14.2.3]."""
WIDTH = 110
_OPERATORS = (" ? ", " : ", " | ", " & ", " ^ ", " + ", ", ")


def broken(line: str) -> Iterator[str]:
    """A line on as many lines as it takes; breaks are before operators and behind commas."""
    more = line[: len(line) - len(line.lstrip())] + "    "
    if line.lstrip().startswith("//"):
        yield line
        return
    while len(line) > WIDTH:
        place = _break(line, len(more))
        if place is None:
            break
        yield line[:place].rstrip()
        line = more + line[place:].lstrip()
    yield line


def _break(line: str, least: int) -> int | None:
    """Where to break: the last place within the width that lies in the fewest brackets."""
    best: tuple[int, int] | None = None
    depth, depths = 0, []
    for letter in line:
        depth += (letter in "({[") - (letter in ")}]")
        depths.append(depth)
    start = max(least, line.find("= ") + 2 if "= " in line[:WIDTH] else least)
    for operator in _OPERATORS:
        place = line.find(operator, start)
        while 0 <= place < WIDTH:
            cut = place + (2 if operator == ", " else 1)
            if place > least + 8 and (best is None or (-depths[place], cut) > best):
                best = (-depths[place], cut)
            place = line.find(operator, place + 1)
    if best is None:
        places = [p for p in (line.find(operator, WIDTH) for operator in _OPERATORS) if p >= 0]
        return min(places) + 1 if places else None
    return best[1]
