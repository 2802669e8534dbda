"""Write-verify of layers: the Programmer in plain Python to the bit, targets, compensation, totals."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spikeloom.hw.params.cycles import programming_cycles
from spikeloom.hw.params.parameters import Coding, LayerParameters
from spikeloom.sim.chip.device_config import Device, Energy, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.conductance import ideal_conductance
from spikeloom.sim.devices.ir_drop import IrDrop
from spikeloom.sim.programming.cells import CellModel, CellState
from spikeloom.sim.programming.passes import compensate, second_pass, starts_mask, targets_of
from spikeloom.sim.programming.write_verify import model_of, program_cells, program_chip, program_layer
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip
from tests.models.plain_programming import LockstepProgrammer, PlainCells

FAULTY = Device(pulse_sigma=0.1, stuck_on=0.02, stuck_off=0.03, read_sigma=0.01, device_sigma=0.05, soft_bounds=0.3)
PROGRAMMINGS = st.builds(
    Programming,
    method=st.just("write-verify"),
    tolerance=st.sampled_from([0.0, 0.25, 1.0]),
    tries=st.sampled_from([1, 5, 20]),
    amplitude_min=st.sampled_from([0.125, 0.25]),
    amplitude_max=st.sampled_from([0.25, 1.0, 4.0, 15.0]),
    fault_aware=st.booleans(),
)

KINDS = st.fixed_dictionaries(
    {"pulse_down": st.sampled_from([1.0, 1.5]), "soft_bounds": st.sampled_from([0.0, 0.5])}
) | st.fixed_dictionaries(
    {"cell": st.just("tantalum"), "g_min_S": st.sampled_from([1e-4, 3e-3]), "g_max_S": st.sampled_from([0.01, 0.025])}
)
KINDS |= st.just(EMULATED)
"""Linear cells, tantalum-oxide cells, and emulated cells."""


def chip_of(seed: int, **overrides) -> ProgrammedChip:
    overrides = {"device": FAULTY, "programming": Programming(method="write-verify", fault_aware=True)} | overrides
    return random_chip(np.random.default_rng(seed), **overrides)


def plainly(programmed: ProgrammedChip, index: int, fault_aware: bool) -> tuple[LockstepProgrammer, PlainCells, int]:
    """A layer programmed start by start; the programmer's results, the cells, and the clock cycles."""
    p = programmed.parameters.layers[index]
    cells = PlainCells(programmed.device, p.inputs, p.outputs, programmed.seed, index, programmed.pulse_s)
    programmer = LockstepProgrammer(p, programmed.programming, cells.operate(p))
    layer = programmed.layers[index]
    wanted = {}
    for j in range(p.inputs):
        for i in range(p.outputs):
            wanted[0, j, i], wanted[1, j, i] = int(layer.positive[j, i]) * 8, int(layer.negative[j, i]) * 8
    starts = [(row, group) for row in range(min(p.tile_rows, p.inputs)) for group in range(p.groups)]
    for row, group in starts:
        programmer.start(row, group, wanted.__getitem__)
    if fault_aware:
        targets, top = dict(wanted), 8 * (programmed.device.levels - 1)
        for (side, j, i), failed in list(programmer.failed.items()):
            other = (1 - side, j, i)
            if failed and not programmer.failed[other]:
                weight = wanted[side, j, i] - wanted[other]
                targets[side, j, i] = programmer.codes[side, j, i]
                targets[other] = min(max(targets[side, j, i] - weight, 0), top)
        again = {(j % p.tile_rows, i // p.lanes) for (_, j, i), t in targets.items() if t != wanted[_, j, i]}
        for row, group in sorted(again):
            programmer.start(row, group, targets.__getitem__)
    cycles = 0
    counts = programmer.operations
    verify = programmed.settle_cycles + programmed.adc_cycles
    cycles = programming_cycles(
        p, columns=counts["cells"] // 2, rounds=counts["pulse"], pulse_cycles=programmed.program_cycles,
        verify_cycles=verify, starts=counts["starts"],
    )  # fmt: skip
    assert counts["read"] == counts["pulse"] + counts["cells"]
    return programmer, cells, cycles


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), programming=PROGRAMMINGS, data=st.data())
def test_a_layer_at_once_is_the_programmer_cell_by_cell(
    seed: int, programming: Programming, data: st.DataObject
) -> None:
    """Conductances, counts, codes, failed cells, second pass and cycles, to the bit; no draw is used twice."""
    effects = {
        "bits": data.draw(st.integers(1, 5)),
        "pulse_sigma": data.draw(st.sampled_from([0.0, 0.1])),
        "device_sigma": data.draw(st.sampled_from([0.0, 0.3])),
        "read_sigma": data.draw(st.sampled_from([0.0, 0.02])),
        "stuck_on": data.draw(st.sampled_from([0.0, 0.1])),
        "stuck_off": data.draw(st.sampled_from([0.0, 0.1])),
    }
    device = Device(**{**effects, **data.draw(KINDS)})
    sizes = [data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))]
    programmed = chip_of(
        seed, device=device, programming=programming, sizes=sizes, tile_rows=data.draw(st.integers(1, 5)),
        row_bits=1, coding=Coding.EVEN, program_cycles=data.draw(st.sampled_from([4, 10])),
    )  # fmt: skip
    done = program_layer(programmed, 0)
    plain, cells, cycles = plainly(programmed, 0, programming.fault_aware)
    for array, values in zip(done.state.arrays, cells.arrays, strict=True):
        assert array.ravel().tolist() == values
    for array, values in (
        (done.final.codes, plain.codes), (done.final.pulses, plain.pulses), (done.final.failed, plain.failed)
    ):  # fmt: skip
        assert {cell: value.item() for cell, value in np.ndenumerate(array)} == values
    assert done.pulses == sum(cells.pulses.values()) and done.verify_reads == sum(cells.reads.values())
    assert done.cycles == cycles


