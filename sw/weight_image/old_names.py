"""Names of earlier versions in the text of a weight image."""

from __future__ import annotations

from typing import Any

from spikeloom.sw.config.renamed import renew

__all__ = ["renew_names"]


def renew_names(chip: dict[str, Any]) -> None:
    """Names of now in the text of a file up to version 7, in place: those of settings, and those of the plan."""
    renew(chip)  # its table `programming`
    renew(chip.get("config"))
    parameters = chip.get("parameters")
    _renew_plan(parameters.get("plan") if isinstance(parameters, dict) else None)


def _renew_plan(plan: Any) -> None:
    """`image` is `input` now, `copies` of a stage are `replicas`."""
    if not isinstance(plan, dict):
        return
    if "image" in plan:
        plan.setdefault("input", plan.pop("image"))
    stages = plan.get("stages")
    for stage in stages if isinstance(stages, list) else ():
        if isinstance(stage, dict) and "copies" in stage:
            stage.setdefault("replicas", stage.pop("copies"))
