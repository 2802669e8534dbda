from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.sim.chip.origin import Origin
from spikeloom.sim.chip.result import Result
from spikeloom.sim.chip.result_view import result_line, result_rows
from tests.fixtures.synthetic import make_chip, make_result

RESULT = make_result(make_chip(), 6, cycles=True)
COLUMNS = ["image", "class", "steps", "margin", "reason", "cycles"]
PER_LAYER = [f"layer{layer}_{name}" for layer in (0, 1) for name in COUNTERS]


def of(simulator: str | None, bus: dict[str, Any] | None = None) -> Result:
    return replace(RESULT, origin=Origin("0", np.zeros((6, 16), np.uint8), simulator, bus))


def test_columns_are_the_arrays_of_the_result() -> None:
    columns = replace(RESULT, ids=np.arange(20, 26)).columns()
    assert list(columns) == [*COLUMNS, *PER_LAYER]
    assert columns["image"].tolist() == [20, 21, 22, 23, 24, 25]
    assert columns["class"].tolist() == RESULT.classes.tolist() and columns["cycles"] is RESULT.cycles
    assert columns["reason"].tolist() == ["rule" if steps < 8 else "t_max" for steps in RESULT.steps]
    assert columns["layer1_spikes"].tolist() == RESULT.spikes[:, 1].tolist()
    assert columns["layer0_conversions"].tolist() == RESULT.activity["conversions"][:, 0].tolist()
    without = replace(RESULT, cycles=None).columns()
    assert "cycles" not in without and len(without) == len(columns) - 1


def test_a_data_frame_has_a_row_an_image() -> None:
    pandas = pytest.importorskip("pandas")
    frame = RESULT.to_dataframe()
    assert isinstance(frame, pandas.DataFrame) and frame.shape == (6, len(COLUMNS) + len(PER_LAYER))
    assert frame["steps"].tolist() == RESULT.steps.tolist() and frame.groupby("reason").size().sum() == 6


def test_a_data_frame_is_made_of_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda columns: ("frame", list(columns))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert RESULT.to_dataframe() == ("frame", [*COLUMNS, *PER_LAYER])


def test_without_pandas_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"^to_dataframe needs pandas, .* or take result\.columns\(\)"
    ) as found:
        RESULT.to_dataframe()
    assert "\n" not in str(found.value)


def test_a_result_says_where_it_comes_from() -> None:
    assert result_line(of(None)).startswith("6 images of the integer reference; classes {")
    assert result_line(of("icarus")).startswith("6 images of the Verilog in icarus; ")
    assert "Verilog in verilator, over the host buses" in result_line(of("verilator", {"method": "fast"}))
    assert result_line(RESULT).startswith("6 images; ") and result_line(RESULT).endswith("known without labels")


def test_rows_of_a_result() -> None:
    rows = dict(result_rows(RESULT))
    low, high = RESULT.steps.min(), RESULT.steps.max()
    assert rows["images"] == "6" and rows["steps"] == f"{RESULT.steps.mean():.2f} on average, {low} to {high}"
    assert rows["origin"] == "not known" and rows["traced"] == "no"
    assert rows["clock cycles"].endswith(f"{RESULT.cycles.max():,} at most")  # type: ignore[union-attr]
    assert rows["accuracy"] == "not known without labels: result.accuracy(labels)"
    traced = make_result(make_chip(), 2, trace="full")
    assert dict(result_rows(traced))["traced"] == "spikes and membranes" and "clock cycles" not in dict(
        result_rows(traced)
    )
    assert traced.trace is not None
    spikes = replace(traced, trace=replace(traced.trace, membranes=None))
    assert dict(result_rows(spikes))["traced"] == "spikes"
    assert dict(result_rows(RESULT.part(np.arange(0))))["images"] == "0"
    html = of("<icarus>")._repr_html_()
    assert html.startswith("<table") and "&lt;icarus&gt;" in html and "<icarus>" not in html
