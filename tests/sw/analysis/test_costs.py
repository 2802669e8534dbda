from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.costs import FORMULA, VERILOG, energy_facts, latency_facts, latency_table, with_cycles
from tests.fixtures.synthetic import make_chip, make_result

CHIP = make_chip()
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 64)).astype(np.uint8)


def test_latency_of_cycles() -> None:
    rtl = replace(make_result(CHIP, 3), cycles=np.array([100, 250, 130]), steps=np.array([1, 3, 2], np.int32))
    assert latency_table(CHIP, rtl) == {
        "cycles": {"mean": 160.0, "max": 250, "steps_mean": 2.0},
        "latency_s": {"mean": 160.0 / 1e8, "max": 2.5e-6, "clock_Hz": 1e8},
    }
    unknown = {"mean": None, "max": None}
    for result in (None, make_result(CHIP, 3), rtl.part(np.arange(0))):
        assert latency_table(CHIP, result) == {
            "cycles": {**unknown, "steps_mean": None},
            "latency_s": {**unknown, "clock_Hz": 1e8},
        }
    lines = repr(latency_facts(CHIP, rtl)).splitlines()
    assert lines[0] == "Latency per image, of 3 in a row" and lines[-1].split() == ["cycles", "are", *VERILOG.split()]
    assert "1.6 µs on average, 2.5 µs at most" in lines[2]


def test_cycles_that_were_counted_are_not_worked_out() -> None:
    rtl = make_result(CHIP, 5, cycles=True)
    assert with_cycles(CHIP, rtl, PIXELS) == (rtl, VERILOG)


def test_a_trace_saves_a_run_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result, traced = (run_reference(CHIP, PIXELS, trace=trace) for trace in ("none", "spikes"))
    expected, source = with_cycles(CHIP, result, PIXELS)
    monkeypatch.setattr("spikeloom.sw.analysis.costs.run_reference", lambda *_, **__: pytest.fail("run again"))
    found, same = with_cycles(CHIP, traced, PIXELS)
    assert source == same == FORMULA and expected.cycles is not None and found.cycles is not None
    assert expected.cycles.tolist() == found.cycles.tolist() and min(found.cycles) > 100


def test_a_run_that_cannot_be_had_again_is_refused() -> None:
    result = run_reference(CHIP, PIXELS)
    with pytest.raises(ValueError, match=r"^The result cannot be run again for the formula of its clock cycles"):
        with_cycles(CHIP, replace(result, steps=result.steps + 1), PIXELS)


def test_no_images_have_no_latency_and_no_energy() -> None:
    empty = make_result(CHIP, 5, cycles=True).part(np.arange(0))
    with pytest.raises(ValueError, match=r"^The result has no images"):
        latency_facts(CHIP, empty)
    assert energy_facts(CHIP, empty)["total"] is None
