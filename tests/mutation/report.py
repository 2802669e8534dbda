"""The table of docs/verification.md, and the list of survivors."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.mutation.blocks import BLOCKS, ROOT, source_of
from tests.mutation.equivalents import Equivalent
from tests.mutation.places import Mutant
from tests.mutation.trial import Verdict

__all__ = [
    "CHANGED",
    "PAGE",
    "Result",
    "changed_since",
    "marks",
    "replaced",
    "result_of",
    "sentence",
    "survivors",
    "table",
]

PAGE = ROOT / "docs" / "verification.md"
CHANGED = ("<!-- mutants changed: written by `make mutate MUTATE=--changed` -->", "<!-- mutants changed: end -->")
_MEASURED = re.compile(r"^\| `(\w+)` \|.*\| `(\w{8})` \|$", re.M)
_SAME = "the RTLIL of all designs is the same"


class Result(NamedTuple):
    """What became of a mutant, for the page.

    Parameters
    ----------
    mutant, status : killed, invalid, survived, or equivalent: there is an entry in `equivalents.toml`
    by_time : it was killed because a test took too long
    reason : why it is equivalent, or what is known of a survivor
    """

    mutant: Mutant
    status: str
    by_time: bool = False
    reason: str = ""


def result_of(mutant: Mutant, verdict: Verdict, by_hand: Mapping[tuple[str, str, str, str, int], Equivalent]) -> Result:
    """A mutant's verdict beside what a person found of it.

    One that leaves the RTLIL of all designs as it is may change that of another design: without an entry it survived.
    """
    seen = verdict.status not in ("survived", "equivalent")
    if not seen and mutant.name in by_hand:
        return Result(mutant, "equivalent", reason=by_hand[mutant.name].reason)
    if verdict.status == "equivalent":
        return Result(mutant, "survived", reason=_SAME)
    return Result(mutant, verdict.status, verdict.by_time)


def marks(seed: int) -> tuple[str, str]:
    """Lines of the page between which a seed's table lies."""
    return f"<!-- mutants, seed {seed}: written by `make mutate` -->", f"<!-- mutants, seed {seed}: end -->"


def source_digest(block: str) -> str:
    """Digest of a block's module without comments and docstrings: its statements, not how they are written."""
    tree = ast.parse(source_of(block).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:8]


def changed_since(page: str, digest: Callable[[str], str] = source_digest) -> list[str]:
    """Blocks whose source is another one than the table of seed 1 was measured on, or that it has not."""
    first, last = marks(1)
    measured = dict(_MEASURED.findall(page.partition(first)[2].partition(last)[0]))
    return sorted(block for block in BLOCKS if measured.get(block) != digest(block))


def sentence(blocks: Iterable[str]) -> str:
    """What the page says about them."""
    named = ", ".join(f"`{block}`" for block in blocks)
    return f"Modules that have changed since their mutants were tried: {named or 'none'}."


def _rate(counts: Mapping[str, int]) -> str:
    of = counts["killed"] + counts["survived"]
    return f"{100 * counts['killed'] / of:.1f} %" if of else "-"


def _counts(results: Iterable[Result]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.status] += 1
        counts["by time"] += result.by_time
    return counts


def _row(name: str, counts: Mapping[str, int], digest: str) -> str:
    parts = [counts[status] for status in ("killed", "equivalent", "invalid", "survived")]
    cells = [name, sum(parts), parts[0], counts["by time"], *parts[1:], _rate(counts), digest]
    return f"| {' | '.join(map(str, cells))} |".replace("|  |", "| |")


def table(results: Sequence[Result], seed: int, blocks: bool = True) -> str:
    """Markdown: one row per block if `blocks`, and one for all; then the mutants that are equivalent, and survivors."""
    lines = [
        f"{len(results)} mutants, seed {seed}:",
        "",
        "| block | mutants | killed | of these by time | equivalent | invalid | survivors | kill rate | source |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for block in BLOCKS if blocks else ():
        own = [result for result in results if result.mutant.block == block]
        if own:
            lines.append(_row(f"`{block}`", _counts(own), f"`{source_digest(block)}`"))
    lines.append(_row("all", _counts(results), ""))
    for status, head in (("equivalent", "Equivalent"), ("survived", "Survivors")):
        found = [result for result in results if result.status == status]
        lines += ["", f"{head}: {'' if found else 'none.'}".rstrip()] + [""] * bool(found)
        lines += [f"- `{result.mutant}`{': ' + result.reason if result.reason else ''}" for result in found]
    return "\n".join(lines)


def survivors(results: Iterable[Result]) -> list[str]:
    """A line for each mutant that no test saw."""
    return [str(result.mutant) for result in results if result.status == "survived"]


def replaced(text: str, content: str, between: tuple[str, str]) -> str:
    """A page's text with `content` between two marks.

    Raises
    ------
    ValueError : not exactly one of each mark, in this order
    """
    first, last = between
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        raise ValueError(f"The page must have {first!r} once, and after it {last!r} once")
    head, _, rest = text.partition(first)
    _, _, tail = rest.partition(last)
    return f"{head}{first}\n\n{content}\n\n{last}{tail}"
