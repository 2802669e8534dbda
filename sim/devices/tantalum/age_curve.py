"""Drift under read pulses by the age-curve method: any number of reads in one step.

Under equal read pulses dw/dt depends on w alone, so all cells follow one trajectory, whatever their start. The curve is
tabulated once; a cell's place on it is its age, in pulses, and n pulses are

    w(n) = w0 + sign(v) * (U(age0 + n) - U(age0)),    age(u) = integral from 0 to u of du' / (|dw/dt| * t_pulse * acc)

U is the inverse of age(u): the way along the curve, u = w for v > 0 and u = 1 - w for v < 0. The integral is taken by
Gauss-Legendre quadrature; U is a cubic Hermite spline whose slopes are the rates themselves, on ages 2^e (1 + j / m),
so that exponent and leading bits of an age are its place in the table.

What is kept of a cell is (w0, age0), which programming sets, and its whole number of pulses since. Numbers of pulses
add up exactly, so reads in one go, one by one and in any order end in the same bits; and one compiled function does
scalars and arrays. A cell without pulses keeps w0 to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.devices.tantalum.oxide import Parameters, TantalumOxide, flattened, log_rate

__all__ = ["AgeCurve", "ReadPulse", "Spline"]

KNOTS = 4096
"""Intervals of the quadrature over u = 0 .. 1."""
LAST_OCTAVE = 112
"""Ages are tabulated below 2^112 pulses."""
FROZEN = 2.0**111
"""Older cells count as frozen: 2^63 further pulses would move them by less than 1e-15."""
TOLERANCE = 1e-11
"""Largest error of the spline in w; the number of nodes per octave is doubled until it is kept."""
GAUSS = tuple(np.ascontiguousarray(x) for x in np.polynomial.legendre.leggauss(8))
"""Places and weights of the quadrature over one knot."""


class Spline(NamedTuple):
    """The sign of the drift, and what `way_of` needs: first octave, nodes per octave, float64 [segments + 1, 4]."""

    sign: float
    first: int
    per_octave: int
    table: NDArray[np.float64]


@dataclass(frozen=True)
class ReadPulse:
    """The pulse that a driven row's cells get in a read.

    Parameters
    ----------
    v_V : voltage at the cell, volts; its sign is the drift's direction (positive switches on)
    t_s : length, seconds
    acceleration : factor on dw/dt; 1 is the real device
    """

    v_V: float = 0.2
    t_s: float = 1e-8
    acceleration: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.v_V) and self.v_V != 0.0):
            raise SpikeLoomError(f"v_V must be a voltage other than 0, not {self.v_V!r}")
        for name, value in (("t_s", self.t_s), ("acceleration", self.acceleration)):
            if not (math.isfinite(value) and value > 0.0):
                raise SpikeLoomError(f"{name} must be a positive number, not {value!r}")


@kernel()
def _slowness(u: float, v: float, log_t: float, p: Parameters) -> float:
    """Pulses per unit of u, at u, held between e^-700 and e^700."""
    return math.exp(min(max(-log_rate(u if v > 0.0 else 1.0 - u, v, p) - log_t, -700.0), 700.0))


@kernel()
def pulses_between(
    low: float,
    high: float,
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """Pulses from u = low to u = high, which are at most a knot apart."""
    total, half = 0.0, 0.5 * (high - low)
    for i in range(len(nodes)):
        total += weights[i] * _slowness(low + half * (1.0 + nodes[i]), v, log_t, p)
    return total * half


@kernel()
def way_after(
    start: float,
    end: float,
    pulses: float,
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """The u that pulses lead to from u = start, if it lies before u = end: Newton's method inside a bracket."""
    low, high, u = start, end, start
    for _ in range(80):
        error = pulses_between(start, u, v, log_t, p, nodes, weights) - pulses
        if error > 0.0:
            high = u
        else:
            low = u
        step = error / _slowness(u, v, log_t, p)
        u = u - step if low <= u - step <= high else 0.5 * (low + high)
        if abs(step) <= 1e-15 * u:
            break
    return u


