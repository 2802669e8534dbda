"""Step `measure`: rows and curves of every case, from the recordings; and Figure 5, from runs by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spikeloom.hw.params.plan import CrossbarStage
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.diagnostics.by_step.measure import measure_by_step
from spikeloom.sw.diagnostics.by_step.targets import target
from spikeloom.sw.experiments.weighted_spikes.cases import Case, Network
from spikeloom.sw.experiments.weighted_spikes.chips import compile_case
from spikeloom.sw.experiments.weighted_spikes.choice import Choice
from spikeloom.sw.experiments.weighted_spikes.curves import by_step, classified, outputs, top_two_histogram
from spikeloom.sw.experiments.weighted_spikes.experiment import Experiment
from spikeloom.sw.experiments.weighted_spikes.rows import BY_TESTS, BY_VALIDATION, Recorded, case_rows
from spikeloom.sw.experiments.winner_k.parts import Parts, digest, plain
from spikeloom.sw.flow.flow import Flow

__all__ = ["measure", "measure_case", "neurons_of"]


def measure(experiment: Experiment, flow: Flow) -> list[Path]:
    """Everything that results and figures are made of, case by case."""
    trained = json.loads((flow.folder / "networks/networks.json").read_text(encoding="utf-8"))
    cases = [
        (network, case)
        for network in experiment.scale.networks
        if trained[network.name]["missing"] is None
        for case in experiment.scale.cases_of(network.name)
    ]
    parts = Parts(flow, "measure", (source_of(measure),), len(cases))
    found = []
    for network, case in cases:
        path = experiment.network_path(flow, network)
        made = sorted((flow.folder / "recordings").glob(f"{case.slug}-*.npz"))
        right = {which: trained[network.name][which]["right"] for which in ("tests", "validation")}
        facts = [network.facts(), case.facts(), right, [digest(file) for file in made]]

        def work(network=network, case=case, right=right):  # type: ignore[no-untyped-def]
            return measure_case(experiment, flow, network, case, right)

        found.append({**case.facts(), **parts.get(case.slug, facts, [path], work)})
    summary = flow.folder / "measure/measure.json"
    write_atomic(summary, plain(found))
    return [summary]


def measure_case(
    experiment: Experiment, flow: Flow, network: Network, case: Case, network_right: dict[str, int]
) -> dict[str, Any]:
    """Rows and curves of a case, as plain values."""
    chip = compile_case(experiment, flow, case)
    held = {}
    for which in ("tests", "validation") if case.early else ("tests",):
        images = experiment.images(network, which)
        held[which] = Recorded(experiment.recording(flow, case, which), images.labels, network_right[which])
    tests, weighted = held["tests"], case.coding == "weighted"
    skip = network.skip if weighted and network.skip * case.phases < case.steps else 0
    rows = case_rows(case, tests, held.get("validation"), skip, network.skips)
    found: dict[str, Any] = {
        "neurons": neurons_of(chip),
        "rows": rows,
        "by_step": by_step(tests, skip, neurons_of(chip)),
    }
    if case.phases != network.phases and weighted:
        return found  # for Figures 8 and 9 alone
    aim = target(chip)
    activations = aim.activations(experiment.images(network, "tests").pixels)[-1]
    found["outputs"] = outputs(tests, 0, skip, activations[0])
    found["top_two"] = top_two_histogram(activations)
    early = {row["chosen_on"]: row for row in rows if row["early_decision"] and row["loss_points"] == 1.0}
    for by in (BY_VALIDATION, BY_TESTS):
        row = early.get(by)
        if row is not None and row["skip"] is not None:
            found.setdefault("classified", {})[by] = classified(tests, Choice(row["skip"], row["theta"], None))
    found["approximation"] = _approximation(experiment, network, case, chip)
    return found


def _approximation(experiment: Experiment, network: Network, case: Case, chip: Compiled) -> dict[str, Any]:
    """Figure 5: mean absolute error and standard deviation of all activations by step."""
    images = experiment.images(network, "tests").first(network.approximation)
    found = measure_by_step(chip, images.pixels, images.labels, ideal=case.cells == "ideal")
    overall = found.overall
    return {
        "images": len(images),
        "mean_absolute_error": overall["mean_absolute_error"].tolist(),
        "deviation": overall["deviation"].tolist(),
    }


def neurons_of(chip: Compiled) -> int:
    """Neurons whose spikes something reads: all but the outputs."""
    plan = chip.programmed.parameters.plan
    stages = range(len(plan.stages) - 1)
    return sum(plan.maps[stage + 1].size for stage in stages if isinstance(plan.stages[stage], CrossbarStage))