def test_several_row_tiles_with_a_short_last_one_and_a_second_pass() -> None:
    """The case that the hypothesis test may miss: 3 tiles, groups with fewer lanes, faults, and a second pass."""
    programmed = chip_of(3, sizes=[13, 7, 4], tile_rows=5, lanes=3)
    for index in range(2):
        done = program_layer(programmed, index)
        plain, cells, cycles = plainly(programmed, index, True)
        assert done.state.g_S.ravel().tolist() == list(cells.g.values()) and done.cycles == cycles
        assert done.second.any() and not done.second.all()
        assert plain.operations["starts"] == int(done.second.sum()) + 5 * programmed.parameters.layers[index].groups


def test_cells_reach_the_window_unless_they_fail() -> None:
    programmed = chip_of(1, sizes=[60, 40], bits=4, tile_rows=16)
    done = program_layer(programmed, 0, fault_aware=False)
    distance = np.abs(done.first.codes.astype(int) - done.wanted)
    failed = done.first.failed
    assert (distance[~failed] <= 2).all() and (distance[failed] > 2).all()
    assert (done.first.pulses[failed] == 60).all() and (done.first.pulses[~failed] < 60).all()
    model = model_of(programmed, 0)
    stuck = model.fresh()
    after, _ = program_cells(model, stuck, np.full_like(done.wanted, 60), programmed.programming)
    unmoved = after.g_S == stuck.g_S
    assert unmoved.mean() == pytest.approx(0.05, abs=0.02)
    assert not failed[~unmoved].any()  # only stuck cells fail
    g = (done.state.g_S[~failed] - 1e-6) / programmed.device.step_S * 8
    assert np.abs(g - done.wanted[~failed]).max() < 2.5 + 5 * 0.01 * 1e-5 / programmed.device.step_S * 8
    assert not done.second.any() and done.final is done.first and done.targets is done.wanted


