"""`spikeloom paper NAME`: reproduces a paper's experiments."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from spikeloom.sw.cli.command import Data, Debug, Fresh, Json, Output
from spikeloom.sw.cli.console import print_json, print_table, shown
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.common.files import writable_folder

__all__ = ["EPILOG", "PaperName", "paper"]

EPILOG = "Examples: spikeloom paper winner-k --data DIR · spikeloom paper winner-k --quick"


class PaperName(StrEnum):
    """The papers there are."""

    winner_k = "winner-k"


def paper(
    name: Annotated[PaperName, typer.Argument(metavar="PAPER", help="Which paper: winner-k.")],
    quick: Annotated[bool, typer.Option("--quick", help="A small version on digits that need no download.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", min=1, max=100, help="Number of seeds (default: 5, with --quick 2)."),
    ] = None,
    data: Data = None,
    output: Output = None,
    fresh: Fresh = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Reproduce a paper's experiments: its tables and figures, with its numbers next to ours, on one page.

    Results are written to build/paper/winner-k: index.html, results.json, figures. A stopped run resumes.
    """
    from spikeloom.sim.cosim.tools import check_simulator
    from spikeloom.sw.experiments.winner_k.flow import make_flow, publish
    from spikeloom.sw.experiments.winner_k.results import read_results

    if quick and data is not None:
        raise ConfigError(
            "--data",
            ["it would have no effect with --quick, whose digits are part of scikit-learn; leave one of them out"],
        )
    check_simulator("verilator")  # before the training, not after it
    _, flow = make_flow(output, data, seeds, quick, fresh)
    for place in (flow.folder.parent, flow.folder, *(flow.folder / name for name in flow.names())):
        writable_folder(place, "folder of the experiment")
    with shown(flow, as_json):
        flow.run()
    page = publish(flow)
    results = read_results(flow)
    if as_json:
        print_json(
            {"folder": str(page.parent), "page": str(page), "skipped": flow.skipped, "done": flow.done}
            | _brief(results)
        )
        return
    print_table("winner-k, quick" if quick else "winner-k", _rows(results))
    Console().print(f"Page: {page}", soft_wrap=True, highlight=False)


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
