"""Programming pulses against direct integration, and a write-verify loop with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.devices.tantalum.pulse import pulse, pulse_voltage
from tests.sim.devices.tantalum.test_oxide import plain_rate

DEVICE = TantalumOxide()


@pytest.mark.parametrize("v", [0.45, 0.5, 0.55, 0.6, -0.45, -0.5, -0.55, -0.7])
def test_a_pulse_is_the_integral_of_the_rate(v: float) -> None:
    for start in np.linspace(0.05, 0.95, 10):
        solution = solve_ivp(
            lambda _, w: [plain_rate(min(max(w[0], 0.01), 1.0), v)], (0, 1e-7), [start], "Radau", rtol=1e-9, atol=1e-12
        )
        assert float(pulse(DEVICE, start, v > 0, abs(v))) == pytest.approx(solution.y[0, -1], rel=1e-5)


def test_pulses_move_one_way_and_stay_in_range() -> None:
    w, v = np.linspace(0, 1, 41)[:, None], np.array([0.0, 0.2, 0.5, 0.6, 0.8, 1.0, 3.0, 1000.0])
    for up in (True, False):
        after = pulse(DEVICE, w, up, v)
        assert after.shape == (41, 8)
        assert ((after >= w) if up else (after <= w)).all()
        assert after.min() >= 0.0 and after.max() <= 1.0
        assert (after[:, 0] == w[:, 0]).all()
        assert (np.diff(after, axis=0) >= -1e-12).all(), "no cell overtakes another"
        assert (np.diff(after, axis=1) * (1 if up else -1) >= -1e-12).all(), "a higher pulse goes further"


def test_switching_on_comes_to_rest_where_the_heat_does_not_reach() -> None:
    """Below w = v^2 Gm w_on^2 / s_p = 2.25 v^2, by hand: there the two exponents cancel."""
    for v in (0.45, 0.5, 0.6):
        rest = float(pulse(DEVICE, 0.2, True, v, 1e-3))
        assert 0.6 * 2.25 * v * v < rest < 2.25 * v * v
        assert rest <= float(pulse(DEVICE, rest, True, v, 1e-3)) < rest + 0.02


def test_stretch_is_a_factor_on_the_length() -> None:
    w = np.linspace(0.1, 1.0, 10)
    np.testing.assert_allclose(
        pulse(DEVICE, w, False, 0.5, 1e-7, stretch=2.0), pulse(DEVICE, w, False, 0.5, 2e-7), rtol=1e-12
    )
    np.testing.assert_allclose(
        pulse(DEVICE, pulse(DEVICE, w, False, 0.5), False, 0.5), pulse(DEVICE, w, False, 0.5, 2e-7), rtol=1e-6
    )
    assert (pulse(DEVICE, w, True, 0.9, stretch=0.0) == w).all()


def test_one_cell_and_many_give_the_same_bits() -> None:
    rng = np.random.default_rng(4)
    w, up, v, stretch = rng.random(200), rng.random(200) < 0.5, rng.uniform(0.2, 0.9, 200), rng.uniform(0.5, 2, 200)
    many = pulse(DEVICE, w, up, v, 1e-7, stretch)
    one = [float(pulse(DEVICE, *cell[:3], 1e-7, cell[3])) for cell in zip(w, up, v, stretch, strict=True)]
    assert one == many.tolist()


def test_the_voltage_of_a_step_makes_the_step() -> None:
    w, goal = (x.ravel() for x in np.meshgrid(np.linspace(0.1, 1.0, 10), np.linspace(0.12, 0.98, 9)))
    v = pulse_voltage(DEVICE, w, goal)
    assert (np.sign(v) == np.sign(goal - w)).all() and np.abs(v).max() < 1.0
    np.testing.assert_allclose(pulse(DEVICE, w, v > 0, np.abs(v)), goal, atol=1e-3)
    assert float(pulse_voltage(DEVICE, 0.5, 0.0)) == -2.0, "the channel never closes altogether"
    assert float(pulse_voltage(DEVICE, 0.5, 0.5)) == 0.0


@pytest.mark.parametrize(("lowest", "spread", "most"), [(0.0, 0.1, 4), (0.06, 0.1, 4), (0.15, 0.1, 2), (0.15, 0.3, 2)])
def test_write_verify_reaches_every_level(lowest: float, spread: float, most: int) -> None:
    """As the Programmer does it, with a driver that knows the verify code: eighths of a level, window 2, 60 tries.

    Cells differ in speed by `spread`, pulses by 10 %.
    """
    rng = np.random.default_rng(5)
    targets = np.repeat(8 * np.arange(16), 10)
    places = np.linspace(lowest, 1.0, 121)
    w, speed = np.full(targets.size, lowest), np.maximum(0.0, 1 + rng.normal(0, spread, targets.size))
    pulses = np.zeros(targets.size)
    for _ in range(60):
        codes = np.clip(np.rint((w - lowest) / (1 - lowest) * 120), 0, 120).astype(int)
        todo = np.abs(targets - codes) > 2
        if not todo.any():
            break
        v = pulse_voltage(DEVICE, places[codes[todo]], places[targets[todo]])
        stretch = speed[todo] * np.maximum(0.0, 1 + rng.normal(0, 0.1, todo.sum()))
        w[todo] = pulse(DEVICE, w[todo], v > 0, np.abs(v), stretch=stretch)
        pulses += todo
    assert todo.sum() <= (1 if spread > 0.2 else 0)
    assert np.median(pulses) <= most


def test_wrong_arguments_raise() -> None:
    with pytest.raises(ValueError, match=r"^States must lie in 0 .. 1, not .*-0.1"):
        pulse(DEVICE, [-0.1, 0.5], True, 0.5)
    with pytest.raises(ValueError, match=r"^Amplitudes must not be negative, and finite, not .*-0.5"):
        pulse(DEVICE, 0.5, True, -0.5)
    with pytest.raises(ValueError, match=r"^Stretches must not be negative, and finite, not .*nan"):
        pulse(DEVICE, 0.5, True, 0.5, stretch=math.nan)
    with pytest.raises(ValueError, match=r"^t_s must be a positive number, not 0.0$"):
        pulse(DEVICE, 0.5, True, 0.5, 0.0)
    with pytest.raises(ValueError, match=r"^Goals must lie in 0 .. 1, not .*1.2"):
        pulse_voltage(DEVICE, 0.5, 1.2)
