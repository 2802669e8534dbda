"""Compiled loops over neurons and currents, one pass over the arrays each; exactly what NumPy's operations give."""

from __future__ import annotations

import numpy as np

from spikeloom.sim.common.kernels import kernel

__all__ = ["count_shifts", "fire"]


@kernel(nogil=True)
def fire(v, sums, biases, gain, clip, theta, subtract, zero, fired):  # type: ignore[no-untyped-def]
    """Integrate, clip, fire and reset: one step of all neurons.

    v : float32 or float64 [images, neurons], membranes, in place
    sums : of v's type [images, neurons]; biases of v's type [neurons]
    gain, clip, theta : scalars of v's type; no clipping with a clip of 0
    subtract, zero : what a spike does to its membrane; neither leaves it
    fired : float32 [images, neurons], written: 0 or 1
    """
    for b in range(v.shape[0]):
        for i in range(v.shape[1]):
            x = v[b, i] + (sums[b, i] + biases[i]) * gain
            if clip > 0:
                x = min(max(x, -clip), clip)
            spike = x >= theta
            if spike and subtract:
                x -= theta
            if spike and zero:
                x -= x
            v[b, i] = x
            fired[b, i] = 1.0 if spike else 0.0


@kernel(nogil=True)
def count_shifts(currents, high, low, needed):  # type: ignore[no-untyped-def]
    """Count the currents by the smallest gain shift g with -low 2^g <= current < high 2^g; the last takes the rest.

    currents : float32 or float64 [reads, columns]
    needed : int64 [shifts], the numbers are added
    """
    last = needed.shape[0] - 1
    for row in range(currents.shape[0]):
        for i in range(currents.shape[1]):
            x = np.float64(currents[row, i])
            upper, lower, shift = high, -low, 0
            while shift < last and (x >= upper or x < lower):
                upper *= 2.0
                lower *= 2.0
                shift += 1
            needed[shift] += 1
