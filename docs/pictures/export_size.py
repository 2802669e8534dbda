"""The table of sizes in hardware/export/verilog.md: `python -m docs.pictures.export_size`.

Exports units with the parameters that the examples have after training, counts files, lines, processes and waivers, and
writes them between the marks of the page, beside those of Yosys' output that the text replaced. The changelog has those
of the first row in a sentence, which is written, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters, Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sw.common.marked_text import between_marks

__all__ = ["BEGIN", "CHANGELOG", "END", "PAGE", "UNITS", "Size", "renewed_changelog", "row", "size"]

BEGIN, END = "<!-- export size: begin -->\n", "<!-- export size: end -->"
_ROOT = Path(__file__).resolve().parents[2]
PAGE = _ROOT / "docs" / "hardware" / "export" / "verilog.md"
CHANGELOG = _ROOT / "CHANGELOG.md"
_SENTENCE = re.compile(
    r"Of the digits example it has [\d,]+ files, [\d,]+ lines and [\d,]+ processes,(\s.*?)\sand [\d,]+ of", re.S
)
_HEAD = "| export | files | lines | processes | different modules | waivers of Verilator |\n|---|---|---|---|---|---|\n"


class Size(NamedTuple):
    """Of an export without the module around the unit that has the macros."""

    files: int
    lines: int
    processes: int
    modules: int
    waivers: int


class Unit(NamedTuple):
    """A row: what is exported, and the size of Yosys' output for it."""

    files: Callable[[], Mapping[str, str]]
    before: Size


def _layer(inputs: int, outputs: int, theta: int, bias: int, **others: Any) -> LayerParameters:
    """A layer whose neurons subtract, and do nothing else."""
    given = {"adc_bits": 8, "max_steps": 20, "leak": False, "clip": False, "resets": (Reset.SUBTRACT,)} | others
    return LayerParameters(inputs=inputs, outputs=outputs, max_theta=theta, max_bias=bias, **given)


def _digits() -> NpuParameters:
    tiles = {"tile_rows": 32, "tile_columns": 16, "lanes": 8}
    layers = (_layer(64, 128, 31, 7, **tiles), _layer(128, 64, 31, 3, **tiles), _layer(64, 10, 127, 3, **tiles))
    return NpuParameters(layers=layers, max_steps=20, encoder_lanes=16, codings=(Coding.EVEN,))


def _residual() -> NpuParameters:
    def conv(source: int, stride: int = 1) -> Window:
        return Window(source=source, kernel=(3, 3), stride=(stride, stride), padding=(1, 1))

    def shortcut(source: int, stride: int = 1) -> Window:
        return Window(source=source, kernel=(1, 1), stride=(stride, stride))

    windows = (
        (conv(0),),
        (conv(1),),
        (conv(2), shortcut(1)),
        (conv(3, 2),),
        (conv(4), shortcut(3, 2)),
        (Window(source=5, kernel=(4, 4)),),
    )
    stages = tuple(CrossbarStage(layer=number, windows=each) for number, each in enumerate(windows))
    sizes = ((9, 12, 15, 7), (108, 12, 31, 31), (120, 12, 15, 15), (108, 24, 63, 63), (228, 24, 15, 31))
    tiles = {"tile_rows": 128, "tile_columns": 32}
    layers = tuple(
        _layer(*each, lanes=12, positions=64 if number < 3 else 16, max_gain_shift=int(number == 1), **tiles)
        for number, each in enumerate(sizes)
    )
    layers = (*layers, _layer(384, 10, 255, 127, lanes=10, max_gain_shift=3, **tiles))
    plan = Plan(input=MapShape(channels=1, height=8, width=8), stages=stages, channels=(12, 12, 12, 24, 24, 10))
    return NpuParameters(layers=layers, plan=plan, max_steps=20, encoder_lanes=16, codings=(Coding.EVEN,))


def _large() -> NpuParameters:
    sizes = (784, 1000, 30, 10)
    ranges = {"max_gain_shift": 3, "max_steps": 20}
    layers = tuple(
        LayerParameters(inputs=a, outputs=b, lanes=min(16, b), max_theta=31, max_bias=63, **ranges)
        for a, b in pairwise(sizes)
    )
    return NpuParameters(layers=layers, max_steps=20, encoder_lanes=16)


UNITS: dict[str, Unit] = {
    "`digits`, 64-128-64-10": Unit(lambda: export_verilog(_digits()), Size(52, 15540, 417, 33, 1080)),
    "the same, buses": Unit(lambda: export_axi(_digits()), Size(65, 25056, 527, 42, 1662)),
    "`residual_digits`, convolutional": Unit(lambda: export_verilog(_residual()), Size(116, 33169, 971, 68, 1978)),
    "784-1000-30-10, 16 lanes": Unit(lambda: export_verilog(_large()), Size(52, 19829, 543, 34, 1137)),
}
"""Rows by their titles."""


def size(files: Mapping[str, str]) -> Size:
    """Counts of an export: file name -> text."""
    texts = {name: text for name, text in files.items() if name.endswith(".sv") and not name.endswith("chip.sv")}
    whole = "".join(texts.values())
    waived = [line for line in files["waivers.vlt"].splitlines() if "-match" in line and "chip.sv" not in line]
    processes = len(re.findall(r"\balways_(?:ff|comb)\b", whole))
    return Size(len(texts), whole.count("\n"), processes, len(re.findall(r"^module ", whole, re.M)), len(waived))


def row(title: str, now: Size) -> str:
    """A line of the table."""
    pairs = zip(UNITS[title].before, now, strict=True)
    return f"| {title} | {' | '.join(f'{before:,} -> {after:,}' for before, after in pairs)} |\n"


def renewed_changelog(text: str, now: Size) -> str:
    """The changelog with the first row's sizes. Raises `ValueError` for one without the sentence."""
    words = f"Of the digits example it has {now.files} files, {now.lines:,} lines and {now.processes} processes,"
    renewed, count = _SENTENCE.subn(lambda match: f"{words}{match[1]} and {now.waivers} of", text)
    if count != 1:
        raise ValueError(f"The changelog must say once what the digits example has, not {count} times")
    return renewed


def main() -> None:
    """Count, and write both pages."""
    sizes = {title: size(unit.files()) for title, unit in UNITS.items()}
    text = _HEAD + "".join(row(title, now) for title, now in sizes.items())
    PAGE.write_text(between_marks(PAGE.read_text(encoding="utf-8"), "export size", text), encoding="utf-8")
    first = next(iter(sizes.values()))
    CHANGELOG.write_text(renewed_changelog(CHANGELOG.read_text(encoding="utf-8"), first), encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
