"""Whether the Verilog is still the one that was measured: a digest of each block's, in some units.

The digest is of the Verilog that coverage is measured on (`tests.coverage.rtlil_text`), of all units of
`tests.mutation.designs`, without comments. So it does not change with the names of Python's modules, or the lines of
their statements. It is a sample of the variants that were measured, of which there are more than a thousand: a change
that shows in other parameters only is not seen.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tests.coverage.points import block_of, block_summaries, variant_of
from tests.coverage.rtlil_text.files import rtlil_files
from tests.mutation.designs import units

__all__ = ["MARKS", "block_digests", "changed", "sentence"]

MARKS = ("<!-- changed: written by `make coverage COVERAGE=--changed` -->", "<!-- changed: end -->")


def block_digests(names: Iterable[str] | None = None) -> dict[str, str]:
    """Block -> digest of all its Verilog in the units of these names, in all if none are given.

    Raises
    ------
    ValueError : `tests.mutation.designs` has no unit of a name
    """
    summaries = block_summaries()
    known = [name for name, _ in units()]
    names = known if names is None else list(names)
    if missing := set(names) - set(known):
        raise ValueError(f"There are no units {', '.join(sorted(missing))} in tests.mutation.designs")
    found: dict[str, set[str]] = defaultdict(set)
    for name, make in units():
        if name in names:
            for text in rtlil_files(make(), "unit").values():
                found[block_of(text, summaries) or "none"].add(variant_of(text))
    return {block: hashlib.sha256(" ".join(sorted(all_)).encode()).hexdigest()[:8] for block, all_ in found.items()}


def changed(measured: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Blocks whose Verilog is another one than was measured, or was not measured."""
    return sorted(block for block in measured.keys() | now.keys() if measured.get(block) != now.get(block))


def stale(measured: Mapping[str, str]) -> list[str]:
    """Blocks that are not as they were measured: those of `changed`, and components in no unit of
    `tests.mutation.designs` yet, such as a board's, which were not measured at all.
    """
    return sorted({*changed(measured, block_digests()), *(set(block_summaries().values()) - measured.keys())})


def sentence(blocks: Iterable[str]) -> str:
    """What the page says about them."""
    named = ", ".join(f"`{block}`" for block in blocks)
    return f"Blocks whose Verilog has changed since it was measured: {named or 'none'}."
