from __future__ import annotations

import base64

import numpy as np
import pytest
from matplotlib.figure import Figure

from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.sw.report.plots import overview as plots
from spikeloom.sw.report.plots.feature_maps import stage_spikes

RGB = MapShape(channels=3, height=4, width=4)


def around(joules: float) -> dict[str, float]:
    return {"low": joules / 4, "typical": joules, "high": 4 * joules}


def some_figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    levels = rng.integers(-15, 16, (20, 12)) * 6e-7
    fired = [rng.random((6, 40)) < 0.2, rng.random((6, 10)) < 0.2]
    traces = [rng.integers(-90, 60, (6, 40)), rng.integers(-90, 60, (6, 10))]
    target, error = rng.integers(0, 16, 90).astype(float), rng.normal(0.0, 0.2, 90)
    failed = rng.random(90) < 0.1
    kinds = rng.integers(0, 3, (40, 20))
    return {
        "waterfall": plots.waterfall([("ANN", 0.98), ("quantised", 0.97), ("noise", 0.975)]),
        "by_steps": plots.accuracy_by_steps([np.nan, 0.5, 0.9], (2.2, 0.88), 0.95),
        "steps": plots.steps_histogram(np.array([1, 2, 2, 5]), 6),
        "latency": plots.latency_histogram(np.array([1e-6, 2e-6, 2.5e-6])),
        "raster": plots.raster(fired, ["a", "b"], rng.integers(0, 255, 64).astype(np.uint8)),
        "feature_maps": plots.feature_maps(
            [rng.random((40, 5, 5)), rng.random((3, 2, 4))], ["0: a", "1: b"], np.zeros(48, np.uint8), RGB
        ),
        "membranes": plots.membranes(traces, ["a", "b"], [np.full(6, 60)] * 2),
        "conductance": plots.conductance(levels, levels * 1.05),
        "energy": plots.energy({"crossbar": around(1e-9), "adc": around(2e-9), "dac": around(1e-10), "digital": None}),
        "reached": plots.target_against_reached(target, target + error, failed, 0.25),
        "errors": plots.weight_errors(error, error / 2),
        "pulses": plots.pulses_histogram(rng.integers(0, 20, 90), failed),
        "failed": plots.failed_pairs([kinds, kinds[:30, :5]], ["a", "b"], [(16, 8), (16, 8)]),
        "confusion": plots.confusion(rng.integers(0, 90, (5, 5))),
        "cells": plots.cells({"npu": {"$add": 3, "$mux": 5}, "encoder": {"$add": 1}}),
    }


def test_every_picture_has_labelled_axes_and_is_the_same_every_time() -> None:
    for name, figure in some_figures().items():
        labels = [label for ax in figure.axes for label in (ax.get_xlabel(), ax.get_ylabel())]
        assert any(labels), name
    first = {name: plots.data_uri(figure) for name, figure in some_figures().items()}
    second = {name: plots.data_uri(figure) for name, figure in some_figures().items()}
    assert first == second
    assert all(uri.startswith("data:image/svg+xml;base64,") for uri in first.values())


def test_units_stand_on_the_axes() -> None:
    figures = some_figures()
    assert figures["latency"].axes[0].get_xlabel() == "latency (µs)"
    assert figures["energy"].axes[0].get_xlabel() == "energy per image (nJ)"
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


def test_a_confusion_matrix_has_its_numbers_and_the_shares_of_each_class() -> None:
    ax = plots.confusion(np.array([[3, 1], [0, 0]])).axes[0]
    assert {text.get_position(): text.get_text() for text in ax.texts} == {(0, 0): "3", (1, 0): "1"}
    shown = ax.images[0].get_array()
    assert shown is not None and shown.tolist() == [[75.0, 25.0], [0.0, 0.0]]
    assert not plots.confusion(np.ones((13, 13), np.int64)).axes[0].texts


def test_pictures_are_drawn_into_axes_that_are_given() -> None:
    figure = Figure()
    ax, *panels = figure.subplots(1, 4)
    assert plots.steps_histogram(np.array([1, 2]), 2, ax) is figure
    assert [bar.get_height() for bar in ax.patches] == [50.0, 50.0]
    levels = np.ones((3, 2)) * 1e-6
    assert plots.conductance(levels, levels, panels) is figure
    assert [panel.get_title() for panel in panels] == ["target", "programmed", "no difference"]


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


def test_every_cell_is_in_the_pictures_of_programming() -> None:
    """One bar per number of pulses; those given up stand on those that are fine."""
    pulses, failed = np.array([0, 0, 1, 3, 3, 3]), np.array([False, False, False, False, True, True])
    bars = plots.pulses_histogram(pulses, failed).axes[0].patches
    heights = [bar.get_height() for bar in bars]  # type: ignore[attr-defined]
    assert heights[: len(heights) // 2][:4] == [2, 0, 0 + 1, 1][:1] + [1, 0, 1] and heights[len(heights) // 2 :][3] == 2
    axes = plots.target_against_reached(np.array([2.0, 2.0, 5.0]), np.array([2.1, 9.0, 5.0]), failed[3:], 0.25).axes[0]
    points = axes.collections[-1].get_offsets()
    assert len(points) == 2 and sorted(points[:, 1]) == [5.0, 9.0]
    axes = plots.weight_errors(np.array([0.0, -3.0, 15.0])).axes[0]
    assert sum(bar.get_height() for bar in axes.patches[1:]) == 3  # type: ignore[attr-defined]
    assert axes.get_xlim()[0] < -15 and axes.get_xlim()[1] > 15


def test_a_failed_pair_of_a_large_layer_is_not_lost_in_its_map() -> None:
    kinds = np.zeros((2100, 30), np.int64)
    kinds[1234, 7] = 2
    shown = plots.failed_pairs([kinds], ["a"], [(256, 64)]).axes[0].images[0].get_array()
    assert shown is not None and shown.shape[0] <= 500 and shown.max() == 2 and int((shown > 0).sum()) == 1


def test_maps_are_put_together_from_the_copies() -> None:
    """Every neuron's spikes stand where it is: channel, row and column, of whichever replica."""
    conv = CrossbarStage(layer=0, windows=(Window(source=0, kernel=(2, 2)),), replicas=2)
    dense = CrossbarStage(layer=2, windows=(Window(source=1, kernel=(2, 3)),))
    plan = Plan(input=MapShape(channels=1, height=3, width=4), stages=(conv, dense), channels=(5, 5, 2))
    whole = np.random.default_rng(1).random((8, 6, 5)) < 0.5  # steps, positions, channels
    fired = [whole[:, 0::2].reshape(8, -1), whole[:, 1::2].reshape(8, -1), np.ones((8, 2), bool)]
    found = stage_spikes(plan, fired)
    assert list(found) == [0]
    assert found[0].shape == (5, 2, 3)
    for position in range(6):
        np.testing.assert_array_equal(found[0][:, position // 3, position % 3], whole[:, position].mean(axis=0))


def test_thirty_two_channels_are_drawn_and_the_others_told() -> None:
    panels = some_figures()["feature_maps"].axes
    titles = [ax.get_title(loc="left") for ax in panels]
    assert "0: a: 32 of 40 channels of 5 x 5" in titles and "1: b: 3 channels of 2 x 4" in titles
