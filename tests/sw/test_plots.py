from __future__ import annotations

import base64

import numpy as np
import pytest
from matplotlib.figure import Figure

from sw import plots


def some_figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    levels = rng.integers(-15, 16, (20, 12)) * 6e-7
    fired = [rng.random((6, 40)) < 0.2, rng.random((6, 10)) < 0.2]
    traces = [rng.integers(-90, 60, (6, 40)), rng.integers(-90, 60, (6, 10))]
    return {
        "waterfall": plots.waterfall([("ANN", 0.98), ("quantised", 0.97), ("noise", 0.975)]),
        "by_steps": plots.accuracy_by_steps([np.nan, 0.5, 0.9], (2.2, 0.88), 0.95),
        "steps": plots.steps_histogram(np.array([1, 2, 2, 5]), 6),
        "latency": plots.latency_histogram(np.array([1e-6, 2e-6, 2.5e-6])),
        "raster": plots.raster(fired, ["a", "b"], rng.integers(0, 255, 64).astype(np.uint8)),
        "membranes": plots.membranes(traces, ["a", "b"], [np.full(6, 60)] * 2),
        "conductance": plots.conductance(levels, levels * 1.05),
        "energy": plots.energy({"crossbar": 1e-9, "adc": 2e-9, "dac": 1e-10, "digital": None}),
        "cells": plots.cells({"npu": {"$add": 3, "$mux": 5}, "encoder": {"$add": 1}}),
    }


def test_every_picture_has_labelled_axes_and_is_the_same_every_time() -> None:
    for name, figure in some_figures().items():
        labels = [ax.get_xlabel() for ax in figure.axes]
        assert any(labels), name
    first = {name: plots.data_uri(figure) for name, figure in some_figures().items()}
    second = {name: plots.data_uri(figure) for name, figure in some_figures().items()}
    assert first == second
    assert all(uri.startswith("data:image/svg+xml;base64,") for uri in first.values())


def test_units_stand_on_the_axes() -> None:
    figures = some_figures()
    assert figures["latency"].axes[0].get_xlabel() == "latency (µs)"
    assert figures["energy"].axes[0].get_xlabel() == "energy an image (nJ)"
    assert figures["waterfall"].axes[0].get_xlabel() == "accuracy (%)"
    assert any("µS" in ax.get_ylabel() for ax in figures["conductance"].axes)


def test_a_picture_holds_no_date_and_nothing_of_the_machine() -> None:
    svg = base64.b64decode(plots.data_uri(some_figures()["steps"]).split(",")[1]).decode()
    assert "<dc:date>" not in svg
    png = base64.b64decode(plots.data_uri(some_figures()["conductance"], "png").split(",")[1])
    assert png.startswith(b"\x89PNG") and b"tEXtSoftware" not in png


def test_energy_leaves_out_what_is_not_known() -> None:
    ticks = [label.get_text() for label in some_figures()["energy"].axes[0].get_yticklabels()]
    assert ticks == ["crossbar", "ADC", "DAC"]


def test_steps_histogram_counts_every_image() -> None:
    figure = plots.steps_histogram(np.array([1, 2, 2, 6]), 6)
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx([25, 50, 0, 0, 0, 25])


def test_the_rarest_cell_types_are_taken_together() -> None:
    many = {"npu": {f"${index}": 100 - index for index in range(12)}}
    figure = plots.cells(many, most=3)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["$0", "$1", "$2", "other"]
    total = sum(bar.get_width() for bar in plots.cells({str(i): {"$a": i} for i in range(9)}, rows=4).axes[0].patches)  # type: ignore[attr-defined]
    assert total == sum(range(9))
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == sum(many["npu"].values())  # type: ignore[attr-defined]


def test_an_image_that_is_not_square_is_left_out_of_the_raster() -> None:
    fired = [np.ones((3, 5), bool)]
    assert len(plots.raster(fired, ["a"], np.zeros(12, np.uint8)).axes) == 1
    assert len(plots.raster(fired, ["a"], np.zeros(16, np.uint8)).axes) == 2
