"""The common style of the report's plots, and the embedding of figures in a page.

Pictures are the same bytes for the same numbers: no dates, a fixed hash salt for SVG identifiers, the fonts that come
with matplotlib.
"""

from __future__ import annotations

import base64
import io
from typing import Any, Literal, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

__all__ = ["axes_or_new", "data_uri", "large_ticks", "legend_above", "new_figure", "whole_ticks"]

INK, MUTED, GRID = "#1f2933", "#66727f", "#e3e8ee"
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2563a8", "#d9822b", "#2f8f5b", "#c2413b", "#7a5ba6", "#9aa5b1"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, "#3aa6a6", "#b58900", "#8c564b", "#e377c2", "#5c6bc0")

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "figure.facecolor": "white",
    "svg.hashsalt": "spikeloom",
    "svg.fonttype": "path",
}


def data_uri(figure: Figure, kind: str = "svg") -> str:
    """The figure as a `data:` address for an `img` element; `kind` is "svg" or "png" (150 dots per inch)."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: object
) -> tuple[Figure, NDArray[np.object_]]:
    """A figure in the common style and its axes [rows, columns]; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)  # type: ignore[call-overload]
    return figure, axes


def axes_or_new(axes: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """The axes to draw into with their figure: those given, or those of a new figure of this size, inches."""
    if axes is None:
        figure, made = new_figure(width, height)
        return figure, made[0, 0]
    return cast(Figure, axes.get_figure(root=True)), axes


def legend_above(ax: Axes, columns: int = 3, size: float = 8.5) -> None:
    """The legend of the axes in rows of `columns` above them, where it covers nothing; a title goes above it."""
    entries = len(ax.get_legend_handles_labels()[0])
    if not entries:
        return
    rows = -(-entries // columns)
    ax.legend(
        frameon=False, fontsize=size, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2
    )
    for place in ("left", "center"):
        if ax.get_title(loc=place):
            ax.set_title(ax.get_title(loc=place), loc=place, pad=6.0 + rows * (size + 5.5))


def large_ticks(axis: Axis, most: int | Literal["auto"] = "auto") -> None:
    """Ticks at whole numbers, large ones with k, M, G; no factor in a corner, which would lie on the label."""
    whole_ticks(axis, most)
    axis.set_major_formatter(EngFormatter(sep=" "))


def whole_ticks(axis: Axis, most: int | Literal["auto"] = "auto") -> None:
    """Ticks at whole numbers only."""
    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))
