"""The tantalum-oxide memristor of Strachan et al.: current, rate of change, and conductance levels.

    i = v * G(w, v),    G(w, v) = w * Gm + (1 - w) * a * exp(b * sqrt|v|)
    v > 0:  dw/dt =  B * sinh( v / s_on ) * exp(-(w / w_on)^2)  * exp(i * v / s_p)
    v < 0:  dw/dt = -A * sinh(-v / s_off) * exp(-(w_off / w)^2) * exp(1 / (1 + beta * i * v))

w in 0 .. 1 is the conducting share of the channel; v > 0 switches on. Rates are computed as logarithms, for their
factors pass 10^+-300 long before their product does. Source: J. P. Strachan, A. C. Torrezan, F. Miao, M. D. Pickett,
J. J. Yang, W. Yi, G. Medeiros-Ribeiro, R. S. Williams, "State dynamics and modeling of tantalum oxide memristors",
IEEE Trans. Electron Devices 60(7), 2194-2202, 2013. Range of validity: docs/tantalum-oxide.md.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.common.arguments import is_number
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.devices.tantalum.range import A_S, B_PER_SQRT_V, GM_S, off_conductance_S

__all__ = ["Parameters", "TantalumOxide", "flattened", "level_conductances", "log_rate"]

Parameters = tuple[float, ...]
"""Of a device, in the order of the fields of `TantalumOxide`, as the compiled functions take them."""


@kernel()
def _conductance(w: float, v: float, p: Parameters) -> float:
    """G(w, v), siemens; p are the device's parameters in the order of their fields."""
    return w * p[0] + (1.0 - w) * p[1] * math.exp(min(p[2] * math.sqrt(abs(v)), 300.0))


@kernel()
def log_rate(w: float, v: float, p: Parameters) -> float:
    """Natural logarithm of |dw/dt| in 1/s at state w and voltage v; -inf where nothing moves (v = 0; w = 0, v < 0)."""
    if v == 0.0 or (v < 0.0 and w <= 0.0):
        return -math.inf
    power: float = v * v * _conductance(w, v, p)
    x = v / p[6] if v > 0.0 else -v / p[5]
    log_sinh = x + math.log(-math.expm1(-2.0 * x)) - math.log(2.0)
    if v > 0.0:
        return math.log(p[4]) + log_sinh - (w / p[8]) ** 2 + power / p[9]
    return math.log(p[3]) + log_sinh - (p[7] / w) ** 2 + 1.0 / (1.0 + p[10] * power)


def flattened(*arrays: ArrayLike) -> tuple[tuple[int, ...], tuple[NDArray[np.float64], ...]]:
    """Shape that the arrays broadcast to, and each of them in that shape, flat and contiguous, for compiled loops."""
    given = [np.asarray(array) for array in arrays]
    shape = np.broadcast_shapes(*(array.shape for array in given))
    return shape, tuple(x.ravel() if x.shape == shape else np.broadcast_to(x, shape).flatten() for x in given)


@kernel()
def _log_rates(w: NDArray[np.float64], v: NDArray[np.float64], p: Parameters, result: NDArray[np.float64]) -> None:
    for i in range(len(w)):
        result[i] = log_rate(w[i], v[i], p)


