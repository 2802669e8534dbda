"""Plots of drift: read pulses of the rows, their effect on every level, and accuracy against images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.drift import DriftedCells
from spikeloom.sw.common.labels import layer_label
from spikeloom.sw.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    SERIES,
    STYLE,
    large_ticks,
    legend_above,
    new_figure,
    whole_ticks,
)

__all__ = ["DRIFT_PICTURES", "drift_figures", "level_drift", "lifetime", "row_pulses"]

DRIFT_PICTURES = ("row_pulses", "level_drift", "lifetime")
"""Names of the pictures that `drift_figures` may give."""

_COLUMNS = 3


def drift_figures(
    chip: ProgrammedChip, cells: DriftedCells | None, measured: Mapping[str, Any] | None
) -> dict[str, Figure]:
    """The pictures that can be drawn from what is known."""
    figures: dict[str, Figure] = {}
    if cells is not None:
        names = [layer_label(layer.name) for layer in chip.layers]
        figures["row_pulses"] = row_pulses(cells.drift.row_pulses, names)
        figures["level_drift"] = level_drift(cells.levels, cells.before, cells.after)
    if measured is not None:
        figures["lifetime"] = lifetime(measured)
    return figures


def row_pulses(pulses: Sequence[NDArray[np.integer]], names: Sequence[str]) -> Figure:
    """How many rows of a layer have had how many read pulses, int [rows] of every layer; a panel per layer."""
    with matplotlib.rc_context(STYLE):
        columns = min(_COLUMNS, len(pulses))
        rows = -(-len(pulses) // columns)
        figure, axes = new_figure(9.4, 0.4 + 2.5 * rows, rows=rows, columns=columns)
        ax: Axes
        for ax in axes.ravel()[len(pulses) :]:
            ax.set_visible(False)
        for index, (counts, name) in enumerate(zip(pulses, names, strict=True)):
            ax = axes.ravel()[index]
            top = int(counts.max())
            width = max(1, -(-(top + 1) // 40))
            ax.hist(counts, bins=(np.arange(0, top + width + 1, width) - 0.5).tolist(), color=SERIES[index % 4])
            ax.axvline(float(counts.mean()), color=INK, linestyle="--", linewidth=1.1)
            silent = int((counts == 0).sum())
            ax.set_title(f"{name}: {len(counts):,} rows" + (f", {silent:,} never driven" if silent else ""), loc="left")
            ax.set_xlabel("read pulses since programming")
            large_ticks(ax.xaxis, 4)
            ax.grid(axis="y")
            whole_ticks(ax.yaxis, 5)
        for ax in axes[:, 0]:
            ax.set_ylabel("rows")
    return figure


def level_drift(levels: NDArray[np.uint8], before: NDArray[np.float64], after: NDArray[np.float64]) -> Figure:
    """Conductances of cells of each level, before and after, in levels, all float64 [cells]; and their change."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 3.6, columns=2)
        known = np.unique(levels)
        left, right = axes[0]
        top = int(known.max())
        left.plot([0, top], [0, top], color=GREY, linewidth=1.0, linestyle=":")
        for values, colour, name, side in ((before, BLUE, "before", -0.12), (after, ORANGE, "after", 0.12)):
            middle, low, high = _spread(levels, values, known)
            errors = np.stack([middle - low, high - middle])
            left.errorbar(known + side, middle, errors, fmt="o", color=colour, markersize=4, linewidth=1.2, label=name)
        left.set_ylabel("conductance (levels)")
        left.set_title("before and after the images", loc="left")
        legend_above(left)
        middle, low, high = _spread(levels, after - before, known)
        right.axhline(0.0, color=GREY, linewidth=1.0)
        right.fill_between(known, low, high, color=GREEN, alpha=0.25, linewidth=0, label="5 % .. 95 % of the cells")
        right.plot(known, middle, "-o", color=GREEN, markersize=4, label="median")
        right.set_ylabel("change (levels)")
        right.set_title("change", loc="left")
        legend_above(right)
        for ax in (left, right):
            ax.set_xlabel("level that was programmed")
            whole_ticks(ax.xaxis)
            ax.grid()
    return figure


def _spread(
    levels: NDArray[np.uint8], values: NDArray[np.float64], known: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Median, 5 % and 95 % quantile of the cells of each known level."""
    found = np.array([np.quantile(values[levels == level], (0.5, 0.05, 0.95)) for level in known])
    return found[:, 0], found[:, 1], found[:, 2]


def lifetime(measured: Mapping[str, Any]) -> Figure:
    """Accuracy against images since programming, of every programming that was looked at, with the threshold.

    `measured` is that of `sw.analysis.lifetime.measure_lifetime`. What fresh cells give is drawn at the left edge.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 3.8)
        ax: Axes = axes[0, 0]
        refresh = measured["refresh"]
        programmings = refresh["programmings"]
        many = len(programmings) > 1
        last = max(max(point["images"] for point in one["points"]) for one in programmings)
        first = 10 ** max(0.0, np.floor(np.log10(max(1, last))) - 4.0)  # the bend, and not the decades before it
        for number, one in reversed(list(enumerate(programmings, 1))):
            points = one["points"]
            images = np.array([max(point["images"], first) for point in points], float)
            shown = [point["images"] == 0 or point["images"] >= first for point in points]
            accuracy = np.array([100.0 * point["accuracy"] for point in points])
            colour, label = (BLUE, "first programming" if many else "accuracy") if number == 1 else (GREY, None)
            label = "later programmings" if number == 2 else label
            line = "-o" if number == 1 else "o"  # of later ones there often are two points only
            ax.plot(images[shown], accuracy[shown], line, color=colour, markersize=3.5, linewidth=1.4, label=label)
        ax.axhline(100.0 * measured["threshold"], color=RED, linestyle="--", linewidth=1.1, label="threshold")
        if measured["images"]:
            ax.axvline(measured["images"], color=RED, linewidth=1.1, label=f"lifetime: {measured['images']:,} images")
        interval = refresh["interval"]
        if interval and interval != measured["last_good"]:
            ax.axvline(interval, color=GREEN, linewidth=1.1, label=f"interval: {interval:,} images")
        if first <= refresh["every"] <= last:
            ax.axvline(refresh["every"], color=ORANGE, linestyle=":", linewidth=1.6, label="refreshed here")
        ax.set_xscale("log")
        ax.set_xlabel("images since programming" + ("" if first == 1.0 else f" (fresh cells at {first:,.0f})"))
        ax.set_ylabel("accuracy")
        ax.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        ax.grid()
        legend_above(ax)
    return figure
