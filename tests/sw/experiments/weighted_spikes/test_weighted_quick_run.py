"""The whole of `spikeloom paper weighted-spikes --quick`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spikeloom.sw.cli.main import app
from spikeloom.sw.experiments.weighted_spikes.pictures import FIGURES

KEYS = {
    "table", "network", "coding", "early_decision", "loss_points", "accuracy", "steps_mean", "steps_last",
    "spikes_mean", "synaptic_operations_mean", "crossbar_energy_J", "paper", "cells", "images",
}  # fmt: skip


def run(folder: Path, *more: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["paper", "weighted-spikes", "--quick", "-o", str(folder), "--json", *more])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_quick_run_makes_results_pictures_and_a_page_and_is_resumed(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert said["done"] == ["train", "record", "measure", "page"] and said["missing"] == {}
    results = json.loads((tmp_path / "results.json").read_text())
    assert all(row.keys() >= KEYS for row in results["rows"])
    assert {row["coding"] for row in results["rows"]} == {"weighted", "rate"}
    assert {row["cells"] for row in results["rows"]} == {"ideal", "noisy"}
    early = [row for row in results["rows"] if row["early_decision"] and row["chosen_on"] == "test images"]
    assert early and all(row["loss_met"] for row in early if row["note"] is None)
    page = (tmp_path / "index.html").read_text()
    assert "This is the quick run" in page and "http-equiv" not in page
    for name in FIGURES:
        assert (tmp_path / f"figures/{name}.svg").read_text().startswith("<?xml")
    again = run(tmp_path)
    assert again["done"] == [] and (tmp_path / "index.html").read_text() == page


@pytest.mark.parametrize(("option", "value"), [("--seeds", "2"), ("--data", ".")])
def test_options_without_effect_are_refused(tmp_path: Path, option: str, value: str) -> None:
    given = ["paper", "weighted-spikes", "--quick", "-o", str(tmp_path / "new"), option, value]
    result = CliRunner().invoke(app, given)
    assert result.exit_code != 0 and not (tmp_path / "new").exists()


def test_without_any_data_it_says_that_quick_needs_none(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    result = CliRunner().invoke(app, ["paper", "weighted-spikes", "--data", str(missing), "-o", str(tmp_path / "out")])
    assert result.exit_code == 2 and str(missing) in result.stderr and "--quick" in result.stderr
