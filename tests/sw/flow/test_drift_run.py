"""A whole run of a chip whose cells drift: some images and then all through the Verilog, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.flow.steps import STEPS
from spikeloom.sw.verify.result_file import load_result
from tests.fixtures.drifting import DRIFT


@pytest.mark.slow
def test_a_run_from_data_to_report(tmp_path: Path) -> None:
    device = {**DRIFT, "read_polarity": "negative", "acceleration": 1e7, "drift_every": 7, "read_sigma": 0.01}
    config = Config.load("tiny").updated({"device": device, "data": {"test_limit": 30}, "train": {"epochs": 20}})
    for images in (8, 0):
        Flow(config.updated({"cosim": {"images": images, "trace_images": 4}}), tmp_path, STEPS).run()
        summary = json.loads((tmp_path / "report/summary.json").read_text())
        assert summary["bit_exact"]["images"] == (images or 30) and summary["bit_exact"]["mismatches"] == 0
    reference, _ = load_result(tmp_path / "reference/reference.npz")
    verilog, _ = load_result(tmp_path / "cosim/rtl.npz")
    assert reference.compare(verilog) > 0
    assert reference.drift is not None and reference.drift.images == 30 and reference.drift.cells_S is None
    assert all(pulses.any() for pulses in reference.drift.row_pulses)
    last = summary["waterfall"][-1]
    assert last["stage"] == "drift" and last["accuracy"] == pytest.approx(summary["accuracy"]["reference"])
