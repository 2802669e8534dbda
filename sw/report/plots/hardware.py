"""Bars of components: areas, or energies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sw.report.plots.style import BLUE, GREY, INK, STYLE, new_figure

__all__ = ["component_bars"]


def component_bars(values: Mapping[str, float], label: str, text: Callable[[float], str], most: int = 16) -> Figure:
    """A bar per component, the largest first, the rest as one; `text` is what stands beside a bar."""
    with matplotlib.rc_context(STYLE):
        order = sorted(values, key=lambda name: (-values[name], name))
        rows = {name: values[name] for name in order[:most]}
        if len(order) > most:
            rows["other"] = sum(values[name] for name in order[most:])
        figure, axes = new_figure(8.6, 1.0 + 0.32 * len(rows))
        ax: Axes = axes[0, 0]
        for row, (name, value) in enumerate(rows.items()):
            ax.barh(row, value, height=0.68, color=GREY if name == "other" else BLUE)
            ax.annotate(text(value), (value, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(0.0, 1.18 * max(rows.values(), default=1.0) or 1.0)
        ax.set_xticks([])
        ax.set_xlabel(label)
        return figure
