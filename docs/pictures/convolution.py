"""Writes convolution.svg beside this file: `python -m docs.pictures.convolution`.

Left: two maps with the window of one output position, and of the shortcut that joins it. Middle: the crossbar whose
rows they are. Right: the map that its columns write. Numbers come from `hw.params.plan`.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sw.report.plots.style import BLUE, GREY, INK, ORANGE, STYLE, new_figure

__all__ = ["PICTURE", "picture"]

PICTURE = Path(__file__).with_name("convolution.svg")
SOURCE, SHORTCUT = MapShape(channels=2, height=6, width=6), MapShape(channels=3, height=6, width=6)
KERNEL = Window(source=1, kernel=(3, 3), padding=(1, 1))
JOINED = Window(source=0)
OUTPUTS, POSITION = 3, (3, 2)
_CELL = 0.3


def picture() -> str:
    """The picture as SVG text; the same bytes every time, and no addresses in it."""
    with matplotlib.rc_context(STYLE):
        figure, ((axes,),) = new_figure(10.0, 5.4, 1, 1)
        axes.set(xlim=(0, 14), ylim=(-0.25, 7.4), aspect="equal")
        axes.axis("off")
        _draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.S)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def _draw(axes: Axes) -> None:
    y, x = POSITION
    down, right = (c * s - p for c, s, p in zip(POSITION, KERNEL.stride, KERNEL.padding, strict=True))
    _map(axes, 0.3, 4.1, SOURCE, (down, right, *KERNEL.kernel), BLUE, f"map of {SOURCE.channels} channels")
    _map(axes, 0.3, 0.6, SHORTCUT, (y, x, 1, 1), ORANGE, f"shortcut's map, {SHORTCUT.channels} channels")
    rows = (KERNEL.rows(SOURCE), JOINED.rows(SHORTCUT))
    height = 0.25
    left, bottom = 6.1, 0.9
    for row in range(sum(rows)):
        colour = BLUE if row < rows[0] else ORANGE
        at = bottom + (sum(rows) - 1 - row) * height
        axes.plot([left - 0.45, left + OUTPUTS * 0.55], [at + height / 2] * 2, color=colour, lw=0.8)
        for column in range(OUTPUTS):
            axes.add_patch(Rectangle((left + 0.1 + column * 0.55, at + 0.05), 0.3, 0.15, fc=colour, ec="none"))
    for column in range(OUTPUTS):
        axes.plot(
            [left + 0.25 + column * 0.55] * 2, [bottom - 0.3, bottom + sum(rows) * height], color=INK, lw=0.8, zorder=0
        )
    top = bottom + sum(rows) * height
    axes.text(left + 0.8, top + 0.3, f"one crossbar: {sum(rows)} rows, {OUTPUTS} columns", ha="center")
    axes.text(left + 0.8, bottom - 0.7, "ADC, bias, neurons of position (3, 2)", ha="center", va="center")
    kernel_y = bottom + (sum(rows) - rows[0] / 2) * height
    _arrow(axes, (2.9, 5.3), (left - 0.55, kernel_y), BLUE)
    size = " x ".join(map(str, KERNEL.kernel))
    axes.text(4.2, 5.75, f"{size} x {SOURCE.channels} =\n{rows[0]} rows", ha="center", color=BLUE)
    _arrow(axes, (3.2, 1.8), (left - 0.55, bottom + rows[1] * height / 2), ORANGE)
    axes.text(4.2, 0.6, f"1 x 1 x {SHORTCUT.channels} =\n{rows[1]} rows", ha="center", color=ORANGE)
    shape = MapShape(channels=OUTPUTS, height=KERNEL.outputs(SOURCE)[0], width=KERNEL.outputs(SOURCE)[1])
    _map(axes, 10.6, 2.4, shape, (y, x, 1, 1), INK, f"map that it makes, {OUTPUTS} channels")
    _arrow(axes, (left + 2.1, bottom + 2.5), (10.4, 3.4), INK)
    axes.text(9.0, 4.1, "spikes: one word\nper position", ha="center")
    axes.text(12.0, 1.75, f"{shape.positions} positions, {shape.positions} reads per step", ha="center")


def _map(
    axes: Axes, x: float, y: float, shape: MapShape, window: tuple[int, int, int, int], colour: str, title: str
) -> None:
    """Channels one behind the other, the window's values filled; (x, y) is the lower left corner of the first."""
    for channel in reversed(range(shape.channels)):
        dx, dy = x + 0.28 * channel, y + 0.28 * channel
        for line in range(shape.height):
            for place in range(shape.width):
                inside = window[0] <= line < window[0] + window[2] and window[1] <= place < window[1] + window[3]
                axes.add_patch(
                    Rectangle(
                        (dx + place * _CELL, dy + (shape.height - 1 - line) * _CELL), _CELL, _CELL,
                        fc=colour if inside else "white", ec=GREY, lw=0.6, zorder=2 + shape.channels - channel,
                    )
                )  # fmt: skip
    axes.text(x + 1.2, y + shape.height * _CELL + 0.28 * (shape.channels - 1) + 0.2, title, ha="center")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=colour, lw=1.2))


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
