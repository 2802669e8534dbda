"""Drift of a layer's tantalum-oxide cells under read pulses: from the pulses of every row to conductances.

A cell that was programmed to G0 lies at w0 = w(G0), at the age of w0 on the curve of `sim.devices.tantalum.age_curve`.
A row's n pulses since programming, the same for all its cells, take it to

    G = G(w(n))    w(n) = w0 + sign(v) (U(age0 + D n) - U(age0))

with D the cell's own speed, the one that it had in the programming pulses (`sim.programming.cells`); of cells that were
not programmed by pulses nothing is known of it, and D is 1;

and G0 to the bit for n = 0, and for cells that are stuck or frozen; so conductances are a function of the counts alone,
whatever happened in between.

One compiled function does the cells of a row, to the bits of `AgeCurve.aged` and `TantalumOxide.conductance_S`, with
U(age0) kept.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.device_options import DeviceOptions
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.random_words import Purpose
from spikeloom.sim.common.threads import in_order, processors
from spikeloom.sim.devices.conductance import Cells
from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse, Spline, way_of
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide

__all__ = ["LayerDrift"]

_SHARED = 100_000
"""Cells that are worth another thread."""


@functools.lru_cache(maxsize=8)
def _curve(v_V: float, t_s: float, acceleration: float) -> AgeCurve:
    return AgeCurve(TantalumOxide(), ReadPulse(v_V, t_s, acceleration))


@kernel(nogil=True)
def _age_rows(
    start: int,
    stop: int,
    rows: NDArray[np.int64],
    pulses: NDArray[np.int64],
    programmed_S: NDArray[np.float64],
    cells: _Start,
    spline: Spline,
    ends_S: tuple[float, float],
    aged_S: NDArray[np.float64],
) -> None:
    """Conductances of rows[start .. stop - 1] after their pulses; rows, pulses int64 [n], aged_S [2, n, outputs].

    cells, spline : a `_Start`, a `sim.devices.tantalum.age_curve.Spline`
    ends_S : conductances at w = 1 and w = 0, siemens
    """
    w, age, way, speed = cells
    sign, first, per_octave, table = spline
    on_S, off_S = ends_S
    own = 1 if speed.shape[0] == 2 else 0
    for side in range(2):
        for i in range(start, stop):
            row, count = rows[i], pulses[i]
            for column in range(w.shape[2]):
                there = age[side, row, column]
                if count == 0 or there == math.inf:
                    aged_S[side, i, column] = programmed_S[side, row, column]
                    continue
                gone_by = count * speed[side * own, row * own, column * own]
                gone = way_of(there + gone_by, first, per_octave, table) - way[side, row, column]
                state = min(max(w[side, row, column] + sign * gone, 0.0), 1.0)
                aged_S[side, i, column] = state * on_S + (1.0 - state) * off_S


class _Start(NamedTuple):
    """States, ages and ways U(age) after programming, float64 [2, inputs, outputs]; the age of a stuck cell is
    infinite. The cells' speeds, or [1, 1, 1] for that of all.
    """

    w: NDArray[np.float64]
    age: NDArray[np.float64]
    way: NDArray[np.float64]
    speed: NDArray[np.float64]


class LayerDrift:
    """The cells of one layer as they were programmed, and where they go from there. Never changes.

    Parameters
    ----------
    device : with cell "tantalum"
    programmed_S : float64 [2, inputs, outputs], conductances after programming, siemens, without IR drop
    seed, layer : address of the draws that say which cells are stuck
    read_s : length of a read pulse, seconds
    pulsed : whether the cells were programmed by pulses, in which `device_sigma` is the spread of their speed

    Raises ValueError where the read voltage lets cells run away.
    """

    def __init__(
        self,
        device: DeviceOptions,
        programmed_S: NDArray[np.float64],
        seed: int,
        layer: int,
        read_s: float,
        pulsed: bool = False,
    ) -> None:
        self.programmed_S = programmed_S
        self._v_V = device.v_read_V if device.read_polarity == "positive" else -device.v_read_V
        self._stuck_share = device.stuck_on + device.stuck_off
        self._cells = Cells(seed, layer)
        self._sigma = device.device_sigma if pulsed else 0.0
        self._curve = _curve(self._v_V, read_s, device.acceleration)

    @functools.cached_property
    def _start(self) -> _Start:
        w = self._curve.device.state(self.programmed_S, self._v_V)
        age = self._curve.locate(w)
        if self._stuck_share > 0.0:
            age[self._cells.uniforms(Purpose.STUCK, age.shape) < self._stuck_share] = np.inf
        speed = np.ones((1, 1, 1))
        if self._sigma > 0.0:
            speed = np.maximum(0.0, 1.0 + self._sigma * self._cells.normals(Purpose.DEVICE, age.shape))
        return _Start(w, age, self._curve.ways(age), speed)

    def conductance_S(self, rows: NDArray[np.int64], pulses: NDArray[np.int64]) -> NDArray[np.float64]:
        """Conductances of the cells of `rows`, int64 [n], after `pulses`, int64 [n]: float64 [2, n, outputs]."""
        start, oxide = self._start, self._curve.device
        sides, _, outputs = self.programmed_S.shape
        aged_S = np.empty((sides, len(rows), outputs))
        spline = tuple(self._curve.spline)
        off_S = float(oxide.off_conductance_S(self._v_V))

        def part(first: int, last: int) -> None:
            _age_rows(first, last, rows, pulses, self.programmed_S, tuple(start), spline, (oxide.gm_S, off_S), aged_S)

        parts = max(1, min(processors(), aged_S.size // _SHARED))
        edges = np.linspace(0, len(rows), parts + 1).astype(int).tolist()
        if parts == 1:
            part(0, len(rows))
        else:
            for _ in in_order(lambda k: part(edges[k], edges[k + 1]), range(parts), parts):
                pass
        return aged_S
