"""Programming pulses of tantalum-oxide cells by tables: the write driver's voltages, and the state after a pulse.

A pulse of constant voltage moves a cell along the trajectory of that voltage (`sim.devices.tantalum.pulse`) for the
length of a pulse. For every voltage that the driver has, the time from knot to knot of the trajectory is tabulated;
between two knots the rate is taken as exponential in the state. A spread of cells or pulses is a factor on the time.
Times are walked, not subtracted: trajectories run away, and their ages span hundreds of decades.

The driver has STEPS voltages in either direction, evenly spaced up to `v_program_V`. It knows the code of the cell's
last verify read, and is asked for a step of so many eighths of a level. Its table has the lowest voltage that takes a
nominal cell from the one code to the other or beyond, and the highest where none does; a step up is to be made in half
a pulse, since cells run away and a slow one, or one a little lower than its code says, would stay where it is.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.device_options import DeviceOptions
from spikeloom.sim.chip.units import CODES_PER_LEVEL, CURRENT_BITS, MAX_VERIFY_CODE
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.devices.tantalum.age_curve import GAUSS, pulses_between
from spikeloom.sim.devices.tantalum.oxide import Parameters, TantalumOxide, log_rate

__all__ = ["AIM", "KNOTS", "STEPS", "WriteDriver", "pulsed", "write_driver"]

KNOTS = 256
"""Knots of a trajectory over w = 0 .. 1."""
STEPS = 1023
"""Voltages in either direction besides 0 V: a converter of 10 bits and a sign."""
CODES = MAX_VERIFY_CODE + 1
"""Codes of a verify read."""
AIM = (0.5, 1.0)
"""Share of a pulse in which a step up, and one down, is to be made."""
_STEEPEST = 50.0
"""Largest change of ln rate from knot to knot that is told apart; steeper knots take longer than any pulse."""

_GM, _OFF, _STEP = range(3)
_LOAD = 2.0**CURRENT_BITS


class WriteDriver(NamedTuple):
    """Tables of a driver and its cells, as the compiled functions take them.

    Parameters
    ----------
    settings : uint16 [codes, codes], voltage (0 .. STEPS) for a step from a code to another; up if the other is higher
    times : float64 [2, STEPS + 1, KNOTS], up and down, voltage: pulses that a nominal cell takes from knot to knot
    bends : likewise, by how much ln(pulses per unit of distance) grows from knot to knot
    off_S : float64 [STEPS + 1], conductance of a cell at w = 0 at the voltage, siemens
    constants : float64 [3], conductance at w = 1, conductance at w = 0 at the read voltage, and of a level, siemens
    """

    settings: NDArray[np.uint16]
    times: NDArray[np.float64]
    bends: NDArray[np.float64]
    off_S: NDArray[np.float64]
    constants: NDArray[np.float64]


@kernel()
def _tabulate(
    voltages: NDArray[np.float64],
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    times: NDArray[np.float64],
    bends: NDArray[np.float64],
) -> None:
    """Times and bends of the trajectories of voltages, float64 [n] with their sign, into [n, KNOTS] each."""
    for i in range(len(voltages)):
        v, before = voltages[i], 0.0
        for knot in range(KNOTS + 1):
            u = knot / KNOTS
            slow = min(max(-log_rate(u if v > 0.0 else 1.0 - u, v, p) - log_t, -700.0), 700.0)
            if knot > 0:
                bends[i, knot - 1] = min(max(slow - before, -_STEEPEST), _STEEPEST)
                times[i, knot - 1] = pulses_between((knot - 1) / KNOTS, u, v, log_t, p, nodes, weights)
            before = slow


@kernel()
def _share(x: float, bend: float) -> float:
    """Share of a knot's time that the share x of its way takes."""
    return math.expm1(bend * x) / math.expm1(bend) if abs(bend) > 1e-9 else x


@kernel()
def _place(share: float, bend: float) -> float:
    """The inverse of `_share`."""
    return math.log1p(share * math.expm1(bend)) / bend if abs(bend) > 1e-9 else share


@kernel()
def _way(u: float, pulses: float, times: NDArray[np.float64], bends: NDArray[np.float64]) -> tuple[float, float]:
    """The u = 0 .. 1 after `pulses` > 0 pulses from u, and the mean of u over their time (of the ends, in a knot)."""
    knot = min(int(u * KNOTS), KNOTS - 1)
    used = _share(u * KNOTS - knot, bends[knot])
    left, total = pulses, 0.0
    while u < 1.0:
        end = (knot + 1.0) / KNOTS
        needed = (1.0 - used) * times[knot]
        if needed > left:
            place = _place(used + left / times[knot], bends[knot])
            after = min(max((knot + place) / KNOTS, u), end)
            return after, (total + left * 0.5 * (u + after)) / pulses
        left -= needed
        total += needed * 0.5 * (u + end)
        u, used, knot = end, 0.0, knot + 1
    return 1.0, (total + left) / pulses


