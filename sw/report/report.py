"""The report of a run: one self-contained HTML page, and `summary.json` with its numbers.

`write_report` takes what is known (`sw.report.content`); of figures that are not it says "not run", and sections in
which there would be nothing are left out, and named at the end. The same inputs give the same bytes: no dates, no
paths, no addresses; pictures lie inside the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spikeloom.sim.chip.cell_kinds import CellKind
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.crossbar.array_limits import LOSS, WIRE_A
from spikeloom.sim.programming.write_verify import ChipProgramming
from spikeloom.sw.analysis.accuracy import (
    Example,
    TileMap,
    accuracy_by_steps,
    conductance_maps,
    step_thresholds,
    trace_example,
)
from spikeloom.sw.analysis.calibration_words import calibration_words
from spikeloom.sw.analysis.decision import learning_summaries
from spikeloom.sw.analysis.drift import DriftedCells, drift_summary, drifted_cells
from spikeloom.sw.analysis.energy_counts import COMPONENTS
from spikeloom.sw.analysis.mapping import stage_name
from spikeloom.sw.analysis.programming import cells_reached, programmed, programming_accuracies, programming_summary
from spikeloom.sw.analysis.stage_cycles import data_path
from spikeloom.sw.analysis.stopping import stopping_summary
from spikeloom.sw.analysis.summary import summarise, widest
from spikeloom.sw.common.files import write_together
from spikeloom.sw.common.labels import layer_label
from spikeloom.sw.common.readable import si
from spikeloom.sw.compiler.provenance import Provenance, settings_in_effect
from spikeloom.sw.datasets.image_set import images_in_words
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.page_environment import page_environment
from spikeloom.sw.report.plots import overview as plots
from spikeloom.sw.report.plots.decision import decision_figures
from spikeloom.sw.report.plots.drift import DRIFT_PICTURES, drift_figures
from spikeloom.sw.report.plots.feature_maps import stage_spikes
from spikeloom.sw.report.plots.stopping import STOPPING_PICTURES, stopping_figures

__all__ = ["TELLING_STEPS", "render", "telling_image", "write_report"]

TELLING_STEPS = 6
"""Steps that make the trace of one image worth looking at."""

_MOST_RULES = 10
"""Leads in the table of a learned rule."""

_PICTURES = (
    "confusion", "waterfall", "by_steps", "steps", "energy", "latency", "cells", "raster", "feature_maps", "membranes",
    "stage_cycles", "areas", "switching",
)  # fmt: skip
_MOST_CLASSES = 20
"""Classes in the table of accuracy by class."""

_DECISION_PICTURES = ("q_values", "k_search", "tuning")
_PROGRAMMING_PICTURES = ("reached", "errors", "pulses", "failed")


def write_report(folder: str | Path, content: ReportContent) -> Path:
    """Write `report.html` and `summary.json` into the folder, both or neither; return the page's path.

    Raises `spikeloom.errors.FileError` where the folder cannot be written.
    """
    programming = programmed(content.chip)
    content = _completed(content, programming)
    drifted = drifted_cells(content.chip, widest(content.reference, content.rtl), programming)
    summary = _summary(content, programming, drifted)
    pictures = _all_pictures(content, summary, programming, drifted)
    page = render(summary, pictures, content.chip.device.kind, content.example, content.provenance)
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_together(Path(folder), {"summary.json": text, "report.html": page})
    return Path(folder) / "report.html"


def _completed(content: ReportContent, programming: ChipProgramming | None) -> ReportContent:
    """With what the images and the chip give of the accuracy by steps, the example and the maps."""
    chip, images, labels, reference = content.chip, content.images, content.labels, content.reference
    by_steps, example, maps = content.by_steps, content.example, content.maps
    if by_steps is None and images is not None and labels is not None:
        by_steps = accuracy_by_steps(chip, images, labels)
    if example is None and images is not None and len(images):
        example = trace_example(chip, images, labels, 0 if reference is None else telling_image(reference))
    if maps is None:
        maps = conductance_maps(chip, programming=programming)
    return replace(content, by_steps=by_steps, example=example, maps=maps)


def _summary(
    content: ReportContent, programming: ChipProgramming | None, drifted: DriftedCells | None
) -> dict[str, Any]:
    """The content of `summary.json`."""
    chip, images, labels, measured_on = content.chip, content.images, content.labels, content.measured_on
    reference, lifetime, settings = content.reference, content.lifetime, content.settings
    accuracies = None
    if programming is not None and images is not None and labels is not None:
        accuracies = programming_accuracies(chip, images, labels)
    learnt, tuning = learning_summaries(chip, content.learnt_rule, content.tuned, content.provenance)
    return summarise(
        chip,
        reference=reference,
        labels=labels,
        rtl=content.rtl,
        comparison=content.comparison,
        accuracy_ann=content.accuracy_ann,
        waterfall=content.stages,
        by_steps=content.by_steps,
        cells=content.cells,
        standard_cells=content.standard_cells,
        programming=_on(
            programming_summary(chip, programming, accuracies),
            None if accuracies is None else measured_on.facts(content.count),
            "accuracy",
        ),
        decision=learnt,
        stopping=stopping_summary(chip, content.chosen_rule, content.provenance),
        tuning=tuning,
        notes=content.notes,
        drift=_on(drift_summary(chip, drifted), None if drifted is None else measured_on.facts(drifted.drift.images)),
        lifetime=None if lifetime is None else {"measured_on": measured_on.facts(lifetime["test_images"]), **lifetime},
        diagnosis=None if content.diagnosis is None else content.diagnosis.to_json(),
        data_path=None
        if images is None
        else data_path(chip, images, reference if reference is not None else content.timed, content.timed),
        config=None if settings is None else settings_in_effect(settings, content.provenance),
        measured_on=measured_on,
        count=content.count,
        provenance=None if content.provenance is None else content.provenance.to_json(),
    )


def _all_pictures(
    content: ReportContent,
    summary: Mapping[str, Any],
    programming: ChipProgramming | None,
    drifted: DriftedCells | None,
) -> dict[str, Any]:
    """`data:` addresses of all pictures of the page; None for those that there are not."""
    chip = content.chip
    pictures = _pictures(chip, summary, content.reference, content.rtl, content.example, content.maps or ())
    pictures |= _programming_pictures(chip, programming)
    pictures |= dict.fromkeys((*_DECISION_PICTURES, *STOPPING_PICTURES, *DRIFT_PICTURES))
    figures = {
        **decision_figures(chip, content.learnt_rule, content.tuned),
        **stopping_figures(content.chosen_rule),
        **drift_figures(chip, drifted, content.lifetime),
    }
    return pictures | {name: plots.data_uri(figure) for name, figure in figures.items()}


def render(
    summary: Mapping[str, Any],
    pictures: Mapping[str, Any],
    cell: CellKind,
    example: Example | None = None,
    provenance: Provenance | None = None,
) -> str:
    """The page's text; `cell` is the kind of the chip's cells, `provenance` says where the chip comes from."""
    environment = page_environment()
    environment.filters.update(layer=layer_label, measured=images_in_words, calibrated=calibration_words)
    story: dict[str, Any] = {}
    if example is not None:
        story = {
            "label": example.label,
            "winner": int(example.result.classes[0]),
            "steps": int(example.result.steps[0]),
            "image": int(example.result.ids[0]),
        }
    return environment.get_template("report.html.j2").render(
        s=summary,
        pictures=pictures,
        story=story,
        telling=TELLING_STEPS,
        most_rules=_MOST_RULES,
        cell=cell,
        most_classes=_MOST_CLASSES,
        wire_A=WIRE_A,
        most_loss=LOSS,
        origin=None if provenance is None else provenance.in_words(),
    )


def _on(
    group: dict[str, Any] | None, images: Mapping[str, Any] | None, part: str | None = None
) -> dict[str, Any] | None:
    """A group of the summary with the images that it, or a part of it, was measured on."""
    if group is None:
        return None
    if part is not None:
        return {**group, part: {**group[part], "measured_on": images}}
    return {**group, "measured_on": images}


def telling_image(reference: Result) -> int:
    """The first image that took at least `TELLING_STEPS` steps, or else the first of those that took longest."""
    return int(np.argmax(np.minimum(reference.steps, TELLING_STEPS)))


def _pictures(
    chip: ProgrammedChip,
    summary: Mapping[str, Any],
    reference: Result | None,
    rtl: Result | None,
    example: Example | None,
    maps: Sequence[TileMap],
) -> dict[str, Any]:
    """`data:` addresses of the pictures that can be drawn from what is known; None for the others."""
    figures: dict[str, Figure] = {}
    counted = widest(reference, rtl)
    if summary["waterfall"]:
        figures["waterfall"] = plots.waterfall([(s["stage"], s["accuracy"]) for s in summary["waterfall"]])
    if summary["confusion"]:
        figures["confusion"] = plots.confusion(np.array(summary["confusion"]["matrix"]))
    if summary["accuracy_by_steps"]:
        accuracy = summary["accuracy"]["reference"]
        decided = None if accuracy is None or reference is None else (float(np.mean(reference.steps)), accuracy)
        values = [np.nan if v is None else v for v in summary["accuracy_by_steps"]]
        figures["by_steps"] = plots.accuracy_by_steps(values, decided, summary["accuracy"]["ann"])
    if counted is not None and len(counted):
        figures["steps"] = plots.steps_histogram(counted.steps, chip.t_max)
        figures["energy"] = plots.energy({name: summary["energy_J"][name] for name in COMPONENTS})
    if rtl is not None and rtl.cycles is not None:
        figures["latency"] = plots.latency_histogram(rtl.cycles / chip.clock_Hz)
    if summary["cells"]:
        figures["cells"] = plots.cells(summary["cells"])
    figures |= _hardware_pictures(summary["standard_cells"] or {})
    if summary["data_path"]:
        figures["stage_cycles"] = _stage_cycles(summary)
    names = [layer_label(layer.name) for layer in chip.layers]
    if example is not None and example.result.trace is not None:
        trace, steps = example.result.trace, int(example.result.steps[0])
        fired = [trace.unpacked(layer)[0, :steps] for layer in range(len(names))]
        plan = chip.parameters.plan
        rates = stage_spikes(plan, fired)
        dense = [layer for layer, placement in enumerate(plan.placements) if placement.number not in rates]
        figures["raster"] = plots.raster(
            [fired[layer] for layer in dense], [names[layer] for layer in dense], None if rates else example.pixels
        )
        if rates:
            labels = [f"{number}: {layer_label(stage_name(chip, number))}" for number in rates]
            figures["feature_maps"] = plots.feature_maps(list(rates.values()), labels, example.pixels, plan.input)
        if trace.membranes is not None:
            own = [layer for layer, placement in enumerate(plan.placements) if placement.replica == 0]
            figures["membranes"] = plots.membranes(
                [trace.membranes[layer][0, :steps] for layer in own],
                [names[layer] for layer in own],
                [step_thresholds(chip, layer, steps) for layer in own],
            )
    found: dict[str, Any] = dict.fromkeys(_PICTURES)
    found.update((name, plots.data_uri(figure)) for name, figure in figures.items())
    found["maps"] = [
        {"title": m.title, "uri": plots.data_uri(plots.conductance(m.target_S, m.programmed_S), "png")} for m in maps
    ]
    return found


def _hardware_pictures(found: Mapping[str, Any]) -> dict[str, Figure]:
    """Area and energy by component, of what is known."""
    figures = {}
    if found.get("synthesis"):
        areas = {path: area / 1e6 for path, area in found["synthesis"]["components"].items()}
        figures["areas"] = plots.component_bars(areas, "area, mm²", "", lambda area: f"{area:.3g}")
    if found.get("calibration"):
        joules = found["calibration"]["components_J"]
        figures["switching"] = plots.component_bars(joules, "energy of an image", "J", lambda value: si(value, "J"))
    return figures


def _stage_cycles(summary: Mapping[str, Any]) -> Figure:
    """The picture of `sw.analysis.stage_cycles`: a bar for what is between the steps, and one for each stage."""
    found = summary["data_path"]
    names, parts = ["encoder, image's map"], [{"closes": found["between_steps"]}]
    for stage, mapped in zip(found["stages"], summary["mapping"]["stages"], strict=True):
        names.append(f"{stage['stage']}: {layer_label(stage['name'])}")
        parts.append({"pools": stage["cycles"]} if mapped["pooling"] else stage)
    return plots.stage_cycles(names, parts, found["cycles"])


def _programming_pictures(chip: ProgrammedChip, programming: ChipProgramming | None) -> dict[str, str | None]:
    """`data:` addresses of the pictures of programming; None where there were no pulses."""
    if programming is None:
        return dict.fromkeys(_PROGRAMMING_PICTURES)
    cells = cells_reached(chip, programming)
    second = any(layer.second.any() for layer in programming.layers)
    tolerance = chip.programming.tolerance_code / CODES_PER_LEVEL
    shapes = [(layer.tile_rows, layer.tile_columns) for layer in chip.parameters.layers]
    kinds = [layer.compensated + 2 * layer.lost for layer in programming.layers]
    names = [layer_label(layer.name) for layer in chip.layers]
    figures = (
        plots.target_against_reached(cells.target, cells.reached, cells.failed, tolerance),
        plots.weight_errors(cells.first_error, cells.final_error if second else None, 2 * tolerance),
        plots.pulses_histogram(cells.pulses, cells.failed),
        plots.failed_pairs(kinds, names, shapes) if cells.failed.any() else None,
    )
    return {
        name: None if figure is None else plots.data_uri(figure, "png" if name == "failed" else "svg")
        for name, figure in zip(_PROGRAMMING_PICTURES, figures, strict=True)
    }
