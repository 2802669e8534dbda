"""Drift in the co-simulation: images in one sequence, early termination on, final cells as in the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.cosim.macro_model import MacroModel, drift_file, read_drift
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.cosim.tools import SimulationError
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host
from spikeloom.sw.verify import chunks
from spikeloom.sw.verify.bus_run import through_bus
from spikeloom.sw.verify.chunks import cosimulate
from tests.fixtures.drifting import drifting_chip
from tests.fixtures.networks import random_pixels
from tests.sim.cosim.test_macro_model import operation_text

IMAGES = 40


def small_chip(every: int = 3, refresh: int = 0, **overrides: Any) -> ProgrammedChip:
    """19-14-5 on ragged tiles; most images end early."""
    device = {
        "drift_every": every, "refresh_every": refresh, "program_sigma": 0.02 if refresh else 0.0,
        "device_sigma": 0.1, "stuck_on": 0.02, "stuck_off": 0.02, "read_sigma": 0.03,
    }  # fmt: skip
    settings: dict[str, Any] = {
        "sizes": [19, 14, 5], "tile_rows": 8, "tile_columns": 6, "lanes": 3, "encoder_lanes": 4, "adc_bits": 8,
        "phases": 1, "max_steps": 10, "t_max": 10, "k": 1, "coding": Coding.EVEN, "rule": DecisionRule.WINNER_K,
        "readout": Readout.SPIKES, "skip": 0, "seed": 11, "gain_shift": 1,
    }  # fmt: skip
    return drifting_chip(np.random.default_rng(5), device, **{**settings, **overrides})


CHIP = small_chip()
PIXELS = random_pixels(np.random.default_rng(6), IMAGES, 19)
EXPECTED = run_reference(CHIP, PIXELS, trace="full")
REFRESHED = small_chip(refresh=10)  # ends with the last image of a period


def test_the_chip_shows_what_is_tested() -> None:
    """Images end early, and drift has changed when they do."""
    linear = CHIP.with_device(CHIP.device.model_copy(update={"cell": "linear"}))
    still = run_reference(linear, PIXELS)
    assert EXPECTED.steps.min() < 5 and len(np.unique(EXPECTED.steps)) > 3 and EXPECTED.reasons.sum() > IMAGES // 2
    assert np.flatnonzero(EXPECTED.steps != still.steps).min() < IMAGES // 2


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_every_bit_and_every_cell_agrees(simulator: str) -> None:
    count = IMAGES if simulator == "verilator" else 10
    expected = run_reference(CHIP, PIXELS[:count], trace="full")
    got = run_cosim(CHIP, PIXELS[:count], trace="full", simulator=simulator, workers=2, stalls=simulator == "icarus")
    assert expected.compare(got) > 0
    assert got.drift is not None and got.drift.cells_S is not None and got.drift.images == count
    for cells_S, array in zip(got.drift.cells_S, build_arrays(CHIP), strict=True):
        assert (cells_S != array.cells_S).mean() > 0.3


@pytest.mark.parametrize("chip", [CHIP, REFRESHED])
@pytest.mark.parametrize("cut", [4, 6, 10])  # inside a block, at its end, and where a programming is due
def test_a_run_goes_on_from_a_state(chip: ProgrammedChip, cut: int) -> None:
    first = run_cosim(chip, PIXELS[:cut])
    rest = np.arange(cut, IMAGES)
    second = run_cosim(chip, PIXELS[cut:], ids=rest, drift=first.drift)
    whole = Result.concatenate([first, second])
    run_reference(chip, PIXELS).compare(whole)


@pytest.mark.parametrize(("simulator", "refresh"), [("verilator", 10), ("verilator", 1), ("icarus", 4)])
def test_refreshes_are_the_same_to_the_bit(simulator: str, refresh: int) -> None:
    chip, count = small_chip(refresh=refresh), IMAGES if simulator == "verilator" else 10
    expected = run_reference(chip, PIXELS[:count], trace="full")
    got = run_cosim(chip, PIXELS[:count], trace="full", simulator=simulator)
    assert expected.compare(got) > 0
    assert got.drift is not None and got.drift.programmings == (count - 1) // refresh + 1
    assert got.drift.row_pulses[0].any() and (got.drift.total_pulses[0] > got.drift.row_pulses[0]).any()
    for change in ({"refresh_every": refresh + 1}, {"refresh_every": 0}):
        other = chip.with_device(chip.device.model_copy(update=change))
        with pytest.raises(Mismatch):
            expected.compare(run_reference(other, PIXELS[:count], trace="full"))


@pytest.mark.parametrize("chip", [pytest.param(CHIP, marks=pytest.mark.slow), REFRESHED])
def test_simulators_begin_where_the_reference_says(chip: ProgrammedChip) -> None:
    states = [run_reference(chip, PIXELS[:cut]).drift for cut in (12, 20)]
    starts = [state for state in states if state is not None]
    assert run_reference(chip, PIXELS, trace="full").compare(run_cosim(chip, PIXELS, trace="full", starts=starts)) > 0
    wrong = replace(starts[0], row_pulses=tuple(pulses + 1 for pulses in starts[0].row_pulses))
    with pytest.raises(Mismatch, match=r"^Layer 0, row 0: row pulses since programming are \d+ in the reference and"):
        run_cosim(chip, PIXELS, starts=[wrong, starts[1]])
    with pytest.raises(ValueError, match=r"must rise, not \[0, 20, 12, 40\]"):
        run_cosim(chip, PIXELS, starts=starts[::-1])


def test_cells_that_age_otherwise_are_found() -> None:
    for change in ({"drift_every": 4}, {"acceleration": 1.1e9}, {"cell": "linear"}):
        other = CHIP.with_device(CHIP.device.model_copy(update=change))
        with pytest.raises(Mismatch):
            EXPECTED.compare(run_cosim(other, PIXELS))


@pytest.mark.slow
@pytest.mark.parametrize("chip", [CHIP, REFRESHED])
def test_chunks_carry_the_drift(chip: ProgrammedChip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Chunks that are kept, and a run that resumes from them."""
    expected = run_reference(chip, PIXELS)
    monkeypatch.setattr(chunks, "CHUNK", 13)
    monkeypatch.setattr(chunks, "SPLIT", 5)
    monkeypatch.setattr(chunks, "processors", lambda: 2)
    result, facts = cosimulate(chip, PIXELS, trace_images=2, chunks=tmp_path)
    assert expected.compare(result) > 0 and facts["mismatches"] == 0 and facts["values_compared"] > 19 * 14
    last = max(path for path in tmp_path.glob("*.npz"))
    last.unlink()
    again, _ = cosimulate(chip, PIXELS, trace_images=2, chunks=tmp_path)
    assert expected.compare(again) > 0 and last.exists()


