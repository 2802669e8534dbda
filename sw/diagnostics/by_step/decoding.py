"""Decoded activations: what the spikes of a neuron have said so far, and how far that is from its activation.

A neuron's decoded activation after n steps is the sum of its spikes' weights over the weight that has passed,

    A(n) = sum over t = 1 .. n of s(t) 2^(K-1-p(t))  /  sum over t = 1 .. n of 2^(K-1-p(t))

the average of [WS eq. 14] at the end of a period, and a value within a period as well. A spike in every step is 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.kernels import kernel

__all__ = ["ERRORS", "Decoded", "score_errors"]

ERRORS = 3
"""Sums of errors: of their magnitudes, of the errors, of their squares."""


@kernel(nogil=True)
def _decode(
    spikes: NDArray[np.uint8],
    sums: NDArray[np.int32],
    wanted: NDArray[np.float32],
    shift: int,
    passed: float,
    errors: NDArray[np.float64],
) -> None:
    """One step; spikes, sums and wanted [images, values], errors float64 [images, 3], written."""
    for b in range(spikes.shape[0]):
        magnitude, total, square = 0.0, 0.0, 0.0
        for i in range(spikes.shape[1]):
            value = np.int32(sums[b, i] + (np.int32(spikes[b, i]) << shift))
            sums[b, i] = value
            error = value / passed - np.float64(wanted[b, i])
            magnitude += abs(error)
            total += error
            square += error * error
        errors[b, 0], errors[b, 1], errors[b, 2] = magnitude, total, square


class Decoded:
    """One stage of a chunk of images.

    Parameters
    ----------
    wanted : float32 [images, values], the activations that the spikes should say
    """

    def __init__(self, wanted: NDArray[np.float32]) -> None:
        self._wanted = wanted
        self._sums = np.zeros(wanted.shape, np.int32)  # at most t_max 2^(K-1) < 2^31
        self._passed = 0

    def step(self, spikes: NDArray[np.uint8], shift: int) -> NDArray[np.float64]:
        """Take a step's spikes, uint8 [images, values]; sums of all values' errors, float64 [images, 3]."""
        self._passed += 1 << shift
        errors = np.empty((len(spikes), ERRORS))
        _decode(spikes, self._sums, self._wanted, shift, float(self._passed), errors)
        return errors


def score_errors(averages: NDArray[np.float64], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same sums for outputs that are read as membranes: averages [images, classes] against their activations."""
    error = averages - wanted
    return np.stack([np.abs(error).sum(axis=1), error.sum(axis=1), (error**2).sum(axis=1)], axis=1)
