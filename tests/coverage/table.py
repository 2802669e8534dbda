"""The table of docs/verification.md, and what never happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.coverage.points import Point

__all__ = ["KINDS", "MARKS", "gaps", "shares", "table"]

MARKS = ("<!-- coverage: written by `make coverage` -->", "<!-- coverage: end -->")
KINDS = ("line", "branch", "toggle")


def _share(points: Mapping[Point, int], kind: str) -> str:
    counts = [happened > 0 for point, happened in points.items() if point.kind == kind]
    return f"{sum(counts):,} of {len(counts):,} | {100 * sum(counts) / len(counts):.1f} %" if counts else "- | -"


def _row(name: str, points: Mapping[Point, int], excluded: int | None) -> str:
    left_out = "" if excluded is None else f"{excluded:,}"
    return f"| {name} | {' | '.join(_share(points, kind) for kind in KINDS)} | {left_out} |"


def table(points: Mapping[Point, int], excluded: Mapping[str, int], head: str, alone: Mapping[Point, int]) -> str:
    """Markdown: a row a block, one for all, and one for what unit tests do alone.

    Parameters
    ----------
    points : how often each happened
    excluded : number of excluded points of a block that has some
    head : what was done, a line
    alone : how often each happened in the replay of unit tests; points that are not there did not
    """
    lines = [
        head,
        "",
        "| block | lines | | branches | | toggles | | excluded |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for block in sorted({point.block for point in points}):
        inside = {point: happened for point, happened in points.items() if point.block == block}
        lines.append(_row(f"`{block}`", inside, excluded.get(block, 0)))
    lines.append(_row("all", points, sum(excluded.values())))
    lines.append(_row("all, unit tests alone", {point: alone.get(point, 0) for point in points}, None))
    return "\n".join(lines)


def shares(text: str) -> dict[str, dict[str, float]]:
    """Row -> kind -> per cent, of the table in a page's text; kinds without points are not there."""
    first, last = MARKS
    found: dict[str, dict[str, float]] = {}
    for line in text.partition(first)[2].partition(last)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and not line.startswith(("| block", "|---")):
            per_cent = zip(KINDS, cells[2:7:2], strict=True)
            found[cells[0].strip("`")] = {
                kind: float(cell.removesuffix(" %")) for kind, cell in per_cent if cell != "-"
            }
    return found


def gaps(points: Mapping[Point, int]) -> Iterator[str]:
    """A line for each point that never happened."""
    for point in sorted(points, key=str):
        if not points[point]:
            yield f"{point.block}: {point.kind} {point.what}: {point.where}"
