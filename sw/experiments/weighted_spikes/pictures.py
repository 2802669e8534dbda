"""The paper's pictures with our numbers, from `results.json` alone. The same numbers give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sw.experiments.weighted_spikes.rows import BY_TESTS
from spikeloom.sw.report.plots.style import BLUE, GREY, ORANGE, SERIES, STYLE, legend_above, new_figure

__all__ = ["FIGURES", "cases_with"]

Results = Mapping[str, Any]
_COLOURS = {"weighted": BLUE, "rate": ORANGE}
_NAMES = {"weighted": "weighted spikes", "rate": "rate coding"}


def cases_with(results: Results, what: str, **wanted: Any) -> list[Mapping[str, Any]]:
    """Cases that have something, on ideal cells unless asked for others."""
    wanted = {"cells": "ideal", **wanted}
    return [case for case in results["cases"] if what in case and all(case[n] == v for n, v in wanted.items())]


def _networks(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(case["network"] for case in cases))


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], float)


def outputs(results: Results) -> Figure:
    """Figures 4 and 7: outputs of an image, without and with skipped periods."""
    with matplotlib.rc_context(STYLE):
        cases = cases_with(results, "outputs", coding="weighted")
        figure, axes = new_figure(9.4, 3.0 * len(cases), rows=len(cases), columns=2)
        for line, case in zip(axes, cases, strict=True):
            found = case["outputs"]
            for ax, name in zip(line, ("without", "with"), strict=True):
                panel = found[name]
                averages = np.array([_numbers(row) for row in panel["averages"]])
                steps = np.arange(1, len(averages) + 1)
                order = np.argsort(found["activations"])[::-1][: len(SERIES)]
                for klass, colour in zip(order, SERIES, strict=False):
                    ax.plot(steps, averages[:, klass], color=colour, linewidth=1.3)
                    ax.plot(len(steps), found["activations"][klass], "<", color=colour, markersize=5, clip_on=False)
                if panel["settled"] is not None:
                    ax.axvline(panel["settled"], color=GREY, linestyle="--", linewidth=1.2)
                ax.set_title(f"{case['network']}, {panel['skip']} periods skipped")
                ax.set_xlabel("time step")
                ax.set_ylabel("moving average")
                ax.grid()
    return figure


def approximation(results: Results) -> Figure:
    """Figure 5: mean absolute error and standard deviation of all activations."""

    def draw(ax: Axes, case: Mapping[str, Any]) -> None:
        found, colour, name = case["approximation"], _COLOURS[case["coding"]], _NAMES[case["coding"]]
        steps = np.arange(1, len(found["deviation"]) + 1)
        ax.plot(steps, found["mean_absolute_error"], color=colour, label=f"{name}, MAE")
        ax.plot(steps, found["deviation"], color=colour, linestyle="--", linewidth=1.1, label=f"{name}, STD")
        ax.set_xlabel("time step")
        ax.set_ylabel("error of activations")

    return _by_network(results, "approximation", draw)


def phases(results: Results) -> Figure:
    """Figures 8 and 9: error and firing rate for every K."""
    with matplotlib.rc_context(STYLE):
        every = cases_with(results, "by_step", coding="weighted")
        names = [name for name in _networks(every) if sum(case["network"] == name for case in every) > 1]
        figure, axes = new_figure(9.4, 3.2 * max(1, len(names)), rows=max(1, len(names)), columns=2)
        for line, name in zip(axes, names, strict=False):
            own = sorted((case for case in every if case["network"] == name), key=lambda case: int(case["phases"]))
            for case, colour in zip(own, SERIES, strict=False):
                found = case["by_step"]
                steps = np.arange(1, len(found["rate"]) + 1)
                line[0].plot(steps, 100 * _numbers(found["error"]), color=colour, label=f"K = {case['phases']}")
                line[1].plot(steps, found["rate"], color=colour, linewidth=1.1)
            line[0].set_ylabel("classification error (%)")
            line[1].set_ylabel("firing rate")
            legend_above(line[0], columns=4)
            for ax in line:
                ax.set_title(name, loc="right")
                ax.set_xlabel("time step")
                ax.grid()
    return figure


def latency(results: Results) -> Figure:
    """Figure 10: steps and synaptic operations until the accuracy stays high enough."""
    with matplotlib.rc_context(STYLE):
        names = _networks(results["cases"])
        figure, axes = new_figure(9.4, 3.4, columns=2)
        main = {network["name"]: network["phases"] for network in results["networks"]}
        keys = [(coding, loss) for coding in ("weighted", "rate") for loss in (1.0, 0.1, 0.0)]
        for place, (coding, loss) in enumerate(keys):
            rows = [
                row
                for row in results["rows"]
                if (row["coding"], row["loss_points"], row["chosen_on"]) == (coding, loss, BY_TESTS)
                and not row["early_decision"]
                and row["cells"] == "ideal"
                and row["phases"] in (1, main[row["network"]])
                and row["steps_mean"] is not None
            ]
            where = [names.index(row["network"]) + 0.13 * (place - 2.5) for row in rows]
            label = f"{_NAMES[coding]}, {'no loss' if loss == 0.0 else f'< {loss:g} points'}"
            alpha = {1.0: 0.4, 0.1: 0.7, 0.0: 1.0}[loss]
            for ax, what in zip(axes[0], ("steps_mean", "synaptic_operations_mean"), strict=True):
                values = [row[what] for row in rows]
                ax.bar(where, values, 0.12, color=_COLOURS[coding], alpha=alpha, label=label)
        for ax, title in zip(axes[0], ("time steps", "synaptic operations"), strict=True):
            ax.set_yscale("log")
            ax.set_ylabel(title)
            ax.set_xticks(range(len(names)), names)
            ax.grid(axis="y")
        legend_above(axes[0, 0], columns=2, size=7.5)
    return figure


def over_time(results: Results) -> Figure:
    """Figure 11: error, firing rate, and synaptic operations against accuracy."""
    with matplotlib.rc_context(STYLE):
        cases = cases_with(results, "approximation")
        names = _networks(cases)
        figure, axes = new_figure(9.8, 3.0 * len(names), rows=len(names), columns=3)
        for line, name in zip(axes, names, strict=True):
            for case in (case for case in cases if case["network"] == name):
                found, colour, label = case["by_step"], _COLOURS[case["coding"]], _NAMES[case["coding"]]
                steps, errors = np.arange(1, len(found["rate"]) + 1), 100 * _numbers(found["error"])
                line[0].plot(steps, errors, color=colour, label=label)
                line[1].plot(steps, found["rate"], color=colour, linewidth=1.1)
                line[2].plot(
                    100 - errors, found["synaptic_operations"], ".-", color=colour, markersize=3, linewidth=0.6
                )
            legend_above(line[0], columns=2)
            labels = (
                ("time step", "error (%)"), ("time step", "firing rate"), ("accuracy (%)", "synaptic operations"),
            )  # fmt: skip
            for ax, (x, y) in zip(line, labels, strict=True):
                ax.set_xlabel(x)
                ax.set_ylabel(y)
                ax.grid()
            line[0].set_xscale("log")
            line[1].set_xscale("log")
            line[2].set_yscale("log")
            line[1].set_title(name)
    return figure


def early(results: Results) -> Figure:
    """Figure 12: accuracy against steps and synaptic operations, for early decisions of all allowed losses."""
    with matplotlib.rc_context(STYLE):
        rows = [row for row in results["rows"] if row["early_decision"] and row["steps_mean"] is not None]
        rows = [row for row in rows if row["coding"] == "weighted" and row["cells"] == "ideal"]
        figure, axes = new_figure(9.4, 3.4, columns=2)
        for name, colour in zip(dict.fromkeys(row["network"] for row in rows), SERIES, strict=False):
            for by, marker in (("held-out images", "o"), (BY_TESTS, "x")):
                own = [row for row in rows if row["network"] == name and row["chosen_on"] == by]
                lost = [100 * (row["network_accuracy"] - row["accuracy"]) for row in own]
                for ax, what in zip(axes[0], ("steps_mean", "synaptic_operations_mean"), strict=True):
                    ax.plot([row[what] for row in own], lost, marker, color=colour, label=f"{name}, {by}")
        for ax, title in zip(axes[0], ("mean time steps", "synaptic operations per image"), strict=True):
            ax.set_xlabel(title)
            ax.set_ylabel("loss (points)")
            ax.grid()
        legend_above(axes[0, 0], columns=2, size=7.5)
    return figure


def classified(results: Results) -> Figure:
    """Figure 13: images that have ended, and their accuracy, with an allowed loss of 1 point."""
    with matplotlib.rc_context(STYLE):
        cases = cases_with(results, "classified", coding="weighted")
        figure, axes = new_figure(9.4, 3.2, columns=2)
        for case, colour in zip(cases, SERIES, strict=False):
            found = next(iter(case["classified"].values()))
            steps = np.arange(1, len(found["images"]) + 1)
            axes[0, 0].plot(steps, found["images"], color=colour, label=case["network"])
            axes[0, 1].plot(steps, 100 * _numbers(found["accuracy"]), color=colour)
        for ax, title in zip(axes[0], ("images that have ended", "their accuracy (%)"), strict=True):
            ax.set_xlabel("time step")
            ax.set_ylabel(title)
            ax.grid()
        legend_above(axes[0, 0])
    return figure


def top_two(results: Results) -> Figure:
    """Figure 14: images by the difference of the network's two largest outputs."""

    def draw(ax: Axes, case: Mapping[str, Any]) -> None:
        if case["coding"] != "weighted":
            return
        found = case["top_two"]
        edges = np.array(found["edges"])
        ax.bar(edges[:-1], found["images"], np.diff(edges), align="edge", color=BLUE)
        ax.set_xlabel("difference of the two largest outputs")
        ax.set_ylabel("images")

    return _by_network(results, "top_two", draw, legend=False)


def _by_network(results: Results, what: str, draw: Any, legend: bool = True) -> Figure:
    """A panel per network."""
    with matplotlib.rc_context(STYLE):
        cases = cases_with(results, what)
        names = _networks(cases)
        rows = -(-len(names) // 2)
        figure, axes = new_figure(9.4, 3.2 * rows, rows=rows, columns=2)
        for ax, name in zip(axes.ravel(), names, strict=False):
            for case in (case for case in cases if case["network"] == name):
                draw(ax, case)
            ax.set_title(name, loc="right")
            ax.grid()
            if legend:
                legend_above(ax, columns=2)
        for ax in axes.ravel()[len(names) :]:
            ax.set_axis_off()
    return figure


FIGURES = {
    "figures-4-and-7": outputs,
    "figure-5": approximation,
    "figures-8-and-9": phases,
    "figure-10": latency,
    "figure-11": over_time,
    "figure-12": early,
    "figure-13": classified,
    "figure-14": top_two,
}
"""Name of the file, and what draws it from `results.json`."""
