"""Step `verilog`: all test images in one sequence, with drift, through the Verilog of OT and of our best chip.

Every spike, decision, step and counter is compared with the integer reference, and at the end of every chunk the row
pulses and the conductance of every cell. Several simulators share a chunk; each begins where the reference says that
the one before ends, and is checked against that. Chunks that are done are kept.
"""

from __future__ import annotations

import functools
from pathlib import Path

from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of, sources_digest
from spikeloom.sw.experiments.winner_k.cases import case
from spikeloom.sw.experiments.winner_k.experiment import Experiment
from spikeloom.sw.experiments.winner_k.parts import digest, plain
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.verify.chunks import cosimulate

__all__ = ["VERILOG", "run_verilog"]

VERILOG = ("OT", "best")
"""Cases that go through the Verilog, of the first seed."""
_CHUNKS = "chunks"
_COSIMULATE = (source_of(cosimulate),)


def run_verilog(experiment: Experiment, flow: Flow) -> list[Path]:
    """Run the Verilog; raises `spikeloom.errors.Mismatch` at the first difference."""
    tests, seed = experiment.tests(), experiment.seeds[0]
    tests = tests.first(experiment.scale.verilog_images or len(tests))
    found = {}
    for index, name in enumerate(VERILOG):
        path = experiment.chip_path(flow, case(name), seed)
        chip = experiment.chip(flow, case(name), seed)
        sources = sources_digest(_COSIMULATE)
        kept = flow.folder / _CHUNKS / f"{name}-{sources[:8]}-{(digest(path) or '')[:8]}"
        tell = functools.partial(_tell, flow, name, index * len(tests), len(VERILOG) * len(tests))
        result, comparison = cosimulate(chip.programmed, tests.pixels, chunks=kept, progress=tell)
        assert result.drift is not None
        found[name] = {
            "images": len(result),
            "seed": seed,
            "values_compared": comparison["values_compared"],
            "mismatches": comparison["mismatches"],
            "simulator": comparison["simulator"],
            "cells": sum(2 * shape.inputs * shape.outputs for shape in chip.programmed.parameters.layers),
            "row_pulses": int(sum(int(pulses.sum()) for pulses in result.drift.row_pulses)),
            "accuracy": result.accuracy(tests.labels),
            "steps_mean": float(result.steps.mean()),
            "cycles_mean": None if result.cycles is None else float(result.cycles.mean()),
        }
    summary = flow.folder / "verilog/verilog.json"
    write_atomic(summary, plain(found))
    return [summary]


def _tell(flow: Flow, name: str, before: int, total: int, done: int, _total: int) -> None:
    flow.progress("verilog", before + done, total, f"images ({name})")
