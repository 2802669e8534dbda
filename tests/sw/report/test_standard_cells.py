"""What the report finds of `spikeloom synth` and `spikeloom calibrate` in the folder of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.energy_calibration import design_of
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.common.files import write_folder
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.plots.hardware import component_bars
from spikeloom.sw.report.report import write_report
from spikeloom.sw.report.standard_cells import above_highest_clock, read_standard_cells
from tests.fixtures.networks import random_chip
from tests.sw.analysis.test_calibration import some


@pytest.fixture(scope="module")
def chip() -> ProgrammedChip:
    return random_chip(np.random.default_rng(1), sizes=[6, 3])


def synthesis(design: str, **changes: Any) -> dict[str, Any]:
    areas = {"": 903.0, "encoder": 500.0, "encoder/even": 240.0, "layer_0": 400.0, "layer_0/neuron_array": 400.0,
             "layer_0/neuron_array/biases": 30.0, "counter": 0.5}  # fmt: skip
    return {
        "top": "npu", "design": design, "libraries": ["cells"], "corner": {"name": "slow"}, "clock_Hz": 1e8,
        "clock_met": True, "largest_clock_Hz": 1.25e8, "area_um2": 903.0, "cells": 12, "flip_flops": 3,
        "power_W": None, "assumptions": ["Wires: none."],
        "timing": {"slowest": {"through": [["layer_0/neuron_array", 7.5], ["", 0.5]]}},
        "components": [{"path": path, "with_inside": {"area_um2": area}} for path, area in areas.items()], **changes,
    }  # fmt: skip


def calibrated(design: str, joules: dict[str, float]) -> dict[str, Any]:
    calibration = some({"neurons": 1e-13}, design=design).model_dump(mode="json")
    images = [{"simulated_J": times * sum(joules.values())} for times in (0.5, 1.5)]
    return {"calibration": calibration, "components_J": joules, "images": images}


def write(folder: Path, made: dict[str, Any] | None, calibration: dict[str, Any] | None = None) -> None:
    (folder / "standard_cells").mkdir()
    if made is not None:
        (folder / "standard_cells/synthesis.json").write_text(json.dumps(made))
    if calibration is not None:
        (folder / "calibration.json").write_text(json.dumps(calibration))


def test_results_of_the_same_hardware_are_in_the_report(chip: ProgrammedChip, tmp_path: Path) -> None:
    design = design_of(chip.parameters)
    joules = {"": 1e-12, "encoder": 2e-12, "encoder/even": 3e-12, "encoder/even/sums": 4e-12, "counter": 5e-12,
              "counter/counts": 6e-12}  # fmt: skip
    write(tmp_path, synthesis(design), calibrated(design, joules))
    found = read_standard_cells(tmp_path, chip)
    assert found is not None and not found["another_design"]
    shown = {"top, itself": 2.5, "encoder, itself": 260.0, "encoder/even": 240.0, "layer_0/neuron_array": 400.0,
             "counter": 0.5}  # fmt: skip
    assert found["synthesis"]["components"] == shown and found["synthesis"]["through"][1] == ("", 0.5)
    assert sum(shown.values()) == found["synthesis"]["area_um2"], "nothing is left out"
    energies = {"top, itself": 1e-12, "encoder, itself": 2e-12, "encoder/even": 7e-12, "counter, itself": 5e-12,
                "counter/counts": 6e-12}  # fmt: skip
    assert found["calibration"]["components_J"] == pytest.approx(energies)
    assert found["calibration"]["total_J"] == pytest.approx(sum(energies.values())) and found["unusable"] == []
    page = write_report(tmp_path / "report", ReportContent(chip=chip, standard_cells=found)).read_text()
    assert "12 cells, of which 3 are flip-flops. Asked for 100 MHz, which is met; highest clock 125 MHz;" in page
    assert "slowest path through layer_0/neuron_array, the top." in page and "Wires: none." in page
    assert "Energy of an image by component, from the switching of the netlist in cells at slow, 1 V" in page
    assert "spikeloom synth" not in page.partition("<h3>Standard cells</h3>")[2].partition("<h2")[0].replace(
        "from spikeloom synth", ""
    )
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    assert summary["standard_cells"] == json.loads(json.dumps(found))


@pytest.mark.parametrize("changes", [{"design": "0"}, {"top": "npu_axi"}])
def test_results_of_other_hardware_are_not(chip: ProgrammedChip, tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, synthesis(design_of(chip.parameters)) | changes)
    found = read_standard_cells(tmp_path, chip)
    assert found == {"another_design": True, "unusable": [], "synthesis": None, "calibration": None}
    page = write_report(tmp_path / "report", ReportContent(chip=chip, standard_cells=found)).read_text()
    assert "not known, since what there is belongs to another design. Run <code>spikeloom synth random --lib" in page


def test_without_any_the_command_is_said(chip: ProgrammedChip, tmp_path: Path) -> None:
    write(tmp_path, None)
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


def without(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in keys}


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda made: None,
        lambda made: [],
        lambda made: without(made, "timing"),
        lambda made: without(made, "components"),
        lambda made: made | {"area_um2": 0.0},
        lambda made: made | {"clock_Hz": "fast"},
        lambda made: made | {"components": [*made["components"], {"path": "a/b", "with_inside": {"area_um2": 1.0}}]},
        lambda made: made | {"timing": {"slowest": {"through": [3]}}},
    ],
)
def test_a_synthesis_that_is_not_whole_is_named_and_the_report_stays(
    chip: ProgrammedChip, tmp_path: Path, spoilt: Callable[[dict[str, Any]], Any]
) -> None:
    write(tmp_path, spoilt(synthesis(design_of(chip.parameters))) or {})
    check_unusable(tmp_path, chip, "standard_cells/synthesis.json")
    (tmp_path / "standard_cells/synthesis.json").write_text("{")
    check_unusable(tmp_path, chip, "standard_cells/synthesis.json")


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda made: without(made, "components_J"),
        lambda made: without(made, "images"),
        lambda made: made | {"images": []},
        lambda made: made | {"calibration": made["calibration"] | {"format": 1}},
        lambda made: made | {"components_J": {"": 1e-9}},
        lambda made: made | {"components_J": {"": "much"}},
    ],
)
def test_a_calibration_that_is_not_whole_is_named_and_the_report_stays(
    chip: ProgrammedChip, tmp_path: Path, spoilt: Callable[[dict[str, Any]], Any]
) -> None:
    write(tmp_path, None, spoilt(calibrated(design_of(chip.parameters), {"": 1e-12, "encoder": 2e-12})))
    check_unusable(tmp_path, chip, "calibration.json")


def check_unusable(folder: Path, chip: ProgrammedChip, name: str) -> None:
    found = read_standard_cells(folder, chip)
    assert found == {"another_design": False, "unusable": [name], "synthesis": None, "calibration": None}
    page = write_report(folder / "report", ReportContent(chip=chip, standard_cells=found)).read_text()
    assert f"or is of another version of SpikeLoom: {name}. Run" in page


def test_a_file_that_was_changed_by_hand_is_not_shown(chip: ProgrammedChip, tmp_path: Path) -> None:
    made = synthesis(design_of(chip.parameters))
    write_folder(tmp_path / "standard_cells", {"synthesis.json": json.dumps(made)})
    found = read_standard_cells(tmp_path, chip)
    assert found is not None and found["synthesis"] is not None
    (tmp_path / "standard_cells/synthesis.json").write_text(json.dumps(made | {"cells": 13}))
    found = read_standard_cells(tmp_path, chip)
    assert found is not None and found["synthesis"] is None and found["unusable"] == ["standard_cells/synthesis.json"]


@pytest.mark.parametrize(
    ("clock_Hz", "sentence"),
    [
        (1e8, ""),
        (1.2e8, "This chip's clock is 120 MHz, for which the netlist was not made."),
        (3e8, "This chip's clock, 300 MHz, is above the highest of this netlist"),
    ],
)
def test_another_clock_is_told(chip: ProgrammedChip, tmp_path: Path, clock_Hz: float, sentence: str) -> None:
    write(tmp_path, synthesis(design_of(chip.parameters)))
    other = replace(chip, clock_Hz=clock_Hz)
    found = read_standard_cells(tmp_path, other)
    assert above_highest_clock(found) == (1.25e8 if clock_Hz > 1.25e8 else None)
    page = write_report(tmp_path / "report", ReportContent(chip=other, standard_cells=found)).read_text()
    assert (sentence in page) if sentence else ("This chip's clock" not in page)


def test_without_timing_no_clock_is_judged(chip: ProgrammedChip, tmp_path: Path) -> None:
    write(tmp_path, synthesis(design_of(chip.parameters), timing=None, largest_clock_Hz=None, clock_met=None))
    found = read_standard_cells(tmp_path, replace(chip, clock_Hz=1e12))
    assert found is not None and found["synthesis"] is not None and above_highest_clock(found) is None
    assert above_highest_clock(None) is None


def test_bars_add_up_and_have_an_axis() -> None:
    values = {f"part {number}": float(number) * 1e-9 for number in range(1, 21)}
    figure = component_bars(values, "energy of an image", "J", lambda value: f"{value:.3g}", most=4)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "part 20", "part 19", "part 18", "part 17", "16 others",
    ]  # fmt: skip
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(sum(values.values()))
    figure.draw_without_rendering()
    ticks = [text.get_text() for text in axes.get_xticklabels()]
    assert len(ticks) >= 3 and any(tick.endswith(" nJ") for tick in ticks)