@pytest.mark.slow
def test_through_the_buses() -> None:
    got, _ = through_bus(CHIP, PIXELS, trace="spikes", workers=2)
    assert EXPECTED.compare(got) > 0
    refreshed, _ = through_bus(REFRESHED, PIXELS, trace="spikes")
    assert run_reference(REFRESHED, PIXELS, trace="spikes").compare(refreshed) > 0
    with pytest.raises(Mismatch):
        EXPECTED.compare(through_bus(CHIP.with_device(CHIP.device.model_copy(update={"drift_every": 2})), PIXELS)[0])


@pytest.mark.parametrize(("chip", "cut"), [(CHIP, 7), (REFRESHED, 10)])
def test_the_buses_go_on_from_a_state(chip: ProgrammedChip, cut: int) -> None:
    first = run_reference(chip, PIXELS[:cut])
    got, _ = through_bus(chip, PIXELS[cut:], np.arange(cut, IMAGES), drift=first.drift)
    run_reference(chip, PIXELS[cut:], np.arange(cut, IMAGES), drift=first.drift).compare(got)


def test_a_host_goes_on_and_loads_again() -> None:
    """Two calls of `infer` are one stream; a second load begins another, wherever the frames have come to."""
    with Host.connect(CosimTransport(CHIP, quick=True)) as host:
        host.load(CHIP)
        first = host.infer(PIXELS[:4])
        second = host.infer(PIXELS[4:9], np.arange(4, 9))
        run_reference(CHIP, PIXELS[:9]).compare(Result.concatenate([first, second]))
        host.load(CHIP)
        run_reference(CHIP, PIXELS[:10]).compare(host.infer(PIXELS[:10]))
        host.load(CHIP, drift=first.drift)
        again = host.infer(PIXELS[4:9], np.arange(4, 9))
        assert second.compare(again) > 0


