"""The tantalum-oxide device against its equations, written out once more and in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from spikeloom.sim.devices.tantalum.oxide import TantalumOxide, level_conductances

DEVICE = TantalumOxide()


def plain_rate(w: float, v: float) -> float:
    """dw/dt of the published parameters, as the equations stand."""
    i = v * (w * 0.025 + (1 - w) * 7.2e-6 * math.exp(4.7 * math.sqrt(abs(v))))
    if v > 0:
        return 1e-4 * math.sinh(v / 0.45) * math.exp(-((w / 0.06) ** 2)) * math.exp(i * v / 4e-5)
    return 1e-10 * math.sinh(v / 0.013) * math.exp(-((0.4 / w) ** 2)) * math.exp(1 / (1 + 500 * i * v))


@pytest.mark.parametrize("v", [0.01, 0.2, 0.55, 1.0, -0.01, -0.2, -0.55, -1.0])
def test_current_and_rate_are_the_equations(v: float) -> None:
    states = np.linspace(0.05, 1.0, 39)
    off = 7.2e-6 * math.exp(4.7 * math.sqrt(abs(v)))
    np.testing.assert_allclose(DEVICE.current_A(states, v), v * (states * 0.025 + (1 - states) * off), rtol=1e-14)
    np.testing.assert_allclose(DEVICE.rate_per_s(states, v), [plain_rate(w, v) for w in states], rtol=1e-11)


def test_known_values() -> None:
    """Worked out by hand: at w = 0 and 0.2 V a cell conducts 58.9 uS and moves by 4.9e-5 per second."""
    assert float(DEVICE.conductance_S(0.0, 0.2)) == pytest.approx(5.891e-5, rel=1e-3)
    assert float(DEVICE.conductance_S(1.0, 0.2)) == 0.025
    assert float(DEVICE.rate_per_s(0.0, 0.2)) == pytest.approx(4.871e-5, rel=1e-3)
    assert float(DEVICE.rate_per_s(1.0, -0.2)) == pytest.approx(-3.985e-4, rel=1e-3)


def test_rates_are_finite_wherever_one_looks() -> None:
    v = np.array([-1e6, -100.0, -1.0, -1e-300, 0.0, 1e-300, 1.0, 100.0, 1e6])
    w = np.array([0.0, 1e-300, 1e-9, 0.5, 1.0])
    rates = DEVICE.rate_per_s(w[:, None], v)
    assert rates.shape == (5, 9)
    assert np.isfinite(rates).all()
    assert (np.sign(rates[3:]) * np.sign(v) >= 0).all()
    assert (rates[:, 4] == 0).all()
    assert rates[0, 0] == 0.0, "nothing to switch off"


def test_small_voltages_keep_their_digits() -> None:
    """sinh(x) is x for small x: the rate is linear in v."""
    small, smaller = (float(DEVICE.rate_per_s(0.01, v)) for v in (1e-12, 1e-13))
    assert small / smaller == pytest.approx(10.0, rel=1e-5)
    assert small == pytest.approx(1e-4 * (1e-12 / 0.45) * math.exp(-1 / 36), rel=1e-9)


def test_state_is_the_inverse_of_conductance() -> None:
    w = np.linspace(0.0, 1.0, 101).reshape(1, 101)
    np.testing.assert_allclose(DEVICE.state(DEVICE.conductance_S(w, 0.2), 0.2), w, atol=1e-15)
    assert DEVICE.state(DEVICE.conductance_S([0.0, 1.0], 0.2), 0.2).tolist() == [0.0, 1.0]


def test_conductances_that_no_state_has_raise() -> None:
    with pytest.raises(ValueError, match=r"^Conductances must lie between 5.891e-05 S and 0.025 S at 0.2 V, not 1e-06"):
        DEVICE.state([1e-6, 0.01], 0.2)
    with pytest.raises(ValueError, match=r"not nan \.\. nan S$"):
        DEVICE.state([0.01, math.nan], 0.2)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, "1"])
def test_parameters_are_positive_numbers(value: float) -> None:
    with pytest.raises(ValueError, match=r"^w_on must be a positive number, not "):
        TantalumOxide(w_on=value)


@pytest.mark.parametrize("bits", [1, 2, 4, 6])
def test_levels_are_equally_spaced(bits: int) -> None:
    levels = level_conductances(2e-4, 8e-3, bits)
    top = (1 << bits) - 1
    exact = [Fraction(2, 10**4) + Fraction(q, top) * (Fraction(8, 10**3) - Fraction(2, 10**4)) for q in range(top + 1)]
    np.testing.assert_allclose(levels, [float(x) for x in exact], rtol=1e-14)
    states = DEVICE.state(levels, 0.2)
    np.testing.assert_allclose(np.diff(states), (states[-1] - states[0]) / top, rtol=1e-9)


def test_wrong_levels_raise() -> None:
    with pytest.raises(ValueError, match=r"^g_min_S \(0.01\) must be positive and below g_max_S \(0.01\)$"):
        level_conductances(0.01, 0.01)
    with pytest.raises(ValueError, match=r"^bits must be 1 .. 6, not 7$"):
        level_conductances(1e-3, 1e-2, 7)
