"""Mapping data of the report: maps, windows and tiles of every stage, and the tile reads that were saved."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeloom.hw.params.plan import CrossbarStage, MapShape
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result

__all__ = ["mapping_summary", "stage_name"]


def mapping_summary(chip: ProgrammedChip, result: Result | None) -> dict[str, Any]:
    """Plain values for `summary.json`: shapes are [channels, height, width], means are an image of `result`.

    Of a stage, `utilisation` is the cell pairs that weights use over those of its tiles, `tile_reads` and `silent` the
    tiles read, and the share of them that was not, since no row of the tile had a spike; None without a result.
    """
    plan = chip.parameters.plan
    stages = [_stage(chip, number, result) for number in range(len(plan.stages))]
    return {
        "is_dense_chain": plan.is_dense_chain,
        "network": _network(chip),
        "image": _shape(plan.input),
        "tiles": sum(stage["tiles"] or 0 for stage in stages),
        "windows_per_step": sum(stage["positions"] for stage in stages),
        "stages": stages,
    }


def stage_name(chip: ProgrammedChip, number: int) -> str:
    """The name of a stage: its layer's, or that of its kind."""
    stage = chip.parameters.plan.stages[number]
    return stage.title or chip.layers[stage.layers[0]].name


def _stage(chip: ProgrammedChip, number: int, result: Result | None) -> dict[str, Any]:
    parameters, plan = chip.parameters, chip.parameters.plan
    stage, made = plan.stages[number], plan.maps[number + 1]
    row: dict[str, Any] = {
        "stage": number,
        "name": stage_name(chip, number),
        "pooling": None if stage.layers else stage.name,
        "windows": [
            {
                "source": "image" if window.source == 0 else stage_name(chip, window.source - 1),
                "map": _shape(plan.maps[window.source]),
                "kernel": list(window.kernel),
                "stride": list(window.stride),
                "padding": list(window.padding),
            }
            for window in stage.windows
        ],
        "map": _shape(made),
        "positions": made.positions,
    }
    known: dict[str, Any] = dict.fromkeys(
        ("rows", "columns", "replicas", "row_tiles", "column_tiles", "tiles", "utilisation", "tile_reads", "silent")
    )
    if isinstance(stage, CrossbarStage):
        layer = parameters.layers[stage.layer]
        tiles = layer.row_tiles * layer.column_tiles
        known |= {
            "rows": layer.inputs,
            "columns": layer.outputs,
            "replicas": stage.replicas,
            "row_tiles": layer.row_tiles,
            "column_tiles": layer.column_tiles,
            "tiles": tiles * stage.replicas,
            "utilisation": layer.inputs * layer.outputs / (tiles * layer.tile_rows * layer.tile_columns),
        }
        if result is not None and len(result):
            steps = result.steps.astype(np.int64)
            if number == len(plan.stages) - 1:  # the last layer is not run in skipped periods
                steps = steps - np.minimum(steps, chip.skip * parameters.phases)
            reads = int(result.activity["tile_reads"][:, list(stage.layers)].sum())
            every = int(steps.sum()) * made.positions * tiles
            known |= {"tile_reads": reads / len(result), "silent": 1.0 - reads / every if every else None}
    return {**row, **known}


def _shape(shape: MapShape) -> list[int]:
    return [shape.channels, shape.height, shape.width]


def _network(chip: ProgrammedChip) -> str:
    """The network in a line: "1x28x28-12c5-2s-64c5-2s-10"; a residual addition has a + a further window."""
    plan = chip.parameters.plan
    if plan.is_dense_chain:
        return "-".join(str(shape.channels) for shape in plan.maps)
    parts = ["x".join(str(size) for size in _shape(plan.input))]
    return "-".join(
        [*parts, *(stage.token(plan.maps[n + 1], plan.sources(stage)) for n, stage in enumerate(plan.stages))]
    )
