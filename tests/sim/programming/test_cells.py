"""Cells under pulses and verify reads: equations, bounds, stuck cells, and the plain twin to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.devices.effects import StuckCells
from spikeloom.sim.programming.cells import CellModel, CellState
from tests.models.plain_programming import PlainCells

pytestmark = pytest.mark.filterwarnings("ignore:.*usual values are")  # wilder cells than there are

DEVICES = st.builds(
    Device,
    bits=st.integers(1, 6),
    g_min_S=st.sampled_from([1e-6, 3.3e-7]),
    device_sigma=st.sampled_from([0.0, 0.05, 0.5]),
    read_sigma=st.sampled_from([0.0, 0.01, 0.3]),
    stuck_on=st.sampled_from([0.0, 0.1]),
    stuck_off=st.sampled_from([0.0, 0.2]),
    pulse_sigma=st.sampled_from([0.0, 0.1, 1.0]),
    pulse_up=st.sampled_from([1.0, 0.7]),
    pulse_down=st.sampled_from([1.0, 1.9]),
    soft_bounds=st.sampled_from([0.0, 0.3, 1.0]),
)


def model_of(device: Device, inputs: int = 40, outputs: int = 30, seed: int = 1, layer: int = 0) -> CellModel:
    return CellModel(device, inputs, outputs, seed, layer)


def at(model: CellModel, share: float) -> CellState:
    """All cells at a share of the way from G_min to G_max."""
    device = model.device
    g = device.g_min_S + share * (device.g_max_S - device.g_min_S)
    return CellState.at(np.full((2, model.inputs, model.outputs), g))


def pulse_all(model: CellModel, state: CellState, up: bool, amplitude: int) -> np.ndarray:
    """One pulse on every cell; the change, in levels."""
    before = state.g_S.copy()
    for side, row, column in np.ndindex(before.shape):
        model.pulse(state, side, row, column, up, amplitude)
    return (state.g_S - before) / model.device.step_S


OXIDES = st.builds(
    Device,
    cell=st.just("tantalum"),
    bits=st.integers(1, 5),
    g_min_S=st.sampled_from([1e-4, 2e-3]),
    g_max_S=st.sampled_from([0.025, 5e-3]),
    v_program_V=st.sampled_from([1.0, 1.3]),
    device_sigma=st.sampled_from([0.0, 0.05, 0.5]),
    read_sigma=st.sampled_from([0.0, 0.01, 0.3]),
    stuck_on=st.sampled_from([0.0, 0.1]),
    stuck_off=st.sampled_from([0.0, 0.2]),
    pulse_sigma=st.sampled_from([0.0, 0.1, 1.0]),
)


EMULATED = st.builds(
    Device,
    cell=st.just("emulated"),
    bits=st.integers(1, 6),
    g_min_S=st.sampled_from([1e-6, 3.3e-7, 9.999e-6]),
    device_sigma=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    stuck_on=st.sampled_from([0.0, 0.1]),
    stuck_off=st.sampled_from([0.0, 0.2]),
)


@settings(max_examples=120, deadline=None)
@given(device=DEVICES | OXIDES | EMULATED, seed=st.integers(0, 2**32 - 1), layer=st.integers(0, 3), data=st.data())
def test_the_plain_twin_gives_the_same_bits(device: Device, seed: int, layer: int, data: st.DataObject) -> None:
    """Any operations in any order: conductances, counts, loads and codes; no draw is used twice."""
    inputs, outputs = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 18))
    model = CellModel(device, inputs, outputs, seed, layer)
    state, plain = model.fresh(), PlainCells(device, inputs, outputs, seed, layer)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    for _ in range(60):
        cell = (int(rng.integers(2)), int(rng.integers(inputs)), int(rng.integers(outputs)))
        if rng.integers(3):
            up, amplitude = bool(rng.integers(4)), int(rng.choice([1, 2, 7, 8, 60, 255]))
            model.pulse(state, *cell, up, amplitude)
            plain.pulse(cell, up, amplitude)
        else:
            assert model.verify(state, *cell) == plain.verify(cell)
    for array, values in zip(state.arrays, plain.arrays, strict=True):
        assert array.ravel().tolist() == values


def test_fresh_cells_lie_at_the_bounds() -> None:
    device = Device(stuck_on=0.2, stuck_off=0.2)
    model = model_of(device)
    state = model.fresh()
    levels = np.full(state.g_S.shape, 5e-6)
    stuck = StuckCells(0.2, 0.2, device.g_min_S, device.g_max_S).apply(levels, Cells(1, 0))
    assert np.array_equal(state.g_S == device.g_max_S, stuck == device.g_max_S)
    assert set(np.unique(state.g_S)) == {device.g_min_S, device.g_max_S}
    assert not any(array.any() for array in state.arrays[1:])


def test_stuck_cells_never_move_but_count() -> None:
    device = Device(stuck_on=0.1, stuck_off=0.3, pulse_sigma=0.1)
    model = model_of(device)
    state = model.fresh()
    held = StuckCells(0.1, 0.3, 0.0, 1.0)
    mark = held.apply(np.full(state.g_S.shape, 0.5), Cells(1, 0))  # 0 stuck off, 1 stuck on, 0.5 free
    change = pulse_all(model, state, True, 8) + pulse_all(model, state, True, 8)
    assert not change[mark != 0.5].any() and not change[mark == 1.0].any() and (change[mark == 0.5] > 0).all()
    down = pulse_all(model, state, False, 8)
    assert not down[mark != 0.5].any() and (down[mark == 0.5] < 0).all()
    assert (state.pulses == 3).all()
    assert (mark == 1.0).mean() == pytest.approx(0.1, abs=0.02) and (mark == 0.0).mean() == pytest.approx(0.3, abs=0.03)


def test_a_pulse_moves_by_its_amplitude_and_stops_at_the_bounds() -> None:
    model = model_of(Device(), 1, 1)
    state = model.fresh()
    for amplitude, levels in ((8, 1.0), (4, 1.5), (1, 1.625), (255, 15.0), (255, 15.0)):
        model.pulse(state, 0, 0, 0, True, amplitude)
        assert (state.g_S[0, 0, 0] - 1e-6) / model.device.step_S == pytest.approx(levels)
    for amplitude, levels in ((8, 14.0), (255, 0.0), (255, 0.0)):
        model.pulse(state, 0, 0, 0, False, amplitude)
        assert (state.g_S[0, 0, 0] - 1e-6) / model.device.step_S == pytest.approx(levels, abs=1e-12)
    assert state.g_S[0, 0, 0] == model.device.g_min_S


@pytest.mark.parametrize(
    ("share", "up", "change"),
    [
        (0.0, True, 2.0),
        (0.25, True, 1.7),
        (0.75, True, 1.1),
        (1.0, False, -0.5),
        (0.75, False, -0.425),
        (0.25, False, -0.275),
    ],
)
def test_asymmetry_and_soft_bounds(share: float, up: bool, change: float) -> None:
    """Steps of 2 levels up and 0.5 down; 60 % is lost at the bound that a pulse moves to."""
    model = model_of(Device(pulse_up=2.0, pulse_down=0.5, soft_bounds=0.6))
    assert pulse_all(model, at(model, share), up, 8) == pytest.approx(change)
    assert pulse_all(model, at(model, share), up, 4) == pytest.approx(change / 2)


def test_fully_soft_bounds_are_never_reached() -> None:
    model = model_of(Device(soft_bounds=1.0), 1, 1)
    state = model.fresh()
    for _ in range(100):
        model.pulse(state, 0, 0, 0, True, 8)
    assert 0.99 * 1e-5 < state.g_S[0, 0, 0] < 1e-5
    x = 1 - (1 - 1 / 15) ** 100
    assert state.g_S[0, 0, 0] == pytest.approx(1e-6 + x * 9e-6)


def test_cycle_to_cycle_spread_is_of_the_pulse() -> None:
    """Mean 1 level, 10 % spread, independent from pulse to pulse."""
    model = model_of(Device(pulse_sigma=0.1))
    state = model.fresh()
    steps = np.stack([pulse_all(model, state, True, 8).ravel() for _ in range(8)])
    assert steps.mean() == pytest.approx(1.0, abs=0.004)
    assert steps.std() == pytest.approx(0.1, rel=0.03)
    assert np.abs(np.corrcoef(steps)[np.triu_indices(8, 1)]).max() < 0.1
    assert np.unique(steps.round(9), axis=0).shape == steps.shape


def test_device_spread_is_of_the_cell() -> None:
    """The same factor at every pulse, up and down; as large as device_sigma; the cells' own draws."""
    model = model_of(Device(device_sigma=0.2))
    state = at(model, 0.3)
    steps = [pulse_all(model, state, up, 8) * (1 if up else -1) for up in (True, True, False)]
    np.testing.assert_allclose(steps[1], steps[0], rtol=1e-9)
    np.testing.assert_allclose(steps[2], steps[0], rtol=1e-9)
    assert steps[0].std() == pytest.approx(0.2, rel=0.05) and steps[0].mean() == pytest.approx(1.0, abs=0.02)


