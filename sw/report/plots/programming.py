"""Plots of programming by pulses: final conductances, number of pulses, and failed cells."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from spikeloom.sw.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    STYLE,
    legend_above,
    new_figure,
    whole_ticks,
)

__all__ = ["failed_pairs", "pulses_histogram", "target_against_reached", "weight_errors"]

_MOST_PIXELS = 500


def target_against_reached(
    target: NDArray[np.floating], reached: NDArray[np.floating], failed: NDArray[np.bool_], tolerance: float
) -> Figure:
    """Every cell once, in levels: what was wanted, and the conductance it holds. Arrays of one shape.

    Cells within the tolerance are counted in boxes, `failed` ones are points of their own, a little apart from one
    another so that their number can be seen.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(5.2, 4.0)
        ax: Axes = axes[0, 0]
        good = ~failed
        top = float(max(target.max(initial=1.0), reached.max(initial=1.0)))
        bins = np.arange(-0.5, top + 0.75, 0.125)
        centres = np.arange(-0.5, top + 1.0, 1.0)
        if good.any():
            picture = ax.hist2d(
                target[good].ravel(), reached[good].ravel(), bins=(centres, bins), cmap="Blues", norm=LogNorm(vmin=0.5)
            )[3]
            bar = figure.colorbar(picture, ax=ax, shrink=0.9, pad=0.02)
            bar.outline.set_visible(False)
            bar.set_label("cells")
        ends = np.array([-0.5, top + 0.5])
        for side, label in ((-tolerance, None), (tolerance, "tolerance")):
            ax.plot(ends, ends + side, color=GREY, linewidth=0.9, linestyle="--", label=label)
        lost = np.flatnonzero(failed)
        if len(lost):
            x, y = target.ravel()[lost], reached.ravel()[lost]
            apart = ((lost * 0.6180339887) % 1.0 - 0.5) * 0.7  # no random numbers: the same picture every time
            size = float(np.clip(1200.0 / len(lost), 1.5, 9.0))
            ax.scatter(x + apart, y, s=size, color=RED, linewidths=0, label="failed", rasterized=True, zorder=3)
        ax.set_xlim(-0.6, top + 0.6)
        ax.set_ylim(-0.8, top + 0.9)
        ax.set_xlabel("target (levels)")
        ax.set_ylabel("reached (levels)")
        whole_ticks(ax.xaxis)
        whole_ticks(ax.yaxis)
        legend_above(ax)
    return figure


def weight_errors(first: NDArray[np.floating], final: NDArray[np.floating] | None = None, reach: float = 0.5) -> Figure:
    """How far the weights (p - n) are from what was wanted, in levels; after the first pass, and after the second.

    `reach` is the error up to which a weight counts as reached: twice the tolerance, as two cells may be that far off.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(5.2, 4.0)
        ax: Axes = axes[0, 0]
        most = float(max(np.abs(first).max(initial=0.0), 0.0 if final is None else np.abs(final).max(initial=0.0)))
        most = max(1.0, np.ceil(most + 0.25))
        bins = np.arange(-most - 0.125, most + 0.25, 0.25).tolist()
        ax.axvspan(-reach, reach, color=GREEN, alpha=0.12, linewidth=0, label="as good as wanted")
        ax.hist(first.ravel(), bins=bins, color=ORANGE if final is not None else BLUE, label="after the first pass")
        if final is not None:
            ax.hist(final.ravel(), bins=bins, histtype="step", color=BLUE, linewidth=1.6, label="fault-aware")
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5)
        ax.set_xlim(-most - 0.3, most + 0.3)
        ax.set_xlabel("weight reached - target (levels)")
        ax.set_ylabel("cell pairs")
        ax.grid(axis="y")
        legend_above(ax)
    return figure


def pulses_histogram(pulses: NDArray[np.integer], failed: NDArray[np.bool_]) -> Figure:
    """How many pulses the cells took, those that came within the tolerance and those that were given up."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 3.0)
        ax: Axes = axes[0, 0]
        most = int(pulses.max(initial=0))
        width = max(1, -(-(most + 1) // 130))
        bins = np.arange(-0.5, most + width + 0.5, width).tolist()
        parts = [pulses[~failed].ravel(), pulses[failed].ravel()]
        ax.hist(parts, bins=bins, stacked=True, color=[BLUE, RED], label=["within the tolerance", "given up"])
        mean = float(np.mean(pulses)) if pulses.size else 0.0
        ax.axvline(mean, color=INK, linewidth=1.4, linestyle="--", label=f"mean {mean:.1f}")
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5)
        ax.set_xlim(bins[0], bins[-1])
        ax.set_xlabel("pulses of a cell")
        ax.set_ylabel("cells")
        whole_ticks(ax.xaxis)
        ax.grid(axis="y")
        legend_above(ax)
    return figure


def failed_pairs(maps: Sequence[NDArray[np.integer]], names: Sequence[str], tiles: Sequence[tuple[int, int]]) -> Figure:
    """Where cells failed: a panel per layer, integers [inputs, outputs], 0 fine, 1 weight reached nevertheless, 2 lost.

    tiles : rows and columns of a crossbar tile in each layer, whose borders are drawn where there is room
    """
    with matplotlib.rc_context(STYLE):
        widths = [float(np.clip(values.shape[1], 24, 160)) for values in maps]
        figure = Figure(figsize=(9.4, 4.2), layout="constrained")
        axes = figure.subplots(1, len(maps), squeeze=False, width_ratios=widths)
        colours = ListedColormap(["#eef2f6", GREEN, RED])
        for ax, values, name, tile in zip(axes[0], maps, names, tiles, strict=True):
            rows, columns = values.shape
            ax.imshow(
                _shrunk(values),
                cmap=colours,
                vmin=0,
                vmax=2,
                aspect="auto",
                interpolation="nearest",
                extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
            )
            if -(-rows // tile[0]) * -(-columns // tile[1]) <= 64:
                for edge in range(tile[0], rows, tile[0]):
                    ax.axhline(edge - 0.5, color="white", linewidth=1.2)
                for edge in range(tile[1], columns, tile[1]):
                    ax.axvline(edge - 0.5, color="white", linewidth=1.2)
            ax.set_title(name)
            ax.set_xlabel("column")
            whole_ticks(ax.xaxis, 4 if columns < 40 else "auto")
            whole_ticks(ax.yaxis)
        axes[0, 0].set_ylabel("row")
        kinds = [Patch(color=GREEN, label="failed cell, weight reached"), Patch(color=RED, label="weight lost")]
        figure.legend(handles=kinds, frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    return figure


def _shrunk(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """At most `_MOST_PIXELS` per side: the worst of each block stands for it, so that nothing that failed gets lost."""
    for axis in (0, 1):
        block = -(-values.shape[axis] // _MOST_PIXELS)
        values = np.maximum.reduceat(values, np.arange(0, values.shape[axis], block), axis=axis)
    return values
