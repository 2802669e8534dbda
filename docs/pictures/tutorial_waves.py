"""Writes tutorial-waves.svg beside this file: `python -m docs.pictures.tutorial_waves`, about a minute.

Runs the blocks of docs/tutorial.md, which draw it, in a folder that is removed. The picture shows the first step of an
image, whose clock cycles do not depend on the weights.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

from docs.site.links import FENCE

__all__ = ["DRAWN", "PAGE", "PICTURE", "run_page"]

PICTURE = Path(__file__).with_name("tutorial-waves.svg")
PAGE = Path(__file__).resolve().parents[1] / "tutorial.md"
DRAWN = Path("build/tutorial/waves.svg")


def run_page() -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Run the page's Python blocks one after another in the working folder.

    Returns the names that they leave; and for each text of the page what the block before it prints, and that text.
    """
    names: dict[str, Any] = {"__name__": "tutorial"}
    printed, pairs = "", []
    for fence in FENCE.finditer(PAGE.read_text(encoding="utf-8")):
        if fence["language"] == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(fence["body"], PAGE.name, "exec"), names)
            printed = out.getvalue()
        elif fence["language"] == "text":
            pairs.append((printed, fence["body"]))
    return names, pairs


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for said, _ in run_page()[1]:
            print(said, end="")
        PICTURE.write_text(DRAWN.read_text(encoding="utf-8"), encoding="utf-8")
        os.chdir(PICTURE.parent)
