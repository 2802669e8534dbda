"""The report's pictures: one function each, numbers in, `matplotlib` figure out, one style.

Nothing here reads files or knows about runs. Pictures are the same bytes for the same numbers: no dates, a fixed
hash salt for SVG identifiers, the fonts that come with matplotlib.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

__all__ = [
    "accuracy_by_steps",
    "cells",
    "conductance",
    "data_uri",
    "energy",
    "latency_histogram",
    "membranes",
    "raster",
    "steps_histogram",
    "waterfall",
]

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
    """The figure as a `data:` address for an `img` element; `kind` is "svg" or "png" (150 dots an inch)."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _new(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: object
) -> tuple[Figure, NDArray[np.object_]]:
    """A figure in the common style and its axes [rows, columns]; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)  # type: ignore[call-overload]
    return figure, axes


def _whole(axis: Axis, most: int | Literal["auto"] = "auto") -> None:
    """Ticks at whole numbers only."""
    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def waterfall(stages: Sequence[tuple[str, float]]) -> Figure:
    """Accuracy after each stage of the conversion, and what each stage took or gave. Accuracies are 0 .. 1."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(8.6, 1.0 + 0.42 * len(stages))
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
        ax.grid(axis="x")
        ax.set_xlabel("accuracy (%)")
    return figure


def accuracy_by_steps(
    accuracies: Sequence[float], decided: tuple[float, float] | None = None, ann: float | None = None
) -> Figure:
    """Accuracy (0 .. 1) if all images stopped after 1, 2, ... steps; `decided` is the rule's (mean steps, accuracy)."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(5.2, 3.2)
        ax: Axes = axes[0, 0]
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
        _whole(ax.xaxis)
        ax.set_xlim(0.5, len(accuracies) + 0.5)
        ax.grid()
        ax.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def steps_histogram(steps: NDArray[np.integer], t_max: int) -> Figure:
    """How many images stopped after how many steps."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(5.2, 3.2)
        ax: Axes = axes[0, 0]
        counts = np.bincount(steps, minlength=t_max + 1)[1 : t_max + 1]
        share = 100 * counts / max(1, len(steps))
        ax.bar(np.arange(1, t_max + 1), share, color=BLUE, width=0.8)
        mean = float(np.mean(steps))
        ax.axvline(mean, color=ORANGE, linewidth=2, label=f"mean {mean:.2f}")
        ax.set_xlabel("steps used")
        ax.set_ylabel("images (%)")
        _whole(ax.xaxis)
        ax.set_xlim(0.3, t_max + 0.7)
        ax.grid(axis="y")
        ax.legend(frameon=False, fontsize=9)
    return figure


def latency_histogram(seconds: NDArray[np.floating]) -> Figure:
    """Distribution of the time from an image's first pixel to its decision, seconds."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(5.2, 3.0)
        ax: Axes = axes[0, 0]
        micro = 1e6 * np.asarray(seconds)
        ax.hist(micro, bins=min(40, max(5, len(micro) // 8)), color=BLUE)
        ax.axvline(float(np.mean(micro)), color=ORANGE, linewidth=2, label=f"mean {np.mean(micro):.2f} µs")
        ax.set_xlabel("latency (µs)")
        ax.set_ylabel("images")
        ax.grid(axis="y")
        ax.legend(frameon=False, fontsize=9)
    return figure


def raster(
    spikes: Sequence[NDArray[np.bool_]], names: Sequence[str], pixels: NDArray[np.uint8] | None = None
) -> Figure:
    """Every spike of one image: a panel a layer, bool [steps, neurons]; the image itself beside it if it is square."""
    with matplotlib.rc_context(STYLE):
        side = 0 if pixels is None else int(np.sqrt(pixels.size))
        square = pixels is not None and side * side == pixels.size
        figure = Figure(figsize=(9.4, 1.4 + 1.45 * len(spikes)), layout="constrained")
        grid = figure.add_gridspec(len(spikes), 2, width_ratios=[1.0, 3.2] if square else [0.001, 1.0])
        if pixels is not None and square:
            ax = figure.add_subplot(grid[:, 0])
            ax.imshow(pixels.reshape(side, side), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title("input")
            ax.spines[:].set_visible(True)
        panels = []
        for layer, (fired, name) in enumerate(zip(spikes, names, strict=True)):
            ax = figure.add_subplot(grid[layer, 1])
            step, neuron = np.nonzero(fired)
            thick = float(np.clip(52.0 / fired.shape[1], 0.6, 4.5))
            colour = SERIES[layer % 4]
            ax.hlines(neuron, step + 0.65, step + 1.35, linewidth=thick, color=colour, rasterized=True)
            ax.set_xlim(0.5, fired.shape[0] + 0.5)
            ax.set_ylim(-0.02 * fired.shape[1] - 0.5, 1.02 * fired.shape[1] - 0.5)
            _whole(ax.yaxis, 5)
            _whole(ax.xaxis)
            ax.set_ylabel("neuron")
            ax.set_title(f"{name}: {int(fired.sum())} spikes of {fired.shape[1]} neurons", loc="left")
            panels.append(ax)
        panels[-1].set_xlabel("step")
        figure.align_ylabels(panels)
    return figure


def membranes(
    values: Sequence[NDArray[np.integer]],
    names: Sequence[str],
    thresholds: Sequence[NDArray[np.integer]],
    most: int = 10,
) -> Figure:
    """Membranes after the reset, a panel a layer, int [steps, neurons]; thresholds of each step, int [steps].

    Of a layer with more than `most` neurons, those whose membranes come highest are drawn.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _new(9.4, 0.9 + 1.9 * len(values), rows=len(values))
        for layer, (trace, name, theta) in enumerate(zip(values, names, thresholds, strict=True)):
            ax: Axes = axes[layer, 0]
            highest = trace.max(axis=0).astype(np.int64)
            chosen = np.sort(np.argsort(-highest, kind="stable")[:most])
            steps = np.arange(1, trace.shape[0] + 1)
            for position, neuron in enumerate(chosen):
                colour = SERIES[position % len(SERIES)]
                ax.plot(steps, trace[:, neuron], "-o", markersize=2.5, linewidth=1.2, color=colour, label=f"{neuron}")
            ax.plot(steps, theta, color=INK, linestyle="--", linewidth=1.1, label="threshold", drawstyle="steps-mid")
            shown = "all neurons" if len(chosen) == trace.shape[1] else f"{len(chosen)} of {trace.shape[1]} neurons"
            ax.set_title(f"{name}: {shown}", loc="left")
            ax.set_ylabel("membrane (dG)")
            ax.set_xlim(0.5, trace.shape[0] + 0.5)
            _whole(ax.xaxis)
            ax.grid(axis="y")
            ax.legend(frameon=False, fontsize=7.5, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5), title=None)
        axes[-1, 0].set_xlabel("step")
        figure.align_ylabels(axes[:, 0])
    return figure


