"""The pictures of drift show the numbers they are given, the same bytes every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sw.report.plots import drift as plots_drift
from spikeloom.sw.report.plots.style import data_uri

PULSES = [np.array([0, 0, 5, 900, 80]), np.arange(7), np.zeros(3, int), np.full(4, 10**9)]
LEVELS = np.repeat(np.arange(4, dtype=np.uint8), 5)


def found(programmings: int = 1, **values: Any) -> dict[str, Any]:
    points = [{"images": n, "accuracy": a} for n, a in ((0, 0.98), (1, 0.98), (1000, 0.95), (2000, 0.7))]
    later = [{"images": 0, "accuracy": 0.97}, {"images": 1000, "accuracy": 0.9}]
    each = [{"points": points}] + [{"points": later}] * (programmings - 1)
    refresh = {"programmings": each, "interval": 1000, "every": 0} | values.pop("refresh", {})
    return {"images": 2000, "last_good": 1000, "threshold": 0.85, "refresh": refresh, **values}


def lines(figure: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")}


def test_same_bytes_and_labelled_axes() -> None:
    for make in (
        lambda: plots_drift.row_pulses(PULSES, ["a", "b", "c", "d"]),
        lambda: plots_drift.level_drift(LEVELS, LEVELS + 0.0, LEVELS + 0.5),
        lambda: plots_drift.lifetime(found(3)),
    ):
        assert all(ax.get_xlabel() for ax in make().axes if ax.get_visible())
        assert data_uri(make()) == data_uri(make())


def test_every_row_is_in_its_layer_s_panel() -> None:
    figure = plots_drift.row_pulses(PULSES, ["a", "b", "c", "d"])
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [round(sum(bar.get_height() for bar in ax.patches)) for ax in shown] == [5, 7, 3, 4]
    assert [ax.get_title(loc="left") for ax in shown][:2] == ["a: 5 rows, 2 never driven", "b: 7 rows, 1 never driven"]


def test_levels_have_their_change() -> None:
    after = LEVELS + np.tile([0.0, 0.1, 0.2, 0.3, 0.4], 4) * (LEVELS == 1)
    figure = plots_drift.level_drift(LEVELS, LEVELS.astype(float), after)
    median = next(line for line in figure.axes[1].get_lines() if line.get_label() == "median")
    assert median.get_ydata() == pytest.approx([0.0, 0.2, 0.0, 0.0])


def test_the_lifetime_is_marked() -> None:
    marks = lines(plots_drift.lifetime(found()))
    assert marks["lifetime: 2,000 images"].get_xdata()[0] == 2000
    assert marks["threshold"].get_ydata()[0] == 85.0
    assert marks["accuracy"].get_ydata() == pytest.approx([98.0, 98.0, 95.0, 70.0])
    assert not any(name.startswith(("interval", "refreshed")) for name in marks)
    several = lines(plots_drift.lifetime(found(3, refresh={"interval": 600, "every": 500})))
    assert several["interval: 600 images"].get_xdata()[0] == 600 and several["refreshed here"].get_xdata()[0] == 500
    assert several["later programmings"].get_ydata() == pytest.approx([97.0, 90.0])


def test_only_the_decades_of_the_bend_are_drawn() -> None:
    points = [{"images": n, "accuracy": 0.9} for n in (0, 1, 10**5, 10**9)]
    long = found(images=10**9, last_good=10**5, refresh={"programmings": [{"points": points}], "interval": 10**5})
    shown = lines(plots_drift.lifetime(long))["accuracy"].get_xdata()
    assert shown.tolist() == [1e5, 1e5, 1e9]
    endless = lines(plots_drift.lifetime({**long, "images": None, "last_good": 10**9}))
    assert not any(name.startswith("lifetime") for name in endless)
