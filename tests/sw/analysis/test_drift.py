"""Drift in the report: pulses and conductances of every cell, level by level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.drift import drift_summary, drifted_cells
from spikeloom.sw.report.plots.drift import DRIFT_PICTURES, drift_figures
from tests.fixtures.drifting import drifting_device
from tests.fixtures.synthetic import make_chip, make_result
from tests.sim.lifetime.test_search import CHIP, IMAGES


def test_cells_are_those_of_the_end() -> None:
    chip = CHIP.with_device(drifting_device(acceleration=1e8, refresh_every=50, program_sigma=0.02))
    result = run_reference(chip, IMAGES)
    cells = drifted_cells(chip, result)
    assert cells is not None and result.drift is not None and result.drift.cells_S is not None
    after = np.concatenate([cells_S.ravel() for cells_S in result.drift.cells_S])
    assert np.array_equal(cells.after, (after - chip.device.g_min_S) / chip.device.step_S)
    arrays = build_arrays(chip)
    for array in arrays:
        array.program(2)
    before = np.concatenate([array.cells_S.ravel() for array in arrays])
    assert np.array_equal(cells.before, (before - chip.device.g_min_S) / chip.device.step_S)
    summary = drift_summary(chip, cells)
    assert summary is not None and (summary["images"], summary["programmings"]) == (120, 3)
    first = summary["layers"][0]
    assert first["rows"] == 64 and first["pulses_max"] == result.drift.row_pulses[0].max()
    assert first["reads_mean"] == result.drift.total_pulses[0].mean() > 3 * first["pulses_mean"]
    assert sum(level["cells"] for level in summary["levels"]) == len(cells.levels) == 2 * (64 * 24 + 24 * 10)
    lowest = summary["levels"][0]
    held = cells.levels == 0
    assert lowest["after"] - lowest["before"] == pytest.approx(cells.change[held].mean()) and lowest["after"] > 0.1
    assert set(drift_figures(chip, cells, None)) == set(DRIFT_PICTURES) - {"lifetime"}


def test_cells_that_were_programmed_by_pulses_start_there() -> None:
    chip = replace(CHIP, programming=Programming(method="write-verify", tries=30))
    cells = drifted_cells(chip, run_reference(chip, IMAGES[:20]), program_chip(chip))
    assert cells is not None
    reached = np.concatenate([layer.state.g_S.ravel() for layer in program_chip(chip).layers])
    assert np.array_equal(cells.before, (reached - chip.device.g_min_S) / chip.device.step_S)


def test_cells_that_do_not_drift_have_nothing_to_tell() -> None:
    chip = make_chip()
    assert drifted_cells(chip, make_result(chip)) is None and drifted_cells(CHIP, None) is None
    assert drift_summary(chip, None) is None and drift_figures(chip, None, None) == {}
