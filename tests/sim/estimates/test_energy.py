"""Energy against sums over cells and events."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spikeloom.hw.export.structure import structure
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from spikeloom.sim.chip.device_config import Device, Energy
from spikeloom.sim.common.energy_sums import ENDS
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.ir_drop import solved_tile
from spikeloom.sim.estimates.energy import energy, mean_energy
from spikeloom.sim.estimates.energy_events import Events, words_inside
from spikeloom.sim.estimates.energy_parts import CALIBRATED_ONLY, COMPONENTS, PARTS
from spikeloom.sim.estimates.energy_stores import NOT_BOOKED, stores
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.models.plain import plain_stray
from tests.sim.devices.test_ir_drop import solution


@pytest.mark.parametrize("coding", [Coding.EVEN, Coding.ANALOG])
@pytest.mark.parametrize(("pulse", "settle"), [(4, 2), (1, 3)])
def test_crossbar_energy_is_v_squared_g_t(coding: Coding, pulse: int, settle: int) -> None:
    """One layer, one step: every cell of a driven row takes (V x / full scale)^2 * G * t, where t is the time that the
    hardware drives the row.
    """
    rng = np.random.default_rng(0)
    device = Device(device_sigma=0.1, v_read_V=0.3)
    chip = random_chip(
        rng, sizes=[30, 12], coding=coding, even_start=254, device=device, row_bits=8 if coding == Coding.ANALOG else 1,
        t_max=1, rule=DecisionRule.FIXED, skip=0, phases=1, pulse_cycles=pulse, settle_cycles=settle, clock_Hz=2e8,
    )  # fmt: skip
    pixels = random_pixels(rng, 6, 30)
    arrays = build_arrays(chip)
    joules = energy(chip, run_reference(chip, pixels, arrays=arrays))["crossbar"]
    rows = pixels / 255.0 if coding == Coding.ANALOG else (pixels > 0).astype(float)
    expected = ((0.3 * rows) ** 2 @ arrays[0].g_S.sum(axis=(0, 2))) * max(pulse, settle) / 2e8
    np.testing.assert_allclose(joules, expected, rtol=1e-3)


def test_periphery_counts_events() -> None:
    """30 - 12 - 5, 6 steps of which the output runs 4, by hand."""
    rng = np.random.default_rng(1)
    coefficients = Energy(
        adc_J_per_conversion=1e-12, dac_J_per_pulse=2e-15, dac8_J_per_pulse=3e-13, sample_J=5e-15,
        wire_F_per_cell=1e-16,
        adder_J_per_bit=7e-15, memory_J_per_bit=1e-13, transport_J_per_bit=2e-13, flip_flop_J_per_cycle=3e-15,
    )  # fmt: skip
    chip = random_chip(
        rng, sizes=[30, 12, 5], row_bits=8, coding=Coding.ANALOG, energy=coefficients, t_max=6, max_steps=6, phases=2,
        skip=1, rule=DecisionRule.FIXED, adc_bits=6,
    )  # fmt: skip
    result = run_reference(chip, random_pixels(rng, 4, 30))
    joules, (first, second) = energy(chip, result), chip.parameters.layers
    row_pulses, tile_reads, conversions = (
        result.activity[name] for name in ("row_pulses", "tile_reads", "conversions")
    )
    np.testing.assert_allclose(joules["adc"], conversions.sum(axis=1) * 1e-12 / 4)
    np.testing.assert_allclose(joules["sampling"], conversions.sum(axis=1) * 2 * 5e-15)
    np.testing.assert_allclose(joules["dac"], row_pulses[:, 0] * 3e-13 + row_pulses[:, 1] * 2e-15)
    cells = sum(
        (row_pulses[:, n] + tile_reads[:, n] * min(p.tile_rows, p.inputs)) * 2 * p.outputs / p.column_tiles
        for n, p in enumerate((first, second))
    )
    np.testing.assert_allclose(joules["wires"], cells * 1e-16 * chip.device.v_read_V**2)
    p, groups = chip.parameters, (6 * first.groups, 4 * second.groups)
    words = p.pixel_words
    bits = 8 * p.encoder_lanes * (words + 7 * words + 2 + words + 2 * 7 * words + 2)
    bits += sum(g * q.lanes * (2 * q.membrane_bits + q.bias_bits) for g, q in zip(groups, (first, second), strict=True))
    bits += 4 * 5 * 2 * p.count_bits
    np.testing.assert_allclose(joules["memory"], bits * 1e-13)
    moved = 8 * row_pulses[:, 0] + row_pulses[:, 1] + (first.code_bits + 1) * conversions.sum(axis=1)
    moved += sum(g * q.lanes for g, q in zip(groups, (first, second), strict=True)) + 8 * p.encoder_lanes * words
    np.testing.assert_allclose(joules["transport"], moved * 2e-13)
    assert "control" not in joules and np.all(joules["arithmetic"] > 0)  # its events: test_energy_by_hand
    cycles = np.array([10, 20, 30, 40])
    clocked = energy(chip, replace(result, cycles=cycles))
    np.testing.assert_allclose(clocked["control"], cycles * structure(p).flip_flops * 3e-15)
    assert all(value.shape == (4,) and value.dtype == np.float64 for value in clocked.values())


def test_ends_of_coefficients_are_ends_of_energies() -> None:
    rng = np.random.default_rng(1)
    chip = random_chip(rng, sizes=[30, 12, 5])
    result = replace(run_reference(chip, random_pixels(rng, 4, 30)), cycles=np.array([10, 20, 30, 40]))
    low, typical, high = (energy(chip, result, end) for end in ENDS)
    for name in COMPONENTS:
        assert np.all(low[name] <= typical[name]) and np.all(typical[name] <= high[name])
        assert (name == "crossbar") == np.array_equal(low[name], high[name])


@pytest.mark.parametrize("clocked", [False, True])
def test_energies_of_images_and_means_are_one_sum(clocked: bool) -> None:
    """To the last digit of an image alone, and of several but for the rounding of their mean."""
    rng = np.random.default_rng(4)
    chip = random_chip(rng, sizes=[30, 12, 5], device=Device(wire_ohm=20.0), phases=1, skip=0)
    result = run_reference(chip, random_pixels(rng, 5, 30))
    result = replace(result, cycles=np.arange(100, 105)) if clocked else result
    means = mean_energy(chip, result)
    assert (means["control"] is None) == (means["total"] is None) == (not clocked)
    for end in ENDS:
        every = energy(chip, result, end)
        for number in range(5):
            alone = mean_energy(chip, result.part(np.array([number])))
            assert {name: joules[number] for name, joules in every.items()} == {
                name: joules[end] for name, joules in alone.items() if joules is not None and name != "total"
            }
        for name, joules in every.items():
            assert means[name] is not None and joules.mean() == pytest.approx(means[name][end], rel=1e-14)  # type: ignore[index]


def test_no_images_have_no_mean_energy() -> None:
    rng = np.random.default_rng(1)
    chip = random_chip(rng, sizes=[9, 5])
    nothing = run_reference(chip, random_pixels(rng, 2, 9)).part(np.arange(0))
    with pytest.raises(ValueError, match=r"^The result has no images, so an image has no mean energy; run"):
        mean_energy(chip, nothing)


@pytest.mark.parametrize("coding", [Coding.EVEN, Coding.ANALOG])
def test_with_wires_the_crossbar_takes_what_its_drivers_give(coding: Coding) -> None:
    """One step of one layer in 2 x 2 tiles, against currents of a solution node by node."""
    rng = np.random.default_rng(0)
    device = Device(device_sigma=0.1, wire_ohm=500.0)
    chip = random_chip(
        rng, sizes=[20, 7], coding=coding, even_start=254, device=device, row_bits=8 if coding == Coding.ANALOG else 1,
        t_max=1, rule=DecisionRule.FIXED, skip=0, phases=1, tile_rows=12, tile_columns=4,
    )  # fmt: skip
    pixels = random_pixels(rng, 3, 20)
    (array,) = arrays = build_arrays(chip)
    result = run_reference(chip, pixels, arrays=arrays)
    (load,), (stray,) = (part.count(Events(chip, result)) for part in PARTS[:2])
    assert load.events is not None and stray.events is not None
    volts = device.v_read_V * (pixels / 255.0 if coding == Coding.ANALOG else (pixels > 0).astype(float))
    for number, v_V in enumerate(volts):
        expected = 0.0
        for rows in (slice(0, 12), slice(12, 20)):
            for columns in (slice(0, 4), slice(4, 7)):
                tile = array.cells_S[:, rows, columns]
                physical = np.ascontiguousarray(tile.transpose(1, 2, 0)).reshape(tile.shape[1], -1)
                expected += solution(physical, device.wire_ohm, v_V[rows])[1]
        astray = stray.events[number] * stray.scale
        found = load.events[number] * load.scale + astray
        np.testing.assert_allclose(found, expected * chip.read_s, rtol=1e-4)  # grids of 2^-10 and 2^-20 dG
        assert astray > 1e-3 * found or not v_V.any()


@pytest.mark.parametrize(("wire_ohm", "limit"), [(1.0, 5e-6), (20.0, 5e-6), (500.0, 5e-6), (1e4, 5e-5)])
def test_what_the_grids_of_the_counts_change(wire_ohm: float, limit: float) -> None:
    """The energy of a report, whose counts are rounded, against the formula without rounding (docs/energy.md)."""
    rng = np.random.default_rng(0)
    chip = random_chip(
        rng, sizes=[32, 16], coding=Coding.EVEN, even_start=254, device=Device(device_sigma=0.1, wire_ohm=wire_ohm),
        row_bits=1, t_max=1, rule=DecisionRule.FIXED, skip=0, phases=1, tile_rows=32, tile_columns=16,
    )  # fmt: skip
    pixels = random_pixels(rng, 4, 32)[1:3]
    (array,) = arrays = build_arrays(chip)
    effective, coupling = solved_tile(np.ascontiguousarray(array.cells_S.transpose(1, 2, 0)).reshape(32, -1), wire_ohm)
    found = energy(chip, run_reference(chip, pixels, arrays=arrays))["crossbar"]
    for joules, row in zip(found, pixels > 0, strict=True):
        v_V = chip.device.v_read_V * row
        power = v_V**2 @ effective.sum(axis=1) + (coupling * (v_V[:, None] - v_V) ** 2).sum() / 2
        assert joules == pytest.approx(power * chip.read_s, rel=limit, abs=0.0)


@pytest.mark.parametrize("row_bits", [1, 8])
def test_stray_is_the_same_in_a_batch_and_alone(row_bits: int) -> None:
    """And as pairs of rows say, one by one; a window of maps at several positions too."""
    rng = np.random.default_rng(3)
    chip = random_chip(
        rng, sizes=[20, 7], row_bits=row_bits, device=Device(wire_ohm=50.0), tile_rows=12, tile_columns=4,
        coding=Coding.ANALOG if row_bits == 8 else Coding.EVEN,
    )  # fmt: skip
    (array,) = build_arrays(chip)
    top = 256 if row_bits == 8 else 2
    codes = (rng.integers(0, top, (6, 20)) * (rng.random((6, 20)) < 0.5)).astype(np.uint8)
    codes[1] = 0
    found = array.products(codes).stray
    assert array.stray_grid is not None
    assert found.tolist() == [plain_stray(array.stray_grid, 12, row.tolist()) for row in codes] and found[1] == 0
    for row, expected in zip(codes, found, strict=True):
        array.convert_one(row, 0, 1)
        assert array.last_stray == expected


def test_another_networks_result_is_refused() -> None:
    rng = np.random.default_rng(1)
    one, two = random_chip(rng, sizes=[9, 5]), random_chip(rng, sizes=[9, 5, 3])
    result = run_reference(one, random_pixels(rng, 2, 9))
    with pytest.raises(ValueError, match=r"^The result has 1 layers, but the programmed chip has 2$"):
        energy(two, result)


def conv_parameters() -> tuple[NpuParameters, Plan]:
    """Two convolutions, the first with 3 replicas, both poolings, a residual addition."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),), replicas=3),
        MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
        CrossbarStage(
            layer=3,
            windows=(Window(source=2, kernel=(1, 1)), Window(source=1, kernel=(2, 2), stride=(2, 2))),
        ),
        AveragePoolStage(window=Window(source=3, kernel=(2, 2), stride=(2, 2)), start=1),
        CrossbarStage(layer=4, windows=(Window(source=4, kernel=(2, 2)),)),
    )
    plan = Plan(input=MapShape(channels=2, height=8, width=8), stages=stages, channels=(3, 3, 3, 4, 5))
    layers = tuple(
        LayerParameters(
            inputs=plan.rows(placement.stage),
            outputs=plan.channels[index],
            positions=placement.positions,
            lanes=2,
            phases=2,
        )
        for index, placement in enumerate(plan.placements)
    )
    return NpuParameters(layers=layers, plan=plan, phases=2), plan


