"""Nothing in a picture covers numbers: legends lie beside the axes, texts inside the picture and apart.

Looked at with few and with many of everything: steps, layers, kinds of cells, failed cells.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import Bbox

from spikeloom.sim.estimates.energy_parts import COMPONENTS
from spikeloom.sw.experiments.winner_k.pictures import FIGURES
from spikeloom.sw.report.plots import decision as decision_plots
from spikeloom.sw.report.plots import drift as plots_drift
from spikeloom.sw.report.plots import overview as plots
from tests.sw.report.plots.test_by_step import figures as by_step_figures
from tests.sw.report.plots.test_decision import some, some_tuned
from tests.sw.report.plots.test_drift import LEVELS, found
from tests.sw.report.plots.test_overview import some_figures

NUMBERS = Path(__file__).parents[4] / "docs" / "pictures" / "winner-k.json"
RNG = np.random.default_rng(1)


def large() -> dict[str, Callable[[], Figure]]:
    """The pictures of networks with many layers, of long programming, of rules that stop late and early."""
    names = [f"{i}: stages.{i}.conv1" for i in range(8)]
    many = {f"layer_{i}_column_readout": {f"${kind}": (i + 1) * 100 for kind in "abcdefghij"} for i in range(20)}
    even = {f"part_{i}": {"$add": 1000, "$mux": 1000} for i in range(12)}
    errors, failed = RNG.normal(0.0, 2.0, 40_000), RNG.random(40_000) < 0.3
    target = RNG.integers(0, 16, 40_000).astype(float)
    traces = [RNG.integers(-9000, 9000, (20, 100)) for _ in range(6)]
    parts = [{"works": 1e5 * (i + 1), "waits": 3e4, "works_silent": 2e4, "pools": 5e3, "closes": 1e3} for i in range(8)]
    strategy, search = some()
    return {
        "waterfall": lambda: plots.waterfall([(f"a stage of a long name {i}", 0.1 + 0.11 * (i % 9)) for i in range(9)]),
        "waterfall that falls": lambda: plots.waterfall([("ANN", 0.99), ("quantised", 0.985), ("noise", 0.1)]),
        "waterfall of equals": lambda: plots.waterfall([("ANN", 1.0), ("quantised", 1.0)]),
        "by steps, falling": lambda: plots.accuracy_by_steps(np.linspace(0.9, 0.2, 50).tolist(), (49.0, 0.2), 0.2),
        "steps at the end": lambda: plots.steps_histogram(np.full(100, 20), 20),
        "steps everywhere": lambda: plots.steps_histogram(np.arange(1, 65), 64),
        "latency": lambda: plots.latency_histogram(np.linspace(1e-6, 1e-3, 500)),
        "confusion": lambda: plots.confusion(RNG.integers(0, 10**5, (12, 12))),
        "confusion of many": lambda: plots.confusion(RNG.integers(0, 10**5, (100, 100))),
        "energy": lambda: plots.energy({name: {"low": 1e-10, "typical": 1e-9, "high": 5e-9} for name in COMPONENTS}),
        "cells": lambda: plots.cells(many),
        "cells, all alike": lambda: plots.cells(even),
        "reached": lambda: plots.target_against_reached(target, target + errors, failed, 0.25),
        "errors": lambda: plots.weight_errors(errors, errors),
        "pulses": lambda: plots.pulses_histogram(RNG.integers(0, 61, 40_000), failed),
        "membranes": lambda: plots.membranes(traces, names[:6], [np.full(20, 6000)] * 6),
        "raster": lambda: plots.raster([RNG.random((20, 1000)) < 0.1] * 6, names[:6]),
        "cycles": lambda: plots.stage_cycles(names, parts, 1e6),
        "row pulses": lambda: plots_drift.row_pulses([RNG.integers(0, 10**6, 500)] * 7, names[:7]),
        "levels": lambda: plots_drift.level_drift(LEVELS, LEVELS + 0.0, LEVELS + 0.5),
        "lifetime": lambda: plots_drift.lifetime(found(3, refresh={"interval": 600, "every": 500})),
        "q": lambda: decision_plots.q_convergence(strategy, 8),
        "k": lambda: decision_plots.k_search(search, strategy.k),
        "tuning": lambda: decision_plots.tuning(some_tuned(), ["a", "b"]),
        **{name: lambda name=name: FIGURES[name](json.loads(NUMBERS.read_text())) for name in FIGURES},
    }


@functools.cache
def makers() -> dict[str, Callable[[], Figure]]:
    small = some_figures()
    of_steps = {f"by step: {name}": make for name, make in by_step_figures().items()}
    return {**{name: functools.partial(small.__getitem__, name) for name in small}, **large(), **of_steps}


def boxes(figure: Figure) -> tuple[list[Bbox], list[Bbox], list[Bbox]]:
    """Extents in pixels: axes, legends, and notes of the drawn figure."""
    renderer = FigureCanvasAgg(figure)
    renderer.draw()
    axes = [ax for ax in figure.axes if ax.get_visible()]
    legends = [legend for legend in [*(ax.get_legend() for ax in axes), *figure.legends] if isinstance(legend, Legend)]
    notes = [text for ax in axes for text in ax.texts if text.get_text()]
    return (
        [ax.get_window_extent() for ax in axes],
        [legend.get_window_extent() for legend in legends],
        [text.get_window_extent() for text in notes],
    )


def overlap(a: Bbox, b: Bbox) -> bool:
    """By more than a point or two."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 2.0 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2.0


@pytest.mark.parametrize("name", makers())
def test_nothing_covers_numbers_and_nothing_is_cut_off(name: str) -> None:
    figure = makers()[name]()
    axes, legends, notes = boxes(figure)
    assert not any(overlap(legend, ax) for legend in legends for ax in axes), "a legend over the axes"
    assert not any(overlap(a, b) for a, b in itertools.combinations([*legends, *notes], 2)), "texts over one another"
    for box in [*legends, *notes, *labels(figure)]:
        assert box.x0 >= -1.0 and box.y0 >= -1.0, "cut off"
        assert box.x1 <= figure.bbox.x1 + 1.0 and box.y1 <= figure.bbox.y1 + 1.0, "cut off"
    for ax in figure.axes:
        assert not ax.xaxis.get_offset_text().get_text(), "a factor in the corner, over the label"
        ticks = [label for label in ax.get_xticklabels() if label.get_text() and label.get_visible()]
        inside = [label.get_window_extent() for label in ticks]
        assert not any(overlap(a, b) for a, b in itertools.pairwise(inside)), [label.get_text() for label in ticks]


def labels(figure: Figure) -> list[Bbox]:
    """Extents of the labels and titles of the axes."""
    texts = []
    for ax in figure.axes:
        if ax.get_visible():
            texts += [ax.xaxis.label, ax.yaxis.label, ax.title, ax._left_title]
    return [text.get_window_extent() for text in texts if text.get_text()]
