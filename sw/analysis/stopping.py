"""What the report shows of a rule that was chosen for an allowed loss: the numbers. The picture is in
`sw.report.plots.stopping`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.hw.params.decision_rules import DECISION_RULES, FRACTION_BITS, SCORES
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.datasets.image_set import ImageSet
from spikeloom.sw.decision.allowed_loss import ChosenRule, StopChoice
from spikeloom.sw.decision.recorded import THRESHOLDS, Curve

__all__ = ["front", "stopping_summary"]


def stopping_summary(
    chip: ProgrammedChip, chosen: ChosenRule | None, provenance: Provenance | None
) -> dict[str, Any] | None:
    """Plain numbers for `summary.json`: the choice, the base, both rules at the same losses, and every curve; None if
    nothing was chosen. A `threshold` is the register's value, None for T_max alone; `score` is that in score units.
    """
    if chosen is None:
        return None
    known = None if provenance is None else provenance.data_set
    images = ImageSet("validation images given to compile" if known is None else f"validation images of '{known}'")
    return {
        "choice": _choice(chosen.choice),
        "accuracy": chosen.accuracy,
        "skip": chosen.skip,
        "t_max": chip.t_max,
        "images": chosen.images,
        "compared": [_choice(each) for each in chosen.compared],
        "curves": [
            {
                "rule": curve.rule,
                "skip": curve.skip,
                "thresholds": list(curve.thresholds),
                "accuracy": (curve.correct / chosen.images).tolist(),
                "mean_steps": curve.mean_steps.tolist(),
            }
            for curve in chosen.curves
        ],
        "measured_on": images.facts(chosen.images),
    }


def _choice(choice: StopChoice) -> dict[str, Any]:
    register = THRESHOLDS[DECISION_RULES[choice.rule]]
    unit = 1 if register.unit == SCORES else 1 << FRACTION_BITS
    return {
        "rule": choice.rule,
        "skip": choice.skip,
        "threshold": choice.threshold,
        "score": None if choice.threshold is None else choice.threshold / unit,
        "loss": choice.loss,
        "accuracy": choice.accuracy,
        "mean_steps": choice.mean_steps,
    }


def front(curves: tuple[Curve, ...], rule: str, images: int) -> tuple[list[float], list[float]]:
    """Mean steps, ascending, and the highest accuracy with no more steps, over all numbers of skipped periods."""
    own = [curve for curve in curves if curve.rule == rule]
    steps = np.concatenate([curve.mean_steps for curve in own])
    accuracy = np.concatenate([curve.correct for curve in own]) / images
    order = np.lexsort((-accuracy, steps))
    best = np.maximum.accumulate(accuracy[order])
    better = np.flatnonzero(np.diff(best, prepend=-1.0) > 0.0)
    return steps[order][better].tolist(), best[better].tolist()