@kernel()
def _knot_ages(
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    ages: NDArray[np.float64],
) -> None:
    """Ages at u = k / KNOTS."""
    ages[0] = 0.0
    for k in range(KNOTS):
        ages[k + 1] = ages[k] + pulses_between(k / KNOTS, (k + 1) / KNOTS, v, log_t, p, nodes, weights)


@kernel()
def _ways(
    ages: NDArray[np.float64],
    knots: NDArray[np.float64],
    v: float,
    log_t: float,
    p: Parameters,
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    ways: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> None:
    """U of ages and its slopes, without the spline."""
    for i in range(len(ages)):
        k = min(np.searchsorted(knots, ages[i], side="right") - 1, KNOTS - 1)
        ways[i] = way_after(k / KNOTS, (k + 1) / KNOTS, ages[i] - knots[k], v, log_t, p, nodes, weights)
        slopes[i] = 1.0 / _slowness(ways[i], v, log_t, p)


@kernel()
def way_of(age: float, first: int, per_octave: int, table: NDArray[np.float64]) -> float:
    """U(age) by the spline; additions and multiplications only, so that a table gives the same bits everywhere."""
    mantissa, exponent = math.frexp(age)
    if age == 0.0 or exponent <= first:
        segment, x = 0, math.ldexp(age, -first)
    else:
        place = (2.0 * mantissa - 1.0) * per_octave
        lane = int(place)
        segment, x = 1 + (exponent - 1 - first) * per_octave + lane, place - lane
    u: float = table[segment, 0] + x * (table[segment, 1] + x * (table[segment, 2] + x * table[segment, 3]))
    end: float = table[segment + 1, 0]
    return min(u, end)


@kernel()
def _splined(
    ages: NDArray[np.float64], first: int, per_octave: int, table: NDArray[np.float64], ways: NDArray[np.float64]
) -> None:
    for i in range(len(ages)):
        ways[i] = 1.0 if ages[i] == math.inf else way_of(ages[i], first, per_octave, table)


@kernel(nogil=True)
def _age_cells(
    w: NDArray[np.float64],
    age: NDArray[np.float64],
    pulses: NDArray[np.float64],
    sign: float,
    first: int,
    per_octave: int,
    table: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    for i in range(len(w)):
        if pulses[i] == 0 or age[i] >= FROZEN:
            result[i] = w[i]
        else:
            way = way_of(age[i] + pulses[i], first, per_octave, table) - way_of(age[i], first, per_octave, table)
            result[i] = min(max(w[i] + sign * way, 0.0), 1.0)


@kernel(nogil=True)
def _locate(
    w: NDArray[np.float64],
    v: float,
    log_t: float,
    p: Parameters,
    knots: NDArray[np.float64],
    nodes: NDArray[np.float64],
    weights: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    for i in range(len(w)):
        u = w[i] if v > 0.0 else 1.0 - w[i]
        k = min(int(u * KNOTS), KNOTS - 1)
        age = knots[k] + pulses_between(k / KNOTS, u, v, log_t, p, nodes, weights)
        result[i] = age if age < FROZEN else math.inf


class AgeCurve:
    """The trajectory of `device` under equal pulses `pulse`.

    Raises ValueError if the pulse lets cells run away (heating outruns the freezing of w): that is programming.

    Attributes
    ----------
    per_octave : spline nodes per octave of age
    error : largest error of the spline in w found between its nodes
    """

    def __init__(self, device: TantalumOxide, pulse: ReadPulse) -> None:
        self.device, self.pulse = device, pulse
        self._sign = 1.0 if pulse.v_V > 0.0 else -1.0
        self._rate = (float(pulse.v_V), math.log(pulse.t_s * pulse.acceleration), device.parameters)
        self._knots = np.empty(KNOTS + 1)
        _knot_ages(*self._rate, *GAUSS, self._knots)
        # up to the first node the way is at most 1e-5, where every curve is straight enough for one cubic
        self._first = min(math.floor(math.log2(1e-5 * _slowness(0.0, *self._rate))), LAST_OCTAVE)
        for self.per_octave in (128, 256, 512, 1024):
            self._table = self._tabulate()
            self.error = self._spline_error()
            if self.error <= TOLERANCE:
                return
        raise SpikeLoomError(
            f"Cells run away under pulses of {pulse.v_V!r} V: an age curve needs a read voltage, "
            f"not one that programs (error {self.error:.1e})"
        )

    def locate(self, w: ArrayLike) -> NDArray[np.float64]:
        """Ages of cells in the states w, float64 of any shape in 0 .. 1, in pulses; inf if nothing moves them."""
        w = np.asarray(w, np.float64)
        if w.size and not (w.min() >= 0.0 and w.max() <= 1.0):
            raise SpikeLoomError(f"States must lie in 0 .. 1, not {w.min()!r} .. {w.max()!r}")
        result = np.empty(w.size)
        _locate(w.ravel(), *self._rate, self._knots, *GAUSS, result)
        return result.reshape(w.shape)

    def aged(self, w: ArrayLike, age: ArrayLike, pulses: ArrayLike) -> NDArray[np.float64]:
        """States after `pulses` reads of cells that were programmed to w, at age `age` (of `locate`).

        w and age are float64, pulses whole numbers 0 .. 2^62; they broadcast, for example [2, rows, columns] with
        [rows, 1]. Always count pulses from programming on: that makes the result independent of when it was asked for.
        """
        pulses = np.asarray(pulses)
        if pulses.dtype.kind not in "iu":
            raise ArgumentTypeError(f"Pulses must be integers, not {pulses.dtype}")
        if pulses.size and not 0 <= int(pulses.min()) <= int(pulses.max()) <= 1 << 62:
            raise SpikeLoomError(f"Pulses must lie in 0 .. 2^62, not {pulses.min()} .. {pulses.max()}")
        shape, cells = flattened(np.asarray(w, np.float64), np.asarray(age, np.float64), pulses.astype(np.int64))
        result = np.empty(math.prod(shape))
        _age_cells(*cells, self._sign, self._first, self.per_octave, self._table, result)
        return result.reshape(shape)

    @property
    def spline(self) -> Spline:
        """What compiled functions need of the curve."""
        return Spline(self._sign, self._first, self.per_octave, self._table)

    def ways(self, age: NDArray[np.float64]) -> NDArray[np.float64]:
        """U of ages, float64 of any shape, by the spline; 1 for infinite ones."""
        result = np.empty(age.size)
        _splined(age.ravel(), *self.spline[1:], result)
        return result.reshape(age.shape)

    def exact(self, ages: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """U of ages, float64 [n], and its slopes per pulse, by inverting the integral, without the spline."""
        ways, slopes = np.empty(len(ages)), np.empty(len(ages))
        _ways(ages, self._knots, *self._rate, *GAUSS, ways, slopes)
        return ways, slopes

    def _nodes(self) -> NDArray[np.float64]:
        """Ages of the spline's nodes: 0, then 2^e (1 + j / m) from 2^first to 2^112."""
        octaves = np.arange(self._first, LAST_OCTAVE)
        ages = np.ldexp(1.0, octaves)[:, None] * (1.0 + np.arange(self.per_octave) / self.per_octave)
        return np.concatenate([[0.0], ages.ravel(), [2.0**LAST_OCTAVE]])

    def _tabulate(self) -> NDArray[np.float64]:
        """Coefficients of U in x = 0 .. 1 of each segment, [segments + 1, 4]; the last row is the end."""
        ages = self._nodes()
        ways, slopes = self.exact(ages)
        widths, rises = np.diff(ages), np.diff(ways)
        left, right = slopes[:-1] * widths, slopes[1:] * widths
        table = np.zeros((len(ages), 4))
        table[:, 0] = ways
        table[:-1, 1:] = np.stack([left, 3.0 * rises - 2.0 * left - right, left + right - 2.0 * rises], axis=1)
        return table

    def _spline_error(self) -> float:
        """Largest difference from the exact curve at a quarter, half and three quarters of the segments."""
        nodes, error = self._nodes(), 0.0
        for x in (0.25, 0.5, 0.75):
            ages = nodes[:-1] + x * np.diff(nodes)
            ways = np.empty(len(ages))
            _splined(ages, self._first, self.per_octave, self._table, ways)
            error = max(error, float(np.abs(ways - self.exact(ages)[0]).max(initial=0.0)))
        return error
