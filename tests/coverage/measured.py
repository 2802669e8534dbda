"""Whether the Verilog is still the one that was measured: a digest of each block's, in some units.

The digest is of the Verilog that the export makes of a few units with all blocks, without comments. So it does not
change with the names of Python's modules, or the lines of their statements.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from spikeloom.hw.export.verilog import export_component
from tests.coverage.points import block_of, block_summaries, variant_of
from tests.mutation.designs import units

__all__ = ["MARKS", "UNITS", "block_digests", "changed", "sentence"]

MARKS = ("<!-- changed: written by `make coverage COVERAGE=--changed` -->", "<!-- changed: end -->")
UNITS = ("pooled, average", "two replicas", "buses", "buses, maps")
"""Of `tests.mutation.designs`; every block is in one of them."""


def block_digests(names: Iterable[str] = UNITS) -> dict[str, str]:
    """Block -> digest of all its Verilog in the units.

    Raises
    ------
    ValueError : `tests.mutation.designs` has no unit of a name
    """
    summaries = block_summaries()
    if missing := set(names) - {name for name, _ in units()}:
        raise ValueError(f"There are no units {', '.join(sorted(missing))} in tests.mutation.designs")
    found: dict[str, set[str]] = defaultdict(set)
    for name, make in units():
        if name in names:
            for text in export_component(make(), "unit").values():
                found[block_of(text, summaries) or "none"].add(variant_of(text))
    return {block: hashlib.sha256(" ".join(sorted(all_)).encode()).hexdigest()[:8] for block, all_ in found.items()}


def changed(measured: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Blocks whose Verilog is another one than was measured, or was not measured."""
    return sorted(block for block in measured.keys() | now.keys() if measured.get(block) != now.get(block))


def sentence(blocks: Iterable[str]) -> str:
    """What the page says about them."""
    named = ", ".join(f"`{block}`" for block in blocks)
    return f"Blocks whose Verilog has changed since it was measured: {named or 'none'}."
