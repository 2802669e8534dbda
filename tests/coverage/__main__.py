"""`python -m tests.coverage`: what unit tests replayed in Verilog, and co-simulations of whole chips, reach of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tests.coverage.excluded import read_excluded, unused
from tests.coverage.points import Point, block_summaries, read
from tests.coverage.record import Variant
from tests.coverage.records import FOLDER, TEST_FILES, records
from tests.coverage.replay import Difference, replay
from tests.coverage.systems import SYSTEMS, counts_of
from tests.coverage.table import MARKS, gaps, table
from tests.mutation.blocks import BLOCKS
from tests.mutation.report import PAGE, replaced

_MOST = 4
"""Variants of a block that are replayed of a test file: those with the most cycles."""


def _cycles(variant: Variant) -> tuple[int, str]:
    """To sort by: most cycles first."""
    return -variant.cycles, variant.digest


def _merged(files: Iterable[str]) -> dict[str, list[Variant]]:
    """Variants by block, those with the most cycles first; runs of the same Verilog are put together."""
    chosen: dict[str, Variant] = {}
    for name in files:
        of_file: dict[str, list[Variant]] = defaultdict(list)
        for variant in sorted(records(name, _say), key=_cycles):
            of_file[variant.block].append(variant)
        for variant in (v for variants in of_file.values() for v in variants[:_MOST]):
            known = chosen.setdefault(variant.digest, variant)
            if known is not variant:
                known.runs += variant.runs
    by_block: dict[str, list[Variant]] = defaultdict(list)
    for variant in sorted(chosen.values(), key=_cycles):
        by_block[variant.block].append(variant)
    return by_block


def _say(text: str) -> None:
    print(text, flush=True)


def _add(points: dict[Point, int], more: Mapping[Point, int]) -> None:
    for point, happened in more.items():
        points[point] = points.get(point, 0) + happened


def _replayed(only: list[str], summaries: Mapping[str, str]) -> tuple[dict[Point, int], str, bool]:
    """Points of the unit tests, what was done, and whether all Verilog did the same as its source."""
    files = [f for f in TEST_FILES if not only or any(f"/test_{b}" in f for b in only)] or list(TEST_FILES)
    points: dict[Point, int] = {}
    cycles, count, same = 0, 0, True
    for block, variants in sorted(_merged(files).items()):
        if only and block not in only:
            continue
        began = time.monotonic()
        try:
            path = replay(variants, FOLDER / block)
        except Difference as difference:
            same = False
            _say(f"different: {difference}")
            continue
        texts = {file: text for variant in variants for file, text in variant.texts.items()}
        _add(points, read(path, texts, summaries))
        here = sum(variant.cycles for variant in variants)
        cycles, count = cycles + here, count + len(variants)
        _say(f"{block}: {len(variants)} variants, {here} cycles equal, {time.monotonic() - began:.0f} s")
    head = f"{count} components with their parameters replayed, {cycles:,} cycles, no difference at any output"
    return points, head, same


def _simulated(summaries: Mapping[str, str]) -> tuple[dict[Point, int], str]:
    """Points of the co-simulations, and what was done."""
    points: dict[Point, int] = {}
    builds = runs = 0
    for name in SYSTEMS:
        began = time.monotonic()
        counts = counts_of(name, FOLDER / "systems", summaries, _say)
        _add(points, counts.points)
        builds, runs = builds + counts.builds, runs + counts.runs
        _say(f"{name}: {counts.builds} chips, {counts.runs} runs, {time.monotonic() - began:.0f} s")
    return points, f"{builds} chips co-simulated in {runs} runs, all to the reference's bits"


def main() -> int:
    """Returns 1 if some Verilog did something else than its source in Amaranth, or an exclusion matches nothing."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], choices=BLOCKS, metavar="BLOCK", help="unit tests of this block only"
    )
    parser.add_argument("--gaps", action="store_true", help="list the points that never happened")
    parser.add_argument("--no-page", action="store_true", help="leave docs/verification.md as it is")
    arguments = parser.parse_args()
    began, summaries = time.monotonic(), block_summaries()
    alone, head, same = _replayed(arguments.only, summaries)
    points = dict(alone)
    if not arguments.only:
        more, done = _simulated(summaries)
        _add(points, more)
        head = f"{head}; {done}"
    excluded = read_excluded()
    complaints = [] if arguments.only else unused(excluded, points)
    left_out = {point for point in points if any(point in entry for entry in excluded)}
    points = {point: happened for point, happened in points.items() if point not in left_out}
    content = table(points, Counter(point.block for point in left_out), f"{head}:", alone)
    _say(content)
    if arguments.gaps:
        for line in gaps(points):
            _say(line)
    if not arguments.only and not arguments.no_page and same:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), content, MARKS), encoding="utf-8")
    for complaint in complaints:
        _say(complaint)
    _say(f"{time.monotonic() - began:.0f} s in all")
    return int(not same or bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
