"""Plots of the report: one function each, numbers in, `matplotlib` figure out, one style.

Where a function has `axes`, it draws into those that it is given, and returns their figure.

Nothing here reads files or knows about runs. The pictures of the chip's inside are in `sw.report.plots.traces` and
`sw.report.plots.feature_maps`, that of classes in `sw.report.plots.confusion`, that of clock cycles in
`sw.report.plots.stage_cycles`, those of standard cells in `sw.report.plots.hardware`, those of programming in
`sw.report.plots.programming`, the style in `sw.report.plots.style`; all are names of this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikeloom.sw.common.readable import share, si
from spikeloom.sw.report.plots.confusion import confusion
from spikeloom.sw.report.plots.feature_maps import feature_maps
from spikeloom.sw.report.plots.hardware import component_bars
from spikeloom.sw.report.plots.programming import failed_pairs, pulses_histogram, target_against_reached, weight_errors
from spikeloom.sw.report.plots.stage_cycles import stage_cycles
from spikeloom.sw.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    RED,
    SERIES,
    STYLE,
    axes_or_new,
    data_uri,
    large_ticks,
    legend_above,
    new_figure,
    whole_ticks,
)
from spikeloom.sw.report.plots.traces import conductance, membranes, raster

__all__ = [
    "accuracy_by_steps",
    "cells",
    "component_bars",
    "conductance",
    "confusion",
    "data_uri",
    "energy",
    "failed_pairs",
    "feature_maps",
    "latency_histogram",
    "membranes",
    "pulses_histogram",
    "raster",
    "stage_cycles",
    "steps_histogram",
    "target_against_reached",
    "waterfall",
    "weight_errors",
]


def waterfall(stages: Sequence[tuple[str, float]]) -> Figure:
    """Accuracy after each stage of the conversion, and what each stage took or gave. Accuracies are 0 .. 1."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 1.0 + 0.42 * len(stages))
        ax: Axes = axes[0, 0]
        values = [100.0 * accuracy for _, accuracy in stages]
        low, high = min(values), max(values)
        room = max(high - low, 0.5)
        rows = range(len(stages))
        for row, value in enumerate(values):
            before = values[row - 1] if row else value
            change = value - before
            colour = RED if change < 0 else GREEN
            if row:
                ax.plot([before, before], [row - 1, row], color=GREY, linewidth=0.8, zorder=1)
                ax.barh(row, change, left=before, height=0.5, color=colour, alpha=0.85, zorder=2)
            ax.plot(value, row, "o", color=BLUE if row == 0 else colour if change else MUTED, markersize=6, zorder=3)
            note = f"{value:.2f} %" + (f"  ({change:+.2f})" if row else "")
            ax.annotate(
                note, (max(value, before), row), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9
            )
        ax.set_yticks(rows, [name for name, _ in stages])
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(stages) - 0.5, -0.5)
        ax.set_xlim(low - 0.08 * room, high + 0.28 * room)
        ax.set_xticks([tick for tick in ax.get_xticks() if low - 0.08 * room <= tick <= 100.0])
        ax.grid(axis="x")
        ax.set_xlabel("accuracy (%)")
    return figure


