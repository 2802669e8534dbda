"""Drift of a layer's tantalum-oxide cells under read pulses: from the pulses of every row to conductances.

A cell that was programmed to G0 lies at w0 = w(G0), at the age of w0 on the curve of `sim.age_curve`. A row's n pulses
since programming, the same for all its cells, take it to

    G = G(w(n))    w(n) = w0 + sign(v) (U(age0 + n) - U(age0))

and G0 to the bit for n = 0, and for cells that are stuck or frozen; so conductances are a function of the counts alone,
whatever happened in between.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from sim.age_curve import AgeCurve, ReadPulse
from sim.config import Device
from sim.devices import Cells
from sim.philox import Purpose
from sim.tantalum_oxide import TantalumOxide

__all__ = ["LayerDrift"]


@functools.lru_cache(maxsize=8)
def _curve(v_V: float, t_s: float, acceleration: float) -> AgeCurve:
    return AgeCurve(TantalumOxide(), ReadPulse(v_V, t_s, acceleration))


class LayerDrift:
    """The cells of one layer as they were programmed, and where they go from there. Never changes.

    Parameters
    ----------
    device : with cell "tantalum"
    programmed_S : float64 [2, inputs, outputs], conductances after programming, siemens, without IR drop
    seed, layer : address of the draws that say which cells are stuck

    Raises ValueError where the read voltage lets cells run away.
    """

    def __init__(self, device: Device, programmed_S: NDArray[np.float64], seed: int, layer: int) -> None:
        self.programmed_S = programmed_S
        self._v_V = device.v_read_V if device.read_polarity == "positive" else -device.v_read_V
        self._stuck_share = device.stuck_on + device.stuck_off
        self._cells = Cells(seed, layer)
        self._curve = _curve(self._v_V, device.t_pulse_s, device.acceleration)

    @functools.cached_property
    def _start(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """States and ages after programming, float64 [2, inputs, outputs]; the age of a stuck cell is infinite."""
        w = self._curve.device.state(self.programmed_S, self._v_V)
        age = self._curve.locate(w)
        if self._stuck_share > 0.0:
            age[self._cells.uniforms(Purpose.STUCK, age.shape) < self._stuck_share] = np.inf
        return w, age

    def conductance_S(self, rows: NDArray[np.int64], pulses: NDArray[np.int64]) -> NDArray[np.float64]:
        """Conductances of the cells of `rows`, int64 [n], after `pulses`, int64 [n]: float64 [2, n, outputs]."""
        w, age = self._start
        aged = self._curve.aged(w[:, rows], age[:, rows], pulses[:, None])
        g_S = self._curve.device.conductance_S(aged, self._v_V)
        same = (pulses[:, None] == 0) | np.isinf(age[:, rows])
        return np.where(same, self.programmed_S[:, rows], g_S)
