"""Plots of runs by step (`sw.diagnostics.by_step`): one run, or several to be compared, by their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from spikeloom.sw.diagnostics.by_step.result import ByStep
from spikeloom.sw.report.plots.style import (
    GREY,
    INK,
    ORANGE,
    SERIES,
    STYLE,
    axes_or_new,
    large_ticks,
    legend_above,
    whole_ticks,
)

__all__ = [
    "approximation_error", "error_against_cost", "error_by_step", "firing_rates", "layer_errors", "moving_averages",
    "noise_spikes",
]  # fmt: skip

Runs = Mapping[str, ByStep]
"""Runs by their labels, which a single one does not show."""
_UNITS = ((1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"), (0.0, "fJ"))
_J = {"mJ": 1e-3, "µJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12, "fJ": 1e-15}
_MOST_NAMES = 16
"""Names of layers on an axis."""
_MOST_LAYERS = 10
"""Layers in a legend; of more, those between are thin lines without a name."""


def approximation_error(runs: Runs, axes: Axes | None = None) -> Figure:
    """Mean absolute error and standard deviation of all activations against the steps ([WS Figure 5])."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        for colour, (label, run) in zip(SERIES, runs.items(), strict=False):
            found, prefix = run.overall, f"{label}: " if label else ""
            ax.plot(run.steps, found["mean_absolute_error"], color=colour, label=f"{prefix}mean absolute error")
            ax.plot(run.steps, found["deviation"], "--", color=colour, label=f"{prefix}standard deviation")
        ax.set_ylabel("error of activations (thresholds)")
        _logarithmic(ax)
        _finish(ax, max(len(run) for run in runs.values()))
    return figure


def layer_errors(run: ByStep, axes: Axes | None = None) -> Figure:
    """Mean absolute error of every stage's activations against the steps, on a logarithmic axis."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        named = _named(len(run.stages))
        for stage, name in enumerate(run.stages):
            values = run.mean_absolute_error[:, stage]
            dashed = "-" if run.fires[stage] or stage == len(run.stages) - 1 else ":"
            _line(ax, run.steps, np.where(values > 0.0, values, np.nan), stage, name, named, dashed)
        _logarithmic(ax)
        ax.set_ylabel("mean absolute error (thresholds)")
        _finish(ax, len(run))
    return figure


def moving_averages(run: ByStep, most: int = 10, axes: Axes | None = None) -> Figure:
    """The outputs of one image, each of them towards its activation at the right ([WS Figure 4], [WS Figure 7]).

    Of more than `most` classes, those with the largest activations are drawn in colour.
    """
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        order = np.argsort(-run.example.activations, kind="stable")
        ends = len(run) * np.array([0.985, 1.02])
        for place, neuron in enumerate(order.tolist()):
            shown = place < most
            colour, wanted = SERIES[place % len(SERIES)] if shown else GREY, run.example.activations[neuron]
            front = 3 if shown else 2
            label = f"class {neuron}" if shown else None
            ax.plot(
                run.steps, run.example.averages[:, neuron], color=colour, linewidth=1.2 if shown else 0.5,
                label=label, zorder=front,
            )  # fmt: skip
            ax.hlines(wanted, *ends, color=colour, linewidth=2.0 if shown else 0.6, zorder=front)
        settled = int(run.settled[run.example.image])
        ax.axvline(settled, color=INK, linewidth=1.0, linestyle=":", label=f"settled: step {settled}")
        ax.set_ylabel("output (thresholds)")
        _finish(ax, len(run), legend=False)
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        known = run.example.averages[np.isfinite(run.example.averages)]
        low, high = np.percentile([*known, *run.example.activations], [0.5, 99.5])
        low, high = min(low, run.example.activations.min()), max(high, run.example.activations.max())
        room = 0.06 * max(high - low, 1e-6)
        ax.set_ylim(low - room, high + room)
    return figure


def firing_rates(runs: Runs, axes: Axes | None = None) -> Figure:
    """Mean firing rate of all neurons against the steps ([WS Figure 8c]); of a single run that of every layer, too."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        if len(runs) == 1:
            (run,) = runs.values()
            stages = np.flatnonzero(run.fires).tolist()
            named = _named(len(stages))
            for place, stage in enumerate(stages):
                _line(ax, run.steps, run.rates[:, stage], place, run.stages[stage], named)
            ax.plot(run.steps, run.rate, color=INK, linewidth=1.8, label="all")
        for colour, (label, run) in zip(SERIES, runs.items(), strict=False):
            if len(runs) > 1:
                ax.plot(run.steps, run.rate, color=colour, label=label)
        ax.set_ylabel("spikes per neuron and step")
        _finish(ax, max(len(run) for run in runs.values()))
        ax.set_ylim(bottom=0.0)
    return figure


