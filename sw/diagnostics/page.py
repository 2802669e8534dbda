"""The table of docs/diagnostics.md, generated from the registered kinds.

`python -m spikeloom.sw.diagnostics.page` writes it.
"""

from __future__ import annotations

from pathlib import Path

from spikeloom.sw.diagnostics import KINDS

__all__ = ["with_table"]

BEGIN, END = "<!-- findings: begin -->\n", "<!-- findings: end -->\n"


def with_table(page: str) -> str:
    """The page's text with the table between its two marks."""
    head, rest = page.split(BEGIN)
    rows = ["| finding | what it means | how it is measured | remedy |", "|---|---|---|---|"]
    for kind in KINDS.values():
        texts = (f"`{kind.name}` ({kind.severity})", kind.meaning, kind.measured, kind.remedy)
        rows.append(f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts)} |")
    return head + BEGIN + "\n".join(rows) + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs" / "diagnostics.md"
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
