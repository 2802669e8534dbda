"""Writes floors-hw.svg, floors-sim.svg and floors-sw.svg beside this file: `python -m docs.pictures.floors`.

The floors are those of the contract in pyproject.toml that `make lint` checks; what a room is for is the first
sentence of its docstring.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tomllib
from pathlib import Path

import matplotlib
from matplotlib.patches import FancyBboxPatch

from spikeloom.sw.report.plots.style import BLUE, GREY, INK, STYLE, new_figure

__all__ = ["TREES", "floors", "picture", "purpose", "target"]

ROOT = Path(__file__).resolve().parents[2]
TREES = {"hw": "hardware", "sim": "simulation", "sw": "software"}
_WIDTH, _HEIGHT, _GAP = 12.0, 0.66, 0.12


def floors(tree: str) -> list[list[str]]:
    """Rooms of a tree, floor by floor from the top, as the contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (own,) = (contract for contract in contracts if contract["containers"] == [f"spikeloom.{tree}"])
    return [[room.strip() for room in layer.split("|")] for layer in own["layers"]]


def purpose(tree: str, room: str) -> str:
    """The first sentence of a room's docstring: a folder's, or a file's.

    Raises `ValueError` for one that is missing or empty.
    """
    folder, file = ROOT / tree / room / "__init__.py", ROOT / tree / f"{room}.py"
    path = folder if folder.exists() else file
    if not path.exists():
        raise ValueError(f"The contract of {tree} has a room {room!r}, but there is no such folder or file")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path.relative_to(ROOT)} has no docstring")
    return " ".join(text.split("\n\n")[0].split())


def target(tree: str) -> Path:
    """Where a tree's picture lies."""
    return Path(__file__).with_name(f"floors-{tree}.svg")


def picture(tree: str) -> str:
    """The picture as SVG text; the same bytes every time, and no addresses in it."""
    rows = floors(tree)
    height = len(rows) * (_HEIGHT + _GAP) + 0.3
    with matplotlib.rc_context(STYLE):
        figure, ((axes,),) = new_figure(_WIDTH * 0.8, height * 0.8, 1, 1)
        axes.set(xlim=(0, _WIDTH), ylim=(0, height))
        axes.axis("off")
        for index, row in enumerate(rows):
            bottom = height - 0.15 - (index + 1) * (_HEIGHT + _GAP) + _GAP
            width = (_WIDTH - _GAP * (len(row) - 1)) / len(row)
            for column, room in enumerate(row):
                left = column * (width + _GAP)
                box = FancyBboxPatch(
                    (left + 0.05, bottom), width - 0.1, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
                    fc="white", ec=BLUE, lw=1.0,
                )  # fmt: skip
                axes.add_patch(box)
                folder = (ROOT / tree / room).is_dir()
                name = f"{room}/" if folder else f"{room}.py"
                lines = textwrap.wrap(purpose(tree, room), int(width * 13.5) - 3)
                axes.text(left + 0.2, bottom + _HEIGHT - 0.07, name, va="top", color=INK, weight="bold", fontsize=9)
                axes.text(left + 0.2, bottom + _HEIGHT - 0.28, "\n".join(lines), va="top", color=GREY, fontsize=7.5)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.S)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


if __name__ == "__main__":
    for name in TREES:
        target(name).write_text(picture(name), encoding="utf-8")
