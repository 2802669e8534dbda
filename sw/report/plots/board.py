"""Bars of the cells of an FPGA by part of the design."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikeloom.hw.boards.family import Usage
from spikeloom.sw.report.plots.style import GREY, GRID, INK, SERIES, STYLE, new_figure

__all__ = ["board_cells"]

_KINDS = (("luts", "look-up tables"), ("flip_flops", "flip-flops"), ("block_rams", "block memories"))


def board_cells(parts: Mapping[str, Usage], capacity: Usage, rest: str) -> Figure:
    """A panel each for look-up tables, flip-flops and block memories: a bar per part, and the share of the device.

    Parameters
    ----------
    parts : part -> its cells, in the order of the bars
    capacity : of the device
    rest : the part that is grey
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.0, 1.3 + 0.34 * len(parts), columns=len(_KINDS), sharey=True)
        for number, (kind, words) in enumerate(_KINDS):
            ax: Axes = axes[0, number]
            values = [getattr(usage, kind) for usage in parts.values()]
            total, there = sum(values), getattr(capacity, kind)
            for row, (name, value) in enumerate(zip(parts, values, strict=True)):
                colour = GREY if name == rest else SERIES[row % len(SERIES)]
                ax.barh(row, value, height=0.68, color=colour)
                ax.annotate(
                    f"{value:,}", (value, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
                )
            share = f"{100 * total / there:.1f} % of {there:,}" if there else "none there"
            ax.set_title(f"{words}: {total:,}", loc="left")
            ax.set_xlabel(share)
            ax.set_xlim(0.0, 1.28 * max(values, default=1) or 1.0)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.grid(axis="x", color=GRID)
            ax.tick_params(axis="y", colors=INK, length=0)
        axes[0, 0].set_yticks(range(len(parts)), list(parts))
        axes[0, 0].set_ylim(len(parts) - 0.5, -0.5)
        return figure
