from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.sw.analysis.accuracy import Example, TileMap
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.common.readable import percent, si
from spikeloom.sw.config.config import Config
from spikeloom.sw.diagnostics import Diagnosis
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.report import write_report
from tests.fixtures.drifting import DRIFT
from tests.fixtures.synthetic import make_chip, make_programmed_chip, make_result

KEYS = (
    "accuracy.ann accuracy.reference accuracy.rtl bit_exact.images bit_exact.values_compared bit_exact.mismatches "
    "steps.mean cycles.mean energy_J.crossbar energy_J.adc energy_J.dac energy_J.memory energy_J.control "
    "energy_J.total efficiency.TOPS_per_W waterfall config seed versions diagnosis.images diagnosis.findings"
).split()


def everything() -> dict[str, Any]:
    chip = make_chip()
    reference = make_result(chip)
    return {
        "chip": chip,
        "labels": reference.classes,
        "reference": reference,
        "rtl": make_result(chip, cycles=True),
        "comparison": {"images": 60, "values_compared": 123456, "mismatches": 0, "simulator": "verilator"},
        "accuracy_ann": 0.9812,
        "waterfall": [("ANN", 0.9812), ("quantised & rounded", 0.97)],
        "by_steps": [None, 0.8, 0.9],
        "example": Example(np.zeros(64, np.uint8), 3, make_result(chip, 1, trace="full")),
        "maps": [TileMap("layer0", np.ones((4, 3)), np.zeros((4, 3)))],
        "cells": {"npu": {"$add": 5}},
        "diagnosis": Diagnosis((), 60, "calibration images"),
        "config": Config.load("tiny"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of everything."""
    folder = tmp_path_factory.mktemp("report")
    assert write_report(folder, ReportContent(**everything())) == folder / "report.html"
    return folder


def test_the_summary_has_every_key_and_the_page_every_part(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    for key in KEYS:
        value = summary
        for part in key.split("."):
            value = value[part]
        assert value is not None, key
    assert summary["waterfall"] == [
        {"stage": "ANN", "accuracy": 0.9812},
        {"stage": "quantised & rounded", "accuracy": 0.97},
    ]
    assert summary["config"]["decision"]["k"] == 2 and summary["bit_exact"]["mismatches"] == 0
    text = (folder / "report.html").read_text()
    assert "not run" not in text
    assert text.count("<img ") == 10 and text.count("<figcaption>") == 10
    assert "123,456" in text and "0 mismatches" in text and "98.12 %" in text


def test_the_page_needs_nothing_else(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)', text) == []
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert all('alt="' in tag for tag in re.findall(r"<img [^>]*>", text))


def test_the_same_inputs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_report(tmp_path, ReportContent(**everything()))
    for file in ("report.html", "summary.json"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_what_was_not_run_is_said(tmp_path: Path) -> None:
    text = write_report(tmp_path, ReportContent(chip=make_chip(), maps=[])).read_text()
    assert "The Verilog was not run for this report" in text
    (note,) = re.findall(r'<p class="note" id="left-out">(.*)</p>', text)
    for part in (
        "Accuracy by class (needs labels and a result); Diagnosis (not run); Accuracy breakdown (not run); ",
        "nothing was learned); Stopping for an allowed loss (nothing was chosen, [decision] strategy is not ",
        "allowed_loss&#34;); Tuning of firing thresholds (thresholds are those of ",
        "the conversion, [convert] tune is false)",
        "One image through the chip (not run); Programming (conductances were set directly",
        "Devices (not run); Drift and lifetime (cells of kind &#34;linear&#34; do not drift); ",
        "Energy and latency (not run); Cells by component (not run); Standard cells (needs ",
    ):
        assert part in note
    assert "<img" not in text
    assert sections(text) == ["results", "conversion", "mapping", "hardware", "configuration"]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["accuracy"]["rtl"] is None and summary["bit_exact"]["mismatches"] is None


def sections(text: str) -> list[str]:
    """The page's sections, in their order, which its contents must be."""
    found = re.findall(r'<h2 id="(\w+)">', text)
    assert re.findall(r'<a href="#(\w+)">', text) == found
    return found


def test_sections_are_those_in_which_something_was_done(folder: Path) -> None:
    assert sections((folder / "report.html").read_text()) == [
        "results", "classes", "diagnosis", "waterfall", "conversion", "steps", "example", "devices", "energy",
        "mapping", "hardware", "configuration",
    ]  # fmt: skip


def test_accuracy_by_class(folder: Path, tmp_path: Path) -> None:
    found = json.loads((folder / "summary.json").read_text())["confusion"]
    text = (folder / "report.html").read_text()
    assert 'alt="Confusion matrix"' in text and found["level"] == "rtl"
    for row in found["classes"]:  # labels are the classes decided
        assert row["images"] == row["right"] == found["matrix"][row["class"]][row["class"]]
        cells = (row["class"], row["images"], row["right"], "100.0 %", "")
        assert "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" in text
    chip = make_chip((64, 40, 30))
    result = make_result(chip, 300)
    text = write_report(
        tmp_path, ReportContent(chip=chip, labels=(result.classes + 2) % 30, reference=result, maps=[])
    ).read_text()
    assert "The table lists the 20 classes with the lowest accuracy." in text and text.count("<td>0.0 %</td>") == 20
    number = int(np.sum(result.classes == 3))
    assert f"<td>5</td><td>{number}</td><td>0</td><td>0.0 %</td><td>3 ({number})</td>" in text


def test_images_are_enough_for_curve_and_example(tmp_path: Path) -> None:
    chip = make_chip()
    images = np.random.default_rng(0).integers(0, 256, (6, 64)).astype(np.uint8)
    text = write_report(tmp_path, ReportContent(chip=chip, images=images, labels=np.arange(6))).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert len(summary["accuracy_by_steps"]) == chip.t_max
    assert "Image 0 of the images given to the report, of class 0, was recognised as class" in text


def test_levels_put_straight_in_have_no_pulses(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    assert '<h2 id="programming">' not in text and "there were no pulses" in text and "verify reads" not in text
    assert json.loads((folder / "summary.json").read_text())["programming"] is None


def test_tantalum_cells_are_told_with_their_voltages(tmp_path: Path) -> None:
    chip = make_programmed_chip()
    told, parts = [], ("at the read voltage of 200 mV", "each with its own voltage", "at 1 V, cells")
    for device in (chip.device, chip.device.model_copy(update=DRIFT)):
        text = write_report(tmp_path, ReportContent(chip=chip.with_device(device))).read_text()
        told.append([part in text for part in parts])
    assert told == [[False, False, True], [True, True, False]]


BUS = {
    "method": "pulses", "writes": 22_842, "load_cycles": 1_051_955, "pulses": 5, "verify_reads": 6, "failed_cells": 7,
    "cells_compared": 34_048, "gap_max": 4, "gap_mean": 3.25,
}  # fmt: skip


@pytest.mark.parametrize("fault_aware", [False, True])
def test_programming_is_told_without_a_co_simulation(tmp_path: Path, fault_aware: bool) -> None:
    """Numbers are those of the model; the accuracies with and without fault-aware mapping are found on the way."""
    chip = make_programmed_chip(fault_aware)
    images = np.random.default_rng(3).integers(0, 256, (40, 64)).astype(np.uint8)
    text = write_report(tmp_path, ReportContent(chip=chip, images=images, labels=np.arange(40) % 10)).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())["programming"]
    assert summary["fault_aware"] is fault_aware and summary["failed_cells"] > 0 and summary["lost_pairs"] > 0
    assert None not in summary["accuracy"].values()
    for value in (summary["pulses"], summary["verify_reads"], summary["failed_cells"], summary["lost_pairs"]):
        assert f"{value:,}" in text
    for name in ("ideal", "programmed", "fault_aware"):
        assert percent(summary["accuracy"][name]) in text
    assert si(summary["time_s"], "s") in text and si(summary["energy_J"]["total"]["typical"], "J") in text
    for title in ("Target against reached conductance", "Histogram of weight errors", "Map of failed cells"):
        assert f'alt="{title}"' in text
    assert ("a second pass reprogrammed its partner" in text) is fault_aware
    assert ("fault-aware mapping is off" in text) is not fault_aware
    row = "with" if fault_aware else "without"
    assert re.search(rf"{row} fault-aware mapping</td><td>[\d.]+ %</td><td class=\"text\">this chip", text)
    assert text.count("this chip") == 1 and "over its AXI buses" not in text


def test_accuracies_of_programming_need_labels(tmp_path: Path) -> None:
    text = write_report(tmp_path, ReportContent(chip=make_programmed_chip(stuck=0.0))).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())["programming"]
    assert set(summary["accuracy"].values()) == {None} and summary["failed_cells"] == 0
    assert "ideal levels</td><td>not run" in text and "No cell failed." in text and "Map of failed" not in text


@pytest.mark.parametrize("pulses", [False, True])
def test_what_the_host_found_is_told(tmp_path: Path, pulses: bool) -> None:
    chip = make_programmed_chip()
    values = {"images": 60, "values_compared": 123456, "mismatches": 0, "traced_images": 2, "simulator": "verilator"}
    bus = BUS if pulses else {**BUS, "method": "fast", "cells_compared": None, "gap_max": None, "gap_mean": None}
    rtl = make_result(chip, cycles=True)
    page = write_report(tmp_path, ReportContent(chip=chip, rtl=rtl, comparison={**values, "through_bus": bus}, maps=[]))
    text = " ".join(page.read_text().split())
    assert "over its AXI buses" in text
    told = "22,842 register writes in 1,051,955 clock cycles (10.5 ms)" in text, "34,048 cells" in text
    assert told == (pulses, pulses) and ("loaded fast" in text) is not pulses
    assert ("idle for at most 4 clock cycles, 3.2 on average" in text) is pulses
    assert json.loads((tmp_path / "summary.json").read_text())["bit_exact"]["through_bus"] == bus


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    text = write_report(tmp_path, ReportContent(chip=make_chip(), maps=[], config={"name": "<b>x</b>"})).read_text()
    assert "<b>x</b>" not in text and "&lt;b&gt;x" in text


def test_no_space_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(FileError, match="there is no space left on the device"):
        write_report(tmp_path / "out", ReportContent(chip=make_chip(), maps=[]))
    assert list(tmp_path.iterdir()) == []
