"""Activations become firing rates: every layer's threshold is 1 afterwards.

Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven networks", 2017: with
lambda_l the activation of layer l that is to be a rate of 1, W_l <- W_l lambda_s / lambda_l for the rows that read map
s, and b_l <- b_l / lambda_l. Pooling keeps the rates of its source. Where branches join, the rows of each are scaled by
the lambda of their own source, identity weights too, so that all add up in units of the joined layer's threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import MapShape
from spikeloom.sw.common.errors import WeightError
from spikeloom.sw.ir.network import MapUnit, Network, SpikingLayer

__all__ = ["activation_scales", "normalise", "positive_quantiles", "scaled"]


def normalise(network: Network, scales: Sequence[float]) -> Network:
    """The network with weights and biases in units of its thresholds, lambda of every stage as given; its classes are
    the same. The input's rate of 1 is pixel 255.
    """
    rates = (1.0, *scales)
    return network.with_layers(lambda number, layer: scaled(layer, network.plan.maps, rates, rates[number + 1]))


def activation_scales(network: Network, images: NDArray[np.uint8], shares: Sequence[float]) -> list[list[float]]:
    """lambda of every stage for each share, 0 .. 1, of the positive activations that are at most a rate of 1.

    It is 1 for a layer that is silent on all images (uint8 [images, inputs]), that of its source for a pooling unit.

    Raises `WeightError` for weights so large that activations are not finite.
    """
    scales: list[list[float]] = [[] for _ in shares]
    for layer, values in zip(network.stages, network.activations(images), strict=True):
        if isinstance(layer, MapUnit):
            for known in scales:
                known.append(known[layer.source - 1] if layer.source else 1.0)
            continue
        if not np.isfinite(values).all():
            raise WeightError(
                f"Layer '{layer.name}' has activations beyond the largest number there is (its largest weight is "
                f"{np.abs(layer.weight).max():.3g}); scale the weights down"
            )
        for known, scale in zip(scales, positive_quantiles(values, shares), strict=True):
            known.append(scale)
    return scales


def positive_quantiles(values: NDArray[np.floating], shares: Sequence[float]) -> list[float]:
    """Quantiles of the positive values, the largest for a share of 1; all 1 if there are none."""
    positive = values[values > 0.0]
    if not positive.size:
        return [1.0] * len(shares)
    found = np.quantile(positive, [share for share in shares if share < 1.0])
    below = iter(np.atleast_1d(found))
    return [float(next(below)) if share < 1.0 else float(positive.max()) for share in shares]


def scaled(layer: SpikingLayer, maps: tuple[MapShape, ...], rates: Sequence[float], scale: float) -> SpikingLayer:
    """The layer in units of its threshold: `rates` are what a rate of 1 of every map stands for, `scale` its own."""
    factors = np.concatenate(
        [np.full(window.rows(maps[window.source]), rates[window.source] / scale) for window in layer.windows]
    )
    rectifier = layer.rectifier and replace(layer.rectifier, clip=layer.rectifier.clip / scale)
    return replace(layer, weight=layer.weight * factors, bias=layer.bias / scale, rectifier=rectifier)