def test_the_macro_renews_at_the_ends_of_blocks(tmp_path: Path) -> None:
    """Positions 2, 3 and 11 of a stream that began with 4 images: blocks of 3 end before 2 and 5."""
    array = build_arrays(CHIP)[0]
    counts = np.arange(19)
    aged = array.copy()
    aged.age(counts - counts % 2)
    model = MacroModel(aged, 4, 0, counts)
    rows = "0" * 18 + "1"
    expected = [counts - counts % 2, counts + (counts == 0), counts + (counts == 0)]
    for position, renewed in ((1, expected[0]), (2, expected[1]), (4, expected[2])):
        model.answer(rows, 0, 1, position)
        assert model.array.row_pulses.tolist() == renewed.tolist(), position
    assert model.drift(4)["renewed"].tolist() == expected[1].tolist()
    state = model.drift(5)
    after = counts + 3 * (counts == 0)
    assert state["renewed"].tolist() == after.tolist() == state["row_pulses"].tolist()
    assert np.array_equal(state["cells_S"], array.cells_after(after))
    assert aged.row_pulses.tolist() == expected[0].tolist()  # the array that was handed over is as before
    np.savez(tmp_path / "drift.npz", **drift_file([model], 5))  # type: ignore[arg-type]
    again = read_drift(tmp_path / "drift.npz", 1)
    assert again.images == 9 and again.cells_S is not None
    assert again.difference(DriftSnapshot(9, (after,), (after,), (state["cells_S"],))) is None


def test_the_macro_is_programmed_where_a_layer_was_not_read(tmp_path: Path) -> None:
    """A layer that is read before image 3 and then not until image 25: two programmings lie between."""
    array = build_arrays(REFRESHED)[0]
    model = MacroModel(array)
    rows = "0" * 18 + "1"
    one = np.eye(1, 19, dtype=np.int64)[0]
    for position in (2, 2):
        model.answer(rows, 0, 1, position)
    assert model.drift(10)["row_pulses"].tolist() == (2 * one).tolist()
    np.savez(tmp_path / "drift.npz", **drift_file([model], 10))  # type: ignore[arg-type]
    state = read_drift(tmp_path / "drift.npz", 1)
    assert state.programmings == 1 and not state.earlier[0].any() and model.array.programming == 0
    model.answer(rows, 0, 1, 25)
    state = model.drift(26)
    assert state["programmings"] == 3 and state["earlier"].tolist() == (2 * one).tolist()
    assert state["row_pulses"].tolist() == one.tolist() and not state["renewed"].any()
    fresh = array.copy()
    fresh.program(2)
    assert np.array_equal(state["cells_S"], fresh.cells_after(one))
    assert model.drift(31)["programmings"] == 4 and not model.drift(31)["row_pulses"].any()
    two = {**drift_file([model, model], 31), "programmings_1": np.array(1)}
    np.savez(tmp_path / "drift.npz", **two)  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match=r"Layers were programmed \[1, 4\] times in one chip"):
        read_drift(tmp_path / "drift.npz", 2)


def test_programming_begins_where_drift_has_brought_the_cells() -> None:
    """A verify read after 6 images: the code of the drifted cell, in which drift has its new start."""
    array = build_arrays(CHIP)[0]
    counts = np.full(19, 1000)
    model = MacroModel(array, 6, 2, counts)
    drifted = array.cells_after(counts)
    operation = operation_text(array.parameters, False, 3, 2, 0, [True, False, False], [True] * 3, [0] * 3)
    assert model.program(operation, 9) == round((drifted[0, 3, 2] - 1e-4) / CHIP.device.step_S * 8)
    assert model.cells is not None and np.array_equal(model.cells.state.g_S, drifted)
    assert model.images_since(9) == 0 and not model.drift(9)["row_pulses"].any()
    assert np.array_equal(model.array.cells_S, drifted) and not model.array.row_pulses.any()
    model.answer("0" * 18 + "1", 0, 1, 12)
    state = model.cells_now()
    assert state is not None and state.reads.sum() == 1 and model.images_since(12) == 3
    assert (state.g_S != drifted).any(axis=(0, 2)).tolist() == [True] + 18 * [False]
    assert np.array_equal(model.cells.state.g_S, drifted)


def test_a_foreign_state_is_refused() -> None:
    assert EXPECTED.drift is not None
    bad = replace(EXPECTED.drift, row_pulses=())
    for run in (run_cosim, through_bus):
        with pytest.raises(ValueError, match="row_pulses must be int64 of shapes"):
            run(CHIP, PIXELS, drift=bad)