def noise_spikes(runs: Runs, axes: Axes | None = None) -> Figure:
    """Share of noise spikes among the spikes of every layer that has a count ([WS 4.3])."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        names: list[str] = []
        for run in runs.values():
            names += [run.stages[stage] for stage in np.flatnonzero(run.counted) if run.stages[stage] not in names]
        width = 0.8 / len(runs)
        for place, (label, run) in enumerate(runs.items()):
            shares = {run.stages[stage]: 100.0 * run.noise_shares[stage] for stage in np.flatnonzero(run.counted)}
            where = np.arange(len(names)) + (place - (len(runs) - 1) / 2) * width
            heights = [shares.get(name, 0.0) for name in names]
            ax.barh(where, heights, width, color=SERIES[place % len(SERIES)], label=label or None)
        every = max(1, -(-len(names) // _MOST_NAMES))
        ax.set_yticks(range(0, len(names), every), names[::every])
        ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
        ax.set_xlabel("noise spikes (% of spikes)")
        ax.grid(axis="x")
        if not names:
            ax.annotate("no layer has a count", (0.5, 0.5), xycoords="axes fraction", ha="center")
        _legend(ax)
    return figure


def error_by_step(runs: Runs, axes: Axes | None = None) -> Figure:
    """Classification error if every image ended after 1, 2, ... steps, and that of the chip's decision rule at its mean
    steps ([WS Figure 11a])."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        single = len(runs) == 1
        for colour, (label, run) in zip(SERIES, runs.items(), strict=False):
            ax.plot(run.steps, 100.0 * run.error, color=colour, label=label or "fixed number of steps")
            own = [(point.steps, point.error) for point in run.early if point.own]
            _points(ax, own, ORANGE if single else colour, "decision rule, mean steps" if single else None)
        _network(ax, list(runs.values()))
        ax.set_ylabel(_error_label(list(runs.values())))
        _error_axis(ax, list(runs.values()))
        _finish(ax, max(len(run) for run in runs.values()))
    return figure


def error_against_cost(runs: Runs, cost: Literal["spikes", "energy"] = "spikes", axes: Axes | None = None) -> Figure:
    """Classification error against spikes or crossbar energy of an image: of the same number of steps for all images, a
    line, and of the decision rule, weaker to stronger, with points ([WS Figure 11c], [WS Figure 12])."""
    with matplotlib.rc_context(STYLE):
        figure, ax = axes_or_new(axes, 5.2, 3.4)
        largest = max(float(run.crossbar_J_so_far[-1]) for run in runs.values())
        unit = next(name for least, name in _UNITS if largest >= least)
        factor = 1.0 if cost == "spikes" else 1.0 / _J[unit]
        for colour, (label, run) in zip(SERIES, runs.items(), strict=False):
            so_far = run.spikes_so_far if cost == "spikes" else run.crossbar_J_so_far
            ran = so_far > 0.0
            prefix = f"{label}: " if label else ""
            ax.plot(factor * so_far[ran], 100.0 * run.error[ran], color=colour, label=f"{prefix}fixed number of steps")
            points = [(factor * (p.spikes if cost == "spikes" else p.crossbar_J), p.error, p.own) for p in run.early]
            if points:
                ax.plot(
                    [x for x, _, _ in points], [100.0 * error for _, error, _ in points], "--o", color=colour,
                    markersize=4, linewidth=1.0, label=f"{prefix}decision rule",
                )  # fmt: skip
            _points(ax, [(x, error) for x, error, own in points if own], colour, None)
        _network(ax, list(runs.values()))
        ax.set_xlabel("spikes per image" if cost == "spikes" else f"crossbar energy per image ({unit})")
        ax.set_ylabel(_error_label(list(runs.values())))
        _error_axis(ax, list(runs.values()))
        whole = factor * max(_whole_cost(run, cost) for run in runs.values())
        if whole > 0.0:
            ax.set_xscale("log")
            ax.set_xlim(left=whole / 100)
        else:
            ax.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
        ax.grid()
        _legend(ax)
    return figure


