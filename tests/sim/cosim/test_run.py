"""The Verilog against the reference on chosen networks: full traces, stalls, workers, waves; a difference bites."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding, DecisionRule, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Mismatch
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.verify.bus_run import through_bus
from tests.conftest import SIMULATORS, icarus
from tests.fixtures.networks import random_chip, random_pixels


def small_chip(**overrides: Any) -> ProgrammedChip:
    settings: dict[str, Any] = {
        "sizes": [19, 23, 7],
        "tile_rows": 8,
        "tile_columns": 5,
        "lanes": 4,
        "encoder_lanes": 6,
        "adc_bits": 6,
        "phases": 1,
        "max_steps": 12,
        "t_max": 12,
        "coding": Coding.EVEN,
        "row_bits": 1,
        "rule": DecisionRule.WINNER_K,
        "readout": Readout.SPIKES,
        "reset": Reset.SUBTRACT,
        "skip": 0,
        "device_sigma": 0.05,
        "read_sigma": 0.02,
        "wire_ohm": 2.0,
        "seed": 11,
        **overrides,
    }
    return random_chip(np.random.default_rng(5), **settings)


CHIP = small_chip()
PIXELS = random_pixels(np.random.default_rng(6), 40, 19)
EXPECTED = run_reference(CHIP, PIXELS, trace="full")


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_every_spike_membrane_and_counter_agrees(simulator: str) -> None:
    got = run_cosim(CHIP, PIXELS, trace="full", simulator=simulator)
    steps = int(EXPECTED.steps.sum())
    per_step = 2 * (23 + 7)  # spikes and membranes
    assert EXPECTED.compare(got) >= steps * per_step
    assert got.cycles is not None and (got.cycles > got.steps).all()


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    "overrides",
    [
        {"cell": "emulated", "read_sigma": 0.0, "adc_bits": 8},
        {"adc_bits": 1},
        {"coding": Coding.ANALOG, "row_bits": 8, "read_sigma": 0.0},
        {"cell": "tantalum", "g_min_S": 1e-4, "g_max_S": 0.025, "wire_ohm": 0.5, "acceleration": 1e9},
    ],
)
def test_noise_of_conversions_agrees(simulator: str, overrides: dict) -> None:
    """Emulated and drifting cells, sense amplifiers, analog rows; images of any numbers."""
    quiet, chip = (small_chip(**overrides, adc_sigma=sigma) for sigma in (0.0, 1.0))
    pixels, ids = PIXELS[:8], np.array([0, 7, 0xFFFFFFFF, 1 << 16, 3, 1 << 31, 12, 13])
    expected = run_reference(chip, pixels, ids=ids, trace="full")
    got = run_cosim(chip, pixels, ids=ids, trace="full", simulator=simulator, stalls=True)
    assert expected.compare(got) > 0
    with pytest.raises(Mismatch):
        expected.compare(run_reference(quiet, pixels, ids=ids, trace="full"))


@pytest.mark.parametrize(
    "simulator", [pytest.param("verilator", marks=pytest.mark.slow), pytest.param("icarus", marks=icarus)]
)
def test_the_synthesised_gates_agree(simulator: str) -> None:
    chip = small_chip(sizes=[9, 6, 3], lanes=3, phases=2, coding=Coding.PHASE, encoder_lanes=4)
    pixels = random_pixels(np.random.default_rng(7), 8, 9)
    got = run_cosim(chip, pixels, trace="full", simulator=simulator, netlist=True, stalls=True)
    run_reference(chip, pixels, trace="full").compare(got)


def test_stalls_change_cycles_and_nothing_else() -> None:
    calm = run_cosim(CHIP, PIXELS, trace="spikes")
    stalled = run_cosim(CHIP, PIXELS, trace="spikes", stalls=True)
    assert calm.compare(stalled) > 0
    assert calm.cycles is not None and stalled.cycles is not None
    assert (stalled.cycles >= calm.cycles).all() and stalled.cycles.sum() > 1.1 * calm.cycles.sum()


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(("settle", "pulse", "adc"), [(1, 1, 1), (7, 3, 2)])
def test_cycles_are_those_of_the_manual(simulator: str, settle: int, pulse: int, adc: int) -> None:
    """The formulas of `hw.npu` with the drive's SETTLE_CYCLES-th cycle as the first of `sampled`.

    The first image has to be stored and encoded first; the others' first vectors are ready when their turn comes.
    """
    chip = small_chip(
        sizes=[9, 7], coding=Coding.ANALOG, row_bits=8, rule=DecisionRule.FIXED, lanes=4, t_max=5, pulse_cycles=pulse,
        settle_cycles=settle, adc_cycles=adc,
    )  # fmt: skip
    got = run_cosim(chip, np.full((3, 9), 200, np.uint8), simulator=simulator)
    words, drive, classes, groups = chip.parameters.pixel_words, max(pulse, settle), 7, 2
    expected = []
    for first in (2 * words + 1, 1, 1):
        offered = first
        for _ in range(5):
            end = offered + drive + adc + 6 + max(classes, (groups - 1) * adc + classes - 4)
            offered = max(end + 1, offered + drive + words + 1)
        expected.append(end + 1)
    assert got.cycles is not None and got.cycles.tolist() == expected


@pytest.mark.slow
def test_a_slow_step_is_no_hang() -> None:
    """One step of more than a million cycles."""
    chip = small_chip(
        sizes=[3, 17], rule=DecisionRule.FIXED, lanes=1, t_max=1, coding=Coding.ANALOG, row_bits=8, adc_cycles=65535
    )
    got = run_cosim(chip, np.full((1, 3), 255, np.uint8))
    assert got.cycles is not None and got.cycles[0] > 17 * 65535


def test_any_subset_in_any_order_with_any_number_of_workers() -> None:
    order = np.random.default_rng(0).permutation(40)[:33]
    expected = run_reference(CHIP, PIXELS[order], ids=order, trace="full")
    for workers in (1, 2):
        seen: list[tuple[int, int]] = []
        got = run_cosim(
            CHIP,
            PIXELS[order],
            ids=order,
            trace="full",
            workers=workers,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        expected.compare(got)
        assert seen[-1] == (33, 33) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    rows = [list(order).index(number) for number in range(40) if number in order]
    assert (expected.classes[rows] == EXPECTED.classes[np.sort(order)]).all()


def test_the_same_image_twice_gives_the_same_bits() -> None:
    got = run_cosim(CHIP, PIXELS[[3, 3]], ids=[3, 3], trace="full", workers=1)
    run_reference(CHIP, PIXELS[[3, 3]], ids=[3, 3], trace="full").compare(got)


def test_another_seed_is_noticed() -> None:
    other = run_cosim(dataclasses.replace(CHIP, seed=12), PIXELS, trace="full")
    with pytest.raises(Mismatch, match=r"^Image \d+, layer \d+, step \d+, neuron \d+: .* in reference and .* in rtl$"):
        EXPECTED.compare(other, ("reference", "rtl"))


@pytest.mark.parametrize("change", ["theta", "bias", "gain_shift", "v0"])
def test_a_wrong_register_is_noticed(change: str) -> None:
    layer = CHIP.layers[0]
    values: dict[str, Any] = {
        "theta": layer.theta + 1,
        "bias": layer.bias + np.int32(layer.bias < 0),
        "gain_shift": layer.gain_shift + 1,
        "v0": layer.v0 + 1,
    }
    wrong = dataclasses.replace(CHIP, layers=(dataclasses.replace(layer, **{change: values[change]}), *CHIP.layers[1:]))
    with pytest.raises(Mismatch):
        EXPECTED.compare(run_cosim(wrong, PIXELS, trace="full"))


@icarus
def test_waves_of_icarus(tmp_path: Path) -> None:
    run_cosim(CHIP, PIXELS[:2], simulator="icarus", waves=True, folder=tmp_path)
    dump = (tmp_path / "job_0" / "waves.fst").read_bytes()
    assert dump[0] == 0 and len(dump) > 1000  # an FST file begins with its header block, number 0
    assert '[dumpfile] "waves.fst"' in (tmp_path / "job_0" / "waves.gtkw").read_text()


def signals(dump: str) -> set[str]:
    """Full names of the signals of a VCD file."""
    scopes: list[str] = []
    names = set()
    for line in dump.splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            names.add(".".join([*scopes, words[4]]))
        elif words[:1] == ["$enddefinitions"]:
            break
    return names


def missing(save: str, dump: str) -> list[str]:
    """Signals of a GTKWave save file that are not in the dump."""
    named = [line.split("[")[0] for line in save.splitlines() if line.startswith("bench.")]
    known = signals(dump)
    assert len(named) > 20
    return [name for name in named if not any(each.endswith(name) for each in known)]


def test_waves_are_grouped_and_named(tmp_path: Path) -> None:
    run_cosim(CHIP, PIXELS[:2], waves=True, folder=tmp_path)
    dump = (tmp_path / "job_0" / "waves.vcd").read_text(errors="replace")
    assert dump.count("$var") > 100 and "$enddefinitions" in dump
    assert [path.name for path in (tmp_path / "job_0").glob("*.vcd")] == ["waves.vcd"]  # and no second dump
    save = (tmp_path / "job_0" / "waves.gtkw").read_text()
    assert "-Layer 1: neurons" in save and "Host bus" not in save
    assert "@24\nbench.chip.npu.controller.result__payload_winner" in save and "@22\nbench.fired_spikes_0" in save
    assert missing(save, dump) == []


@pytest.mark.slow
def test_waves_through_the_bus_are_grouped_and_named(tmp_path: Path) -> None:
    through_bus(CHIP, PIXELS[:2], waves=True, folder=tmp_path)
    dump = (tmp_path / "job_0" / "waves.vcd").read_text(errors="replace")
    save = (tmp_path / "job_0" / "waves.gtkw").read_text()
    assert "-Host bus: writes" in save and "-Layer 1: neurons" in save
    assert "@24\nbench.chip.npu_axi.npu.controller.result__payload_winner" in save
    assert missing(save, dump) == []


def test_waves_without_a_folder_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^Waves need a folder: give folder=\.\.\., since a temporary one is removed$"
    ):
        run_cosim(CHIP, PIXELS[:2], waves=True)
    with pytest.raises(ValueError, match=r"^Waves need a folder"):
        CosimTransport(CHIP, waves=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trace": "all"}, r"^trace must be 'none', 'spikes' or 'full', not 'all'$"),
        ({"simulator": "questa"}, r"^The simulator must be 'verilator' or 'icarus', not 'questa'$"),
        ({"ids": [1]}, r"^Image numbers have shape \(1,\), but there are 40 images$"),
        ({"workers": 0}, r"^workers must be a positive integer, not 0$"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_cosim(CHIP, PIXELS, **arguments)
