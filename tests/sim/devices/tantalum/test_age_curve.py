"""The age curve against direct integration of the equations, and what it promises to the bit."""

from __future__ import annotations

import functools
import math
import pickle

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from tests.sim.devices.tantalum.test_oxide import plain_rate

DEVICE = TantalumOxide()
COUNTS = (1, 10, 1000, 30_000, 1_000_000)
STARTS = np.linspace(0.0, 1.0, 17)
"""The 16 levels' places and one more; switching off needs w > 0."""


@functools.cache
def curve(v_V: float = 0.2, acceleration: float = 1e7) -> AgeCurve:
    return AgeCurve(DEVICE, ReadPulse(v_V, 1e-8, acceleration))


def integrated(start: float, v: float, seconds: np.ndarray) -> np.ndarray:
    """Drift at the times, integrated directly; as the way from the start, so that tiny drifts keep their digits."""
    lowest = 1e-3 if v < 0 else 0.0

    def slope(_: float, way: np.ndarray) -> list[float]:
        return [plain_rate(max(start + way[0], lowest), v)]

    scale = max(abs(plain_rate(max(start, lowest), v)) * seconds[-1], 1e-300)
    solution = solve_ivp(
        slope, (0.0, seconds[-1]), [0.0], method="LSODA", t_eval=seconds, rtol=1e-12, atol=min(scale, 1.0) * 1e-14
    )
    assert solution.success, solution.message
    return solution.y[0]


@pytest.mark.parametrize("v", [0.2, -0.2, 0.1, 0.3, -0.3])
@pytest.mark.parametrize("acceleration", [1.0, 1e7, 1e9])
def test_curve_agrees_with_direct_integration(v: float, acceleration: float) -> None:
    """0 .. 1e6 pulses from 17 starts: w, conductance, and the drift itself, all to better than 1e-6."""
    pulses, ages = curve(v, acceleration), curve(v, acceleration).locate(STARTS)
    seconds = np.array(COUNTS) * 1e-8 * acceleration
    for start, age in zip(STARTS, ages, strict=True):
        aged = pulses.aged(start, age, np.array(COUNTS))
        drift = integrated(start, v, seconds)
        np.testing.assert_allclose(aged, start + drift, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            DEVICE.conductance_S(aged, v), DEVICE.conductance_S(start + drift, v), rtol=1e-9, atol=0
        )
        seen = np.abs(drift) > 1e-8
        np.testing.assert_allclose((aged - start)[seen], drift[seen], rtol=1e-6, atol=0)


def test_curve_agrees_with_stiff_integration() -> None:
    """The same by an implicit Runge-Kutta method, from a level in the middle of its fall."""
    seconds = np.array(COUNTS) * 1e-8 * 1e7
    for v, start in ((-0.2, 0.4), (0.2, 1 / 15)):
        solution = solve_ivp(
            lambda _, w, v=v: [plain_rate(w[0], v)], (0, seconds[-1]), [start], "Radau", seconds, rtol=1e-11, atol=1e-14
        )
        pulses = curve(v)
        np.testing.assert_allclose(pulses.aged(start, pulses.locate(start), np.array(COUNTS)), solution.y[0], rtol=1e-7)


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_any_number_of_pulses(v: float) -> None:
    """1 .. 2^62 pulses at the real rate: cells only ever go one way, stay in 0 .. 1 and in order."""
    pulses, ages = curve(v, 1.0), curve(v, 1.0).locate(STARTS)
    counts = np.concatenate([np.arange(2000), 2 ** np.arange(11, 63)])
    states = pulses.aged(STARTS[:, None], ages[:, None], counts)
    assert (states[:, 0] == STARTS).all(), "a cell that is not read keeps its state to the bit"
    assert (np.diff(states, axis=1) * math.copysign(1.0, v) >= 0).all()
    assert (np.diff(states, axis=0) >= 0).all(), "no cell overtakes another"
    assert states.min() >= 0.0 and states.max() <= 1.0
    billion = pulses.aged(STARTS, ages, 10**9)
    drift = integrated(0.5, v, np.array([10.0]))
    assert billion[8] == pytest.approx(0.5 + drift[0], rel=1e-9)


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_no_step_back_at_the_nodes_of_the_spline(v: float) -> None:
    """Pulse by pulse over nodes at ages up to 2^50, from the beginning of the curve: not one bit back."""
    pulses = curve(v, 1.0)
    nodes = np.ldexp(1.0, np.arange(20, 50))[:, None] * (1 + np.arange(0, pulses.per_octave, 5) / pulses.per_octave)
    counts = nodes.astype(np.int64)[..., None] + np.arange(-20, 21)
    states = pulses.aged(0.0 if v > 0 else 1.0, 0.0, counts)
    assert (np.diff(states, axis=-1) * math.copysign(1.0, v) >= 0).all()


