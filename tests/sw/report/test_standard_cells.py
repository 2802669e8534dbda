"""What the report finds of `spikeloom synth` and `spikeloom calibrate` in the folder of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.analysis.energy_counts import design_of
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.report import write_report
from spikeloom.sw.report.standard_cells import read_standard_cells
from tests.fixtures.networks import random_chip
from tests.sw.analysis.test_calibration import some


@pytest.fixture(scope="module")
def chip() -> ProgrammedChip:
    return random_chip(np.random.default_rng(1), sizes=[6, 3])


def synthesis(design: str, **changes: Any) -> dict[str, Any]:
    areas = {"": 900.0, "encoder": 500.0, "encoder/even": 240.0, "layer_0": 400.0, "layer_0/neuron_array": 400.0,
             "layer_0/neuron_array/biases": 30.0, "counter": 0.5}  # fmt: skip
    return {
        "top": "npu", "design": design, "libraries": ["cells"], "corner": {"name": "slow"}, "clock_Hz": 1e8,
        "clock_met": True, "largest_clock_Hz": 1.25e8, "area_um2": 900.0, "cells": 12, "flip_flops": 3,
        "power_W": None, "assumptions": ["Wires: none."],
        "timing": {"slowest": {"through": [["layer_0/neuron_array", 7.5], ["", 0.5]]}},
        "components": [{"path": path, "with_inside": {"area_um2": area}} for path, area in areas.items()], **changes,
    }  # fmt: skip


def write(folder: Path, made: dict[str, Any] | None, calibration: dict[str, Any] | None = None) -> None:
    (folder / "standard_cells").mkdir()
    if made is not None:
        (folder / "standard_cells/synthesis.json").write_text(json.dumps(made))
    if calibration is not None:
        (folder / "calibration.json").write_text(json.dumps(calibration))


def test_results_of_the_same_hardware_are_in_the_report(chip: ProgrammedChip, tmp_path: Path) -> None:
    design = design_of(chip.parameters)
    joules = {"": 1e-12, "encoder": 2e-12, "encoder/even": 3e-12, "encoder/even/sums": 4e-12, "counter": 5e-12}
    calibration = some({"neurons": 1e-13}, design=design).model_dump(mode="json")
    write(tmp_path, synthesis(design), {"calibration": calibration, "components_J": joules})
    found = read_standard_cells(tmp_path, chip)
    assert found is not None and not found["another_design"]
    shown = {"encoder/even": 240.0, "layer_0/neuron_array": 400.0, "counter": 0.5}
    assert found["synthesis"]["components"] == shown and found["synthesis"]["through"][1] == ["", 0.5]
    assert found["calibration"]["components_J"] == pytest.approx({"encoder/even": 7e-12, "counter": 5e-12})
    assert found["calibration"]["total_J"] == pytest.approx(15e-12)
    page = write_report(tmp_path / "report", ReportContent(chip=chip, standard_cells=found)).read_text()
    assert "12 cells, of which 3 are flip-flops. Asked for 100 MHz, which is met; highest clock 125 MHz;" in page
    assert "slowest path through layer_0/neuron_array, the top." in page and "Wires: none." in page
    assert "Energy of an image by component, from the switching of the netlist in cells at slow, 1 V" in page
    assert "spikeloom synth" not in page.partition("<h3>Standard cells</h3>")[2].partition("<h2")[0].replace(
        "from spikeloom synth", ""
    )
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    assert summary["standard_cells"] == found


@pytest.mark.parametrize("changes", [{"design": "0"}, {"top": "npu_axi"}])
def test_results_of_other_hardware_are_not(chip: ProgrammedChip, tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, synthesis(design_of(chip.parameters)) | changes)
    found = read_standard_cells(tmp_path, chip)
    assert found == {"another_design": True, "synthesis": None, "calibration": None}
    page = write_report(tmp_path / "report", ReportContent(chip=chip, standard_cells=found)).read_text()
    assert "not known, since what there is belongs to another design. Run <code>spikeloom synth random --lib" in page


def test_without_any_the_command_is_said(chip: ProgrammedChip, tmp_path: Path) -> None:
    write(tmp_path, None)
    assert read_standard_cells(tmp_path, chip) is None
    (tmp_path / "standard_cells/synthesis.json").write_text("{")
    assert read_standard_cells(tmp_path, chip) is None
    page = write_report(tmp_path / "report", ReportContent(chip=chip)).read_text()
    assert "Area, clock and power by component: not known. Run <code>spikeloom synth random --liberty FILE" in page


def test_power_is_shown_with_its_clock_and_activity(chip: ProgrammedChip, tmp_path: Path) -> None:
    """That is not always the clock asked for; a file of an older version, without both, has no power that is shown."""
    power = {"clock_Hz": 8e7, "activity": 0.1, "clock_W": 0.09, "nets_W": 0.03, "leakage_W": 1e-6, "total_W": 0.12}
    for number, (watts, shown) in enumerate(((power, True), ({"total_W": 0.12}, False))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, synthesis(design_of(chip.parameters), power_W=watts))
        content = ReportContent(chip=chip, standard_cells=read_standard_cells(folder, chip))
        page = write_report(folder / "report", content).read_text()
        said = "Power at 80 MHz: 120 mW, for 0.1 transitions of every net per cycle, not of images." in page
        assert said is shown and "12 cells, of which" in page