def accuracy_by_steps(
    accuracies: Sequence[float],
    decided: tuple[float, float] | None = None,
    ann: float | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Accuracy (0 .. 1) if all images stopped after 1, 2, ... steps; `decided` is the rule's (mean steps, accuracy)."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.2)
        steps = np.arange(1, len(accuracies) + 1)
        ax.plot(steps, 100 * np.asarray(accuracies), "-o", color=BLUE, markersize=4, label="fixed number of steps")
        if decided is not None:
            ax.plot(
                decided[0],
                100 * decided[1],
                "D",
                color=ORANGE,
                markersize=8,
                label="decision rule (mean steps)",
                zorder=5,
            )
        if ann is not None:
            ax.axhline(100 * ann, color=GREY, linestyle="--", linewidth=1.2, label="source network")
        ax.set_xlabel("steps T")
        ax.set_ylabel("accuracy (%)")
        whole_ticks(ax.xaxis)
        ax.set_xlim(0.5, len(accuracies) + 0.5)
        ax.grid()
        legend_above(ax, 2)
    return figure


def steps_histogram(steps: NDArray[np.integer], t_max: int, axes: Axes | None = None) -> Figure:
    """How many images stopped after how many steps."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.2)
        counts = np.bincount(steps, minlength=t_max + 1)[1 : t_max + 1]
        share = 100 * counts / max(1, len(steps))
        ax.bar(np.arange(1, t_max + 1), share, color=BLUE, width=0.8)
        mean = float(np.mean(steps))
        ax.axvline(mean, color=ORANGE, linewidth=2, label=f"mean {mean:.2f}")
        ax.set_xlabel("steps used")
        ax.set_ylabel("images (%)")
        whole_ticks(ax.xaxis)
        ax.set_xlim(0.3, t_max + 0.7)
        ax.grid(axis="y")
        legend_above(ax)
    return figure


def latency_histogram(seconds: NDArray[np.floating]) -> Figure:
    """Distribution of the time that images take, seconds."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(5.2, 3.0)
        ax: Axes = axes[0, 0]
        micro = 1e6 * np.asarray(seconds)
        ax.hist(micro, bins=min(40, max(5, len(micro) // 8)), color=BLUE)
        ax.axvline(float(np.mean(micro)), color=ORANGE, linewidth=2, label=f"mean {np.mean(micro):.2f} µs")
        ax.set_xlabel("latency (µs)")
        ax.set_ylabel("images")
        ax.grid(axis="y")
        legend_above(ax)
    return figure


def energy(components_J: Mapping[str, Mapping[str, float] | None], axes: Axes | None = None) -> Figure:
    """Mean energy of an image by component, {"low", "typical", "high"} joules; components of None are left out. Bars
    are the typical figures, lines go from the lowest to the highest.
    """
    with matplotlib.rc_context(STYLE):
        known = {name: value for name, value in components_J.items() if value is not None}
        figure, ax = axes_or_new(axes, 5.2, 0.9 + 0.42 * len(known))
        largest = max([*(value["typical"] for value in known.values()), 1e-15])
        factor, unit = next(
            pair for pair in ((1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"), (0.0, "fJ")) if largest >= pair[0]
        )
        ends = np.array([[value[end] for end in ("low", "typical", "high")] for value in known.values()], float)
        low, values, high = ends.reshape(-1, 3).T / (factor or 1e-15)
        ax.barh(range(len(known)), values, color=[SERIES[i % 4] for i in range(len(known))], height=0.6)
        ax.hlines(range(len(known)), low, high, color=INK, linewidth=1.2)
        total = max(float(values.sum()), 1e-30)
        for row, (value, each) in enumerate(zip(values, known.values(), strict=True)):
            text = f"{si(each['typical'], 'J')}  ({share(value / total)})"
            place = (max(value, high[row]), row)
            ax.annotate(text, place, xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set_yticks(range(len(known)), [name.upper() if len(name) == 3 else name for name in known])
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(known) - 0.5, -0.5)
        ax.set_xlim(0, max(float(high.max(initial=0.0)), 1e-12) * 1.4)
        ax.set_xlabel(f"energy per image ({unit})")
        ax.grid(axis="x")
    return figure


def _largest(components: Mapping[str, Mapping[str, int]], most: int) -> dict[str, dict[str, int]]:
    """The largest components first, the others added up at the end."""
    order = sorted(components, key=lambda name: (-sum(components[name].values()), name))
    if len(order) <= most:
        return {name: dict(components[name]) for name in order}
    rest: dict[str, int] = {}
    for name in order[most - 1 :]:
        for kind, number in components[name].items():
            rest[kind] = rest.get(kind, 0) + number
    kept = {name: dict(components[name]) for name in order[: most - 1]}
    return {**kept, f"{len(order) - most + 1} others": rest}


def cells(components: Mapping[str, Mapping[str, int]], most: int = 7, rows: int = 16) -> Figure:
    """Cells (bits) of every component, stacked by kind; the `most` commonest kinds, the rest together.

    The `rows` largest components are drawn, the rest as one.
    """
    with matplotlib.rc_context(STYLE):
        components = _largest(components, rows)
        totals: dict[str, int] = {}
        for counts in components.values():
            for kind, number in counts.items():
                totals[kind] = totals.get(kind, 0) + number
        kinds = sorted(totals, key=lambda kind: (-totals[kind], kind))[:most]
        names = list(components)
        figure, axes = new_figure(9.4, 1.5 + 0.34 * len(names))
        ax: Axes = axes[0, 0]
        left = np.zeros(len(names))
        for position, kind in enumerate([*kinds, "other"]):
            if kind == "other":
                widths = [sum(n for k, n in components[name].items() if k not in kinds) for name in names]
                if not any(widths):
                    continue
            else:
                widths = [components[name].get(kind, 0) for name in names]
            colour = GREY if kind == "other" else SERIES[position % len(SERIES)]
            ax.barh(range(len(names)), widths, left=left, color=colour, height=0.68, label=kind)
            left += np.array(widths)
        for row, total in enumerate(left):
            ax.annotate(
                f"{int(total):,}", (total, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5
            )
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(0, max(1.0, float(left.max(initial=0.0))) * 1.1)
        large_ticks(ax.xaxis)
        ax.set_xlabel("cells (bits)")
        ax.grid(axis="x")
        legend_above(ax, 8)
    return figure
