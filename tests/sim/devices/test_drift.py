"""Drift of a layer's cells: from row pulses to conductances, and into the crossbar's grids."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.common.random_numbers import cell_normals
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.devices import drift
from spikeloom.sim.devices.conductance import Cells, effective_conductance
from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from tests.fixtures.drifting import DRIFT, drifting_chip, drifting_device
from tests.fixtures.networks import random_chip

EFFECTS = {"device_sigma": 0.3, "program_sigma": 0.05, "stuck_on": 0.1, "stuck_off": 0.1, "read_sigma": 0.1}


def an_array(seed: int = 0, **device: float | str | int) -> CrossbarArray:
    rng = np.random.default_rng(seed)
    return build_arrays(drifting_chip(rng, device, sizes=[17, 12], tile_rows=8, tile_columns=7))[0]


def test_cells_go_where_the_age_curve_takes_them() -> None:
    array = an_array(device_sigma=0.1)
    counts = np.arange(17) * 3
    before = array.cells_S.copy()
    array.age(counts)
    oxide = TantalumOxide()
    assert array.read_s is not None and array.read_s in (1e-8, 2e-8, 3e-8, 4e-8)
    curve = AgeCurve(oxide, ReadPulse(0.2, array.read_s, 1e9))
    for side, row, column in np.ndindex(*before.shape):
        g = before[side, row, column]
        w = float(oxide.state(g, 0.2))
        age = float(curve.locate(w))
        aged = float(curve.aged(w, age, int(counts[row])))
        expected = g if row == 0 or age == np.inf else float(oxide.conductance_S(aged, 0.2))
        assert array.cells_S[side, row, column] == expected
    assert (array.cells_S > before).any() and not (array.cells_S < before * (1.0 - 1e-12)).any()


def test_a_cell_drifts_at_the_speed_that_it_had_in_the_pulses() -> None:
    """Of cells that were programmed by pulses; of others nothing is known of their speed."""
    direct = an_array(device_sigma=0.3)
    cells_S = direct.cells_S.copy()
    index, layer, parameters, device, seed = 0, direct.layer, direct.parameters, direct.device, direct.seed
    array = CrossbarArray(index, layer, parameters, device, seed, programmed_S=cells_S.copy(), read_s=direct.read_s)
    speeds = np.maximum(0.0, 1.0 + 0.3 * cell_normals(key(seed, Purpose.DEVICE, index), cells_S.shape))
    counts = np.arange(17) * 5
    array.age(counts)
    direct.age(counts)
    oxide = TantalumOxide()
    assert direct.read_s is not None
    curve = AgeCurve(oxide, ReadPulse(0.2, direct.read_s, 1e9))
    for side, row, column in np.ndindex(*cells_S.shape):
        w = float(oxide.state(cells_S[side, row, column], 0.2))
        age = float(curve.locate(w))
        if row == 0 or age == np.inf:
            assert array.cells_S[side, row, column] == cells_S[side, row, column]
            continue
        for aged, speed in ((array, speeds[side, row, column]), (direct, 1.0)):
            there, before = curve.ways(np.array([age + counts[row] * speed, age]))
            expected = float(oxide.conductance_S(min(w + there - before, 1.0), 0.2))
            assert aged.cells_S[side, row, column] == pytest.approx(expected, rel=1e-12)
    assert not np.array_equal(array.cells_S, direct.cells_S)


def test_negative_reads_drift_down() -> None:
    array = an_array(read_polarity="negative")
    before = array.cells_S.copy()
    array.age(np.full(17, 10_000))
    assert (array.cells_S < before * 0.9).any() and not (array.cells_S > before * (1.0 + 1e-12)).any()


def test_threads_share_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.arange(17) * 3
    alone, shared = an_array(**EFFECTS), an_array(**EFFECTS)
    alone.age(counts)
    monkeypatch.setattr(drift, "_SHARED", 50)
    monkeypatch.setattr(drift, "processors", lambda: 5)
    shared.age(counts)
    assert np.array_equal(alone.cells_S, shared.cells_S)


def test_stuck_cells_do_not_move() -> None:
    array = an_array(**EFFECTS)
    stuck = Cells(array.seed, 0).uniforms(Purpose.STUCK, array.cells_S.shape) < 0.2
    before = array.cells_S.copy()
    array.age(np.full(17, 1000))
    assert 20 < stuck.sum() < 200 and np.array_equal(array.cells_S[stuck], before[stuck])
    low = ~stuck & (before < 0.002)
    assert low.any() and (array.cells_S[low] > before[low]).all()


@pytest.mark.filterwarnings("ignore:.*sigma is 1.0")
def test_spread_ends_at_what_a_cell_can_conduct() -> None:
    array = an_array(device_sigma=1.0)
    low, high = array.device.reachable_S
    assert array.cells_S.min() == low and array.cells_S.max() == high


@pytest.mark.parametrize("wire_ohm", [0.0, 0.5])
def test_ageing_depends_on_the_counts_alone(wire_ohm: float) -> None:
    """In steps, at once, from a copy, back to the start: grids and reads have the same bits as an array made anew."""
    rng = np.random.default_rng(3)
    first, second = (an_array(wire_ohm=wire_ohm, **EFFECTS) for _ in range(2))
    fresh = an_array(wire_ohm=wire_ohm, **EFFECTS)
    counts = rng.integers(0, 50, 17)
    for part in (counts // 3, counts // 2, counts):
        first.age(part)
    second.age(counts)
    third = fresh.copy()
    third.age(counts)
    rows = rng.integers(0, 2, (5, 17), dtype=np.uint8)
    expected = second.convert(rows, np.arange(5), 1)
    p, n = second.g_S / second.device.step_S
    assert np.array_equal(second.current_grid, np.rint((p - n) * 1024))
    assert np.array_equal(second.row_conductance, np.rint((p + n) * 1024).sum(axis=1))
    for array in (first, third):
        assert np.array_equal(array.cells_S, second.cells_S) and np.array_equal(array.g_S, second.g_S)
        for name in ("current_grid", "noise_grid", "row_conductance", "row_pulses"):
            assert np.array_equal(getattr(array, name), getattr(second, name)), name
        assert all(np.array_equal(a, b) for a, b in zip(array.convert(rows, np.arange(5), 1), expected, strict=True))
    assert not np.array_equal(fresh.g_S, second.g_S) and not fresh.row_pulses.any()
    assert np.array_equal(fresh.cells_after(counts), second.cells_S)
    second.age(np.zeros(17, np.int64))
    assert np.array_equal(second.g_S, fresh.g_S) and np.array_equal(second.current_grid, fresh.current_grid)
    if wire_ohm:
        levels = np.stack([fresh.layer.positive, fresh.layer.negative])
        wired = effective_conductance(fresh.device, levels, fresh.parameters, 0, 0, None, first.cells_S)
        assert np.array_equal(first.g_S, wired) and not np.array_equal(first.g_S, first.cells_S)


def test_a_kept_sum_is_forgotten() -> None:
    array = an_array()
    rows = np.ones(17, np.uint8)
    array.convert_one(rows, 0, 1)
    array.age(np.full(17, 10**7))
    assert np.array_equal(array.convert_one(rows, 0, 1)[0], array.convert(rows[None], np.zeros(1, int), 1)[0][0])


def test_types_hold_all_that_cells_can_come_to() -> None:
    """A narrow range of levels far down: cells drift out of it by some thousand steps."""
    array = an_array(g_min_S=6e-5, g_max_S=7e-5, acceleration=1e12)
    array.age(np.full(17, 10**12))
    p, n = array.g_S / array.device.step_S
    assert np.abs(array.g_S / array.device.step_S).max() > 1000
    assert np.array_equal(array.current_grid, np.rint((p - n) * 1024))
    narrow, wide = np.abs(array.current_grid).max(), np.abs(array.row_conductance).max()
    assert array._w.dtype == np.int32 and wide > narrow


def test_linear_cells_do_not_age() -> None:
    array = build_arrays(random_chip(np.random.default_rng(0), device=Device(), sizes=[5, 3], row_bits=1))[0]
    before = array.current_grid
    array.age(np.full(5, 10**9))
    assert np.array_equal(array.current_grid, before) and array.cells_after(np.ones(5, np.int64)) is array.cells_S


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"g_min_S": 1e-6}, r"g_min_S \(1e-06\) and g_max_S \(0.025\) must lie between 5.89\d+e-05 and 0.025"),
        ({"g_max_S": 0.03}, "must lie between"),
        ({"v_read_V": 0.4, "g_min_S": 0.001}, "v_read_V must be at most 0.3 with cell 'tantalum', not 0.4"),
        ({"drift_every": 0}, "greater than or equal to 1"),
        ({"acceleration": 0.0}, "greater than 0"),
    ],
)
def test_the_device_is_checked(values: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        drifting_device(**values)


def test_analog_rows_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="Layer 0: cell 'tantalum' needs 1-bit rows, since analog rows"):
        build_arrays(random_chip(rng, device=Device(**DRIFT), sizes=[5, 3], row_bits=8))
