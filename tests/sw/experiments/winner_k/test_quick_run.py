"""The whole of `spikeloom paper winner-k --quick`: every step, the Verilog with drift among them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spikeloom.sw.cli.main import app
from spikeloom.sw.experiments.winner_k.cases import CASES
from spikeloom.sw.experiments.winner_k.flow import make_flow
from spikeloom.sw.experiments.winner_k.page import render
from spikeloom.sw.experiments.winner_k.pictures import FIGURES
from spikeloom.sw.flow.flow import Flow

pytestmark = pytest.mark.slow  # minutes; test_parts and the flow's own tests are quick

KEYS = {"name", "accuracy", "steps_mean", "lifetime_images", "crossbar_energy_J", "paper", "k", "tuning_factors"}


def run(folder: Path, *more: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["paper", "winner-k", "--quick", "--output", str(folder), "--json", *more])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    said = run(folder)
    assert said["folder"] == str(folder) and said["mismatches"] == 0 and said["skipped"] == []
    return folder


@pytest.fixture(scope="module")
def results(place: Path) -> dict[str, Any]:
    return json.loads((place / "results.json").read_text())


def test_results_have_every_case_and_the_papers_numbers(results: dict[str, Any]) -> None:
    assert [case["name"] for case in results["cases"]] == [case.name for case in CASES]
    for case in results["cases"]:
        assert case.keys() >= KEYS and case["paper"].keys() >= {"accuracy", "steps_mean", "lifetime_images"}
        assert 0.5 < case["accuracy"] <= 1.0 and 1.0 <= case["steps_mean"] <= 20.0
        assert 0.0 < case["crossbar_energy_J"] < 1e-4
        assert len(case["accuracy_by_seed"]) == len(results["seeds"]) == 2
        mean = sum(case["accuracy_by_seed"]) / 2
        assert case["accuracy"] == pytest.approx(mean)
    by_name = {case["name"]: case for case in results["cases"]}
    assert by_name["OT"]["paper"] == {
        "accuracy": None,
        "steps_mean": 7.5,
        "lifetime_images": 98,
        "crossbar_energy_J": 8.04e-6,
        "steps_static": pytest.approx(6.74, abs=0.01),
    }
    assert set(by_name["best"]["paper"].values()) == {None}
    assert results["quick"] is True and len(results["targets"]) == 8


def test_fixed_cases_take_every_step_and_others_save_steps_and_energy(results: dict[str, Any]) -> None:
    cases = {case["name"]: case for case in results["cases"]}
    for name in ("99N", "999N"):
        assert cases[name]["steps_mean"] == 20.0 and cases[name]["k"] is None and cases[name]["lifetime_images"] > 0
    assert cases["99T"]["static_steps"] < 10.0 and cases["999T"]["static_steps"] < 10.0
    assert cases["OT"]["static_steps"] < cases["99T"]["static_steps"]
    assert cases["best"]["static_steps"] < cases["OT"]["static_steps"]
    for name in ("OT", "best"):
        assert cases[name]["static_crossbar_energy"] < 0.5 * cases["99N"]["static_crossbar_energy"]
        assert results["savings"][name]["steps"] > 0.3 and results["savings"][name]["energy"] > 0.3
        assert all(factors is not None and len(factors) == 3 for factors in cases[name]["tuning_factors"])


def test_every_image_is_bit_exact_in_the_verilog(results: dict[str, Any]) -> None:
    for run in (results["verilog"][name] for name in ("OT", "best")):
        assert run["mismatches"] == 0 and run["images"] == 100 and run["row_pulses"] > 0
        assert run["values_compared"] > run["cells"] + 50 * run["images"]  # cells at the end, and everything on the way


def test_the_page_needs_nothing_else_and_shows_everything(place: Path, results: dict[str, Any]) -> None:
    page = (place / "index.html").read_text()
    for name in ("results.json", *results["figures"]):
        assert (place / name).stat().st_size > 50
    assert not re.search(r'(?:src|href)="(?!data:|#|https://doi\.org/)', page)
    assert page.count("<img") == len(FIGURES) + 3
    for case in results["cases"]:
        assert f"{100 * case['accuracy']:.2f}" in page
    for text in ("7.50", "18.85", "8.04", "This is the quick run", "Details not given in the paper", "Differences and"):
        assert text in page
    assert str(place) not in page


def test_the_page_of_a_full_run_says_where_it_differs(results: dict[str, Any]) -> None:
    page = render({**results, "quick": False}, dict.fromkeys([*FIGURES, "search", "q-values", "tuning"], "data:,"))
    text = re.sub(r"\s+", " ", page.split("Differences and their reasons")[1])
    steps = {case["name"]: case["static_steps"] for case in (*results["cases"], *results["variants"])}
    for name in ("99T", "OT", "OT, k = 2"):
        assert f"{steps[name]:.2f} steps" in text
    assert "quick run" not in page and "--quick" not in page


def test_figures_come_with_their_numbers(place: Path, results: dict[str, Any]) -> None:
    tables = {name: list(csv.DictReader((place / f"figures/{name}.csv").read_text().splitlines())) for name in FIGURES}
    assert [row["case"] for row in tables["figure-7"]][:6] == [case.name for case in CASES]
    waste = [float(row["wasted_steps"]) for row in tables["figure-3"]]
    assert waste[0] == 0.0 and waste[-1] > waste[5] > 0.0
    steps = {row["normalisation"]: float(row["steps"]) for row in tables["figure-4"]}
    assert steps["99N"] < steps["Max"]
    first = [row for row in tables["figure-8"] if row["case"] == "99N" and row["seed"] == "1"]
    assert float(first[-1]["accuracy"]) < results["lifetime_threshold"] <= float(first[0]["accuracy"])


def test_a_second_run_keeps_everything_and_gives_the_same_bytes(place: Path) -> None:
    before = {path: path.read_bytes() for path in place.glob("*.*") if path.is_file()}
    said = run(place)
    assert said["done"] == [] and len(said["skipped"]) == 9
    assert before == {path: path.read_bytes() for path in place.glob("*.*") if path.is_file()}


def test_finished_parts_of_a_step_are_kept(place: Path) -> None:
    flow: Flow = make_flow(place, small=True)[1]
    stamps = {path: path.stat().st_mtime_ns for path in (flow.folder / "parts").rglob("*.json")}
    (flow.folder / "static/static.json").unlink()
    (flow.folder / "parts/static/OT-2.json").unlink()
    pages = (place / "quick/page/index.html").read_bytes()
    flow.run()
    changed = [path.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert changed == ["OT-2.json"] and flow.done == ["static"]
    assert (place / "quick/page/index.html").read_bytes() == pages
