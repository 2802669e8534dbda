"""Which mutants are tried, and which tests on each, nearest and fastest first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.baseline import Baseline, TestRun
from tests.mutation.blocks import BLOCKS, source_of
from tests.mutation.places import Mutant, mutants_of

__all__ = ["COUNT", "chosen", "near_tests", "shares"]

COUNT = 320
"""Mutants over all blocks: at least 300 that are valid."""

_LEAST = 5
_OWN = {
    "npu": ("npu", "npu_programming", "npu_registers"),
    "write_guard": ("host_block",),
    "constant_division": ("map_memory", "pool_unit"),
    "register_file": ("registers",),
}
"""Test files of blocks, where they are not those that begin with the block's name."""


def shares(places: dict[str, int], count: int) -> dict[str, int]:
    """Mutants of each block: at least `_LEAST` of each that has them, the rest by the number of places.

    Raises
    ------
    ValueError : fewer than that
    """
    least = {block: min(_LEAST, number) for block, number in places.items()}
    rest = count - sum(least.values())
    if rest < 0:
        raise ValueError(f"--count must be at least {sum(least.values())}, {_LEAST} for each block, not {count}")
    total = sum(places.values()) or 1
    exact = {block: number * rest / total for block, number in places.items()}
    given = {block: min(places[block], least[block] + int(exact[block])) for block in places}
    for block in sorted(places, key=lambda b: (int(exact[b]) - exact[b], b)):
        if sum(given.values()) < count and given[block] < places[block]:
            given[block] += 1
    return given


def chosen(seed: int, count: int, only: Sequence[str] = ()) -> list[Mutant]:
    """The mutants of a run, by block and in the order of the sources; those of a block do not depend on `only`.

    Parameters
    ----------
    seed : of the choice
    count : number over all blocks
    only : blocks to which the list is cut down; all if empty
    """
    found = {block: mutants_of(block, source_of(block).read_text(encoding="utf-8")) for block in BLOCKS}
    numbers = shares({block: len(mutants) for block, mutants in found.items()}, count)
    picked: list[Mutant] = []
    for block in only or BLOCKS:
        some = random.Random(f"{seed} {block}").sample(found[block], numbers[block])
        picked += sorted(some, key=lambda mutant: mutant.number)
    return picked


def _by_variant(tests: list[TestRun]) -> list[TestRun]:
    """Fastest first, but every test function once before any of them again with other parameters."""
    seen: dict[str, int] = {}
    ranked = []
    for test in sorted(tests, key=lambda t: (t.seconds, t.name)):
        rank = seen[test.function] = seen.get(test.function, -1) + 1
        ranked.append((rank, test))
    return [test for _, test in sorted(ranked, key=lambda pair: pair[0])]


def _within(tests: list[TestRun], seconds: float, whole: bool = False) -> list[TestRun]:
    """The first of the tests that fit; if `whole`, every test function at least once, however long it takes."""
    kept, spent, seen = [], 0.0, set()
    for test in tests:
        if spent + test.seconds <= seconds or not kept or (whole and test.function not in seen):
            kept.append(test)
            spent += test.seconds
        seen.add(test.function)
    return kept


def near_tests(baseline: Baseline, mutant: Mutant, seconds: float) -> list[list[TestRun]]:
    """Tests of the mutant's own block, and then others that run its line, the fastest first; `seconds` of each.

    Of the block's own, every test function is there at least once, and those come last that do not run the line: they
    may make the block from its text.
    """
    line = f"{mutant.block}:{mutant.line}"
    own = [test for test in baseline.tests if _is_own(test, mutant.block)]
    others = [test for test in baseline.tests if test not in own and line in test.lines]
    near = _by_variant([t for t in own if line in t.lines]) + _by_variant([t for t in own if line not in t.lines])
    stages = [_within(near, seconds, whole=True), _within(_by_variant(others), seconds)]
    return [stage for stage in stages if stage]


def _is_own(test: TestRun, block: str) -> bool:
    name = Path(test.file).stem.removeprefix("test_")
    return name in _OWN[block] if block in _OWN else name.startswith(block)
