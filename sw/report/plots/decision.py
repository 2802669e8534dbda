"""Plots of early termination and tuning: convergence of the Q values, the search over k, progress of the factors."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.decision import first_replicas
from spikeloom.sw.common.labels import layer_label
from spikeloom.sw.decision.learn_rule import LearntRule
from spikeloom.sw.decision.q_learning import CONTINUE, TERMINATE, LearntQValues
from spikeloom.sw.decision.trajectories import Search
from spikeloom.sw.passes.tune import Tuned
from spikeloom.sw.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SERIES,
    STYLE,
    legend_above,
    new_figure,
    whole_ticks,
)

__all__ = ["decision_figures", "k_search", "q_convergence", "tuning"]


def decision_figures(chip: ProgrammedChip, learnt: LearntRule | None, tuned: Tuned | None) -> dict[str, Figure]:
    """Pictures by name, of what there is."""
    figures: dict[str, Figure] = {}
    if learnt is not None:
        figures["q_values"] = q_convergence(learnt.q_values, states=3)
        figures["k_search"] = k_search(learnt.search, learnt.k)
    if tuned is not None:
        figures["tuning"] = tuning(tuned, [layer_label(layer.name) for layer in first_replicas(chip)])
    return figures


def q_convergence(learnt: LearntQValues, states: int = 4) -> Figure:
    """Q of going on and of terminating, averaged over each interval, against images shown.

    Of the states, the one after the chosen k is shown, and those before it, `states` in all.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.4)
        ax: Axes = axes[0, 0]
        shown = learnt.shown / 1000.0
        levels = learnt.table.shape[0] - 1
        last = levels if learnt.k is None else min(levels, max(states, learnt.k // learnt.unit + 1))
        for n in range(max(1, last - states + 1), last + 1):
            colour = SERIES[(last - n) % len(SERIES)]
            lead = n * learnt.unit
            ax.plot(shown, learnt.history[:, n, TERMINATE], color=colour, label=f"lead {lead}: terminate")
            ax.plot(shown, learnt.history[:, n, CONTINUE], "--", color=colour, label=f"lead {lead}: go on")
        if not levels:
            ax.plot(shown, learnt.history[:, 0, CONTINUE], "--", color=GREY, label="start: go on")
        if np.any(learnt.epsilons > learnt.epsilons[-1]):
            settled = shown[int(np.argmax(learnt.epsilons <= learnt.epsilons[-1]))]
            ax.axvline(settled, color=GREY, linewidth=1.0, linestyle=":", label="exploration settled")
        ax.set_xlabel("images shown (thousands)")
        ax.set_ylabel("Q value")
        ax.set_title("never stop before T_max" if learnt.k is None else f"chosen: k = {learnt.k}")
        ax.set_xlim(left=0.0)
        ax.grid()
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def k_search(search: Search, learnt: int | None = None, most: int = 12) -> Figure:
    """Accuracy, mean steps and expected reward of the first `most` rules, the learned one (marked) and T_max."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.2, columns=3)
        last = len(search.ks) - 1
        marked = search.ks.index(learnt) if learnt in search.ks else last
        chosen = sorted({*range(min(most, last)), marked, last})
        names = ["T_max" if search.ks[index] is None else str(search.ks[index]) for index in chosen]
        places = np.arange(len(chosen))
        pictures = (
            ("accuracy (%)", [(100.0 * search.accuracy, BLUE, "")]),
            ("mean steps", [(search.mean_steps, ORANGE, "")]),
            ("expected reward", [(search.reward, GREY, "plain"), (search.discounted, GREEN, "discounted")]),
        )
        for ax, (label, lines) in zip(axes[0], pictures, strict=True):
            for values, colour, name in lines:
                ax.plot(places, values[chosen], "-o", color=colour, markersize=4, label=name or None)
            ax.axvline(chosen.index(marked), color=GREY, linestyle=":", linewidth=1.2)
            ax.set_xticks(places, names, rotation=90 if len(names) > 8 else 0)
            ax.set_xlabel("lead k")
            ax.set_ylabel(label)
            ax.grid(axis="y")
        legend_above(axes[0, 2])
    return figure


def tuning(tuned: Tuned, names: list[str]) -> Figure:
    """The loss (against that before tuning) and the factor of every layer after each move."""
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.0, columns=2)
        moves = np.arange(len(tuned.history) + 1)
        losses = np.array([tuned.before.loss, *(move.cost.loss for move in tuned.history)])
        left: Axes = axes[0, 0]
        scale = tuned.before.loss if tuned.before.loss > 0.0 else 1.0
        left.plot(moves, 100.0 * losses / scale, "-o", color=BLUE, markersize=3)
        left.set_ylabel("loss (% of that before)")
        right: Axes = axes[0, 1]
        for layer, name in enumerate(names):
            course = [1.0, *(move.factors[layer] for move in tuned.history)]
            right.plot(moves, course, "-o", color=SERIES[layer % len(SERIES)], markersize=3, label=name)
        right.set_ylabel("tuning factor")
        low, high = right.get_ylim()
        if low > 0.0 and high > 4.0 * low:  # too near one another for a logarithmic axis to have ticks otherwise
            right.set_yscale("log", base=2)
            right.yaxis.set_major_formatter("{x:g}")
        right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
        for ax in (left, right):
            ax.set_xlabel("factors tuned")
            whole_ticks(ax.xaxis)
            ax.grid()
    return figure
