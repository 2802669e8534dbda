"""`spikeloom paper NAME`: reproduces a paper's experiments."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikeloom.sw.cli.command import Data, Debug, Fresh, Json, Output
from spikeloom.sw.cli.console import print_json, print_table, shown
from spikeloom.sw.cli.paper_rows import brief_weighted, rows_weighted
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.common.files import writable_folder
from spikeloom.sw.flow.flow import Flow

__all__ = ["EPILOG", "PaperName", "paper"]

EPILOG = "Examples: spikeloom paper winner-k --data DIR · spikeloom paper weighted-spikes --quick"


class PaperName(StrEnum):
    """The papers there are."""

    winner_k = "winner-k"
    weighted_spikes = "weighted-spikes"


def paper(
    name: Annotated[PaperName, typer.Argument(metavar="PAPER", help="Which paper: winner-k or weighted-spikes.")],
    quick: Annotated[bool, typer.Option("--quick", help="A small version on digits that need no download.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", min=1, max=100, help="Of winner-k: number of seeds (default: 5, with --quick 2)."
        ),
    ] = None,
    data: Data = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Reproduce a paper's experiments: its tables and figures, with its numbers next to ours, on one page.

    Results are written to build/paper/PAPER: index.html, results.json, figures. A stopped run resumes.
    """
    from spikeloom.sw.experiments.winner_k.flow import publish

    if quick and data is not None:
        raise ConfigError(
            "--data",
            ["it would have no effect with --quick, whose digits are part of scikit-learn; leave one of them out"],
        )
    make = _winner_k if name == PaperName.winner_k else _weighted_spikes
    flow = make(output, data, seeds, quick, fresh)
    for place in (flow.folder.parent, flow.folder, *(flow.folder / step for step in flow.names())):
        writable_folder(place, "folder of the experiment")
    with shown(flow, as_json):
        flow.run()
    page = publish(flow)
    results = json.loads((page.parent / "results.json").read_text(encoding="utf-8"))
    brief, rows = (_brief, _rows) if name == PaperName.winner_k else (brief_weighted, rows_weighted)
    if as_json:
        print_json(
            {"folder": str(page.parent), "page": str(page), "skipped": flow.skipped, "done": flow.done} | brief(results)
        )
        return
    print_table(f"{name.value}, quick" if quick else name.value, rows(results))
    Console().print(f"Page: {page}", soft_wrap=True, highlight=False)


def _winner_k(output: Path | None, data: Path | None, seeds: int | None, quick: bool, fresh: bool) -> Flow:
    from spikeloom.sim.cosim.tools import check_simulator
    from spikeloom.sw.experiments.winner_k.flow import make_flow

    check_simulator("verilator")  # before the training, not after it
    return make_flow(output, data, seeds, quick, fresh)[1]


def _weighted_spikes(output: Path | None, data: Path | None, seeds: int | None, quick: bool, fresh: bool) -> Flow:
    from spikeloom.sw.experiments.weighted_spikes.flow import make_flow

    if seeds is not None:
        raise ConfigError(
            "--seeds", ["it would have no effect: networks of weighted-spikes have one seed each; leave it out"]
        )
    return make_flow(output, data, quick, fresh)[1]


def _brief(results: dict[str, Any]) -> dict[str, Any]:
    """What the command says of the results; all of them are in `results.json`."""
    names = ("name", "accuracy", "steps_mean", "lifetime_images", "crossbar_energy_J", "paper")
    return {
        "quick": results["quick"],
        "cases": [{name: case[name] for name in names} for case in results["cases"]],
        "targets": results["targets"],
        "mismatches": sum(run["mismatches"] for run in results["verilog"].values()),
    }


def _rows(results: dict[str, Any]) -> dict[str, str]:
    rows = {}
    for case in results["cases"]:
        life = case["lifetime_images"]
        rows[case["name"]] = (
            f"{100 * case['accuracy']:.2f} %, {case['steps_mean']:.2f} steps, "
            f"{1e6 * case['crossbar_energy_J']:.2f} µJ, {'no end' if life is None else f'{life:,.0f} images'}"
        )
        if case["paper"]["steps_mean"] is not None:
            theirs = case["paper"]
            rows[f"{case['name']}, the paper"] = (
                f"{theirs['steps_mean']:.2f} steps, {1e6 * theirs['crossbar_energy_J']:.2f} µJ, "
                f"{theirs['lifetime_images']} images"
            )
    for name, run in results["verilog"].items():
        rows[f"{name} through the Verilog"] = f"{run['images']:,} images, {run['mismatches']} mismatches"
    missed = [f"{target['case']}: {target['what']}" for target in results["targets"] if not target["met"]]
    rows["targets missed"] = "; ".join(missed) or "none"
    return rows
