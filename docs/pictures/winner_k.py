"""Pictures and tables of winner-k.md, from a full run's numbers: `python -m docs.pictures.winner_k [results.json]`.

With the `results.json` of `spikeloom paper winner-k`, its numbers are first put into winner-k.json beside this file,
rounded; pictures and tables follow from that file alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.sw.common.readable import decimal, number, percent
from spikeloom.sw.experiments.winner_k.pictures import FIGURES, svg

__all__ = ["NUMBERS", "PAGE", "PICTURES", "draw", "kept", "page", "table", "wires"]

FOLDER = Path(__file__).parent
NUMBERS = FOLDER / "winner-k.json"
PAGE = FOLDER.parent / "winner-k.md"
PICTURES = {
    name: FOLDER / f"winner-k-{name}.svg"
    for name in ("one-image", "figure-3", "figure-4", "figure-7", "figure-8", "sensitivity")
}
_KEYS = (
    *("seeds", "t_max", "lifetime_threshold", "networks", "cases", "variants", "savings", "targets", "motivation"),
    *("example", "verilog", "sensitivity"),
)
_WIRES = ("as-above", "wires", "narrow-wires", "bearable")
"""Rows of the table about wires."""


def kept(results: Mapping[str, Any]) -> dict[str, Any]:
    """What of `results.json` the pictures and the table need, rounded to five digits."""
    if results["quick"]:
        raise ValueError(
            "The page shows a full run: give the results.json of `spikeloom paper winner-k` without --quick"
        )
    return _rounded({key: results[key] for key in _KEYS})


def draw(numbers: Mapping[str, Any]) -> dict[str, str]:
    """The pictures as SVG text that names no other file, without white space at the ends of lines."""
    return {name: _bare(svg(FIGURES[name](numbers))) for name in PICTURES}


def _bare(text: str) -> str:
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", text, flags=re.S)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    return re.sub(r"[ \t]+\n", "\n", text).lstrip()


def table(numbers: Mapping[str, Any]) -> str:
    """The table of cases in Markdown, the paper's numbers in brackets."""
    lines = [
        "| | k | accuracy | steps | steps with drift | crossbar energy (µJ) | lifetime (images) |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in (*numbers["cases"], *numbers["variants"]):
        paper, k = case["paper"], case["k"]
        theirs = [paper[name] for name in ("steps_static", "steps_mean", "crossbar_energy_J", "lifetime_images")]
        steps, drifting, joules, images = theirs
        ours = (
            "none" if k is None else ", ".join(map(str, k)) if isinstance(k, list) else str(k),
            f"{percent(case['accuracy'])} ± {100 * case['accuracy_std']:.2f}",
            decimal(case["static_steps"]) + _brackets(None if steps is None else decimal(steps)),
            decimal(case["steps_mean"]) + _brackets(None if drifting is None else decimal(drifting)),
            decimal(1e6 * case["crossbar_energy_J"]) + _brackets(None if joules is None else decimal(1e6 * joules)),
            ("no end" if case["lifetime_images"] is None else number(case["lifetime_images"]))
            + _brackets(None if images is None else number(images)),
        )
        lines.append(f"| {case['name']} | {' | '.join(ours)} |")
    return "\n".join(lines) + "\n"


def wires(numbers: Mapping[str, Any]) -> str:
    """The table about wires in Markdown: 99N and OT of one seed, with ideal wires and with others."""
    rows = {row["name"]: row for row in numbers["sensitivity"]}
    lines = [
        f"| {number(rows[_WIRES[0]]['images'])} images: 99N, OT "
        "| accuracy | steps | crossbar energy (µJ) | lifetime (images) |",
        "|---|---|---|---|---|",
    ]
    for row in (rows[name] for name in _WIRES):
        cases = [row["cases"][name] for name in ("99N", "OT")]
        columns = (
            [percent(case["accuracy"], 1) for case in cases],
            [decimal(case["steps_mean"]) for case in cases],
            [decimal(1e6 * case["crossbar_energy_J"]) for case in cases],
            [number(case["lifetime_images"]) for case in cases],
        )
        lines.append(f"| {row['assumption']} | {' | '.join(', '.join(column) for column in columns)} |")
    return "\n".join(lines) + "\n"


def page(text: str, numbers: Mapping[str, Any]) -> str:
    """The page's text with the tables as the numbers have them."""
    for name, lines in (("table", table(numbers)), ("wires", wires(numbers))):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = before + begin + lines + end + rest.split(end)[1]
    return text


def main(arguments: list[str]) -> None:
    """Take over the numbers of a run, if one is given; then draw, and write the tables."""
    if arguments:
        numbers = kept(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
        NUMBERS.write_text(json.dumps(numbers, separators=(",", ":")) + "\n", encoding="utf-8")
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8"))
    for name, text in draw(numbers).items():
        PICTURES[name].write_text(text, encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), numbers), encoding="utf-8")


def _brackets(text: str | None) -> str:
    return "" if text is None else f" ({text})"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
