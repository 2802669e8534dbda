"""Weights become pairs of conductance levels, thresholds and biases become integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.codings import Coding
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.ir.graph import Floats
from spikeloom.sw.ir.network import Network, SpikingLayer

__all__ = [
    "MAX_THETA",
    "Levels",
    "full_rate",
    "largest_threshold",
    "levels_of",
    "on_grid",
    "quantise",
    "round_weights",
    "threshold_for",
    "threshold_of_levels",
]

MAX_THETA = 32767
"""Largest threshold: a layer with weights smaller than that needs is left with fewer levels, not with wider
membranes.
"""

_MAX_BIAS = 2.0**62
"""Where a bias ends that is out of all proportion; no register holds it, and `sw.passes.map` says so."""


@dataclass(frozen=True, eq=False)
class Levels:
    """A layer in integers.

    Parameters
    ----------
    positive, negative : uint8 [inputs, outputs], levels of the cell pairs, one of the two 0
    bias : int64 [outputs], in conductance steps
    theta : threshold in conductance steps, >= 1
    scale : real (normalised) weight of one conductance step
    """

    name: str
    positive: NDArray[np.uint8]
    negative: NDArray[np.uint8]
    bias: NDArray[np.int64]
    theta: int
    scale: float

    __repr__ = short_repr

    @property
    def weights(self) -> NDArray[np.int32]:
        """w = positive - negative, int32 [inputs, outputs]."""
        return self.positive.astype(np.int32) - self.negative.astype(np.int32)


def full_rate(coding: Coding, phases: int) -> float:
    """What pixel 255 is, averaged over a period with the weights of its phases: 1, where it spikes in every phase.

    Biases are multiplied by it: an input x / 255 that comes as x / 255 times this makes every layer's current and rate
    that much smaller, if the biases are smaller too.

    [WS eq. 8] divides biases by 1 - 2^-K, and means the same. Its spikes weigh 2^-(1+p), together 1 - 2^-K per period,
    and its activations are normalised to 0 .. 1 - 2^-K (4.1), biases with them; here the weights of a period add up
    to 1, and activations are normalised to 0 .. 1, so that the two factors are gone. A pixel's K first bits fill their
    range likewise: those of 255 are all 1. Only with more phases than a pixel has bits, K > 8, the last K - 8 are
    silent.
    """
    return coding.full_rate(phases)


def quantise(network: Network, cell_bits: int, weight_scale: str, bias_factor: float = 1.0) -> tuple[Levels, ...]:
    """Levels of a normalised network, whose real thresholds are 1.

    The scale is s = 1 / theta with a whole theta, so that the threshold is exact, and w = clip(rint(W / s)).

    Parameters
    ----------
    cell_bits : b, levels 0 .. 2^b - 1
    weight_scale : "max" (no weight is clipped) or "mse" (least mean square error of the weights)
    bias_factor : `full_rate` of the input coding
    """
    top = (1 << cell_bits) - 1
    return tuple(
        levels_of(layer, *threshold_for(layer.weight, top, weight_scale), top, bias_factor) for layer in network.layers
    )


def levels_of(
    layer: SpikingLayer, theta: int, scale: float, top: int, bias_factor: float, rounding: float | None = None
) -> Levels:
    """A normalised layer in levels that stand for `scale` each, with a threshold of theta levels; weights are rounded
    to multiples of `rounding`, by default the same.
    """
    w = round_weights(layer.weight, scale if rounding is None else rounding, top).T
    bias = np.rint(np.clip(layer.bias * bias_factor / scale, -_MAX_BIAS, _MAX_BIAS)).astype(np.int64)
    positive, negative = np.maximum(w, 0).astype(np.uint8), np.maximum(-w, 0).astype(np.uint8)
    return Levels(layer.name, positive, negative, bias, theta, scale)


def round_weights(weight: Floats, step: float, top: int) -> NDArray[np.int16]:
    """Levels -top .. top nearest to weight / step, int16 of the weight's shape."""
    return np.clip(np.rint(weight / step), -top, top).astype(np.int16)


def threshold_for(weight: Floats, top: int, rule: str) -> tuple[int, float]:
    """theta and scale of a layer, for normalised weights and levels -top .. top.

    With "mse", weights that already lie on the levels of a threshold (training rounded them) keep it. theta is 1 and
    the scale is above 1 / theta only where a weight exceeds `top` thresholds.
    """
    largest = float(np.abs(weight).max(initial=0.0))
    theta = largest_threshold(largest, top)
    if largest == 0.0 or largest > top:
        return theta, max(largest, 1.0) / top
    found = None
    if rule == "mse":
        found = threshold_of_levels(weight, theta)
        if found is None:
            sample = _sampled(weight)
            candidates = np.unique(np.linspace(theta, min(MAX_THETA, 4 * theta + 1), 64).astype(int))
            errors = [float(np.mean((round_weights(sample, 1.0 / c, top) / c - sample) ** 2)) for c in candidates]
            found = int(candidates[int(np.argmin(errors))])
    theta = theta if found is None else found
    return theta, 1.0 / theta


def largest_threshold(largest: float, top: int) -> int:
    """The largest theta, 1 .. MAX_THETA, with which a weight as large as that is at most level `top`."""
    if largest == 0.0:
        return top
    return max(1, min(MAX_THETA, int(top / largest * (1.0 + 1e-6))))


def threshold_of_levels(weight: Floats, largest: int) -> int | None:
    """theta in largest / 2 .. largest on whose levels all weights lie to 1/1000; None if there is none."""
    sample = _sampled(weight)
    sample = sample[sample != 0.0][:4096]
    if len(sample) < 16 or largest > 1024:
        return None
    for theta in range(largest, largest // 2, -1):
        if _are_whole(sample * theta):
            return theta
    return None


def on_grid(weight: Floats, top: int) -> bool:
    """Whether all weights are multiples of the largest / top, as training for cells of these levels leaves them."""
    sample = _sampled(weight)
    sample = sample[sample != 0.0][:4096]
    return len(sample) >= 16 and _are_whole(sample / np.abs(weight).max() * top)


def _sampled(weight: Floats) -> Floats:
    return weight.ravel()[:: max(1, weight.size // 100_000)]


def _are_whole(levels: Floats) -> bool:
    return bool(np.abs(levels - np.rint(levels)).max() < 1e-3)
