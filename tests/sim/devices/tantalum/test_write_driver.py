"""Write driver and trajectories by table, against the integrals of `sim.devices.tantalum.pulse` and by what they are
for."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.devices.tantalum.pulse import pulse, pulse_voltage
from spikeloom.sim.devices.tantalum.write_driver import AIM, STEPS, pulsed, write_driver
from spikeloom.sim.programming.cells import CellModel, CellState
from spikeloom.sim.programming.write_verify import program_cells
from tests.fixtures.drifting import drifting_device

OXIDE = TantalumOxide()
DEVICE = drifting_device()
DRIVER = write_driver(DEVICE, 1e-7)
LOW, HIGH = float(OXIDE.off_conductance_S(0.2)), OXIDE.gm_S


def volts(setting: Any, device: Device = DEVICE) -> Any:
    return setting * (device.v_program_V / STEPS)


def states(driver: Any = DRIVER, device: Device = DEVICE) -> np.ndarray:
    """w of every code that the driver's table has."""
    codes = np.arange(len(driver.settings))
    return np.clip((device.g_min_S + codes / 8 * device.step_S - LOW) / (HIGH - LOW), 0.0, 1.0)


@pytest.mark.parametrize("stretch", [0.1, 1.0, 3.7])
def test_a_pulse_is_that_of_the_integral(stretch: float) -> None:
    """Every voltage of the table from every seventh code, up and down, for three lengths."""
    w = states()
    for code in range(0, 121, 7):
        for up in (True, False):
            goals = np.arange(code + 1, 121) if up else np.arange(code)
            settings = DRIVER.settings[code, goals]
            wanted = pulse(OXIDE, w[code], up, volts(settings), 1e-7, stretch)
            start = HIGH * w[code] + LOW * (1 - w[code])
            got = [pulsed(start, code, up, abs(goal - code), stretch, DRIVER)[0] for goal in goals.tolist()]
            np.testing.assert_allclose((np.array(got) - LOW) / (HIGH - LOW), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("change", [{}, {"g_min_S": 3e-3, "g_max_S": 0.02}, {"bits": 2, "v_program_V": 1.3}])
def test_the_voltage_is_the_lowest_that_makes_the_step(change: dict[str, Any]) -> None:
    """To the next of the converter's voltages above that of the direct search; up, in half a pulse."""
    device = drifting_device(**change)
    driver = write_driver(device, 1e-7)
    w, settings = states(driver, device), driver.settings.astype(int)
    assert settings.shape == (len(w), len(w)) and w[-1] == 1.0 > w[-2]
    assert (np.diag(settings) == 0).all() and settings.max() <= STEPS and (settings + np.eye(len(w)) > 0).all()
    codes = np.arange(0, len(w), 5)
    for up, share in zip((True, False), AIM, strict=True):
        start, goal = (c.ravel() for c in np.meshgrid(codes, codes))
        start, goal = (c[(goal > start) if up else (goal < start)] for c in (start, goal))
        exact = np.abs(pulse_voltage(OXIDE, w[start], w[goal], share * 1e-7, device.v_program_V))
        step = device.v_program_V / STEPS
        error = volts(settings[start, goal], device) - exact
        assert error.min() > -1e-5 and error.max() < step + 1e-5
    assert (np.diff(settings, axis=1)[np.triu_indices(len(w), 1)[0], np.triu_indices(len(w), 1)[1] - 1] >= 0).all()


def test_a_step_that_no_voltage_makes_takes_the_highest() -> None:
    assert (DRIVER.settings[1:, 0] == STEPS).all(), "no voltage closes the channel altogether"
    weak = write_driver(drifting_device(v_program_V=0.6), 1e-7)
    assert (weak.settings[0, 1:] == STEPS).all() and weak.settings[60, 56] < STEPS


def test_no_step_is_a_pulse_without_voltage() -> None:
    """Above the highest code that a cell can have, too: what is asked for there is noise."""
    for code, up, amplitude in ((0, False, 7), (120, True, 3), (130, False, 10), (1023, False, 255)):
        assert pulsed(0.012, code, up, amplitude, 1.0, DRIVER) == (0.012, 0)
    assert pulsed(0.024, 130, False, 18, 1.0, DRIVER)[0] == pulsed(0.024, 120, False, 8, 1.0, DRIVER)[0] < 0.024


def test_codes_and_amplitudes_of_every_size_are_taken() -> None:
    """A narrow range of conductances: cells far above it, and steps beyond its codes."""
    driver = write_driver(drifting_device(g_max_S=1e-3), 1e-7)
    assert driver.settings.shape == (1024, 1024)
    for code, up, amplitude in ((1023, True, 255), (1023, False, 255), (900, True, 255), (3, False, 255)):
        after, load = pulsed(0.01, code, up, amplitude, 1.0, driver)
        assert LOW <= after <= HIGH and load >= 0 and ((after >= 0.01) if up else (after <= 0.01))


def test_pulses_go_one_way_and_further_if_longer() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        g, code, up = float(rng.uniform(LOW, HIGH)), int(rng.integers(121)), bool(rng.integers(2))
        amplitude = int(rng.integers(1, 121))
        ends = [pulsed(g, code, up, amplitude, stretch, DRIVER)[0] for stretch in (0.0, 1e-3, 0.5, 1.0, 1.5, 50.0)]
        steps = np.diff(ends) * (1 if up else -1)
        assert ends[0] == g and (steps >= -1e-17).all() and LOW <= min(ends) and max(ends) <= HIGH


def test_two_halves_are_a_whole() -> None:
    for code, goal in ((0, 60), (8, 40), (60, 90), (120, 60), (40, 20), (20, 8)):
        w = states()[code]
        g, up, amplitude = w * HIGH + (1 - w) * LOW, goal > code, abs(goal - code)
        half = pulsed(g, code, up, amplitude, 0.5, DRIVER)[0]
        again = pulsed(half, code, up, amplitude, 0.5, DRIVER)[0]
        assert again == pytest.approx(pulsed(g, code, up, amplitude, 1.0, DRIVER)[0], rel=1e-9)


def test_the_load_is_the_energy_of_the_pulse() -> None:
    """V^2 times the integral of G(w, V) over the pulse, by many short pulses one after another."""
    for code, goal in ((0, 8), (0, 120), (40, 60), (120, 116), (120, 30), (30, 10)):
        w, up = float(states()[code]), goal > code
        g, amplitude = w * HIGH + (1 - w) * LOW, abs(goal - code)
        v = volts(int(DRIVER.settings[code, goal]))
        parts, count = [w], 2000
        for _ in range(count):
            parts.append(float(pulse(OXIDE, parts[-1], up, v, 1e-7 / count)))
        mean = np.mean(OXIDE.conductance_S((np.array(parts[1:]) + parts[:-1]) / 2, v))
        load = pulsed(g, code, up, amplitude, 1.0, DRIVER)[1]
        joules = DEVICE.v_program_V**2 * 1e-7 * load / 1024 * DEVICE.step_S
        assert joules == pytest.approx(v * v * float(mean) * 1e-7, rel=5e-3), (code, goal)


def test_a_stuck_cell_takes_energy_too() -> None:
    g, load = pulsed(HIGH, 120, False, 60, 0.0, DRIVER)
    v = volts(int(DRIVER.settings[120, 60]))
    assert g == HIGH and load == round(v * v * HIGH / DEVICE.step_S * 1024)


def test_every_kind_of_spread_programs_every_level() -> None:
    """Three pulses in the median from the very lowest state, some more where cells are slow; only dead cells fail."""
    levels = np.tile(np.arange(16), 60).reshape(2, 20, 24)
    for change, most, failures in (
        ({"device_sigma": 0.1, "pulse_sigma": 0.1}, 6, 0.0),
        ({"g_min_S": 4e-3, "device_sigma": 0.1, "pulse_sigma": 0.1}, 5, 0.0),
        ({"device_sigma": 0.3, "pulse_sigma": 0.1}, 60, 0.005),
        ({"device_sigma": 0.1, "pulse_sigma": 0.1, "read_sigma": 0.01}, 15, 0.0),
    ):
        model = CellModel(drifting_device(**change), 20, 24, 3, 0)
        programming = Programming(method="write-verify", amplitude_min=0.125, amplitude_max=15.0)
        state, outcome = program_cells(model, model.fresh(), (8 * levels).astype(np.uint16), programming)
        assert outcome.failed.mean() <= failures and outcome.pulses.max() <= most
        assert np.median(outcome.pulses[levels > 0]) <= 3 and not outcome.pulses[levels == 0].any()
        reached = (state.g_S - model.device.g_min_S) / model.device.step_S
        good = ~outcome.failed
        assert np.abs(reached - levels)[good].max() <= 0.3125 + 40 * model.device.read_sigma


@pytest.mark.filterwarnings("ignore:.*sigma is 1.0")
def test_slow_and_stuck_cells() -> None:
    """A cell's speed is its own for life, and one without any never moves; nor does a stuck one."""
    model = CellModel(drifting_device(device_sigma=1.0, stuck_off=0.1), 30, 30, 1, 0)
    state = CellState.at(np.full((2, 30, 30), 0.02))
    state.seen[:] = 96
    changes = []
    for _ in range(2):
        before = state.g_S.copy()
        for place in np.ndindex(before.shape):
            model.pulse(state, *place, False, 4)
        changes.append(state.g_S - before)
        state.g_S[:] = 0.02
    assert (changes[0] == changes[1]).all() and changes[0].max() == 0.0
    assert (changes[0] == 0.0).mean() == pytest.approx(0.1 + 0.9 * 0.159, abs=0.03)
    assert len(np.unique(changes[0])) > 1300 and (state.load > 0).all()


def test_a_driver_goes_by_the_last_verify_read() -> None:
    """Two cells in the same state that were read as other codes get other voltages; before a read the code is 0."""
    model = CellModel(DEVICE, 1, 2, 0, 0)
    state = CellState.at(np.full((2, 1, 2), 0.012))
    model.verify(state, 0, 0, 0)
    assert state.seen[0, 0].tolist() == [57, 0]
    for column in range(2):
        model.pulse(state, 0, 0, column, True, 8)
    near, far = state.g_S[0, 0]
    assert 0.012 < near < 0.0155 < far
    assert state.load[0, 0, 0] < state.load[0, 0, 1]


def test_longer_pulses_need_less_voltage() -> None:
    drivers = [write_driver(DEVICE, length) for length in (1e-8, 1e-7, 1e-5)]
    codes = ((0, 30), (60, 90), (90, 60))
    for start, goal in codes:
        settings = [int(driver.settings[start, goal]) for driver in drivers]
        assert settings == sorted(settings, reverse=True) and len(set(settings)) == 3


def test_tables_are_made_once_and_models_are_small_to_hand_over() -> None:
    model = CellModel(DEVICE, 3, 2, 0, 0)
    assert write_driver(DEVICE, 1e-7) is write_driver(DEVICE, 1e-7) is model.driver
    assert len(pickle.dumps(model)) < 5000
    assert CellModel(Device(), 2, 2, 0, 0, math.nan).driver is None
    for length in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^pulse_s must be a positive number, not "):
            write_driver(DEVICE, length)
