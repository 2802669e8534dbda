"""Plot of what stopping costs: accuracy against mean steps, of both rules with every threshold."""

from __future__ import annotations

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikeloom.sw.analysis.stopping import front
from spikeloom.sw.decision.allowed_loss import ChosenRule
from spikeloom.sw.report.plots.style import GREY, SERIES, STYLE, legend_above, new_figure

__all__ = ["STOPPING_PICTURES", "stopping", "stopping_figures"]

STOPPING_PICTURES = ("stopping",)


def stopping_figures(chosen: ChosenRule | None) -> dict[str, Figure]:
    """Pictures by name, of what there is."""
    return {} if chosen is None else {"stopping": stopping(chosen)}


def stopping(chosen: ChosenRule) -> Figure:
    """The best accuracy with no more steps than so many, of each rule over all skipped periods; the choice is marked,
    and a line is the accuracy of T_max.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(8.6, 3.4)
        ax: Axes = axes[0, 0]
        for number, rule in enumerate(dict.fromkeys(curve.rule for curve in chosen.curves)):
            steps, accuracy = front(chosen.curves, rule, chosen.images)
            values = [100.0 * value for value in accuracy]
            ax.step(steps, values, "-", where="post", color=SERIES[number], label=rule)
            ax.plot(steps, values, ".", color=SERIES[number], markersize=3)
        choice = chosen.choice
        ax.plot([choice.mean_steps], [100.0 * choice.accuracy], "o", color="black", markersize=6, label="chosen")
        ax.axhline(100.0 * chosen.accuracy, color=GREY, linewidth=1.0, linestyle=":", label="all steps")
        ax.set_xlabel("mean steps")
        ax.set_ylabel("accuracy (%)")
        ax.grid()
        legend_above(ax)
    return figure
