"""The table of docs/verification.md, and what never happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.coverage.points import Point

__all__ = ["MARKS", "gaps", "table"]

MARKS = ("<!-- coverage: written by `make coverage` -->", "<!-- coverage: end -->")
KINDS = ("line", "branch", "toggle")


def _share(points: Mapping[Point, int], kind: str) -> str:
    counts = [happened > 0 for point, happened in points.items() if point.kind == kind]
    return f"{sum(counts):,} of {len(counts):,} | {100 * sum(counts) / len(counts):.1f} %" if counts else "- | -"


def table(points: Mapping[Point, int], cycles: int, variants: int) -> str:
    """Markdown: a row a block and one for all.

    Parameters
    ----------
    points : how often each happened
    cycles, variants : how much was replayed
    """
    lines = [
        f"{variants} components with their parameters, {cycles:,} cycles, no difference at any output:",
        "",
        "| block | lines | | branches | | toggles | |",
        "|---|---|---|---|---|---|---|",
    ]
    for block in sorted({point.block for point in points}):
        inside = {point: happened for point, happened in points.items() if point.block == block}
        lines.append(f"| `{block}` | {' | '.join(_share(inside, kind) for kind in KINDS)} |")
    lines.append(f"| all | {' | '.join(_share(points, kind) for kind in KINDS)} |")
    return "\n".join(lines)


def gaps(points: Mapping[Point, int]) -> Iterator[str]:
    """A line for each point that never happened."""
    for point in sorted(points, key=str):
        if not points[point]:
            yield f"{point.block}: {point.kind} {point.what}: {point.where}"
