"""The table of docs/verification.md, and the list of survivors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.mutation.blocks import BLOCKS, ROOT
from tests.mutation.places import Mutant
from tests.mutation.trial import Verdict

__all__ = ["PAGE", "replaced", "status_of", "survivors", "table"]

PAGE = ROOT / "docs" / "verification.md"
MARKS = ("<!-- mutants: written by `make mutate` -->", "<!-- mutants: end -->")

Result = tuple[Mutant, Verdict]


def status_of(mutant: Mutant, verdict: Verdict, by_hand: Mapping[tuple[str, str, str, str, int], object]) -> str:
    """The verdict's status, but a survivor with an entry in `equivalents.toml` is equivalent."""
    return "equivalent" if verdict.status == "survived" and mutant.name in by_hand else verdict.status


def _rate(counts: Mapping[str, int]) -> str:
    of = counts["killed"] + counts["survived"]
    return f"{100 * counts['killed'] / of:.1f} %" if of else "-"


def table(results: Sequence[tuple[Mutant, str]], seed: int) -> str:
    """Markdown: one row per block and one for all; `results` has each mutant's status."""
    lines = [
        f"{len(results)} mutants, seed {seed}:",
        "",
        "| block | mutants | killed | equivalent | invalid | survivors | kill rate |",
        "|---|---|---|---|---|---|---|",
    ]
    total: Counter[str] = Counter()
    for block in BLOCKS:
        counts = Counter(status for mutant, status in results if mutant.block == block)
        total += counts
        if counts:
            lines.append(_row(f"`{block}`", counts))
    lines.append(_row("all", total))
    return "\n".join(lines)


def _row(name: str, counts: Mapping[str, int]) -> str:
    parts = [counts[status] for status in ("killed", "equivalent", "invalid", "survived")]
    return f"| {name} | {sum(parts)} | {' | '.join(map(str, parts))} | {_rate(counts)} |"


def survivors(results: Iterable[tuple[Mutant, str]]) -> list[str]:
    """A line for each mutant that no test saw."""
    return [str(mutant) for mutant, status in results if status == "survived"]


def replaced(text: str, content: str, marks: tuple[str, str] = MARKS) -> str:
    """A page's text with `content` between the marks.

    Raises
    ------
    ValueError : not exactly one of each mark, in this order
    """
    first, last = marks
    if text.count(first) != 1 or text.count(last) != 1 or text.index(first) > text.index(last):
        raise ValueError(f"The page must have {first!r} once, and after it {last!r} once")
    head, _, rest = text.partition(first)
    _, _, tail = rest.partition(last)
    return f"{head}{first}\n\n{content}\n\n{last}{tail}"


def write(content: str, page: Path = PAGE) -> None:
    page.write_text(replaced(page.read_text(encoding="utf-8"), content), encoding="utf-8")
