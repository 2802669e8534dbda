"""Noise spikes [WS 4.3]: spikes that were fired before the rest of the period took their charge back.

A neuron fires as soon as its membrane reaches the threshold of the phase. If later phases bring negative currents, it
has said more than the period's charge warrants, and that shows in its membrane, since by [WS eq. 10] and [WS eq. 12]

    sum of the weights of a period's spikes * theta = V before - V after + charge of the period.

A period's spikes are warranted if they leave the membrane at 0 or above, or no further below zero than the period found
it (what an earlier period overspent is not theirs). Otherwise the noise spikes are the fewest of the period's spikes
without which that would be so, the heaviest first, or all of them if that is not enough:

    debt = min(V before, 0) - V after;    noise spikes = fewest spikes whose weights * theta add up to the debt, or all.

In [WS Figure 3], with K = 8, inputs 10000000 and 01111111 and weights 1 and -1, the neuron fires 10000000 and ends with
V = -127 / 256: one noise spike. In the next 126 periods V rises by 1 / 256 each, and nothing is fired or counted.

The definition needs neither the network nor the other periods, is exact for integers, and counts nothing for currents
that do not change sign. It holds for neurons that subtract their threshold, without leak and clip, whose membrane is an
account of what they took and gave; others have no count. In rate coding a period is a step, which cannot take anything
back: there it is applied to windows of as many steps as a period of [WS] has phases.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.common.kernels import kernel

__all__ = ["RATE_WINDOW", "Noise", "has_account", "window_of"]

RATE_WINDOW = 8
"""Steps of a window in rate coding: the phases of a period in most experiments of [WS]."""


@kernel(nogil=True)
def _mark(spikes: NDArray[np.uint8], place: int, fired: NDArray[np.uint32]) -> None:
    """Set bit `place` of the neurons that fire; spikes and fired [images, neurons]."""
    for b in range(spikes.shape[0]):
        for i in range(spikes.shape[1]):
            fired[b, i] |= np.uint32(spikes[b, i]) << np.uint32(place)


@kernel(nogil=True)
def _count(
    membranes: NDArray[np.int64],
    before: NDArray[np.int64],
    fired: NDArray[np.uint32],
    theta: int,
    weights: NDArray[np.int64],
) -> int:
    """Noise spikes of a window that ends; all arrays [images, neurons] but weights [steps], heaviest first."""
    found = 0
    for b in range(membranes.shape[0]):
        for i in range(membranes.shape[1]):
            after, mask = membranes[b, i], fired[b, i]
            debt = min(before[b, i], 0) - after
            place = 0
            while debt > 0 and mask != 0:
                if mask & np.uint32(1):
                    debt -= weights[place] * theta
                    found += 1
                mask >>= np.uint32(1)
                place += 1
            before[b, i], fired[b, i] = after, 0
    return found


def has_account(layer: ProgrammedLayer) -> bool:
    """Whether a layer's membranes are what its neurons took less what they gave."""
    return layer.reset == Reset.SUBTRACT and layer.leak == 0 and layer.clip == 0


def window_of(phases: int) -> int:
    """Steps after which spikes are judged."""
    return phases if phases > 1 else RATE_WINDOW


class Noise:
    """One layer of a chunk of images, with every neuron at `v0` in the beginning."""

    def __init__(self, layer: ProgrammedLayer, phases: int, images: int, neurons: int) -> None:
        self._theta = layer.theta
        window = window_of(phases)
        shifts = np.arange(window - 1, -1, -1) if phases > 1 else np.zeros(window, np.int64)
        self._weights = (1 << shifts).astype(np.int64)
        self._before = np.full((images, neurons), layer.v0, np.int64)
        self._fired = np.zeros((images, neurons), np.uint32)

    def step(self, step: int, spikes: NDArray[np.uint8], membranes: Callable[[], NDArray[np.int64]]) -> int:
        """Take the spikes of step 1, 2, ...; noise spikes that are found at the end of a window, else 0."""
        place = (step - 1) % len(self._weights)
        _mark(spikes, place, self._fired)
        if place + 1 < len(self._weights):
            return 0
        return int(_count(membranes(), self._before, self._fired, self._theta, self._weights))
