"""Programming pulses of the tantalum-oxide cell: the state after a pulse, and the voltage needed for a step.

A pulse of constant voltage moves w along the trajectory of that voltage (`sim.devices.tantalum.age_curve`) for one
pulse length. The curve is walked from knot to knot, for programming voltages run away where a table of ages cannot
follow: each knot's duration is an integral of 1/|dw/dt|, nothing is subtracted, and the walk cannot overflow or leave 0
.. 1. Switching on (up) runs away above about 0.35 V, and comes to rest somewhat below w = v^2 Gm w_on^2 / s_p (2.25 v^2
in volts), where heat no longer makes up for the freezing; switching off (down) is gradual, and freezes below w_off / 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.devices.tantalum.age_curve import GAUSS, pulses_between, way_after
from spikeloom.sim.devices.tantalum.oxide import Parameters, TantalumOxide, flattened

__all__ = ["pulse", "pulse_voltage"]

KNOTS = 128
"""Knots of the walk over w = 0 .. 1."""


@kernel()
def _walk(
    u: float,
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    pulses: float,
) -> float:
    """The u after `pulses` (a real number) pulses from u."""
    while u < 1.0 and pulses > 0.0:
        end = (math.floor(u * KNOTS) + 1.0) / KNOTS
        needed = pulses_between(u, end, v, log_t, p, nodes, weights)
        if needed > pulses:
            after: float = way_after(u, end, pulses, v, log_t, p, nodes, weights)
            return after
        pulses -= needed
        u = end
    return u


@kernel(nogil=True)
def _pulse_cells(
    w: NDArray[np.float64],
    v: NDArray[np.float64],
    stretch: NDArray[np.float64],
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    for i in range(len(w)):
        result[i] = w[i]
        if v[i] != 0.0:
            sign = 1.0 if v[i] > 0.0 else -1.0
            u = w[i] if v[i] > 0.0 else 1.0 - w[i]
            way = _walk(u, v[i], log_t, p, nodes, weights, stretch[i]) - u
            result[i] = min(max(w[i] + sign * way, 0.0), 1.0)


@kernel()
def _duration(
    u: float,
    goal: float,
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """Pulses from u to goal, given up above 1."""
    total = 0.0
    while u < goal and total <= 1.0:
        end = min((math.floor(u * KNOTS) + 1.0) / KNOTS, goal)
        total += pulses_between(u, end, v, log_t, p, nodes, weights)
        u = end
    return total


@kernel(nogil=True)
def _voltages(
    w: NDArray[np.float64],
    goal: NDArray[np.float64],
    highest: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    for i in range(len(w)):
        sign = 1.0 if goal[i] > w[i] else -1.0
        u, end = (w[i], goal[i]) if sign > 0.0 else (1.0 - w[i], 1.0 - goal[i])
        low, high = 0.0, highest if goal[i] != w[i] else 0.0
        for _ in range(40):
            v = 0.5 * (low + high)
            if _duration(u, end, sign * v, log_t, p, nodes, weights) > 1.0:
                low = v
            else:
                high = v
        result[i] = sign * high


def _states(name: str, w: ArrayLike) -> NDArray[np.float64]:
    """w as float64; ValueError outside 0 .. 1."""
    w = np.asarray(w, np.float64)
    if w.size and not (w.min() >= 0.0 and w.max() <= 1.0):
        raise SpikeLoomError(f"{name} must lie in 0 .. 1, not {w.min()!r} .. {w.max()!r}")
    return w


def _length(t_s: float) -> float:
    """ln t_s; ValueError unless it is a positive number."""
    if not (math.isfinite(t_s) and t_s > 0.0):
        raise SpikeLoomError(f"t_s must be a positive number, not {t_s!r}")
    return math.log(t_s)


def pulse(
    device: TantalumOxide,
    w: ArrayLike,
    up: ArrayLike,
    amplitude_V: ArrayLike,
    t_s: float = 1e-7,
    stretch: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """States after one pulse of amplitude_V (volts, not negative) and length t_s (seconds).

    w, float64 in 0 .. 1, up (True switches on, False off), amplitude_V and stretch broadcast. stretch is a factor on
    the pulse's length, 0 or more: the place for device-to-device and cycle-to-cycle spread. One cell and many give
    the same bits. ValueError for states, amplitudes or lengths out of range.
    """
    w, amplitude_V, stretch = _states("States", w), np.asarray(amplitude_V, float), np.asarray(stretch, float)
    for name, values in (("Amplitudes", amplitude_V), ("Stretches", stretch)):
        if values.size and not (values.min() >= 0.0 and np.isfinite(values).all()):
            raise SpikeLoomError(f"{name} must not be negative, and finite, not {values.min()!r} .. {values.max()!r}")
    v = np.where(np.asarray(up, bool), amplitude_V, -amplitude_V)
    shape, cells = flattened(w, v, stretch)
    result = np.empty(math.prod(shape))
    _pulse_cells(*cells, _length(t_s), device.parameters, *GAUSS, result)
    return result.reshape(shape)


def pulse_voltage(
    device: TantalumOxide, w: ArrayLike, goal: ArrayLike, t_s: float = 1e-7, highest_V: float = 2.0
) -> NDArray[np.float64]:
    """Voltage, with its sign, of the pulse of length t_s that takes a nominal cell from w to goal; they broadcast.

    What a write driver's table holds. A step that highest_V does not make gives +-highest_V; no step gives 0.
    """
    shape, cells = flattened(_states("States", w), _states("Goals", goal))
    result = np.empty(math.prod(shape))
    _voltages(*cells, float(highest_V), _length(t_s), device.parameters, *GAUSS, result)
    return result.reshape(shape)
