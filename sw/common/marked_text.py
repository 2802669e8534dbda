"""Text between two marks of a page, which a command writes anew."""

from __future__ import annotations

__all__ = ["between_marks"]


def between_marks(page: str, name: str, text: str, what: str = "a table") -> str:
    """The page with `text` between `<!-- NAME: begin -->` and `<!-- NAME: end -->`; `what` it is, for the error.

    Raises
    ------
    ValueError : the page lacks one of the marks
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"The page must have {what} between {begin.strip()} and {end}")
    return f"{before}{begin}{text}{end}{after}"