def test_ideal_cells_take_a_pulse_a_level() -> None:
    """No spread, no noise, amplitude 1: level q takes q pulses and q + 1 reads, and lies at its conductance."""
    programmed = chip_of(2, sizes=[20, 10], device=Device(), programming=Programming(method="write-verify"))
    done = program_layer(programmed, 0)
    levels = np.stack([programmed.layers[0].positive, programmed.layers[0].negative])
    assert np.array_equal(done.first.pulses, levels) and np.array_equal(done.first.codes, levels * 8)
    assert np.array_equal(done.state.reads, levels.astype(int) + 1)
    np.testing.assert_allclose(done.state.g_S, ideal_conductance(programmed.device, levels), rtol=1e-12)
    coarse = replace(programmed, programming=Programming(method="write-verify", amplitude_max=4.0))
    assert np.array_equal(program_layer(coarse, 0).first.pulses, -(-levels.astype(int) // 4))


def test_pulses_are_plausible() -> None:
    """With a spread of 10 % a cell takes about one pulse per level and one or two of correction."""
    programmed = chip_of(4, sizes=[100, 60], device=Device(pulse_sigma=0.1, device_sigma=0.05))
    done = program_layer(programmed, 0)
    levels = done.wanted // 8
    assert not done.first.failed.any()
    for level in range(1, 16):
        mean = done.first.pulses[levels == level].mean()
        assert level - 0.5 < mean < level + 3
    assert (done.first.pulses[levels == 0] == 0).all()


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_compensation_brings_the_pair_to_its_weight_where_it_can(bits: int) -> None:
    """Every pair of levels, either cell failed, at every code up to some beyond the top: the nearest there is."""
    top = 8 * ((1 << bits) - 1)
    pairs = [(p, 0) for p in range(0, top + 1, 8)] + [(0, n) for n in range(8, top + 1, 8)]
    for side in range(2):
        reached = np.arange(0, top + 9, 1 if bits < 4 else 3)
        targets = np.array(pairs, np.uint16).T[:, :, None] + np.zeros((1, 1, len(reached)), np.uint16)
        codes = targets.copy()
        codes[side] = reached
        failed = np.zeros(targets.shape, bool)
        failed[side] = True
        new = compensate(targets, failed, codes, top).astype(int)
        assert np.array_equal(new[side], codes[side]) and new[1 - side].min() >= 0 and new[1 - side].max() <= top
        weight = targets[0].astype(int) - targets[1]
        possible = np.arange(top + 1)
        sign = 1 if side == 0 else -1
        best = np.abs(sign * (reached[None, :, None] - possible) - weight[:, :, None]).min(axis=-1)
        assert np.array_equal(np.abs(new[0] - new[1] - weight), best)
        assert (best[weight * sign <= reached] == 0)[:-1].any()


def test_compensation_leaves_sound_pairs_and_pairs_of_two_failures() -> None:
    targets = np.array([[[40, 0]], [[0, 16]]], np.uint16)
    codes = np.array([[[0, 120]], [[120, 120]]], np.uint16)
    both = np.ones(targets.shape, bool)
    assert np.array_equal(compensate(targets, both, codes, 120), targets)
    assert np.array_equal(compensate(targets, ~both, codes, 120), targets)


def test_fault_aware_saves_pairs_that_can_be_saved() -> None:
    """Of the pairs with one stuck cell those are back whose partner can compensate for it; the rest is lost."""
    programmed = chip_of(7, sizes=[120, 60], bits=4, tile_rows=32)
    plain, aware = program_layer(programmed, 0, fault_aware=False), program_layer(programmed, 0)
    assert not plain.second.any()
    assert np.array_equal(plain.first.codes, aware.first.codes) and plain.faulty.sum() > 200
    assert plain.lost.sum() > aware.lost.sum() + 100 and (np.abs(aware.error) <= np.abs(plain.error) + 4).all()
    assert aware.compensated.sum() + aware.lost.sum() == aware.faulty.sum()
    codes = aware.first.codes.astype(int)
    best = compensate(aware.wanted, aware.first.failed, aware.first.codes, 120).astype(int)
    unreachable = np.abs((best[0] - best[1]) - (aware.wanted[0].astype(int) - aware.wanted[1])) > 6
    one = aware.first.failed.sum(axis=0) == 1
    assert aware.lost[one & unreachable].all()
    assert aware.lost[one & ~unreachable].mean() < 0.1
    assert (codes[aware.first.failed] != aware.wanted[aware.first.failed]).all()
    truth = (aware.state.g_S[0] - aware.state.g_S[1]) / programmed.device.step_S * 8
    wanted = aware.wanted[0].astype(int) - aware.wanted[1]
    assert np.abs(truth - wanted)[aware.compensated].max() < 8 < np.abs(truth - wanted)[aware.lost].max()


def test_second_pass_touches_the_starts_of_changed_targets_only() -> None:
    p = LayerParameters(inputs=11, outputs=10, tile_rows=4, lanes=4)
    wanted = np.zeros((2, 11, 10), np.uint16)
    targets = wanted.copy()
    targets[1, 6, 5] = 3  # row 2 of tile 1, group 1
    starts = second_pass(wanted, targets, p)
    assert np.argwhere(starts).tolist() == [[2, 1]]
    mask = starts_mask(starts, p)
    assert sorted({(row, column) for _, row, column in np.argwhere(mask).tolist()}) == [
        (row, column) for row in (2, 6, 10) for column in (4, 5, 6, 7)
    ]
    assert np.array_equal(mask[0], mask[1])


def test_a_mask_leaves_other_cells_alone() -> None:
    programmed = chip_of(8, sizes=[9, 8])
    model, targets = model_of(programmed, 0), targets_of(programmed, 0)
    mask = np.random.default_rng(0).random(targets.shape) < 0.5
    fresh = model.fresh()
    after, outcome = program_cells(model, fresh, targets, programmed.programming, mask)
    whole, all_cells = program_cells(model, fresh, targets, programmed.programming)
    for a, b, c in zip(fresh.arrays, after.arrays, whole.arrays, strict=True):
        assert np.array_equal(b[~mask], a[~mask]) and np.array_equal(b[mask], c[mask])
    assert not outcome.codes[~mask].any() and not outcome.failed[~mask].any() and not outcome.pulses[~mask].any()
    assert np.array_equal(outcome.codes[mask], all_cells.codes[mask])
    assert not fresh.pulses.any()


def test_programming_again_goes_on_with_the_cells_histories() -> None:
    """A second load from the state of the first: other draws, counts of this load only, the cells' lives go on."""
    programmed = chip_of(9, sizes=[30, 20], device=FAULTY.model_copy(update={"read_sigma": 0.05}))
    first = program_chip(programmed)
    again = program_chip(programmed, states=[layer.state for layer in first.layers])
    assert 0 < again.pulses < first.pulses
    total = sum(int(layer.state.pulses.sum()) for layer in again.layers)
    assert total == first.pulses + again.pulses
    fresh = program_chip(programmed)
    assert np.array_equal(fresh.layers[0].state.g_S, first.layers[0].state.g_S)


@pytest.mark.parametrize("wire_ohm", [0.0, 5.0])
def test_verified_arrays_have_the_conductances_reached(wire_ohm: float) -> None:
    programmed = chip_of(5, sizes=[20, 15, 6], device=FAULTY.model_copy(update={"wire_ohm": wire_ohm}))
    done = program_chip(programmed)
    for index, array in enumerate(build_arrays(programmed)):
        g_S = done.layers[index].state.g_S
        assert np.array_equal(array.cells_S, g_S)
        if wire_ohm:
            p = array.parameters
            g_S = IrDrop(wire_ohm, p.tile_rows, p.tile_columns).apply(g_S, None)
        assert np.array_equal(array.g_S, g_S)
        p, n = array.g_S / programmed.device.step_S
        assert np.array_equal(array.current_grid, np.rint((p - n) * 1024))


def test_the_direct_method_has_not_changed_by_a_bit() -> None:
    """Digest of conductances from before cells answered pulses; pulse options are not looked at."""
    device = {"device_sigma": 0.1, "program_sigma": 0.02, "read_sigma": 0.05, "stuck_on": 0.02, "stuck_off": 0.03}
    chip = random_chip(
        np.random.default_rng(5), sizes=[30, 20, 10], tile_rows=8, tile_columns=7, bits=4, wire_ohm=0.0, seed=77,
        **device,
    )  # fmt: skip
    for programmed in (chip, chip.with_device(chip.device.model_copy(update={"pulse_sigma": 0.3, "pulse_up": 2.0}))):
        digest = hashlib.sha256(b"".join(array.g_S.tobytes() for array in build_arrays(programmed)))
        assert digest.hexdigest() == "2a50423e30951ddbba4eac47535ab14dd3c3d7d5c96753104286f8005b19f1f6"


def test_totals_and_energy() -> None:
    programmed = chip_of(6, sizes=[20, 15, 6], program_cycles=20)
    programmed = replace(programmed, energy=Energy(adc_J_per_conversion=(5e-13, 1e-12, 3e-12)))
    calls: list[tuple[int, int]] = []
    done = program_chip(programmed, progress=lambda *place: calls.append(place))
    assert calls == [(1, 2), (2, 2)]
    device, step = programmed.device, programmed.device.step_S
    load = sum(int(layer.state.load.sum()) for layer in done.layers) / 1024
    read_load = sum(int(layer.state.read_load.sum()) for layer in done.layers) / 1024
    pulses_J = device.v_program_V**2 * load * step * 20 / 1e8
    reads_J = device.v_read_V**2 * read_load * step * programmed.settle_cycles / 1e8
    for end, adc_J in (("low", 2e-12), ("typical", 4e-12), ("high", 12e-12)):
        found = {part: ends[end] for part, ends in done.energy_J.items()}
        of_all = pulses_J + reads_J + done.verify_reads * adc_J
        wanted = {"pulses": pulses_J, "reads": reads_J, "adc": done.verify_reads * adc_J, "total": of_all}
        assert found == pytest.approx(wanted)
    assert 5e-6 * 2e-7 * 0.2 < pulses_J / done.pulses < 5e-6 * 2e-7 * 2
    for name in ("pulses", "verify_reads", "cycles"):
        assert getattr(done, name) == sum(getattr(layer, name) for layer in done.layers) > 0
    assert done.failed == sum(int(layer.first.failed.sum()) for layer in done.layers) > 0
    assert done.lost + done.compensated == sum(int(layer.faulty.sum()) for layer in done.layers)
    assert done.verify_reads > done.pulses


def test_wrong_arguments_are_named() -> None:
    programmed = chip_of(8, sizes=[9, 8])
    model, targets = model_of(programmed, 0), targets_of(programmed, 0)
    with pytest.raises(ValueError, match=r"^Layer 0: targets have shape \(2, 8, 8\), but the cells have \(2, 9, 8\)$"):
        program_cells(model, model.fresh(), targets[:, 1:], programmed.programming)
    with pytest.raises(ValueError, match=r"^Layer 0: conductances have shape \(2, 1, 1\), but the cells"):
        program_cells(model, CellState.at(np.ones((2, 1, 1))), targets, programmed.programming)
    with pytest.raises(ValueError, match=r"^Layer 0: flags of the mask have shape \(2, 9, 1\)"):
        program_cells(model, model.fresh(), targets, programmed.programming, np.ones((2, 9, 1), bool))
    with pytest.raises(ValueError, match=r"^Layer 0: a target must be in 0 .. 1023, not 1024$"):
        program_cells(model, model.fresh(), np.full_like(targets, 1024), programmed.programming)


def test_layers_and_seeds_have_draws_of_their_own() -> None:
    targets = np.full((2, 20, 20), 60, np.uint16)
    device, programming = Device(pulse_sigma=0.2, device_sigma=0.1), Programming(method="write-verify")
    ends = []
    for seed, layer in ((0, 0), (1, 0), (0, 1)):
        model = CellModel(device, 20, 20, seed, layer)
        ends.append(program_cells(model, model.fresh(), targets, programming)[0].g_S)
    assert not any((ends[a] == ends[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


def test_register_values_of_programming() -> None:
    """Eighths of a level, rounded; what does not fit a register of 8 bits, or is no range, is refused."""
    assert (Programming().tolerance_code, Programming().amplitude_codes, Programming().tries) == (2, (2, 8), 60)
    wide = Programming(tolerance=31.875, amplitude_min=0.125, amplitude_max=31.875)
    assert (wide.tolerance_code, wide.amplitude_codes) == (255, (1, 255))
    assert Programming(tolerance=0.3).tolerance_code == 2 and Programming(tolerance=0.0).tolerance_code == 0
    for values, message in (
        ({"tolerance": 32.0}, "less than or equal to 31.875"),
        ({"tolerance": -0.1}, "greater than or equal to 0"),
        ({"amplitude_min": 0.1}, "greater than or equal to 0.125"),
        ({"amplitude_max": 32.0}, "less than or equal to 31.875"),
        ({"tries": 0}, "greater than or equal to 1"),
        ({"tries": 256}, "less than or equal to 255"),
        ({"method": "pulses"}, "'direct' or 'write-verify'"),
        ({"amplitude_min": 2.0}, r"amplitude_min \(2.0\) must be at most amplitude_max \(1.0\)"),
        ({"pulses": 3}, "Extra inputs"),
    ):
        with pytest.raises(ValidationError, match=message):
            Programming(**values)