def _named(count: int) -> set[int]:
    """Which of so many lines have a name in the legend: all, or the first and the last ones."""
    if count <= _MOST_LAYERS:
        return set(range(count))
    return {*range(_MOST_LAYERS // 2), *range(count - _MOST_LAYERS // 2, count)}


def _line(
    ax: Axes, steps: NDArray[np.int64], values: NDArray[np.float64], place: int, name: str, named: set[int],
    dashed: str = "-",
) -> None:  # fmt: skip
    shown = place in named
    colour = SERIES[sorted(named).index(place) % len(SERIES)] if shown else GREY
    ax.plot(steps, values, dashed, color=colour, linewidth=1.2 if shown else 0.6, label=name if shown else None)


def _points(ax: Axes, points: Sequence[tuple[float, float]], colour: str, label: str | None) -> None:
    for x, error in points:
        ax.plot(x, 100.0 * error, "D", color=colour, markersize=8, markeredgecolor="white", zorder=5, label=label)


def _network(ax: Axes, runs: Sequence[ByStep]) -> None:
    """The error of what the chips were converted from, where it is that of all of them."""
    errors = {run.network_error for run in runs if run.truth == "labels" and run.against == "network"}
    if len(errors) == 1 and all(run.truth == "labels" for run in runs):
        ax.axhline(100.0 * errors.pop(), color=GREY, linestyle="--", linewidth=1.2, label="source network")


def _error_label(runs: Sequence[ByStep]) -> str:
    truths = {run.truth for run in runs}
    return "classification error (%)" if truths == {"labels"} else "other class than the network (% of images)"


def _whole_cost(run: ByStep, cost: str) -> float:
    so_far = run.spikes_so_far if cost == "spikes" else run.crossbar_J_so_far
    return float(so_far[-1])


def _logarithmic(ax: Axes) -> None:
    """A logarithmic axis whose ticks are plain numbers."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _error_axis(ax: Axes, runs: Sequence[ByStep]) -> None:
    """Logarithmic, where no error is 0."""
    errors = [float(np.nanmin(run.error)) for run in runs] + [point.error for run in runs for point in run.early]
    if min(errors + [run.network_error for run in runs if run.truth == "labels"]) > 0.0:
        _logarithmic(ax)
    else:
        ax.set_ylim(bottom=0.0)


def _finish(ax: Axes, steps: int, legend: bool = True) -> None:
    ax.set_xlabel("time steps")
    ax.set_xlim(0.0, 1.02 * steps + 0.5)
    large_ticks(ax.xaxis) if steps >= 10_000 else whole_ticks(ax.xaxis)
    ax.grid()
    if legend:
        _legend(ax)


def _legend(ax: Axes) -> None:
    """Above the axes, in as many columns as fit; a letter of 8.5 points is about 0.075 inches wide."""
    texts = ax.get_legend_handles_labels()[1]
    figure, place = cast(Figure, ax.get_figure(root=True)), ax.get_subplotspec()
    inches = figure.get_figwidth() / (1 if place is None else place.get_gridspec().ncols)
    fits = int((inches - 0.8) / (0.5 + 0.075 * max(map(len, texts), default=1)))
    legend_above(ax, min(4, max(1, fits)))