def conductance(target_S: NDArray[np.floating], programmed_S: NDArray[np.floating]) -> Figure:
    """One tile: target, programmed, and their difference, signed (G+ - G-), siemens [rows, columns]."""
    with matplotlib.rc_context(STYLE):
        rows, columns = target_S.shape
        height = float(np.clip(2.6 * rows / max(columns, 1), 2.3, 4.4))
        figure, axes = _new(9.4, height + 0.6, columns=3)
        limit = max(1e-3, 1e6 * float(max(np.abs(target_S).max(), np.abs(programmed_S).max())))
        error = np.round(1e6 * (programmed_S - target_S), 9)  # what is left of rounding is no error
        widest = max(1e-3, float(np.abs(error).max()))
        panels = (
            (1e6 * target_S, "target", "RdBu_r", limit),
            (1e6 * programmed_S, "programmed", "RdBu_r", limit),
            (error, "programmed - target" if error.any() else "no difference", "PuOr_r", widest),
        )
        for ax, (values, name, colours, bound) in zip(axes[0], panels, strict=True):
            picture = ax.imshow(
                values, cmap=colours, norm=TwoSlopeNorm(0.0, -bound, bound), aspect="auto", interpolation="nearest"
            )
            ax.set_title(name)
            ax.set_xlabel("column")
            for axis in (ax.xaxis, ax.yaxis):
                _whole(axis)
            ax.spines[:].set_visible(True)
            bar = figure.colorbar(picture, ax=ax, shrink=0.9, pad=0.02)
            bar.outline.set_visible(False)  # type: ignore[operator]
            bar.set_label("G⁺ - G⁻ (µS)" if name != panels[2][1] else "difference (µS)")
        axes[0, 0].set_ylabel("row")
    return figure


def energy(components_J: Mapping[str, float | None]) -> Figure:
    """Mean energy of an image by component, joules; components of None are left out."""
    with matplotlib.rc_context(STYLE):
        known = {name: value for name, value in components_J.items() if value is not None}
        figure, axes = _new(5.2, 0.9 + 0.42 * len(known))
        ax: Axes = axes[0, 0]
        largest = max([*known.values(), 1e-15])
        factor, unit = next(
            pair for pair in ((1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"), (0.0, "fJ")) if largest >= pair[0]
        )
        values = np.array(list(known.values()), dtype=float) / (factor or 1e-15)
        ax.barh(range(len(known)), values, color=[SERIES[i % 4] for i in range(len(known))], height=0.6)
        total = max(float(values.sum()), 1e-30)
        for row, value in enumerate(values):
            text = f"{value:.3g} {unit}  ({100 * value / total:.0f} %)"
            ax.annotate(text, (value, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set_yticks(range(len(known)), [name.upper() if len(name) == 3 else name for name in known])
        ax.tick_params(axis="y", colors=INK, length=0)
        ax.set_ylim(len(known) - 0.5, -0.5)
        ax.set_xlim(0, max(float(values.max(initial=0.0)), 1e-12) * 1.4)
        ax.set_xlabel(f"energy an image ({unit})")
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
        figure, axes = _new(9.4, 1.5 + 0.34 * len(names))
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
        ax.set_xlabel("cells (bits)")
        ax.grid(axis="x")
        ax.legend(frameon=False, fontsize=8.5, loc="lower right")
    return figure