@dataclass(frozen=True)
class TantalumOxide:
    """Parameters of the device; the values are those of the paper's fit. All are positive.

    States w are float64 of any shape in 0 .. 1, voltages are volts; both broadcast.
    """

    gm_S: float = GM_S
    """Gm, conductance of a channel that conducts all over, siemens."""
    a_S: float = A_S
    """a, conductance of the insulating share near 0 V, siemens."""
    b_per_sqrt_V: float = B_PER_SQRT_V
    """b, Poole-Frenkel slope of the insulating share, V^-1/2."""
    off_per_s: float = 1e-10
    """A, rate of switching off, 1/s."""
    on_per_s: float = 1e-4
    """B, rate of switching on, 1/s."""
    s_off_V: float = 0.013
    """s_off, voltage scale of switching off, volts."""
    s_on_V: float = 0.45
    """s_on, voltage scale of switching on, volts."""
    w_off: float = 0.4
    """State below which switching off freezes."""
    w_on: float = 0.06
    """State above which switching on freezes, unless the channel is hot."""
    s_p_W: float = 4e-5
    """s_p, power scale of heating when switching on, watts."""
    beta_per_W: float = 500.0
    """beta, power scale of switching off, 1/W."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (is_number(value) and math.isfinite(value) and value > 0):
                raise SpikeLoomError(f"{field.name} must be a positive number, not {value!r}")

    @property
    def parameters(self) -> Parameters:
        """The parameters as the compiled functions take them."""
        return tuple(float(value) for value in astuple(self))

    def off_conductance_S(self, v_V: ArrayLike) -> NDArray[np.float64]:
        """a * exp(b * sqrt|v|), the conductance at w = 0, siemens. The exponent ends at 300 (4,000 V)."""
        return off_conductance_S(v_V, self.a_S, self.b_per_sqrt_V)

    def conductance_S(self, w: ArrayLike, v_V: ArrayLike) -> NDArray[np.float64]:
        """G(w, v) = i / v, siemens; at v = 0 its limit."""
        w, off = np.asarray(w, np.float64), self.off_conductance_S(v_V)
        return np.asarray(w * self.gm_S + (1.0 - w) * off)

    def current_A(self, w: ArrayLike, v_V: ArrayLike) -> NDArray[np.float64]:
        """i(v, w), amperes."""
        return np.asarray(np.asarray(v_V, np.float64) * self.conductance_S(w, v_V))

    def state(self, g_S: ArrayLike, v_V: float) -> NDArray[np.float64]:
        """The w whose conductance at v_V is g_S, siemens; ValueError if no state in 0 .. 1 has it.

        Conductances within 1e-9 of the range's ends, relative to it, count as the ends.
        """
        g_S, off = np.asarray(g_S, np.float64), float(self.off_conductance_S(v_V))
        w = (g_S - off) / (self.gm_S - off)
        if not bool(np.all((w >= -1e-9) & (w <= 1.0 + 1e-9))):
            raise SpikeLoomError(
                f"Conductances must lie between {off:.4g} S and {self.gm_S:.4g} S at {v_V!r} V, "
                f"not {float(g_S.min()):.4g} .. {float(g_S.max()):.4g} S"
            )
        return np.clip(w, 0.0, 1.0)

    def rate_per_s(self, w: ArrayLike, v_V: ArrayLike) -> NDArray[np.float64]:
        """dw/dt, 1/s. Beyond e^700, which no cell survives for a femtosecond, the rate stays at e^700."""
        shape, (states, v) = flattened(np.asarray(w, np.float64), np.asarray(v_V, np.float64))
        logs: NDArray[np.float64] = np.empty(v.size)
        _log_rates(states, v, self.parameters, logs)
        np.exp(np.minimum(logs, 700.0), out=logs)
        logs *= np.sign(v)
        return logs.reshape(shape)


def level_conductances(g_min_S: float, g_max_S: float, bits: int = 4) -> NDArray[np.float64]:
    """Conductances of the levels 0 .. 2^bits - 1, equally spaced from g_min_S to g_max_S, siemens.

    G is linear in w, so the states are equally spaced too. That levels are spaced equally in conductance, and between
    which conductances, are assumptions: the WINNER-K paper says "four bit quantization" and no more.
    """
    if not 0.0 < g_min_S < g_max_S:
        raise SpikeLoomError(f"g_min_S ({g_min_S!r}) must be positive and below g_max_S ({g_max_S!r})")
    if not 1 <= bits <= 6:
        raise SpikeLoomError(f"bits must be 1 .. 6, not {bits!r}")
    top = (1 << bits) - 1
    return np.asarray(g_min_S + np.arange(top + 1) * ((g_max_S - g_min_S) / top), np.float64)