@kernel()
def _ends(
    states: NDArray[np.float64],
    pulses: float,
    times: NDArray[np.float64],
    bends: NDArray[np.float64],
    ends: NDArray[np.float64],
) -> None:
    """u after `pulses` nominal pulses: states float64 [n] are u, ends float64 [n, voltages]."""
    for i in range(ends.shape[0]):
        for index in range(ends.shape[1]):
            ends[i, index] = _way(states[i], pulses, times[index], bends[index])[0]


@kernel()
def pulsed(
    g: float, code: int, up: bool, amplitude: int, stretch: float, driver: WriteDriver
) -> tuple[float, np.int64]:
    """Conductance after a pulse, and its load: rint((V / v_program_V)^2 G / dG 2^10), G its mean during the pulse.

    g in siemens at the read voltage; code of the cell's last verify read; amplitude in eighths of a level; stretch is
    the factor on the pulse's time, 0 for a stuck cell; driver a `WriteDriver`
    """
    settings, times, bends, off_S, constants = driver
    low, high = constants[_OFF], constants[_GM]
    last = settings.shape[0] - 1
    goal = np.int64(code) + amplitude if up else np.int64(code) - amplitude
    setting = settings[min(np.int64(code), last), min(max(goal, 0), last)]
    w = mean = min(max((g - low) / (high - low), 0.0), 1.0)
    if setting > 0 and stretch > 0.0:
        direction = 0 if up else 1
        u = w if up else 1.0 - w
        end, middle = _way(u, stretch, times[direction, setting], bends[direction, setting])
        if end > u:
            after = min(max(w + (end - u) if up else w - (end - u), 0.0), 1.0)
            g = after * high + (1.0 - after) * low
            mean = min(max(w + (middle - u) if up else w - (middle - u), 0.0), 1.0)
    share = setting / STEPS
    load = share * share * (mean * high + (1.0 - mean) * off_S[setting]) / constants[_STEP] * _LOAD
    return g, np.int64(np.rint(load))


@functools.lru_cache(maxsize=8)
def _trajectories(v_program_V: float, pulse_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and bends of a `WriteDriver`. Setting 0 is 0 V: nothing moves."""
    oxide, voltages = TantalumOxide(), np.arange(1, STEPS + 1) * (v_program_V / STEPS)
    times, bends = np.full((2, STEPS + 1, KNOTS), math.exp(700.0)), np.zeros((2, STEPS + 1, KNOTS))
    for direction, sign in enumerate((1.0, -1.0)):
        _tabulate(
            sign * voltages, math.log(pulse_s), oxide.parameters, *GAUSS, times[direction, 1:], bends[direction, 1:]
        )
    return times, bends


@functools.lru_cache(maxsize=8)
def _driver(v_program_V: float, pulse_s: float, v_read_V: float, g_min_S: float, step_S: float) -> WriteDriver:
    oxide = TantalumOxide()
    times, bends = _trajectories(v_program_V, pulse_s)
    low = float(oxide.off_conductance_S(v_read_V))
    w = np.clip((g_min_S + np.arange(CODES) / CODES_PER_LEVEL * step_S - low) / (oxide.gm_S - low), 0.0, 1.0)
    w = w[: int(np.searchsorted(w, 1.0)) + 1]  # codes above the first at w = 1 are like it
    settings = np.zeros((len(w), len(w)), np.uint16)
    for direction, states in enumerate((w, 1.0 - w)):
        ends = np.empty((len(w), STEPS))
        _ends(states, AIM[direction], times[direction, 1:], bends[direction, 1:], ends)
        for code in range(len(w)):
            goals = slice(code + 1, None) if direction == 0 else slice(0, code)
            reached = np.maximum.accumulate(ends[code])
            settings[code, goals] = np.minimum(np.searchsorted(reached, states[goals]) + 1, STEPS)
    off_S = oxide.off_conductance_S(np.arange(STEPS + 1) * (v_program_V / STEPS))
    return WriteDriver(settings, times, bends, off_S, np.array([oxide.gm_S, low, step_S]))


def write_driver(device: DeviceOptions, pulse_s: float) -> WriteDriver:
    """Tables for tantalum-oxide cells of `device` and pulses of `pulse_s` seconds.

    Raises ValueError unless pulse_s is a positive number.
    """
    if not (math.isfinite(pulse_s) and pulse_s > 0.0):
        raise SpikeLoomError(f"pulse_s must be a positive number, not {pulse_s!r}")
    return _driver(device.v_program_V, pulse_s, device.v_read_V, device.g_min_S, device.step_S)
