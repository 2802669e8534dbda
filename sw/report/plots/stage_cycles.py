"""Plot of a network's clock cycles, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sw.report.plots.style import BLUE, GREEN, GREY, INK, ORANGE, STYLE, large_ticks, legend_above, new_figure

__all__ = ["KINDS", "stage_cycles"]

KINDS = {
    "works": ("crossbar works, window with spikes", BLUE),
    "works_silent": ("neurons work, all-zero window", "#8fb8de"),
    "waits": ("waits for windows", ORANGE),
    "pools": ("pooling", GREEN),
    "closes": ("map complete, classes compared; image encoded", GREY),
}
"""What a stage's cycles are spent on: label and colour."""


def stage_cycles(names: Sequence[str], parts: Sequence[dict[str, float]], total: float) -> Figure:
    """Mean cycles of an image, a bar per stage with parts named as in `KINDS`; `total` is of the whole image."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 1.3 + 0.3 * len(names))
        ax: Axes = axes[0, 0]
        left = np.zeros(len(names))
        for kind, (label, colour) in KINDS.items():
            widths = np.array([part.get(kind, 0.0) for part in parts])
            if widths.any():
                ax.barh(range(len(names)), widths, left=left, color=colour, height=0.7, label=label)
            left += widths
        for row, value in enumerate(left):
            note = f"{value:,.0f}  ({100 * value / total:.0f} %)"
            ax.annotate(note, (value, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(0, max(1.0, float(left.max(initial=0.0))) * 1.17)
        large_ticks(ax.xaxis)
        ax.set_xlabel("clock cycles per image")
        ax.grid(axis="x")
        legend_above(ax)
    return figure
