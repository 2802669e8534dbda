"""The pictures of docs/by-step.md: what the script draws is what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pictures.by_step import FOLDER, pictures
from tests.sw.report.plots.test_by_step import a_run

PAGE = Path(FOLDER).parent / "by-step.md"


def test_the_page_shows_every_picture_of_the_script() -> None:
    made = pictures({"phase, K = 4": a_run(64), "rate": a_run(64)})
    shown = re.findall(r"\]\(pictures/([\w.-]+)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(made) == sorted(shown) and all((FOLDER / name).is_file() for name in made)
    assert all(len(figure.axes) == 2 for figure in made.values())
