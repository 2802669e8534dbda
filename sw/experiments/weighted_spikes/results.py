"""`results.json`: every row with the paper's number, and what the figures are drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spikeloom.sw.experiments.weighted_spikes.experiment import Experiment
from spikeloom.sw.experiments.weighted_spikes.published import CITATION, NETWORKS, SAVINGS, TABLE_2
from spikeloom.sw.experiments.weighted_spikes.reaching import LOSSES
from spikeloom.sw.experiments.weighted_spikes.rows import BY_TESTS, BY_VALIDATION
from spikeloom.sw.experiments.winner_k.parts import FOLDER
from spikeloom.sw.flow.flow import Flow

__all__ = ["factors", "gather", "read_results", "savings"]


def gather(experiment: Experiment, flow: Flow, figures: Sequence[str]) -> dict[str, Any]:
    """Everything that `results.json` holds, but for the pictures themselves."""
    trained = _read(flow, "networks/networks.json")
    cases = _read(flow, "measure/measure.json")
    rows = [row for case in cases for row in case["rows"]]
    return {
        "paper": CITATION,
        "quick": experiment.scale.quick,
        "networks": [_network(network.name, network, trained[network.name]) for network in experiment.scale.networks],
        "rows": rows,
        "factors": factors(rows, [name for name, each in trained.items() if each["missing"] is None]),
        "savings": savings(rows),
        "cases": [{name: value for name, value in case.items() if name != "rows"} for case in cases],
        "figures": list(figures),
    }


def _read(flow: Flow, path: str) -> Any:
    return json.loads((flow.folder / path).read_text(encoding="utf-8"))


def _network(name: str, network: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Table 1: what a network is, and its accuracy before conversion."""
    theirs = NETWORKS.get(name)
    missing = found["missing"]
    tests = None if missing is not None else found["tests"]
    return {
        "name": name,
        "layers": network.config.train.network,
        "data": network.config.data.set,
        "missing": missing,
        "weights": None if missing is not None else found["weights"],
        "training_images": None if missing is not None else found["training_images"],
        "images": None if tests is None else tests["images"],
        "validation_images": None if missing is not None else found["validation"]["images"],
        "accuracy_network": None if tests is None else tests["right"] / tests["images"],
        "phases": network.phases,
        "skip": network.skip,
        "paper": None if theirs is None else vars(theirs),
    }


def _find(rows: Sequence[Mapping[str, Any]], **wanted: Any) -> Mapping[str, Any] | None:
    """The first row with these values that gets there."""
    hits = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
    row = next(hits, None)
    return None if row is None or row["steps_mean"] is None else row


def factors(rows: Sequence[Mapping[str, Any]], networks: Sequence[str]) -> list[dict[str, Any]]:
    """Table 2: steps, spikes, synaptic operations and energy of rate coding over those of weighted spikes, each ending
    all images after the step from which accuracy stays high enough, chosen on the test images.

    None where one of them does not get there.
    """
    found = []
    for network in networks:
        for loss in LOSSES:
            same = {"network": network, "early_decision": False, "loss_points": loss, "chosen_on": BY_TESTS}
            rate = _find(rows, coding="rate", cells="ideal", **same)
            phases = next((row["phases"] for row in rows if row["network"] == network and row["phases"] > 1), None)
            weighted = _find(rows, coding="weighted", cells="ideal", phases=phases, **same)
            theirs = TABLE_2.get(network, {}).get(loss)

            def over(name: str, rate: Any = rate, weighted: Any = weighted) -> float | None:
                return None if rate is None or weighted is None else rate[name] / weighted[name]

            found.append(
                {
                    "network": network,
                    "loss_points": loss,
                    "latency": over("steps_mean"),
                    "spikes": over("spikes_mean"),
                    "synaptic_operations": over("synaptic_operations_mean"),
                    "crossbar_energy": over("crossbar_energy_J"),
                    "paper": {
                        "latency": None if theirs is None else theirs.latency,
                        "spikes": None if theirs is None else theirs.spikes,
                    },
                }
            )
    return found


def savings(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figure 12: shares of steps, spikes and synaptic operations that the early decision saves against the same step
    for all images that gets there without a loss, by the same choice; None where one of them does not get there.
    """
    found = []
    for row in rows:
        if not row["early_decision"] or row["chosen_on"] not in (BY_TESTS, BY_VALIDATION):
            continue
        alike = {name: row[name] for name in ("network", "coding", "phases", "cells", "chosen_on")}
        fixed = _find(rows, early_decision=False, loss_points=0.0, **alike)
        theirs = SAVINGS.get(row["network"], {}).get(row["loss_points"]) if row["coding"] == "weighted" else None
        names = {"steps": "steps_mean", "spikes": "spikes_mean", "synaptic_operations": "synaptic_operations_mean"}
        known = fixed is not None and row["steps_mean"] is not None
        found.append(
            {
                **alike,
                "loss_points": row["loss_points"],
                **{name: 1.0 - row[of] / fixed[of] if known and fixed else None for name, of in names.items()},
                "paper": None if theirs is None else list(theirs),
            }
        )
    return found


def read_results(flow: Flow) -> dict[str, Any]:
    """What the step `page` left."""
    results: dict[str, Any] = _read(flow, f"{FOLDER}/results.json")
    return results
