"""The page of a run by step, and its numbers as JSON; the same run gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spikeloom.sw.datasets.image_set import images_in_words
from spikeloom.sw.diagnostics.by_step.result import ByStep
from spikeloom.sw.report.page_environment import page_environment
from spikeloom.sw.report.plots import by_step as plots
from spikeloom.sw.report.plots.style import data_uri

__all__ = ["BY_STEP_FILES", "by_step_files", "by_step_pictures"]

_JSON, _PAGE = BY_STEP_FILES = "by_step.json", "by_step.html"


def by_step_files(found: ByStep, measured_on: Mapping[str, Any], cells: str) -> dict[str, bytes | str]:
    """File name -> content, of `BY_STEP_FILES`.

    measured_on : of `sw.datasets.image_set.ImageSet.facts`
    cells : which ones, in words
    """
    facts = {**found.to_json(), "measured_on": dict(measured_on), "cells": cells}
    text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    page = (
        page_environment()
        .get_template("by_step.html.j2")
        .render(s=facts, on=images_in_words(measured_on), pictures=by_step_pictures(found), end=_end(found))
    )
    return {_JSON: text, _PAGE: page}


def by_step_pictures(found: ByStep) -> dict[str, str]:
    """`data:` addresses of the pictures, by name."""
    runs = {"": found}
    figures = {
        "errors": plots.approximation_error(runs),
        "layers": plots.layer_errors(found),
        "outputs": plots.moving_averages(found),
        "rates": plots.firing_rates(runs),
        "noise": plots.noise_spikes(runs),
        "decisions": plots.error_by_step(runs),
        "spikes": plots.error_against_cost(runs, "spikes"),
        "energy": plots.error_against_cost(runs, "energy"),
    }
    return {name: data_uri(figure) for name, figure in figures.items()}


def _end(found: ByStep) -> dict[str, Any]:
    """Figures after the last step: of all, and a row per stage."""
    rows = []
    for stage, name in enumerate(found.stages):
        rows.append(
            {
                "name": name,
                "values": int(found.values[stage]),
                "mean_absolute_error": float(found.mean_absolute_error[-1, stage]),
                "deviation": float(found.deviation[-1, stage]),
                "above_one": float(found.above_one[stage]),
                "rate": float(found.rates[:, stage].mean()) if found.fires[stage] else None,
                "noise": float(found.noise_shares[stage]) if found.counted[stage] else None,
            }
        )
    return {
        "mean_absolute_error": float(found.overall["mean_absolute_error"][-1]),
        "deviation": float(found.overall["deviation"][-1]),
        "error": float(found.error[-1]),
        "spikes": float(found.spikes_so_far[-1]),
        "crossbar_J": float(found.crossbar_J_so_far[-1]),
        "rate": float(found.rate.mean()),
        "noise": found.noise_share if found.counted.any() else None,
        "own": next((vars(point) for point in found.early if point.own), None),
        "stages": rows,
    }
