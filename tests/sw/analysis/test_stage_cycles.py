"""Cycles of the stages add up to the image's and are the Verilog's; what replicas are predicted to take, they take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import MaxPoolStage, PoolStage
from spikeloom.hw.params.window_cycles import NEURON_CYCLES
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.mapping import mapping_summary
from spikeloom.sw.analysis.stage_cycles import REPLICAS, data_path, with_replicas
from spikeloom.sw.report.content import ReportContent
from spikeloom.sw.report.report import write_report
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.synthetic import make_chip, make_result

STAGES = (
    CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
    CrossbarStage(layer=1, windows=(Window(source=1, kernel=(3, 3), padding=(1, 1)), Window(source=0))),
    MaxPoolStage(window=Window(source=2, kernel=(2, 2), stride=(2, 2))),
    CrossbarStage(layer=2, windows=(Window(source=3, kernel=(3, 2)),)),
    CrossbarStage(layer=3, windows=(Window(source=4),)),
)
PLAN = Plan(input=MapShape(channels=2, height=6, width=5), stages=STAGES, channels=(3, 4, 6, 4))


def chip_of(plan: Plan = PLAN, **others: object) -> ProgrammedChip:
    options = {
        "plan": plan, "coding": Coding.EVEN, "row_bits": 1, "phases": 1, "max_steps": 5, "t_max": 5, "skip": 1,
        "rule": DecisionRule.WINNER_K, "k": 3, "tile_rows": 8, "tile_columns": 3, "lanes": 3, "theta": 40,
        "device": Device(device_sigma=0.0, read_sigma=0.0), "encoder_lanes": 10,
    }  # fmt: skip
    chip = random_chip(np.random.default_rng(4), **(options | others))  # type: ignore[arg-type]
    return replace(chip, settle_cycles=6, adc_cycles=2)


CHIP = chip_of()
PIXELS = random_pixels(np.random.default_rng(2), 6, CHIP.parameters.inputs) // 3


@pytest.fixture(scope="module")
def runs() -> tuple[Result, Result]:
    return run_reference(CHIP, PIXELS), run_cosim(CHIP, PIXELS, workers=1)


def test_cycles_are_the_verilogs_and_add_up(runs: tuple[Result, Result]) -> None:
    reference, rtl = runs
    assert rtl.cycles is not None
    found = data_path(CHIP, PIXELS, reference, rtl)
    assert found is not None and found["images"] == found["measured_images"] == 6
    # the first image of a simulator waits for its own pixels
    assert found["measured_equal"] == 5 and found["pixel_cycles"] == 2 * CHIP.parameters.pixel_words / 6
    assert found["measured_cycles"] == float(rtl.cycles.mean()) == found["cycles"] + found["pixel_cycles"]
    assert found["between_steps"] + sum(stage["cycles"] for stage in found["stages"]) == pytest.approx(found["cycles"])
    steps = float(reference.steps.mean())
    for stage, planned, shape in zip(found["stages"], STAGES, PLAN.maps[1:], strict=True):
        if isinstance(planned, PoolStage):
            assert stage["cycles"] == pytest.approx(stage["gathers"] + 2 * steps) and stage["works"] == 0
            continue
        parts = [stage[name] for name in ("works", "works_silent", "waits", "closes")]
        assert sum(parts) == pytest.approx(stage["cycles"]) and min(parts) >= 0
        if shape.positions > 1:
            silent = 2 + CHIP.parameters.layers[planned.layer].groups
            assert stage["works_silent"] * 6 % silent == 0 and stage["closes"] == pytest.approx(NEURON_CYCLES * steps)
    # a conversion takes two cycles and a drive six: the crossbar sets the pace, and windows wait for it
    assert found["stages"][0]["pace"] == "crossbar" and found["stages"][0]["gather_waits"] > 0
    assert 0 < sum(found["stages"][n]["cycles"] for n in (0, 1, 2)) / found["cycles"] == found["share_of_windows"]


def test_a_wrong_count_is_not_passed_over(runs: tuple[Result, Result]) -> None:
    reference, rtl = runs
    assert rtl.cycles is not None
    with pytest.raises(AssertionError, match="the Verilog took"):
        data_path(CHIP, PIXELS, reference, replace(rtl, cycles=rtl.cycles - 1))


def test_copies_take_what_was_predicted(runs: tuple[Result, Result]) -> None:
    """Ideal cells, so that replicas give the same spikes: the Verilog with two replicas needs the cycles predicted."""
    found = data_path(CHIP, PIXELS, runs[0])
    assert found is not None
    parameters = with_replicas(CHIP.parameters, 2)
    chip = replace(CHIP, parameters=parameters, layers=tuple(CHIP.layers[n] for n in (0, 0, 1, 1, 2, 3)))
    rtl = run_cosim(chip, PIXELS, workers=1)
    assert rtl.cycles is not None and np.array_equal(rtl.steps, runs[0].steps)
    late = 2 * CHIP.parameters.pixel_words / len(PIXELS)
    assert found["replicas"][1]["cycles"] == float(rtl.cycles.mean()) - late
    tiles = [row["tiles"] for row in found["replicas"]]
    assert [row["replicas"] for row in found["replicas"]] == list(REPLICAS) and tiles == sorted(tiles)
    cycles = [row["cycles"] for row in found["replicas"]]
    assert cycles == sorted(cycles, reverse=True) and cycles[0] == found["cycles"]
    again = data_path(chip, PIXELS, rtl, rtl)
    assert again is not None and again["replicas"] == found["replicas"] and again["measured_equal"] == 5


def test_tile_reads_that_are_saved(runs: tuple[Result, Result]) -> None:
    silent = run_reference(CHIP, PIXELS * 0)
    for result in (runs[0], silent):
        stages = mapping_summary(CHIP, result)["stages"]
        for stage, planned in zip(stages, STAGES, strict=True):
            if isinstance(planned, PoolStage):
                assert stage["silent"] is None and stage["pooling"] == "max"
                continue
            layer = CHIP.parameters.layers[planned.layer]
            ran = result.steps - (1 if planned.layer == 3 else 0)
            every = int(ran.sum()) * layer.positions * layer.row_tiles * layer.column_tiles
            reads = int(result.activity["tile_reads"][:, planned.layer].sum())
            assert stage["silent"] == pytest.approx(1 - reads / every)
            assert stage["utilisation"] == layer.inputs * layer.outputs / (stage["tiles"] * 24)
    assert mapping_summary(CHIP, silent)["stages"][0]["silent"] == 1.0
    assert mapping_summary(CHIP, None)["network"] == "2x6x5-3c3-4c3+1-2s-6-4"


def test_pages(runs: tuple[Result, Result], tmp_path: Path) -> None:
    page = write_report(tmp_path, ReportContent(chip=CHIP, images=PIXELS, reference=runs[0], rtl=runs[1], maps=[]))
    text = " ".join(page.read_text().split())
    assert "5 of 6 agree with the formula to the cycle" in text and "Effect of replicas of the crossbars" in text
    assert json.loads((tmp_path / "summary.json").read_text())["data_path"]["measured_equal"] == 5
    text = write_report(tmp_path, ReportContent(chip=CHIP, maps=[])).read_text()
    assert "Where the clock cycles go (needs images and a run of the reference or the Verilog)" in text
    assert "<h3>Where the clock cycles go" not in text
    dense = make_chip()
    text = write_report(tmp_path, ReportContent(chip=dense, rtl=make_result(dense, cycles=True), maps=[])).read_text()
    assert "A chain of dense layers" in text and "Where the clock cycles go" not in text and "tile reads" in text
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["data_path"] is None and summary["mapping"]["network"] == "64-40-10"
