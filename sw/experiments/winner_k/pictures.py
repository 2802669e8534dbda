"""The paper's pictures with our numbers: Figures 3, 4, 7 and 8, from `results.json` alone.

Where the paper's text or tables give a number, it is drawn next to ours. The same numbers give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sw.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    RED,
    STYLE,
    legend_above,
    new_figure,
    whole_ticks,
)

__all__ = ["FIGURES", "svg"]

_COLOURS = {
    "99N": BLUE,
    "999N": "#3aa6a6",
    "99T": ORANGE,
    "999T": "#b58900",
    "OT": RED,
    "best": GREEN,
    "OT, k = 2": "#8c564b",
    "best, k = 2": PURPLE,
}


def svg(figure: Figure) -> str:
    """The figure as SVG text, without dates and addresses."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


def one_image(results: Mapping[str, Any]) -> Figure:
    """Spikes of the ten output neurons over the steps, for one image; where WINNER-K stops, and where T_max would."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.2)
        ax: Axes = axes[0, 0]
        story = results["example"]
        counts = np.array([np.zeros(len(story["counts"][0]), int), *story["counts"]])
        steps = np.arange(len(counts))
        for klass in range(counts.shape[1]):
            mine = klass == story["label"]
            ax.step(
                steps,
                counts[:, klass],
                where="post",
                color=BLUE if mine else GREY,
                linewidth=2.4 if mine else 1.2,
                zorder=3 if mine else 2,
                label=f"class {klass}" if mine else ("other classes" if klass == (story["label"] + 1) % 10 else None),
            )
        ax.axvline(story["stop"], color=ORANGE, linewidth=2, label=f"leads by k = {story['k']}: stop")
        ax.axvspan(story["stop"], steps[-1], color=ORANGE, alpha=0.08, linewidth=0)
        ax.set_xlim(0, steps[-1])
        ax.set_ylim(bottom=0)
        ax.set_xlabel("time step")
        ax.set_ylabel("output spikes so far")
        whole_ticks(ax.yaxis)
        whole_ticks(ax.xaxis)
        ax.grid()
        ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def accuracy_and_waste(results: Mapping[str, Any]) -> Figure:
    """Figure 3: accuracy, and steps wasted, of images that all run for T steps."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.2, columns=2)
        data = results["motivation"]["normalisations"]["Max"]
        steps = np.arange(1, len(data["accuracy_by_steps"]) + 1)
        left, right = axes[0]
        left.plot(steps, 100 * np.array(data["accuracy_by_steps"]), color=BLUE)
        left.set_ylabel("accuracy (%)")
        left.set_title("(a) accuracy")
        right.plot(steps, data["waste_by_steps"], color=BLUE, label="wasted")
        right.plot(steps, steps, color=GREY, linestyle="--", linewidth=1, label="T")
        right.set_ylabel("steps per image")
        right.set_title("(b) wasted steps")
        legend_above(right)
        for ax in (left, right):
            ax.set_xlabel("steps T")
            ax.set_xlim(0, len(steps))
            ax.grid()
    return figure


def normalisations(results: Mapping[str, Any]) -> Figure:
    """Figure 4: steps and spikes until the class is that of T steps."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.2, columns=2)
        rows = results["motivation"]["normalisations"]
        names, places = list(rows), np.arange(len(rows))
        left, right = axes[0]
        left.bar(places, [rows[n]["steps"] for n in names], 0.6, yerr=[rows[n]["steps_std"] for n in names], color=BLUE)
        left.set_ylabel("steps per image")
        left.set_title("(a) time steps")
        neurons = np.array([rows[name]["spikes"] for name in names])
        inputs = np.array([rows[name]["input_spikes"] for name in names])
        right.bar(places, inputs, 0.6, color=GREY, label="of the inputs")
        deviation = [rows[name]["spikes_std"] for name in names]
        right.bar(places, neurons, 0.6, inputs, yerr=deviation, color=ORANGE, label="of the neurons")
        right.set_ylabel("spikes per image")
        right.set_title("(b) spikes")
        legend_above(right)
        for ax in (left, right):
            ax.set_xticks(places, names)
            ax.tick_params(axis="x", colors=INK, length=0)
            ax.grid(axis="y")
    return figure


def accuracy_and_steps(results: Mapping[str, Any]) -> Figure:
    """Figure 7: accuracy and steps of all cases without drift; diamonds are the paper's steps."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 3.6, columns=2)
        cases = [*results["cases"], *results["variants"]]
        names, places = [case["name"] for case in cases], np.arange(len(cases))
        colours = [_COLOURS[name] for name in names]
        left, right = axes[0]
        values = 100 * np.array([case["accuracy"] for case in cases])
        spreads = 100 * np.array([case["accuracy_std"] for case in cases])
        for place, case in enumerate(cases):
            left.errorbar(
                place, values[place], spreads[place], fmt="o", color=colours[place], capsize=4, markersize=7, zorder=3
            )
            dots = 100 * np.array(case["accuracy_by_seed"])
            left.plot(np.full(len(dots), place + 0.22), dots, "o", color=colours[place], markersize=3, alpha=0.6)
        for network, style in (("relu", "--"), ("few-steps", ":")):
            label = {"relu": "ReLU network", "few-steps": "network of best"}[network]
            left.axhline(
                100 * results["networks"][network]["accuracy"],
                color=GREY,
                linestyle=style,
                linewidth=1.2,
                zorder=1,
                label=label,
            )
        legend_above(left)
        left.set_ylabel("accuracy (%)")
        left.margins(y=0.15)
        right.bar(
            places, [c["static_steps"] for c in cases], 0.6, yerr=[c["static_steps_std"] for c in cases], color=colours
        )
        for place, case in enumerate(cases):
            where = (place, 1.09 * results["t_max"])  # in a row above all bars and diamonds
            right.annotate(
                f"{case['static_steps']:.2f}", where, ha="center", va="center", fontsize=9, color=colours[place]
            )
        theirs = [(p, c["paper"]["steps_static"]) for p, c in enumerate(cases) if c["paper"]["steps_static"]]
        right.plot(*zip(*theirs, strict=True), "D", color=INK, markersize=5, label="the paper", zorder=4)
        right.set_ylabel("steps per image")
        right.set_ylim(0, 1.15 * results["t_max"])
        legend_above(right)
        for ax in (left, right):
            ax.set_xticks(places, [name.replace(", ", "\n") for name in names])
            ax.tick_params(axis="x", colors=INK, length=0)
            ax.set_xlim(-0.6, len(cases) - 0.4)
            ax.grid(axis="y")
    return figure


