"""`python -m tests.coverage`: the simulations of the unit tests once more, in Verilog, with coverage."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections import defaultdict
from collections.abc import Iterable

from hw.rtlil_modules import _summary
from tests.coverage.excluded import read_excluded, unused
from tests.coverage.points import Point, read
from tests.coverage.record import Variant
from tests.coverage.records import FOLDER, TEST_FILES, records
from tests.coverage.replay import Difference, replay
from tests.coverage.table import MARKS, gaps, table
from tests.mutation.blocks import BLOCKS
from tests.mutation.report import PAGE, replaced

_MOST = 4
"""Variants of a block that are replayed: those with the most cycles."""


def _summaries() -> dict[str, str]:
    """First sentence of each component's docstring -> its block."""
    found = {}
    for block in BLOCKS:
        module = importlib.import_module(f"hw.{block}")
        for component in vars(module).values():
            if isinstance(component, type) and component.__module__ == module.__name__ and component.__doc__:
                if hasattr(component, "elaborate"):
                    found[_summary(object.__new__(component))] = block
    return found


def _merged(files: Iterable[str]) -> dict[str, list[Variant]]:
    """Variants by block, those with the most cycles first; runs of the same Verilog are put together."""
    by_digest: dict[str, Variant] = {}
    for name in files:
        for variant in records(name, _say):
            known = by_digest.setdefault(variant.digest, variant)
            if known is not variant:
                known.runs += variant.runs
    by_block: dict[str, list[Variant]] = defaultdict(list)
    for variant in sorted(by_digest.values(), key=lambda v: (-v.cycles, v.digest)):
        by_block[variant.block].append(variant)
    return by_block


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Returns 1 if some Verilog did something else than its source in Amaranth, or an exclusion matches nothing."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="BLOCK", help="replay this block's tests only")
    parser.add_argument("--gaps", action="store_true", help="list the points that never happened")
    parser.add_argument("--no-page", action="store_true", help="leave docs/verification.md as it is")
    arguments = parser.parse_args()
    files = [f for f in TEST_FILES if not arguments.only or any(f"/test_{b}" in f for b in arguments.only)]
    summaries, failed, cycles, count = _summaries(), [], 0, 0
    points: dict[Point, int] = {}
    for block, variants in sorted(_merged(files).items()):
        if arguments.only and block not in arguments.only:
            continue
        began, variants = time.monotonic(), variants[:_MOST]
        try:
            path = replay(variants, FOLDER / block)
        except Difference as difference:
            failed.append(str(difference))
            _say(f"different: {difference}")
            continue
        texts = {file: text for variant in variants for file, text in variant.texts.items()}
        for point, happened in read(path, texts, summaries).items():
            points[point] = points.get(point, 0) + happened
        cycles, count = cycles + sum(variant.cycles for variant in variants), count + len(variants)
        _say(
            f"{block}: {len(variants)} variants, {sum(v.cycles for v in variants)} cycles equal, "
            f"{time.monotonic() - began:.0f} s"
        )
    excluded = read_excluded()
    complaints = [] if arguments.only else unused(excluded, points)
    points = {point: happened for point, happened in points.items() if not any(point in entry for entry in excluded)}
    content = table(points, cycles, count)
    _say(content)
    if arguments.gaps:
        for line in gaps(points):
            _say(line)
    if not arguments.only and not arguments.no_page and not failed:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), content, MARKS), encoding="utf-8")
    for complaint in complaints:
        _say(complaint)
    return int(bool(failed) or bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
