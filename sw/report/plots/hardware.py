"""Bars of components: areas, or energies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from spikeloom.sw.report.plots.style import BLUE, GREY, GRID, INK, STYLE, new_figure

__all__ = ["component_bars"]


def component_bars(
    values: Mapping[str, float], label: str, unit: str, text: Callable[[float], str], most: int = 16
) -> Figure:
    """A bar per component, the largest first, the rest as one: all bars add up to all values.

    Parameters
    ----------
    values : component -> area or energy
    label, unit : of the axis; ticks have the unit, with a prefix, or none where it is empty
    text : what stands beside a bar
    most : bars beside that of the rest
    """
    with matplotlib.rc_context(STYLE):
        order = sorted(values, key=lambda name: (-values[name], name))
        rows = {name: values[name] for name in order[:most]}
        if left := order[most:]:
            rows[f"{len(left)} others"] = sum(values[name] for name in left)
        figure, axes = new_figure(8.6, 1.3 + 0.32 * len(rows))
        ax: Axes = axes[0, 0]
        for row, (name, value) in enumerate(rows.items()):
            ax.barh(row, value, height=0.68, color=BLUE if name in values else GREY)
            ax.annotate(text(value), (value, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(0.0, 1.18 * max(rows.values(), default=1.0) or 1.0)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        if unit:
            ax.xaxis.set_major_formatter(EngFormatter(unit=unit, sep=" "))
        ax.grid(axis="x", color=GRID)
        ax.set_xlabel(label)
        return figure
