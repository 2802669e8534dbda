"""What the report shows of a learned rule and of tuned thresholds: the numbers. Pictures are in
`sw.report.plots.decision`.
"""

from __future__ import annotations

from typing import Any

from spikeloom.hw.params.parameters import Readout
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.datasets.image_set import ImageSet
from spikeloom.sw.decision.learn_rule import LearntRule
from spikeloom.sw.decision.q_learning import CONTINUE, TERMINATE
from spikeloom.sw.passes.tune import Cost, Tuned

__all__ = ["decision_summary", "first_replicas", "learning_summaries", "tuning_summary"]


def learning_summaries(
    chip: ProgrammedChip, learnt: LearntRule | None, tuned: Tuned | None, provenance: Provenance | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """`decision_summary` and `tuning_summary`, each with the validation images that it was `measured_on`."""
    known = None if provenance is None else provenance.data_set
    images = ImageSet("validation images given to compile" if known is None else f"validation images of '{known}'")
    decision, tuning = decision_summary(chip, learnt), tuning_summary(chip, tuned)
    return (
        None if decision is None or learnt is None else {**decision, "measured_on": images.facts(learnt.images)},
        None if tuning is None or tuned is None else {**tuning, "measured_on": images.facts(tuned.images)},
    )


def decision_summary(chip: ProgrammedChip, learnt: LearntRule | None) -> dict[str, Any] | None:
    """Plain numbers for `summary.json`: what was learned, what the register holds, and every rule counted; None if k
    was given.

    `rules` has an entry for every lead that was met, and one for T_max (k None), which has no Q values.
    """
    if learnt is None:
        return None
    values, search = learnt.q_values, learnt.search
    rules: list[dict[str, Any]] = []
    for index, k in enumerate(search.ks):
        row: dict[str, Any] = {"k": k, "go_on": None, "terminate": None, "went_on": None, "terminated": None}
        if k is not None:
            row["go_on"], row["terminate"] = (float(values.table[index + 1, a]) for a in (CONTINUE, TERMINATE))
            row["went_on"], row["terminated"] = (int(values.visits[index + 1, a]) for a in (CONTINUE, TERMINATE))
        for name in ("accuracy", "mean_steps", "reward", "discounted"):
            row[name] = float(getattr(search, name)[index])
        rules.append(row)
    membrane = chip.readout == Readout.MEMBRANE
    return {
        "k": values.k,
        "k_thresholds": values.k / chip.layers[-1].theta if membrane and values.k is not None else None,
        "register": {"rule": chip.rule.name, "k": chip.k},
        "converged": values.converged,
        "images_shown": values.images,
        "validation_images": learnt.images,
        "epsilon": float(values.epsilons[-1]),
        "last_k": values.last_k,
        "search_best": search.best,
        "search_best_undiscounted": search.best_undiscounted,
        "start_go_on": float(values.table[0, CONTINUE]),
        "unit": values.unit,
        "rules": rules,
        "before_tuning": None if learnt.before is None else {"k": learnt.before.k},
    }


def tuning_summary(chip: ProgrammedChip, tuned: Tuned | None) -> dict[str, Any] | None:
    """Plain numbers for `summary.json`: factors and thresholds of the layers, costs before and after; None if nothing
    was tuned. Losses are those of equation 6, accuracies 0 .. 1 (None if not known), steps means.
    """
    if tuned is None:
        return None
    return {
        "images": tuned.images,
        "before": _cost(tuned.before),
        "after": _cost(tuned.after),
        "layers": [
            {"name": layer.name, "factor": factor, "theta": layer.theta}
            for layer, factor in zip(first_replicas(chip), tuned.factors, strict=True)
        ],
        "moves": len(tuned.history),
        "evaluations": tuned.evaluations,
    }


def first_replicas(chip: ProgrammedChip) -> list[ProgrammedLayer]:
    """The network's layers: of a crossbar with replicas the first, since all have the same factor."""
    return [chip.layers[stage.layer] for _, stage in chip.parameters.plan.crossbar_stages]


def _cost(cost: Cost) -> dict[str, float | None]:
    known = cost.accuracy == cost.accuracy
    return {"loss": cost.loss, "accuracy": cost.accuracy if known else None, "steps": cost.steps}
