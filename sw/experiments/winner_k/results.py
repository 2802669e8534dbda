"""`results.json`: means over the seeds, with standard deviations, and the paper's numbers."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from spikeloom.sw.experiments.winner_k.cases import CASES, FEW_STEPS, RELU, VARIANTS
from spikeloom.sw.experiments.winner_k.experiment import Experiment
from spikeloom.sw.experiments.winner_k.lifetimes import THRESHOLD
from spikeloom.sw.experiments.winner_k.parts import FOLDER
from spikeloom.sw.experiments.winner_k.published import ACCURACY_ANN, CITATION, SAVINGS
from spikeloom.sw.experiments.winner_k.published import CASES as PUBLISHED
from spikeloom.sw.flow.flow import Flow

__all__ = ["QUANTITIES", "gather", "read", "read_results", "savings", "spread", "targets"]

QUANTITIES = ("accuracy", "steps_mean", "lifetime_images", "crossbar_energy_J")
"""What every case has, ours and the paper's. Steps and energy are means over the images of 99N's lifetime."""


def read(flow: Flow, step: str) -> Any:
    """What a step left, `STEP/STEP.json`."""
    folder = {"train": "networks", "chips": "chips"}.get(step, step)
    return json.loads((flow.folder / folder / f"{folder}.json").read_text(encoding="utf-8"))


def spread(name: str, values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and sample standard deviation of the values of all seeds, under `name`; None if a value is missing."""
    known = [value for value in values if value is not None]
    whole = len(known) == len(values)
    deviation = statistics.stdev(known) if whole and len(known) > 1 else 0.0
    return {
        name: statistics.fmean(known) if whole else None,
        f"{name}_std": deviation if whole else None,
        f"{name}_by_seed": list(values),
    }


def gather(experiment: Experiment, flow: Flow, figures: Sequence[str]) -> dict[str, Any]:
    """Everything that `results.json` holds, but for the pictures themselves."""
    cases = [_case(flow, case.name, case.network) for case in CASES]
    networks = read(flow, "train")
    base = experiment.scale.base
    return {
        "paper": CITATION,
        "quick": experiment.scale.quick,
        "data": read(flow, "data"),
        "network": [
            read(flow, "data")["shape"][-1] * read(flow, "data")["shape"][-2],
            *base.train.hidden,
            read(flow, "data")["classes"],
        ],
        "device": base.device.model_dump(mode="json"),
        "seeds": list(experiment.seeds),
        "lifetime_threshold": THRESHOLD,
        "t_max": base.decision.t_max,
        "networks": {
            name: spread("accuracy", [row["accuracy"] for row in networks if row["network"] == name])
            for name in (RELU, FEW_STEPS)
        },
        "paper_accuracy_ann": ACCURACY_ANN,
        "targets": targets(cases),
        "cases": cases,
        "variants": [_case(flow, case.name, case.network) for case in VARIANTS],
        "savings": savings(cases),
        "learning": experiment.scale.config(CASES[4], experiment.seeds[0]).learning.model_dump(mode="json"),
        "tuning": experiment.scale.config(CASES[4], experiment.seeds[0]).tuning.model_dump(mode="json"),
        "search": _search(flow, experiment.seeds[0]),
        "example": json.loads((flow.folder / "static/example.json").read_text(encoding="utf-8")),
        "motivation": _motivation(read(flow, "motivation")),
        "verilog": read(flow, "verilog"),
        "sensitivity": read(flow, "sensitivity"),
        "figures": list(figures),
    }


def _case(flow: Flow, name: str, network: str) -> dict[str, Any]:
    """A row of `cases`."""
    mine: Callable[[str], list[dict[str, Any]]] = lambda step: [r for r in read(flow, step) if r["case"] == name]  # noqa: E731
    static, lived, chips = mine("static"), mine("lifetime"), mine("chips")
    networks = [row["accuracy"] for row in read(flow, "train") if row["network"] == network]
    found: dict[str, Any] = {"name": name, "network": network, "k": _same([row["k"] for row in chips])}
    found["k_by_seed"] = [row["k"] for row in chips]
    found["tuning_factors"] = [row["factors"] for row in chips]
    found |= spread("accuracy", [row["accuracy"] for row in static])
    for quantity in QUANTITIES[1:]:
        found |= spread(quantity, [row[quantity] for row in lived])
    for quantity in ("steps_mean", "crossbar_energy_J"):
        short = quantity.removesuffix("_mean").replace("_J", "")
        found |= spread(f"static_{short}", [row[quantity] for row in static])
        found |= spread(f"life_{short}", [row[f"life_{quantity}"] for row in lived])
    found["images_by_seed"] = [row["images"] for row in lived]
    found |= spread("accuracy_ann", networks)
    found |= spread("lifetime_estimate", [row["estimate"] for row in lived])
    found["steps_histogram"] = _mean_lists([row["steps_histogram"] for row in static])
    found["spikes"] = _mean_lists([row["spikes"] for row in static])
    found["lifetime_points"] = [row["points"] for row in lived]
    published = PUBLISHED.get(name)
    found["paper"] = {quantity: getattr(published, quantity, None) for quantity in (*QUANTITIES, "steps_static")}
    return found


