"""The table of docs/verification.md, and what never happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.coverage.points import Counts, Point

__all__ = ["KINDS", "MARKS", "gaps", "measured_on", "shares", "table"]

MARKS = ("<!-- coverage: written by `make coverage` -->", "<!-- coverage: end -->")
KINDS = ("line", "branch", "toggle")
SUMS = (
    "all",
    "all, what is excluded counted as missing",
    "all, unit tests alone",
    "all, every variant by itself",
    "nets without a name, every variant by itself",
)
"""Rows below those of the blocks."""


def _share(happened: Iterable[bool]) -> str:
    counts = list(happened)
    return f"{sum(counts):,} of {len(counts):,} | {100 * sum(counts) / len(counts):.1f} %" if counts else "- | -"


def _row(name: str, points: Iterable[tuple[Point, bool]], excluded: str, digest: str = "") -> str:
    found = list(points)
    parts = [_share(happened for point, happened in found if point.kind == kind) for kind in KINDS]
    return f"| {name} | {' | '.join(parts)} | {excluded} | {digest} |"


def table(counts: Counts, alone: Counts, left_out: Iterable[Point], head: str, digests: Mapping[str, str]) -> str:
    """Markdown: one row per block, one for all, one for what unit tests do alone, and those of every variant by itself.

    Parameters
    ----------
    counts : what happened
    alone : what happened in the replay of unit tests
    left_out : points that are excluded
    head : what was done, in one line
    digests : of each block's Verilog
    """
    out = set(left_out)
    points = {point: count > 0 for point, count in counts.points().items() if point not in out}
    excluded = Counter(point.block for point in out)
    lines = [
        head,
        "",
        "| block | lines | | branches | | toggles | | excluded | Verilog |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for block in sorted({point.block for point in points}):
        inside = [entry for entry in points.items() if entry[0].block == block]
        lines.append(_row(f"`{block}`", inside, f"{excluded[block]:,}", f"`{digests[block]}`"))
    by_unit_tests = alone.points()
    lines.append(_row(SUMS[0], points.items(), f"{len(out):,}"))
    lines.append(_row(SUMS[1], ((point, count > 0) for point, count in counts.points().items()), ""))
    lines.append(_row(SUMS[2], ((point, by_unit_tests.get(point, 0) > 0) for point in points), ""))
    every = [(point, count > 0) for (_, point), count in counts.happened.items() if point not in out]
    lines.append(_row(SUMS[3], every, ""))
    nets = _share(happened for point, happened in every if point.kind == "net")
    lines.append(f"| {SUMS[4]} | - | - | - | - | {nets} |  |  |")
    return "\n".join(lines)


def _cells(text: str) -> Iterator[list[str]]:
    """Of the table in a page's text the cells of each row but its head."""
    first, last = MARKS
    for line in text.partition(first)[2].partition(last)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 9 and not line.startswith(("| block", "|---")):
            yield cells


def shares(text: str) -> dict[str, dict[str, float]]:
    """Row -> kind -> per cent, of the table in a page's text; kinds without points are not there."""
    found: dict[str, dict[str, float]] = {}
    for cells in _cells(text):
        per_cent = zip(KINDS, cells[2:7:2], strict=True)
        found[cells[0].strip("`")] = {kind: float(cell.removesuffix(" %")) for kind, cell in per_cent if cell != "-"}
    return found


def measured_on(text: str) -> dict[str, str]:
    """Block -> digest of the Verilog that its row was measured on, of the table in a page's text."""
    return {cells[0].strip("`"): cells[8].strip("`") for cells in _cells(text) if cells[8]}


def gaps(points: Mapping[Point, int]) -> Iterator[str]:
    """A line for each point that never happened."""
    for point in sorted(points):
        if not points[point]:
            yield str(point)