def dense_parameters(sizes: tuple[int, ...], lanes: int) -> NpuParameters:
    layers = (
        LayerParameters(inputs=a, outputs=b, lanes=min(lanes, b), tile_rows=32) for a, b in itertools.pairwise(sizes)
    )
    return NpuParameters(layers=tuple(layers))


@pytest.mark.parametrize(
    "parameters",
    [dense_parameters((64, 128, 64, 10), 8), dense_parameters((784, 1000, 30, 10), 16), conv_parameters()[0]],
    ids=["digits", "mnist", "convolutions"],
)
def test_every_memory_of_the_hardware_is_booked_once(parameters: NpuParameters) -> None:
    """With its size; those that an image does not use are named. None is read in cycles in which nobody wants it."""
    chip = SimpleNamespace(
        parameters=parameters,
        layers=[SimpleNamespace(name=str(n)) for n in range(len(parameters.layers))],
        skip=0,
        energy=Energy(),
    )
    result = SimpleNamespace(spikes=np.zeros((1, len(parameters.layers))), steps=np.array([3]))
    booked = [
        (path, store.width, depth)
        for store in stores(Events(chip, result))  # type: ignore[arg-type]
        for path, depth in zip(store.paths, store.depths, strict=True)
    ]
    there = structure(parameters).memories
    used = [m for m in there if not m.path.endswith(tuple(NOT_BOOKED))]
    assert len(there) > len(used) > 0
    assert sorted(booked) == sorted((m.path, m.width, m.depth) for m in used)
    assert [m.path for m in there if m.always_read] == []


def test_words_of_windows_against_a_walk() -> None:
    shape = MapShape(channels=3, height=7, width=6)
    for kernel, stride, padding in itertools.product([(3, 3), (2, 3)], [(1, 1), (2, 2), (1, 3)], [(0, 0), (1, 1)]):
        window = Window(source=0, kernel=kernel, stride=stride, padding=padding)
        height, width = window.outputs(shape)
        count = 0
        for y, x, dy, dx in itertools.product(range(height), range(width), range(kernel[0]), range(kernel[1])):
            if x > 0 and dx < kernel[1] - stride[1]:
                continue
            at = (y * stride[0] - padding[0] + dy, x * stride[1] - padding[1] + dx)
            count += 0 <= at[0] < 7 and 0 <= at[1] < 6
        assert words_inside(window, shape) == count


def test_parts_have_names_and_components_of_their_own() -> None:
    names = [part.name for part in PARTS]
    assert len(set(names)) == len(names) and {part.component for part in PARTS} == set(COMPONENTS)
    assert [part.component for part in PARTS] == sorted((p.component for p in PARTS), key=COMPONENTS.index)
    assert {part.field for part in PARTS} == {"", CALIBRATED_ONLY, *Energy.model_fields} - {"calibration"}
