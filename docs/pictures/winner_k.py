"""Pictures and table of winner-k.md, from the numbers of a full run: `python -m docs.pictures.winner_k [results.json]`.

With the `results.json` of `spikeloom paper winner-k`, its numbers are first put into winner-k.json beside this file,
rounded; pictures and table follow from that file alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sw.paper.pictures import FIGURES, svg
from sw.readable import decimal, number, percent

__all__ = ["NUMBERS", "PAGE", "PICTURES", "draw", "kept", "table"]

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
_BEGIN, _END = "<!-- table: begin -->\n", "<!-- table: end -->"


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
        "| | k | accuracy | steps | steps with drift | energy (µJ) | lifetime (images) |",
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


def page(text: str, numbers: Mapping[str, Any]) -> str:
    """The page's text with the table as the numbers have it."""
    before, rest = text.split(_BEGIN)
    return before + _BEGIN + table(numbers) + _END + rest.split(_END)[1]


def main(arguments: list[str]) -> None:
    """Take over the numbers of a run, if one is given; then draw, and write the table."""
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