def drift_lifetime(results: Mapping[str, Any]) -> Figure:
    """Figure 8: accuracy of test images after so many images; thin lines are seeds, ticks the paper's ends."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(9.4, 4.0)
        ax: Axes = axes[0, 0]
        threshold = 100 * results["lifetime_threshold"]
        for case in (*results["cases"], *results["variants"]):
            colour = _COLOURS[case["name"]]
            curves = [(np.array([p["images"] for p in c]), [p["accuracy"] for p in c]) for c in case["lifetime_points"]]
            for images, accuracies in curves:
                ax.plot(np.maximum(images, 1), 100 * np.array(accuracies), color=colour, linewidth=0.7, alpha=0.4)
            grid, mean = _mean_curve(curves)
            ax.plot(grid, 100 * mean, color=colour, linewidth=2, label=case["name"])
            if case["paper"]["lifetime_images"]:
                ax.plot(
                    case["paper"]["lifetime_images"], threshold, "|", color=colour, markersize=16, markeredgewidth=2
                )
        ax.axhline(threshold, color=GREY, linestyle="--", linewidth=1.2)
        ax.set_xscale("log")
        ax.set_xlabel("images since programming (ticks on the line: the paper's lifetimes)")
        ax.set_ylabel("accuracy of test images (%)")
        ax.set_ylim(threshold - 5, 100)
        ax.grid()
        ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def sensitivity(results: Mapping[str, Any]) -> Figure:
    """What OT saves against 99N under every assumption; lines are the paper's, no dot is a life without an end."""
    with matplotlib.rc_context(STYLE):
        rows = results["sensitivity"]
        figure, axes = new_figure(9.4, 1.1 + 0.3 * len(rows), columns=4, sharey=True)
        places = np.arange(len(rows))
        paper = results["savings"]["paper"]
        columns = (
            ("steps saved (%)", [100 * row["steps_saved"] for row in rows], 100 * paper["steps"]),
            ("energy saved (%)", [100 * row["energy_saved"] for row in rows], 100 * paper["energy"]),
            ("lifetime (factor)", [row["lifetime_factor"] or np.nan for row in rows], paper["lifetime"]),
            ("accuracy (points)", [100 * row["accuracy_change"] for row in rows], None),
        )
        for ax, (label, values, theirs) in zip(axes[0], columns, strict=True):
            ax.plot(values, places, "o", color=BLUE, markersize=6, zorder=3)
            ax.axvline(0.0 if theirs is None else theirs, color=GREY if theirs is None else ORANGE, linewidth=1.4)
            ax.set_xlabel(label)
            ax.margins(x=0.12)
            ax.grid()
        for ax in axes[0, :2]:
            ax.set_xlim(min(ax.get_xlim()[0], 40), 100)
        life = axes[0, 2]
        life.set_xscale("log")
        known = [row["lifetime_factor"] for row in rows if row["lifetime_factor"]]
        wide = max([4.0, *known]) > 30.0
        ticks = [1, 3, 10, 30, 100, 300] if wide else [1, 2, 5, 10, 20]
        life.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=8)
        life.set_xlim(0.8 * min([1.0, *known]), 1.4 * max([4.0, *known]))
        life.minorticks_off()
        axes[0, 0].set_yticks(places, [row["assumption"] for row in rows])
        axes[0, 0].tick_params(axis="y", colors=INK, length=0)
        axes[0, 0].invert_yaxis()
    return figure


def _mean_curve(curves: list[tuple[Any, list[float]]]) -> tuple[Any, Any]:
    """Mean of curves over images, as far as all of them go."""
    end = min(int(images[-1]) for images, _ in curves)
    grid = np.unique(np.geomspace(1, max(1, end), 60).round())
    return grid, np.mean([np.interp(grid, images, accuracies) for images, accuracies in curves], axis=0)


FIGURES = {
    "one-image": one_image,
    "figure-3": accuracy_and_waste,
    "figure-4": normalisations,
    "figure-7": accuracy_and_steps,
    "figure-8": drift_lifetime,
    "sensitivity": sensitivity,
}
"""Name of the file, and what draws it from `results.json`."""
