"""Whole boards from their serial pins: every spike, membrane, result, count and clock cycle is the reference's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.board.simulated_board import SimulatedBoard
from spikeloom.sim.programming.write_verify import program_chip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host import Host
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import random_plan
from tests.fixtures.whole_boards import board_unit, check_cycles, check_record, check_result, simulator_of
from tests.sw.verify.test_bus_run import same_programming

PULSES = Programming(method="write-verify", fault_aware=True, tries=20)
DIRECT = Programming()
FAULTY = Device(**{**EMULATED, "bits": 3, "device_sigma": 0.15, "stuck_on": 0.04, "stuck_off": 0.04})
FROZEN = Device(bits=4, device_sigma=0.05, program_sigma=0.02, stuck_on=0.02, stuck_off=0.02, wire_ohm=5.0)


def chip_of(seed: int, sizes: list[int], **fields: Any) -> ProgrammedChip:
    """A chip that an emulator can have, of random registers."""
    return random_chip(np.random.default_rng(seed), **{"sizes": sizes, "read_sigma": 0.0, **fields})


def run(
    chip: ProgrammedChip, folder: Path, images: int, fixed: bool, ids: np.ndarray | None = None, **options: Any
) -> tuple[int, int]:
    """Load a chip into its board, run images, and compare all there is; how many values, and images with cycles."""
    unit = board_unit(chip, fixed, **options)
    pixels = random_pixels(np.random.default_rng(images), images, chip.parameters.inputs)
    with SimulatedBoard(simulator_of(unit), folder / "board", record="full") as board:
        with Host.connect(board.port, patience_s=60) as host:
            report = host.load(chip)
            assert host.transport.devices is not None
            if chip.programming.method == "write-verify":
                done = program_chip(chip)
                same_programming(report, done)
                for state, layer in zip(host.transport.devices.cells(), done.layers, strict=True):
                    assert np.array_equal(state.g_S, layer.state.g_S)
            result = host.infer(pixels, ids)
            counters, status = host.counters(), host.status()
            assert host.transport.repeated == 0
    assert status["status"] == ("loaded",) and status["errors"] == ()
    assert result.cycles is not None and result.gaps is not None
    assert (counters["images"], counters["cycles"], counters["gap"]) == (images, result.cycles[-1], result.gaps[-1])
    if chip.parameters.activity_counters:
        assert [layer["spikes"] for layer in counters["layers"]] == result.spikes[-1].tolist()
    if ids is not None:  # the record goes by tags
        return check_result(result, run_reference(chip, pixels, ids)), 0
    compared = check_record(chip, pixels, result, board.record)
    return compared, check_cycles(chip, unit, pixels, result) if chip.parameters.plan.is_dense_chain else 0


def test_a_frozen_chip_with_fixed_gains(tmp_path: Path) -> None:
    """Without programmers: variation, stuck cells and IR drop are in the weights; two row tiles, three layers."""
    chip = chip_of(
        1, [20, 12, 7, 4], programmer=False, device=FROZEN, row_bits=1, coding=Coding.EVEN, tile_rows=11, phases=1,
        t_max=9, max_steps=9, encoders=1,
    )  # fmt: skip
    values, timed = run(chip, tmp_path, 20, fixed=True, rows_per_cycle=1)
    assert values > 4000 and timed >= 16


def test_a_stable_decision(tmp_path: Path) -> None:
    """Clock cycles are those of a verdict that takes longer."""
    chip = chip_of(
        2, [16, 9, 4], programmer=False, device=FROZEN, row_bits=1, coding=Coding.EVEN, phases=1, t_max=12,
        max_steps=12, rule=DecisionRule.STABLE, readout=Readout.MEMBRANE, stable_theta=900,
    )  # fmt: skip
    values, timed = run(chip, tmp_path, 12, fixed=True, rows_per_cycle=1)
    assert values > 1000 and timed >= 8
    result = run_reference(chip, random_pixels(np.random.default_rng(12), 12, 16))
    assert set(result.reasons.tolist()) == {0, 1}


def test_pulses_over_the_serial_port(tmp_path: Path) -> None:
    """Cells, codes and pulses are the model's; analog inputs; gains are loaded; four rows a cycle, three row tiles."""
    chip = chip_of(
        2, [13, 8, 3], programmer=True, device=FAULTY, row_bits=8, coding=Coding.ANALOG, tile_rows=5, lanes=3,
        phases=1, t_max=6, max_steps=6, programming=PULSES, gain_shift=1,
    )  # fmt: skip
    assert any(layer.first.failed.any() and layer.second.any() for layer in program_chip(chip).layers)
    values, timed = run(chip, tmp_path, 16, fixed=False, rows_per_cycle=4)
    assert values > 1500 and timed >= 12