def test_a_real_device_drifts_by_hundredths_in_1e9_reads() -> None:
    """-0.2 V, 10 ns: 10 s of stress at 2.8e-4 per second from w = 0.5 is a way of 2.8e-3, by hand."""
    pulses = curve(-0.2, 1.0)
    assert 0.5 - float(pulses.aged(0.5, pulses.locate(0.5), 10**9)) == pytest.approx(2.8e-3, rel=0.01)


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_pulses_add_up_to_the_bit(v: float) -> None:
    """Counting from programming: a then b is a + b, whatever was asked for in between, in any order and shape."""
    rng = np.random.default_rng(1)
    w = rng.random((2, 12, 5))
    pulses, count = curve(v), np.zeros((12, 1), np.int64)
    age = pulses.locate(w)
    parts = rng.integers(0, 300_000, (40, 12, 1))
    for part in parts:
        count = count + part
        pulses.aged(w, age, count)
    once = pulses.aged(w, age, parts[::-1].sum(axis=0))
    assert (pulses.aged(w, age, count) == once).all()
    alone = np.array([pulses.aged(*cell) for cell in zip(*np.broadcast_arrays(w, age, count), strict=True)])
    assert (alone == once).all()


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_one_cell_and_many_give_the_same_bits(v: float) -> None:
    rng = np.random.default_rng(2)
    w, counts, pulses = rng.random(777), rng.integers(0, 10**7, 777), curve(v)
    age = pulses.locate(w)
    states = pulses.aged(w, age, counts)
    assert [float(pulses.locate(x)) for x in w] == age.tolist()
    assert [float(pulses.aged(*cell)) for cell in zip(w, age, counts, strict=True)] == states.tolist()
    assert (pulses.aged(w[::-2], age[::-2], counts[::-2]) == states[::-2]).all()
    assert pulses.aged(w[0], age[0], 5).shape == ()
    for again in (AgeCurve(DEVICE, pulses.pulse), pickle.loads(pickle.dumps(pulses))):
        assert (again.aged(w, again.locate(w), counts) == states).all(), "tabulated again, or handed to a process"


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_a_cell_reprogrammed_to_its_drifted_state_goes_on(v: float) -> None:
    """Not to the bit, for its place is found anew, but on the same curve: the defining property of the method."""
    w, pulses = np.linspace(0.01, 1.0, 100), curve(v)
    middle = pulses.aged(w, pulses.locate(w), 12_345)
    split = pulses.aged(middle, pulses.locate(middle), 67_890)
    np.testing.assert_allclose(split, pulses.aged(w, pulses.locate(w), 80_235), rtol=0, atol=1e-10)


@pytest.mark.parametrize("v", [0.2, -0.2])
def test_acceleration_is_a_factor_on_pulses(v: float) -> None:
    w = np.linspace(0.01, 1.0, 50)
    fast, real = curve(v, 1e7), curve(v, 1.0)
    np.testing.assert_allclose(
        fast.aged(w, fast.locate(w), 1234), real.aged(w, real.locate(w), 1234 * 10**7), rtol=0, atol=1e-10
    )


def test_frozen_cells_have_no_age() -> None:
    up, down = curve(0.2), curve(-0.2)
    assert up.locate(0.0) == 0.0 and down.locate(1.0) == 0.0
    assert np.isinf(up.locate([0.9, 1.0])).all() and np.isinf(down.locate([0.0, 0.01])).all()
    assert float(up.aged(0.9, up.locate(0.9), 1 << 62)) == 0.9
    assert float(down.aged(0.0, down.locate(0.0), 1 << 62)) == 0.0


def test_error_between_the_nodes_is_stated() -> None:
    for v in (0.2, -0.2, 0.3):
        assert 0.0 < curve(v).error <= 1e-11
        ages = np.exp(np.random.default_rng(3).uniform(0.0, 70.0, 3000))
        exact, _ = curve(v).exact(ages)
        start = 0.0 if v > 0 else 1.0
        way = np.abs(curve(v).aged(start, 0.0, np.round(ages).clip(max=2.0**62).astype(np.int64)) - start)
        inside = (ages > 1e6) & (ages < 1e18)
        assert np.abs(way - exact)[inside].max() < 1e-6  # rounding to whole pulses


def test_programming_voltages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Cells run away under pulses of 0.5 V: an age curve needs a read voltage"):
        AgeCurve(DEVICE, ReadPulse(0.5))


@pytest.mark.parametrize("v", [1e-9, -1e-9])
def test_a_read_that_moves_nothing_is_no_trouble(v: float) -> None:
    still = AgeCurve(DEVICE, ReadPulse(v, 1e-12))
    states = still.aged(STARTS, still.locate(STARTS), 10**6)
    assert (states[1:] == STARTS[1:]).all() and 0.0 <= states[0] < 1e-18


def test_wrong_arguments_raise() -> None:
    with pytest.raises(ValueError, match=r"^v_V must be a voltage other than 0, not 0.0$"):
        ReadPulse(0.0)
    with pytest.raises(ValueError, match=r"^t_s must be a positive number, not 0.0$"):
        ReadPulse(0.2, 0.0)
    with pytest.raises(ValueError, match=r"^acceleration must be a positive number, not inf$"):
        ReadPulse(acceleration=math.inf)
    with pytest.raises(ValueError, match=r"^States must lie in 0 .. 1, not .*1.5"):
        curve().locate([0.5, 1.5])
    with pytest.raises(TypeError, match=r"^Pulses must be integers, not float64$"):
        curve().aged(0.5, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"^Pulses must lie in 0 .. 2\^62, not -1 .. -1$"):
        curve().aged(0.5, 1.0, -1)
