"""Links of a Markdown page: where they lead, and what is wrong with them.

GitHub's rules for anchors, which the site follows, so that a link holds in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

__all__ = ["FENCE", "LINK", "anchors", "faults", "rewritten", "slug", "targets"]

LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^(?P<mark>`{3,})(?P<language>\w*)\n(?P<body>.*?)^(?P=mark)$", re.M | re.S)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
_UNSEEN = (
    (re.compile(r"^ {0,3}\[[^\]]+\]:\s*\S+", re.M), "a reference"),
    (re.compile(r"\]\([^)\s]+\s[^)]*\)"), "a link with a title, or with a space in it"),
    (re.compile(r"<(?:a|img)\b[^>]*>", re.I), "HTML"),
)


def slug(title: str, separator: str = "-") -> str:
    """The anchor of a heading: its words in lower case, joined; other signs than letters and digits are dropped."""
    return re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", separator)


def anchors(text: str) -> list[str]:
    """Anchors of a page's headings, in order; two headings of one title have one."""
    return [slug(title) for title in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.M)]


def targets(text: str) -> list[str]:
    """Where a page's links and pictures lead, as they are written, outside of blocks of code."""
    return [match["target"] for match in LINK.finditer(FENCE.sub("", text))]


def rewritten(text: str, change: Callable[[str], str]) -> str:
    """The text with other targets of its links; blocks of code stay."""

    def changed(match: re.Match[str]) -> str:
        start, end = match.start("target") - match.start(), match.end("target") - match.start()
        return match[0][:start] + change(match["target"]) + match[0][end:]

    parts, at = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(changed, text[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, LINK.sub(changed, text[at:])])


def faults(page: Path, root: Path, known: Callable[[Path], bool] = Path.exists) -> list[str]:
    """What is wrong with the links and pictures of a page, one sentence each.

    `known` tells whether the repository has a file or folder. Links to other sites are not looked at.
    """
    name = page.relative_to(root).as_posix()
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    prose = _CODE.sub(lambda code: "`" + " " * (len(code[0]) - 2) + "`", text)
    found = [
        f"{name} has {what} that no test follows: {match[0]}"
        for form, what in _UNSEEN
        for match in form.finditer(prose)
    ]
    for target in targets(text):
        if target.startswith(("http://", "https://")):
            continue
        found += [f"{name} links to {target}, {fault}" for fault in _wrong(page, target, root, known)]
    return found


def _wrong(page: Path, target: str, root: Path, known: Callable[[Path], bool]) -> list[str]:
    path, _, heading = target.partition("#")
    goal = (page.parent / path).resolve() if path else page
    if path.startswith("/") or (goal != root and root not in goal.parents):
        return ["which is no path within the repository"]
    if not goal.exists() or not known(goal):
        return ["which the repository does not have"]
    if not heading:
        return []
    if goal.suffix != ".md":
        return ["but only pages have headings"]
    times = anchors(goal.read_text(encoding="utf-8")).count(heading)
    if times == 1:
        return []
    return ["which has no such heading" if times == 0 else f"which has {times} headings of that title"]