def test_a_large_spread_never_turns_a_pulse_around() -> None:
    model = model_of(Device(pulse_sigma=1.0, device_sigma=1.0))
    change = pulse_all(model, at(model, 0.5), True, 8)
    assert (change >= 0).all() and (change == 0).mean() > 0.2


def test_verify_reads_are_noisy_and_do_not_move_the_cell() -> None:
    """Relative noise, new at every read: at the top level of 4 bits 1 % is 1.33 codes."""
    model = model_of(Device(read_sigma=0.01))
    state = at(model, 1.0)
    before = state.g_S.copy()
    codes = np.array([[model.verify(state, 0, row, 0) for row in range(40)] for _ in range(50)])
    assert np.array_equal(state.g_S, before) and state.reads.sum() == codes.size
    assert codes.mean() == pytest.approx(120, abs=0.15)
    expected = np.hypot(0.01 * 1e-5 / model.device.step_S * 8, 12**-0.5)
    assert codes.std() == pytest.approx(expected, rel=0.06)
    assert model_of(Device()).verify(at(model, 1.0), 0, 0, 0) == 120


def test_verify_codes_are_rounded_to_even_and_clipped() -> None:
    model = model_of(Device(g_min_S=1.0, g_max_S=16.0), 1, 1)
    for eighths, code in ((0.0, 0), (0.5, 0), (1.5, 2), (2.5, 2), (77.0, 77), (-3.0, 0), (5000.0, 1023)):
        state = CellState.at(np.full((2, 1, 1), 1.0 + eighths / 8))
        assert model.verify(state, 0, 0, 0) == code


