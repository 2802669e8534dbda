"""Step `page`: `results.json`, the figures with their data, and one self-contained HTML page.

The page is made of `results.json` and of what learning and tuning left for the first seed. The same results give the
same bytes.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from spikeloom.sw.common.files import write_together
from spikeloom.sw.experiments.winner_k.cases import case
from spikeloom.sw.experiments.winner_k.chips import learnt_rule, tuned_factors
from spikeloom.sw.experiments.winner_k.experiment import Experiment
from spikeloom.sw.experiments.winner_k.open_questions import OPEN
from spikeloom.sw.experiments.winner_k.parts import FOLDER, plain
from spikeloom.sw.experiments.winner_k.pictures import FIGURES, svg
from spikeloom.sw.experiments.winner_k.published import TABLE_1
from spikeloom.sw.experiments.winner_k.results import gather
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.report.page_environment import page_environment
from spikeloom.sw.report.plots import decision as decision_plots
from spikeloom.sw.report.plots.style import data_uri

__all__ = ["figure_data", "render", "write_page"]


def write_page(experiment: Experiment, flow: Flow) -> list[Path]:
    """Write everything into the folder `page`, all or nothing."""
    results = gather(experiment, flow, [f"figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "csv")])
    figures = {name: draw(results) for name, draw in FIGURES.items()}
    data = {f"figures/{name}.csv": _csv(*figure_data(name, results)) for name in FIGURES}
    pictures = {f"figures/{name}.svg": svg(figure) for name, figure in figures.items()}
    uris = {name: data_uri(figure) for name, figure in figures.items()}
    uris |= {name: data_uri(figure) for name, figure in _learning(experiment, flow).items()}
    page = render(results, uris)
    files = {**pictures, **data, "results.json": plain(results), "index.html": page}
    write_together(flow.folder / FOLDER, files)
    return [flow.folder / FOLDER / name for name in files]


def _learning(experiment: Experiment, flow: Flow) -> dict[str, Figure]:
    """How the first seed's k and factors were found."""
    seed = experiment.seeds[0]
    rule, tuned = learnt_rule(experiment, flow, case("OT"), seed), tuned_factors(experiment, flow, case("OT"), seed)
    return {
        "q-values": decision_plots.q_convergence(rule.q_values),
        "search": decision_plots.k_search(rule.search, rule.k, most=8),
        "tuning": decision_plots.tuning(tuned, [f"layer {index + 1}" for index in range(len(tuned.factors))]),
    }


def render(results: Mapping[str, Any], uris: Mapping[str, str]) -> str:
    """The page's text."""
    environment = page_environment(Path(__file__).parent / "templates")
    environment.filters.update(points=_points, reached=_reached, plus=_plus)
    return environment.get_template("winner-k.html.j2").render(
        r=results,
        case={row["name"]: row for row in (*results["cases"], *results["variants"])},
        pictures=uris,
        table_1=_table_1(results),
        open_questions=OPEN,
    )


def figure_data(name: str, results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """The numbers of a picture: names of the columns, and rows."""
    cases = [*results["cases"], *results["variants"]]
    rows: list[list[Any]]
    columns: tuple[str, ...]
    if name == "one-image":
        counts = results["example"]["counts"]
        return ["steps", *(f"class_{index}" for index in range(len(counts[0])))], [
            [step, *row] for step, row in enumerate(counts, start=1)
        ]
    if name == "figure-3":
        most = results["motivation"]["normalisations"]["Max"]
        both = zip(most["accuracy_by_steps"], most["waste_by_steps"], strict=True)
        return ["steps", "accuracy", "wasted_steps"], [[step, *values] for step, values in enumerate(both, start=1)]
    if name == "figure-4":
        columns = ("steps", "steps_std", "spikes", "spikes_std", "input_spikes", "input_spikes_std")
        found = results["motivation"]["normalisations"]
        return ["normalisation", *columns], [[key, *(row[c] for c in columns)] for key, row in found.items()]
    if name == "figure-7":
        columns = ("accuracy", "accuracy_std", "static_steps", "static_steps_std")
        rows = [[row["name"], *(row[c] for c in columns), row["paper"]["steps_static"]] for row in cases]
        return ["case", *columns, "paper_static_steps"], rows
    if name == "figure-8":
        rows = [
            [row["name"], seed, point["images"], point["accuracy"], point["steps"]]
            for row in cases
            for seed, points in zip(results["seeds"], row["lifetime_points"], strict=True)
            for point in points
        ]
        return ["case", "seed", "images", "accuracy", "steps"], rows
    columns = ("steps_saved", "energy_saved", "lifetime_factor", "accuracy_change")
    return ["assumption", *columns], [[row["assumption"], *(row[c] for c in columns)] for row in results["sensitivity"]]


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def _table_1(results: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows (symbol, meaning, the paper's value, ours)."""
    learning, tuning, sizes = results["learning"], results["tuning"], results["network"]
    ours = {
        **{f"layers.{index}": f"{a} x {b}" for index, (a, b) in enumerate(itertools.pairwise(sizes))},
        "accuracy_ann": f"{100 * results['networks']['relu']['accuracy']:.2f} %",
        "rewards": f"{learning['reward_correct']:+g}, {learning['reward_wrong']:+g}",
        "rate": f"{learning['rate']:g}",
        "discount": f"{learning['discount']:g}",
        "reward_step": f"{learning['reward_step']:g}",
        **{key: f"{tuning[key.removeprefix('tuning_')]:g}" for key in ("tuning_alpha", "tuning_beta")},
        **{key: f"{tuning[key]:g}" for key in ("reductions", "repeats")},
    }
    return [(symbol, meaning, theirs, ours[key]) for symbol, meaning, key, theirs in TABLE_1]


def _points(value: float) -> str:
    """A difference of accuracies: -0.0012 -> "-0.12 points"."""
    return f"{100 * value:+.2f} points"


def _plus(value: float | None, deviation: float | None, digits: int) -> str:
    """Mean and spread."""
    return "more than measured" if value is None else f"{value:,.{digits}f} ± {deviation:,.{digits}f}"


def _reached(row: Mapping[str, Any], key: str = "reached") -> str:
    """A target or what was reached, in its unit."""
    value = row[key]
    if value is None:
        return "not known"
    return {
        "share": f"{100 * value:.2f} %",
        "factor": f"x {value:,.2f}",
        "points": f"{100 * value:.2f} points",
        "number": f"{value:.2f}",
    }[row["unit"]]
