"""The step `lifetime`: present where it is asked for, and a run resumes all the same when that changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.lifetime_step import load_lifetime, with_lifetime
from spikeloom.sw.flow.steps import STEPS, make_flow
from tests.fixtures.drifting import DRIFT

DEVICE = {**DRIFT, "read_polarity": "negative", "acceleration": 1e7, "drift_every": 7, "refresh_every": 12}


def config(**lifetime: Any) -> Config:
    small = {"data": {"test_limit": 30}, "train": {"epochs": 20}, "cosim": {"images": 2, "trace_images": 1}}
    return Config.load("tiny").updated({"device": DEVICE, **small, "lifetime": lifetime})


def test_steps_follow_the_configuration() -> None:
    assert with_lifetime(STEPS, config()) == STEPS
    names = [step.name for step in with_lifetime(STEPS, config(measure=True))]
    assert names == ["data", "train", "convert", "reference", "lifetime", "verilog", "cosim", "report"]


@pytest.mark.slow
def test_a_run_goes_on_with_and_without_it(tmp_path: Path) -> None:
    def run(expected: list[str], **lifetime: Any) -> Any:
        flow = make_flow(config(**lifetime), tmp_path)
        flow.run()
        assert flow.done == expected
        found = load_lifetime(flow)
        summary = json.loads((tmp_path / "report/summary.json").read_text())
        assert summary["lifetime"] == found
        if found is not None:
            assert found["measured_on"] == {"set": "test images of 'digits'", "count": found["test_images"], "of": 500}
        text = (tmp_path / "report/report.html").read_text()
        assert 'alt="Histograms of row pulses"' in text and 'alt="Drift of every level"' in text
        return found, summary, text

    found, summary, text = run([step.name for step in STEPS])
    assert found is None and "Lifetime (set measure in the table [lifetime]): not run." in text
    assert summary["drift"]["images"] == 30 and summary["drift"]["programmings"] == 3
    found, _, text = run(["lifetime", "report"], measure=True, threshold=0.5)
    assert found["threshold"] == 0.5 and found["test_images"] == 30 and found["refresh"]["every"] == 12
    assert 'alt="Accuracy against images"' in text and "In this run cells are programmed every 12 images" in text
    assert "The cost of a programming is not known" in text
    run(["lifetime", "report"], measure=True, threshold=0.6)
    run(["report"])
    run(["report"], measure=True, threshold=0.6)  # the record of before still holds
    again = make_flow(config(measure=True, threshold=0.6), tmp_path)
    again.run()
    assert again.done == []
    again.clear()
    assert not (tmp_path / "lifetime").exists()


def test_a_step_that_is_not_there_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no step 'lifetime'; the steps are data, train, convert, reference"):
        make_flow(config(), tmp_path).run(stop="lifetime")
