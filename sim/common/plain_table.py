"""Short tables of (name, value) rows, as text and as self-contained HTML.

What notebooks and interpreters show of a chip, a result or a summary. Texts are escaped, styles are written into the
elements, and nothing is loaded.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

__all__ = ["html_table", "text_table"]

Rows = Sequence[tuple[str, str]]

_WIDTH = 100
_CELL = "text-align:left;vertical-align:top;padding:1px 12px 1px 0;border:0"
_NAME = "white-space:nowrap;width:1%;font-weight:normal;opacity:0.7"


def text_table(title: str, rows: Rows, note: str = "") -> str:
    """The title, a line per row with the values below one another, and the note."""
    widest = max((len(name) for name, _ in rows), default=0)
    lines = [title]
    for name, value in rows:
        first, *more = textwrap.wrap(value, _WIDTH - widest - 4) or [""]
        lines.append(f"  {name:<{widest}}  {first}".rstrip())
        lines += [f"  {'':<{widest}}  {line}" for line in more]
    return "\n".join([*lines, *textwrap.wrap(note, _WIDTH)])


def html_table(title: str, rows: Rows, note: str = "") -> str:
    """The same as a table with a caption; the note is its last row."""
    lines = [
        '<table style="border-collapse:collapse;border:0;font-size:0.92em">',
        f'<caption style="text-align:left;font-weight:bold;padding:2px 0">{html.escape(title)}</caption>',
        "<tbody>",
    ]
    for name, value in rows:
        lines.append(
            f'<tr><th style="{_CELL};{_NAME}">{html.escape(name)}</th>'
            f'<td style="{_CELL}">{html.escape(value)}</td></tr>'
        )
    if note:
        lines.append(f'<tr><td colspan="2" style="{_CELL};opacity:0.7">{html.escape(note)}</td></tr>')
    return "\n".join([*lines, "</tbody>", "</table>"])
