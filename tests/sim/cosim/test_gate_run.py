"""Gates in co-simulation: the reference's bits, transitions of nets, and memories used as the energy says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.hw.params.plan import MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import CrossbarStage, MaxPoolStage
from spikeloom.hw.standard_cells.cell_synthesis import synthesise
from spikeloom.hw.standard_cells.gates import Gates, gates
from spikeloom.hw.standard_cells.power import Power
from spikeloom.hw.standard_cells.timing import opensta_version
from spikeloom.sim.chip.energy_calibration import CALIBRATED
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.gate_run import GateRun, _Counter, run_gates
from spikeloom.sim.estimates.energy_events import Events
from spikeloom.sim.estimates.energy_stores import stores
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.calibration import calibrate
from tests.conftest import icarus
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.standard_cells import osu018, osu018_library

opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")


def small_chip(**changes: Any) -> ProgrammedChip:
    settings: dict[str, Any] = {
        "sizes": [3, 2], "tile_rows": 2, "tile_columns": 2, "lanes": 1, "encoder_lanes": 2, "adc_bits": 4, "phases": 1,
        "max_steps": 3, "t_max": 3, "coding": Coding.EVEN, "row_bits": 1, "rule": DecisionRule.WINNER_K,
        "readout": Readout.SPIKES, "reset": Reset.SUBTRACT, "skip": 0, "seed": 11, **changes,
    }  # fmt: skip
    return random_chip(np.random.default_rng(5), **settings)


def small_gates(chip: ProgrammedChip, memory_bits: int) -> Gates:
    files = export_verilog(chip.parameters)
    ports = json.loads(files["ports.json"])["ports"]
    return gates(files, ports, "npu", [osu018_library()], 1e8, memory_bits)


def test_transitions_are_counted_image_by_image_wherever_records_are_cut() -> None:
    rng = np.random.default_rng(3)
    nets = rng.integers(0, 2, (50, 64), np.uint8)
    images = np.sort(rng.integers(1, 5, 50)).astype("<u4")
    packed = np.packbits(nets, axis=1, bitorder="little")
    data = b"".join(image.tobytes() + row.tobytes() for image, row in zip(images, packed, strict=True))
    changed = nets[1:] ^ nets[:-1]
    expected = np.array([changed[images[1:] == image].sum(axis=0) for image in range(4)])
    for size in (1, 7, 12, 100, len(data)):
        counter = _Counter(4, 64)
        for at in range(0, len(data), size):
            counter.add(data[at : at + size])
        np.testing.assert_array_equal(counter.transitions, expected), "image 4 is past the last"
        np.testing.assert_array_equal(counter.cycles, np.bincount(images)[:4])


def check_run(chip: ProgrammedChip, found: Gates, run: GateRun, pixels: Any) -> None:
    run_reference(chip, pixels, trace="full").compare(run.result)
    assert run.result.cycles is not None
    np.testing.assert_array_equal(run.cycles[1:], run.result.cycles[1:])
    places = found.probes.starts
    # The lowest bit of the clock cycles' count changes in every one of them but the first two.
    controller = next(path for path in places if path == "controller")
    names = {cell.name: cell for cell in found.probes.cells[found.probes.instances[controller]]}
    assert names
    whole = run.transitions[1:-1, places[controller] :][:, : found.probes.bits["npu_controller"]]
    assert (whole.max(axis=1) >= run.cycles[1:-1] - 2).all() and (whole <= run.cycles[1:-1, None]).all()


def check_power(chip: ProgrammedChip, found: Gates, run: GateRun, simulated_J: float) -> None:
    """The power that `synth` gives, at the run's mean activity in the place of 0.1, is the run's energy over its time.

    Within 2 %, and the nets alone within 20 %: the one activity is that of all nets, whatever they take.
    """
    counted = np.zeros(found.probes.size, bool)
    for path, start in found.probes.starts.items():
        counted[start : start + found.probes.bits[found.probes.instances[path]]] = True
    counted &= found.energy.net_J > 0.0  # not the clock, inputs of the unit, padding
    cycles = int(run.cycles[1:-1].sum())
    activity = run.transitions[1:-1][:, counted].sum() / (cycles * counted.sum())
    files = export_verilog(chip.parameters)
    ports = json.loads(files["ports.json"])["ports"]
    power = synthesise(files, ports, "npu", [osu018_library()], 1e8, 10).power
    assert isinstance(power, Power) and power.activity == 0.1 and 0.0 < activity < 0.1
    nets_W = power.nets_W * activity / power.activity
    measured_W = simulated_J * 1e8 / cycles
    assert power.clock_W + power.leakage_W + nets_W == pytest.approx(measured_W, rel=0.02)
    run_nets_W = float((run.transitions[1:-1] @ found.energy.net_J).sum()) * 1e8 / cycles
    assert nets_W == pytest.approx(run_nets_W, rel=0.2)


@osu018
@opensta
@icarus
def test_gates_give_the_reference_s_bits_and_memories_outside_are_used_as_the_energy_says() -> None:
    """Memories above 10 bits are black boxes, whose accesses are those that the table of energies counts."""
    chip = small_chip()
    found = small_gates(chip, 10)
    pixels = random_pixels(np.random.default_rng(7), 34, 3)
    run = run_gates(chip, pixels, found.probes, found.models, simulator="icarus")
    check_run(chip, found, run, pixels)
    rows = np.arange(1, 33)
    accesses = {path.replace("/", "."): each for path, each in found.accesses(run.transitions[rows]).items()}
    compared = 0
    for store in stores(Events(chip, run.result.part(rows))):
        own = [each for path, each in accesses.items() if path.startswith(store.paths)]
        if own:
            np.testing.assert_array_equal(sum(own), store.accesses, err_msg=store.part)
            compared += 1
    assert compared == 4, "pixels, error diffusion, membranes, biases; counts are of 10 bits"
    fit = calibrate(chip, run, found, [osu018_library()], 10, "1234")
    parts = fit.calibration.parts
    assert "membranes" not in parts and parts["spike counts"][1] > 0.0 and parts["clock of memories"][1] > 1e-13
    assert fit.calibration.error < 0.1 and fit.calibration.images == 18 and fit.calibration.images_checked == 14
    assert fit.simulated_J.sum() == pytest.approx(32 * sum(fit.components_J.values()), rel=1e-9)
    assert fit.calibration.corner == "typical, 1.8 V, 25 degrees Celsius"
    check_power(chip, found, run, float(fit.simulated_J.sum()))


@osu018
@opensta
@icarus
@pytest.mark.slow
def test_both_simulators_count_the_same() -> None:
    chip = small_chip(sizes=[9, 6, 3], lanes=3, phases=2, coding=Coding.PHASE, encoder_lanes=4, max_steps=8)
    found = small_gates(chip, 1_000_000)
    pixels = random_pixels(np.random.default_rng(7), 12, 9)
    runs = [run_gates(chip, pixels, found.probes, found.models, simulator=name) for name in ("icarus", "verilator")]
    for run in runs:
        check_run(chip, found, run, pixels)
    # What was never written is unknown in Icarus, and 0 in Verilator: later images have seen it all.
    np.testing.assert_array_equal(runs[0].transitions[6:-1], runs[1].transitions[6:-1])


@osu018
@opensta
@icarus
@pytest.mark.slow
def test_maps_and_poolings_are_parts_of_their_own() -> None:
    """A convolution, a pooling and a dense layer: every component has a part with events."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(2, 2)),)),
        MaxPoolStage(window=Window(source=1, kernel=(3, 3), stride=(3, 3))),
        CrossbarStage(layer=1, windows=(Window(source=2, kernel=(1, 1)),)),
    )
    plan = Plan(input=MapShape(channels=1, height=4, width=4), stages=stages, channels=(2, 3))
    chip = small_chip(plan=plan, tile_rows=8, tile_columns=8, encoder_lanes=4)
    found = small_gates(chip, 1_000_000)
    pixels = random_pixels(np.random.default_rng(7), 34, 16)
    run = run_gates(chip, pixels, found.probes, found.models, simulator="icarus")
    check_run(chip, found, run, pixels)
    fit = calibrate(chip, run, found, [osu018_library()], 1_000_000, "1234")
    made = set(CALIBRATED) & set(fit.calibration.parts)
    assert made == set(CALIBRATED) and all(values[1] > 0.0 for values in fit.calibration.parts.values())
    assert fit.calibration.error < 0.02 and fit.calibration.error_of_data < 0.15


def test_too_few_images_are_refused() -> None:
    chip = small_chip()
    with pytest.raises(SpikeLoomError, match="needs at least 3 images, since two have no window, not 2"):
        run_gates(chip, random_pixels(np.random.default_rng(7), 2, 3), None, {})  # type: ignore[arg-type]
