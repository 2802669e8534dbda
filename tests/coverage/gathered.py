"""What all runs leave: unit tests recorded and replayed in Verilog, and co-simulations of whole chips."""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from tests.coverage.raw import Build, Raw
from tests.coverage.record import Variant
from tests.coverage.records import FOLDER, TEST_FILES, records
from tests.coverage.replay import Difference, replay
from tests.coverage.systems import SYSTEMS, runs_of

__all__ = ["replayed", "simulated"]

Say = Callable[[str], None]

_MOST = {"npu": 4}
"""Variants of a block that are replayed of a test file, those with the most cycles; of other blocks all are."""


def _cycles(variant: Variant) -> tuple[int, str]:
    """To sort by: most cycles first."""
    return -variant.cycles, variant.digest


def _merged(files: Iterable[str], say: Say) -> dict[str, list[Variant]]:
    """Variants by block, those with the most cycles first; runs of the same Verilog are put together."""
    chosen: dict[str, Variant] = {}
    for name in files:
        of_file: dict[str, list[Variant]] = defaultdict(list)
        for variant in sorted(records(name, say), key=_cycles):
            of_file[variant.block].append(variant)
        for variant in (v for block, variants in of_file.items() for v in variants[: _MOST.get(block)]):
            known = chosen.setdefault(variant.digest, variant)
            if known is not variant:
                known.runs += variant.runs
    by_block: dict[str, list[Variant]] = defaultdict(list)
    for variant in sorted(chosen.values(), key=_cycles):
        by_block[variant.block].append(variant)
    return by_block


def replayed(only: list[str], say: Say) -> Iterator[tuple[str, Raw | None, int, int]]:
    """Of each block, or of `only` these: what the replay left, components and cycles; None if its Verilog differs."""
    files = [f for f in TEST_FILES if not only or any(f"/test_{b}" in f for b in only)] or list(TEST_FILES)
    for block, variants in sorted(_merged(files, say).items()):
        if only and block not in only:
            continue
        began, cycles = time.monotonic(), sum(variant.cycles for variant in variants)
        try:
            path = replay(variants, FOLDER / block)
        except Difference as difference:
            say(f"different: {difference}")
            yield block, None, len(variants), cycles
            continue
        texts = {file: text for variant in variants for file, text in variant.texts.items()}
        rtlil = {file: text for variant in variants for file, text in variant.rtlil.items()}
        say(f"{block}: {len(variants)} variants, {cycles} cycles equal, {time.monotonic() - began:.0f} s")
        yield block, Raw([Build(texts, rtlil)], [(0, zlib.compress(path.read_bytes(), 1))]), len(variants), cycles


def simulated(say: Say) -> Iterator[tuple[str, Raw]]:
    """Of each system its name and what its runs left."""
    for name in SYSTEMS:
        began = time.monotonic()
        raw = runs_of(name, FOLDER / "systems", say)
        say(f"{name}: {len(raw.builds)} chips, {len(raw.runs)} runs, {time.monotonic() - began:.0f} s")
        yield name, raw