def test_rate_coding_without_counters(tmp_path: Path) -> None:
    """Every image comes with its seed; one-bit converters, two encoders, a small buffer."""
    device = FROZEN.model_copy(update={"wire_ohm": 0.0})
    chip = chip_of(
        3, [18, 9, 5], programmer=False, device=device, row_bits=1, coding=Coding.RATE,
        tile_rows=24, phases=2, t_max=8, max_steps=8, activity_counters=False, adc_bits=1, reset=Reset.SUBTRACT,
    )  # fmt: skip
    values, timed = run(chip, tmp_path, 20, fixed=False, rows_per_cycle=4, buffer_bytes=256)
    assert values > 1500 and timed >= 8


def test_noise_of_a_generator_on_the_board(tmp_path: Path) -> None:
    """The same noise as the reference's; an image has it wherever it stands, also past the numbers that tags have."""
    chip = chip_of(
        4, [21, 10, 4], programmer=False, device=FROZEN.model_copy(update={"adc_sigma": 0.8}), row_bits=1,
        coding=Coding.RATE, tile_rows=8, lanes=4, phases=1, t_max=9, max_steps=9,
    )  # fmt: skip
    quiet = replace(chip, device=FROZEN)
    pixels = random_pixels(np.random.default_rng(12), 12, 21)
    assert not np.array_equal(run_reference(chip, pixels).margins, run_reference(quiet, pixels).margins)
    values, timed = run(chip, tmp_path / "timed", 12, fixed=True)
    assert values > 1500 and timed >= 8
    ids = np.array([65534, 65535, 65536, 65537, 7, 3, 4294967295, 131072 * 5, 131072 * 5 + 1, 65535, 0, 65536])
    assert run(chip, tmp_path / "numbered", 12, fixed=True, ids=ids)[0] >= 12 * 14


def test_noise_at_every_position(tmp_path: Path) -> None:
    """Windows, pooling and joins; gains are loaded; analog inputs and products are in `tests/hw/emulator`."""
    rng = np.random.default_rng(5)
    device = FROZEN.model_copy(update={"adc_sigma": 1.5})
    chip = random_chip(
        rng, programmer=False, plan=random_plan(rng), row_bits=1, coding=Coding.EVEN, device=device,
    )  # fmt: skip
    assert max(layer.positions for layer in chip.parameters.layers) > 1
    assert run(chip, tmp_path, 4, fixed=False, rows_per_cycle=2)[0] > 500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_any_chip(tmp_path: Path, seed: int) -> None:
    """Drawn whole: codings, resets, rules, readouts, tiles, lanes, converters, programmers, rows per cycle."""
    rng = np.random.default_rng(seed)
    pulses, programmer = seed % 3 == 0, seed % 3 < 2
    exact = FAULTY.model_copy(update={"device_sigma": 0.0})  # spread is out of a cell's range, unless by pulses
    device = FAULTY if pulses else exact if programmer else FROZEN
    device = device.model_copy(update={"adc_sigma": (0.0, 0.6)[seed // 3 % 2]})
    fields: dict[str, Any] = {"device": device, "programming": PULSES if pulses else DIRECT}
    plan: dict[str, Any] = {"plan": random_plan(rng), "row_bits": 1, "coding": Coding.EVEN} if seed % 4 == 3 else {}
    fields |= {"rule": DecisionRule.STABLE} if seed % 4 == 2 else {}
    chip = random_chip(rng, programmer=programmer, read_sigma=0.0, **plan, **fields)
    run(chip, tmp_path, 12, fixed=bool(seed % 2), rows_per_cycle=(1, 2, 4)[seed % 3])
