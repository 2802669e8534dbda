"""What is wrong with a built site: `python -m docs.site.built build/docs`.

Every link within the site has to lead to a file, and to an anchor in it; and no page may load anything from elsewhere.
"""

from __future__ import annotations

import functools
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["faults"]

_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class _Parser(HTMLParser):
    """Ids of a page, and its links: (address, whether it is loaded with the page)."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.ids.add(value or "")
            elif name in ("href", "src") and value is not None:
                self.links.append((value, (tag, name) in _LOADED))


@functools.cache
def _parsed(path: Path) -> _Parser:
    parser = _Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def faults(folder: Path) -> list[str]:
    """A sentence for each fault of the site in a folder."""
    folder = folder.resolve()
    found = []
    pages = sorted(folder.rglob("*.html"))
    for page in pages:
        name = page.relative_to(folder).as_posix()
        for address, loaded in _parsed(page).links:
            fault = _wrong(page, folder, address, loaded)
            if fault:
                found.append(f"{name}: {address} {fault}")
    return found if pages else [f"{folder.name} has no pages"]


def _wrong(page: Path, folder: Path, address: str, loaded: bool) -> str | None:
    parts = urlsplit(address)
    if parts.scheme in ("data", "mailto", "javascript"):
        return None
    if parts.scheme or parts.netloc:
        return "is loaded from elsewhere" if loaded else None
    goal = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if goal.is_dir():
        goal /= "index.html"
    if folder not in goal.parents or not goal.is_file():
        return "leads nowhere"
    anchor = unquote(parts.fragment)
    if anchor and goal.suffix == ".html" and anchor not in _parsed(goal).ids:
        return "has an anchor that is not there"
    return None


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print("\n".join(wrong) or "links lead somewhere, and nothing is loaded from elsewhere")
    sys.exit(bool(wrong))
