"""Plots of the chip's internals: spikes and membranes of one image, conductances of one tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikeloom.sw.report.plots.style import INK, SERIES, STYLE, new_figure, whole_ticks

__all__ = ["conductance", "membranes", "raster"]


def raster(
    spikes: Sequence[NDArray[np.bool_]],
    names: Sequence[str],
    pixels: NDArray[np.uint8] | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Every spike of one image: a panel per layer, bool [steps, neurons]; the image itself beside it if it is square.

    With `axes`, those of the layers, the image is not drawn.
    """
    with matplotlib.rc_context(STYLE):
        side = 0 if pixels is None else int(np.sqrt(pixels.size))
        square = pixels is not None and side * side == pixels.size and axes is None
        if axes is None:
            figure = Figure(figsize=(9.4, 1.4 + 1.45 * len(spikes)), layout="constrained")
            grid = figure.add_gridspec(len(spikes), 2, width_ratios=[1.0, 3.2] if square else [0.001, 1.0])
        else:
            figure = cast(Figure, axes[0].get_figure(root=True))
        if pixels is not None and square:
            ax = figure.add_subplot(grid[:, 0])
            ax.imshow(pixels.reshape(side, side), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title("input")
            ax.spines[:].set_visible(True)
        panels = []
        for layer, (fired, name) in enumerate(zip(spikes, names, strict=True)):
            ax = figure.add_subplot(grid[layer, 1]) if axes is None else axes[layer]
            step, neuron = np.nonzero(fired)
            thick = float(np.clip(52.0 / fired.shape[1], 0.6, 4.5))
            colour = SERIES[layer % 4]
            ax.hlines(neuron, step + 0.65, step + 1.35, linewidth=thick, color=colour, rasterized=True)
            ax.set_xlim(0.5, fired.shape[0] + 0.5)
            ax.set_ylim(-0.02 * fired.shape[1] - 0.5, 1.02 * fired.shape[1] - 0.5)
            whole_ticks(ax.yaxis, 5)
            whole_ticks(ax.xaxis)
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
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Membranes after the reset, a panel per layer, int [steps, neurons]; thresholds of each step, int [steps].

    Of a layer with more than `most` neurons, those whose membranes come highest are drawn.
    """
    with matplotlib.rc_context(STYLE):
        if axes is None:
            figure, made = new_figure(9.4, 0.9 + 1.9 * len(values), rows=len(values))
            axes = list(made[:, 0])
        else:
            figure = cast(Figure, axes[0].get_figure(root=True))
        for layer, (trace, name, theta) in enumerate(zip(values, names, thresholds, strict=True)):
            ax = axes[layer]
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
            whole_ticks(ax.xaxis)
            ax.grid(axis="y")
            ax.legend(frameon=False, fontsize=7.5, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5), title=None)
        axes[-1].set_xlabel("step")
        figure.align_ylabels(list(axes))
    return figure


def conductance(
    target_S: NDArray[np.floating], programmed_S: NDArray[np.floating], axes: Sequence[Axes] | None = None
) -> Figure:
    """One tile: target, programmed, and their difference, signed (G+ - G-), siemens [rows, columns]; three panels."""
    with matplotlib.rc_context(STYLE):
        rows, columns = target_S.shape
        height = float(np.clip(2.6 * rows / max(columns, 1), 2.3, 4.4))
        if axes is None:
            figure, made = new_figure(9.4, height + 0.6, columns=3)
            axes = list(made[0])
        else:
            figure = cast(Figure, axes[0].get_figure(root=True))
        limit = max(1e-3, 1e6 * float(max(np.abs(target_S).max(), np.abs(programmed_S).max())))
        error = np.round(1e6 * (programmed_S - target_S), 9)  # what is left of rounding is no error
        widest = max(1e-3, float(np.abs(error).max()))
        panels = (
            (1e6 * target_S, "target", "RdBu_r", limit),
            (1e6 * programmed_S, "programmed", "RdBu_r", limit),
            (error, "programmed - target" if error.any() else "no difference", "PuOr_r", widest),
        )
        for ax, (values, name, colours, bound) in zip(axes, panels, strict=True):
            picture = ax.imshow(
                values, cmap=colours, norm=TwoSlopeNorm(0.0, -bound, bound), aspect="auto", interpolation="nearest"
            )
            ax.set_title(name)
            ax.set_xlabel("column")
            for axis in (ax.xaxis, ax.yaxis):
                whole_ticks(axis)
            ax.spines[:].set_visible(True)
            bar = figure.colorbar(picture, ax=ax, shrink=0.9, pad=0.02)
            bar.outline.set_visible(False)
            bar.set_label("G⁺ - G⁻ (µS)" if name != panels[2][1] else "difference (µS)")
        axes[0].set_ylabel("row")
    return figure