def savings(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """OT and our best against 99N: seed by seed, then the mean; with the paper's."""
    base = next(case for case in cases if case["name"] == "99N")
    found: dict[str, Any] = {"paper": vars(SAVINGS)}
    for case in cases:
        if case["name"] in ("OT", "best"):
            row: dict[str, Any] = {}
            for name, quantity, gain in (
                ("steps", "steps_mean", _saved),
                ("energy", "crossbar_energy_J", _saved),
                ("lifetime", "lifetime_images", _factor),
                ("life_steps", "life_steps", _saved),
                ("life_energy", "life_crossbar_energy", _saved),
                ("accuracy", "accuracy", lambda ours, theirs: ours - theirs),
            ):
                pairs = zip(case[f"{quantity}_by_seed"], base[f"{quantity}_by_seed"], strict=True)
                row |= spread(name, [None if a is None or not b else gain(a, b) for a, b in pairs])
            found[case["name"]] = row
    return found


def _saved(ours: float, theirs: float) -> float:
    return 1.0 - ours / theirs


def _factor(ours: float, theirs: float) -> float:
    return ours / theirs


def targets(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was to be shown, what was reached, and whether."""
    by_name = {case["name"]: case for case in cases}
    gained = savings(cases)
    ot, best = by_name["OT"], by_name["best"]
    loss = [ann - own for ann, own in zip(ot["accuracy_ann_by_seed"], ot["accuracy_by_seed"], strict=True)]
    rows = (
        ("OT", "steps saved against 99N", "at least", SAVINGS.steps, gained["OT"]["steps"], "share"),
        ("OT", "crossbar energy saved against 99N", "at least", SAVINGS.energy, gained["OT"]["energy"], "share"),
        ("OT", "drift lifetime against 99N", "at least", SAVINGS.lifetime, gained["OT"]["lifetime"], "factor"),
        ("OT", "accuracy below the network before conversion", "at most", 0.003, statistics.fmean(loss), "points"),
        ("best", "steps per image, without drift", "at most", 2.5, best["static_steps"], "number"),
        ("best", "accuracy", "at least", 0.983, best["accuracy"], "share"),
        ("best", "crossbar energy saved against 99N", "at least", 0.8, gained["best"]["energy"], "share"),
        ("best", "drift lifetime against 99N", "at least", 4.0, gained["best"]["lifetime"], "factor"),
    )
    return [
        {"case": case, "what": what, "sense": sense, "target": target, "reached": value, "unit": unit}
        | {"met": value is not None and (value >= target if sense == "at least" else value <= target)}
        for case, what, sense, target, value, unit in rows
    ]


def _search(flow: Flow, seed: int) -> list[dict[str, Any]]:
    """Every lead of 99T counted on the validation images: k, accuracy, mean steps; k None is T_max."""
    found = json.loads((flow.folder / f"chips/99T-{seed}.decision.json").read_text(encoding="utf-8"))["search"]
    rows = zip(found["ks"], found["accuracy"], found["mean_steps"], strict=True)
    return [{"k": k, "accuracy": accuracy, "steps": steps} for k, accuracy, steps in rows]


def _motivation(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures 3 and 4: means over the seeds."""
    found: dict[str, Any] = {"images": rows[0]["images"], "normalisations": {}}
    for name in dict.fromkeys(row["normalisation"] for row in rows):
        mine = [row for row in rows if row["normalisation"] == name]
        entry: dict[str, Any] = {}
        for quantity in ("steps", "spikes", "input_spikes"):
            entry |= spread(quantity, [row[quantity] for row in mine])
        entry["accuracy_by_steps"] = _mean_lists([row["accuracy"] for row in mine])
        entry["waste_by_steps"] = _mean_lists([row["waste"] for row in mine])
        found["normalisations"][name] = entry
    return found


def _same(values: Sequence[Any]) -> Any:
    """The value that all are; the list of them if they differ."""
    return values[0] if all(value == values[0] for value in values) else list(values)


def _mean_lists(lists: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.fmean(column) for column in zip(*lists, strict=True)]


def read_results(flow: Flow) -> dict[str, Any]:
    """`results.json` of a finished run."""
    results: dict[str, Any] = json.loads((flow.folder / FOLDER / "results.json").read_text(encoding="utf-8"))
    return results
