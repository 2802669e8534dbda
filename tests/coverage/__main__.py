"""`python -m tests.coverage`: what unit tests replayed in Verilog, and co-simulations of whole chips, reach of it."""

from __future__ import annotations

import argparse
import sys
import time

from tests.coverage.excluded import complaints, left_out, read_excluded
from tests.coverage.gathered import replayed, simulated
from tests.coverage.measured import MARKS as CHANGED
from tests.coverage.measured import block_digests, sentence, stale
from tests.coverage.points import Counts, block_summaries, read
from tests.coverage.table import MARKS, gaps, measured_on, table
from tests.mutation.blocks import BLOCKS
from tests.mutation.report import PAGE, replaced


def _say(text: str) -> None:
    print(text, flush=True)


def _of_unit_tests(only: list[str]) -> tuple[Counts, str, bool]:
    """Points of the unit tests, what was done, and whether all Verilog did the same as its source."""
    counts, components, cycles, same = Counts(), 0, 0, True
    summaries = block_summaries()
    for _, raw, number, length in replayed(only, _say):
        if raw is None:
            same = False
            continue
        counts.add(read(raw, summaries))
        components, cycles = components + number, cycles + length
    return counts, f"{components} components replayed, {cycles:,} cycles, no difference at any output", same


def _of_systems() -> tuple[Counts, str]:
    """Points of the co-simulations, and what was done."""
    counts, chips, runs = Counts(), 0, 0
    summaries = block_summaries()
    for _, raw in simulated(_say):
        counts.add(read(raw, summaries))
        chips, runs = chips + len(raw.builds), runs + len(raw.runs)
    return counts, f"{chips} chips co-simulated in {runs} runs, all to the reference's bits"


def _say_what_changed() -> int:
    """Write into the page which blocks' Verilog is another one than was measured."""
    text = PAGE.read_text(encoding="utf-8")
    said = sentence(stale(measured_on(text)))
    PAGE.write_text(replaced(text, said, CHANGED), encoding="utf-8")
    _say(said)
    return 0


def main() -> int:
    """Returns 1 if some Verilog did something else than its source in Amaranth, or an exclusion is wrong."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], choices=BLOCKS, metavar="BLOCK", help="unit tests of this block only"
    )
    parser.add_argument("--gaps", action="store_true", help="list the points that never happened")
    parser.add_argument("--no-page", action="store_true", help="leave docs/verification.md as it is")
    parser.add_argument("--changed", action="store_true", help="only say in the page which blocks' Verilog has changed")
    arguments = parser.parse_args()
    if arguments.changed:
        return _say_what_changed()
    began = time.monotonic()
    alone, head, same = _of_unit_tests(arguments.only)
    counts = Counts(dict(alone.happened), set(alone.added))
    if not arguments.only:
        more, done = _of_systems()
        counts.add(more)
        head = f"{head}; {done}"
    points, excluded = counts.points(), read_excluded()
    wrong = [] if arguments.only else complaints(excluded, points)
    out = left_out(excluded, points)
    content = table(counts, alone, out, f"{head}:", block_digests())
    _say(content)
    _say(f"{len(counts.added)} statements that the export adds")
    if arguments.gaps:
        for line in gaps({point: happened for point, happened in points.items() if point not in out}):
            _say(line)
    if not arguments.only and not arguments.no_page and same and not wrong:
        text = replaced(PAGE.read_text(encoding="utf-8"), content, MARKS)
        PAGE.write_text(replaced(text, sentence([]), CHANGED), encoding="utf-8")
    for complaint in wrong:
        _say(complaint)
    _say(f"{time.monotonic() - began:.0f} s in all")
    return int(not same or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
