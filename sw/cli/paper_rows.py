"""What `spikeloom paper weighted-spikes` says of its results; all of them are in `results.json`."""

from __future__ import annotations

from typing import Any

from spikeloom.sw.common.readable import si

__all__ = ["brief_weighted", "rows_weighted"]

_NAMES = (
    "network",
    "coding",
    "phases",
    "cells",
    "early_decision",
    "loss_points",
    "chosen_on",
    "accuracy",
    "steps_mean",
)


def brief_weighted(results: dict[str, Any]) -> dict[str, Any]:
    """With --json: rows without the paper's numbers, and networks that were not measured."""
    return {
        "quick": results["quick"],
        "rows": [{name: row[name] for name in _NAMES} for row in results["rows"]],
        "missing": {each["name"]: each["missing"] for each in results["networks"] if each["missing"] is not None},
    }


def rows_weighted(results: dict[str, Any]) -> dict[str, str]:
    """For people: accuracies, steps without and with early decision on ideal cells, and what is missing."""
    found = {}
    for network in results["networks"]:
        name = network["name"]
        if network["missing"] is not None:
            found[name] = f"not measured: {network['missing']}"
            continue
        found[name] = f"{network['accuracy_network']:.2%} before conversion, {network['images']:,} test images"
        for row in results["rows"]:
            wanted = row["cells"] == "ideal" and row["phases"] in (1, network["phases"])
            if row["network"] != name or row["loss_points"] != 1.0 or row["chosen_on"] != "held-out images":
                continue
            if wanted:
                way = "early decision" if row["early_decision"] else "fixed steps"
                label = f"{name}, {row['coding']}, {way}, loss < 1 point"
                found[label] = row["note"] or (
                    f"{row['accuracy']:.2%}, {row['steps_mean']:.1f} steps, "
                    f"{row['synaptic_operations_mean']:.3g} synaptic operations, "
                    f"{si(row['crossbar_energy_J'], 'J')}"
                )
    return found
