"""What the chunks of a run add up: whole numbers, so that the order of chunks and threads makes no difference."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.diagnostics.by_step.decoding import ERRORS

__all__ = ["ERROR_LSB", "Totals", "exact_sum"]

ERROR_LSB = 2.0**-24
"""Sums of errors of one image are rounded to multiples of this, before those of all images are added up."""
_FITS = float(1 << 53)


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over images.

    Parameters
    ----------
    errors : Python integers [steps, stages, `ERRORS`], in units of `ERROR_LSB`
    above_one : Python integers [stages], what of the activations is above a rate of 1, in the same unit
    spikes, noise : int64 [steps, stages]
    input_spikes : int64 [steps]
    right, network_right : int64 [steps] and int64 [1], images whose class is the true one, of the chip and the network
    """

    errors: NDArray[np.object_]
    above_one: NDArray[np.object_]
    spikes: NDArray[np.int64]
    noise: NDArray[np.int64]
    input_spikes: NDArray[np.int64]
    conductance: NDArray[np.int64]
    stray: NDArray[np.int64]
    right: NDArray[np.int64]
    network_right: NDArray[np.int64]

    __repr__ = short_repr

    @classmethod
    def zeros(cls, steps: int, stages: int, layers: int) -> Totals:
        """Of nothing yet; conductance and stray are int64 [steps, layers] of `sim.chip.result.ACTIVITIES`."""
        by_stage, by_layer = (steps, stages), (steps, layers)
        return cls(
            errors=np.zeros((*by_stage, ERRORS), object),
            above_one=np.zeros(stages, object),
            spikes=np.zeros(by_stage, np.int64),
            noise=np.zeros(by_stage, np.int64),
            input_spikes=np.zeros(steps, np.int64),
            conductance=np.zeros(by_layer, np.int64),
            stray=np.zeros(by_layer, np.int64),
            right=np.zeros(steps, np.int64),
            network_right=np.zeros(1, np.int64),
        )

    def add(self, other: Totals, lock: threading.Lock) -> None:
        """Add those of a chunk."""
        with lock:
            for name in self.__dataclass_fields__:
                held: NDArray[np.int64] = getattr(self, name)
                held += getattr(other, name)


def exact_sum(values: NDArray[np.float64]) -> NDArray[np.object_]:
    """Sums over the images, axis 0, in units of `ERROR_LSB`; Python integers, however large."""
    scaled = np.rint(values / ERROR_LSB)
    if np.abs(scaled).max(initial=0.0) * len(scaled) < _FITS:
        fits: NDArray[np.object_] = scaled.astype(np.int64).sum(axis=0).astype(object)
        return fits
    whole: Sequence[int] = [int(value) for value in scaled.ravel()]
    summed: NDArray[np.object_] = np.array(whole, object).reshape(scaled.shape).sum(axis=0)
    return summed