def test_loads_are_sums_of_conductance() -> None:
    model = model_of(Device(g_min_S=1.0, g_max_S=16.0), 1, 1)
    state = model.fresh()
    model.pulse(state, 0, 0, 0, True, 12)
    model.pulse(state, 0, 0, 0, True, 8)
    model.verify(state, 0, 0, 0)
    assert state.load[0, 0, 0] == 1024 * (1 + 2.5) and state.read_load[0, 0, 0] == 1024 * 3.5
    assert state.pulses.sum() == 2 and state.reads.sum() == 1


def test_row_tiles_work_at_once_and_only_those_asked() -> None:
    model = model_of(Device(), 7, 3)
    state = model.fresh()
    tiles, up = np.array([True, False, True]), np.array([True, True, True])
    model.operate(state, True, 1, 2, 1, 3, tiles, up, np.array([8, 8, 16]))  # row 7 of the last tile does not exist
    moved = np.argwhere(state.pulses)
    assert moved.tolist() == [[1, 1, 2]]
    model.operate(state, True, 0, 2, 1, 3, tiles, np.array([True, True, True]), np.array([8, 8, 16]))
    codes = model.operate(state, False, 0, 2, 1, 3, np.array([False, True, True]), up, np.zeros(3, np.int64))
    assert codes.tolist() == [0, 0, 16] and state.g_S[1, 0, 2] > state.g_S[1, 3, 2]


def test_a_copy_is_apart() -> None:
    model = model_of(Device(), 2, 2)
    state = model.fresh()
    copy = state.copy()
    model.pulse(state, 0, 0, 0, True, 8)
    assert copy.g_S[0, 0, 0] == model.device.g_min_S and not copy.pulses.any()
