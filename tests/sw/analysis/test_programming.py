"""Numbers of programming: those of the model, and the accuracy with and without fault-aware mapping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.lifetime.search import frozen
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.accuracy import conductance_maps
from spikeloom.sw.analysis.programming import cells_reached, programmed, programming_accuracies, programming_summary
from tests.fixtures.drifting import DRIFT
from tests.fixtures.synthetic import make_chip, make_programmed_chip

CHIP = make_programmed_chip()
OUTCOME = program_chip(CHIP)


def test_there_is_nothing_to_tell_of_levels_put_straight_in() -> None:
    assert programmed(make_chip()) is None
    assert programming_summary(make_chip(), None) is None


def test_totals_are_the_sums_of_the_layers_and_the_models() -> None:
    summary = programming_summary(CHIP, OUTCOME)
    assert summary is not None
    for name in ("cells", "pulses", "verify_reads", "failed_cells", "compensated_pairs", "lost_pairs", "cycles"):
        assert summary[name] == sum(layer[name] for layer in summary["layers"]), name
    assert summary["cells"] == 2 * (64 * 40 + 40 * 10)
    assert summary["pulses"] == sum(int(layer.state.pulses.sum()) for layer in OUTCOME.layers) > 0
    assert summary["verify_reads"] == sum(int(layer.state.reads.sum()) for layer in OUTCOME.layers)
    assert summary["failed_cells"] == sum(int(layer.first.failed.sum()) for layer in OUTCOME.layers) > 0
    assert summary["compensated_pairs"] > 0 and summary["lost_pairs"] > 0
    assert summary["time_s"] == pytest.approx(summary["cycles"] / CHIP.clock_Hz)
    parts = summary["energy_J"]
    for end in ("low", "typical", "high"):
        total = parts["total"][end]
        assert total == pytest.approx(sum(parts[part][end] for part in ("pulses", "reads", "adc")))
        assert total == pytest.approx(sum(layer["energy_J"][end] for layer in summary["layers"]))
    assert parts["pulses"]["low"] == parts["pulses"]["high"] > 0
    assert 0 < parts["adc"]["low"] < parts["adc"]["typical"] < parts["adc"]["high"]
    assert set(summary["accuracy"].values()) == {None}


def test_the_error_that_is_left_is_that_of_the_pairs_without_a_failed_cell() -> None:
    summary = programming_summary(CHIP, OUTCOME)
    assert summary is not None
    for row, layer in zip(summary["layers"], OUTCOME.layers, strict=True):
        codes = layer.final.codes.astype(int)
        error = (codes[0] - codes[1]) / 8 - (layer.wanted[0].astype(int) - layer.wanted[1]) / 8
        failed = (layer.first.failed | layer.final.failed).any(axis=0)
        assert row["error_levels"] == pytest.approx(np.sqrt(np.mean(error[~failed] ** 2)))
        assert 0.0 < row["error_levels"] <= 2 * CHIP.programming.tolerance


def test_every_cell_is_shown_once() -> None:
    cells = cells_reached(CHIP, OUTCOME)
    count = 2 * (64 * 40 + 40 * 10)
    assert all(len(values) == count for values in (cells.target, cells.reached, cells.pulses, cells.failed))
    assert len(cells.first_error) == len(cells.final_error) == count // 2
    fine = np.abs(cells.reached - cells.target)[~cells.failed]
    assert fine.max() < CHIP.programming.tolerance + 1.0 and np.median(fine) <= CHIP.programming.tolerance
    assert cells.pulses[cells.failed].min() >= CHIP.programming.tries
    stuck = np.abs(cells.reached - cells.target)[cells.failed]
    assert stuck.max() > 10  # a failed cell stands over the level that its weight asked for, not over a new target
    assert np.abs(cells.final_error).sum() < np.abs(cells.first_error).sum()


def test_accuracies_are_those_of_three_chips() -> None:
    images = np.random.default_rng(3).integers(0, 256, (80, 64)).astype(np.uint8)
    ideal = replace(
        CHIP, device=CHIP.device.model_copy(update={"device_sigma": 0.0, "stuck_on": 0.0, "stuck_off": 0.0})
    )
    ideal = replace(ideal, programming=Programming())
    labels = run_reference(ideal, images).classes
    found = programming_accuracies(CHIP, images, labels)
    assert found["ideal"] == 1.0
    assert found["fault_aware"] == run_reference(CHIP, images).accuracy(labels)
    blind = make_programmed_chip(fault_aware=False)
    assert (
        found["programmed"]
        == run_reference(blind, images).accuracy(labels)
        == programming_accuracies(blind, images, labels)["programmed"]
    )
    assert found["programmed"] < found["fault_aware"] < 1.0
    summary = programming_summary(CHIP, OUTCOME, found)
    assert summary is not None and summary["accuracy"] == found


def test_tantalum_cells_are_told_in_levels_of_the_read_conductance() -> None:
    """Everything as of linear cells; the accuracies are those of cells that do not drift."""
    oxide = CHIP.with_device(CHIP.device.model_copy(update={**DRIFT, "read_polarity": "negative"}))
    outcome = program_chip(oxide)
    cells = cells_reached(oxide, outcome)
    fine = np.abs(cells.reached - cells.target)[~cells.failed]
    assert fine.max() < oxide.programming.tolerance + 1.0 and np.median(fine) <= oxide.programming.tolerance
    w = TantalumOxide().state(outcome.layers[0].state.g_S, 0.2)
    at_read_S = w.ravel() * 0.025 + (1 - w.ravel()) * 5.89085e-5
    np.testing.assert_allclose(at_read_S, 1e-4 + cells.reached[: w.size] * 0.00166, rtol=1e-6)
    images = np.random.default_rng(3).integers(0, 256, (80, 64)).astype(np.uint8)
    labels = run_reference(frozen(oxide), images).classes
    found = programming_accuracies(oxide, images, labels)
    assert found["fault_aware"] == 1.0 > run_reference(oxide, images).accuracy(labels)
    summary = programming_summary(oxide, outcome, found)
    assert summary is not None and (summary["cell"], summary["v_program_V"]) == ("tantalum", 1.0)
    assert summary["pulse_s"] == pytest.approx(1e-7) and summary["energy_J"]["pulses"]["typical"] > 0.0


def test_maps_show_what_the_pulses_left() -> None:
    tile = conductance_maps(CHIP)[0]
    held = OUTCOME.layers[0].state.g_S
    rows, columns = tile.programmed_S.shape
    places = [
        (row, column)
        for row in range(0, 64, 32)
        for column in range(0, 40, 16)
        if np.array_equal((held[0] - held[1])[row : row + rows, column : column + columns], tile.programmed_S)
    ]
    assert len(places) == 1
    same = conductance_maps(CHIP, programming=OUTCOME)[0]
    assert np.array_equal(same.programmed_S, tile.programmed_S) and np.array_equal(same.target_S, tile.target_S)
