"""Activations become firing rates: every layer's threshold is 1 afterwards.

Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven networks", 2017: with
lambda_l the activation of layer l that is to be a rate of 1, W_l <- W_l lambda_s / lambda_l for the rows that read map
s, and b_l <- b_l / lambda_l. Pooling keeps the rates of its source. Where branches join, the rows of each are scaled by
the lambda of their own source, identity weights too, so that all add up in units of the joined layer's threshold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw.geometry import MapShape
from sw.errors import WeightError
from sw.network import Layer, Network, Pool
from sw.sections import ConvertSection

__all__ = ["activation_scales", "normalise"]


def normalise(network: Network, images: NDArray[np.uint8], convert: ConvertSection) -> Network:
    """The network with weights and biases in units of its thresholds; its classes are the same.

    Parameters
    ----------
    images : uint8 [images, inputs], calibration images, at least one; the input's rate of 1 is pixel 255
    convert : normalisation "max" or "percentile" of the positive activations (percent)
    """
    scales = activation_scales(network, images, convert)
    rates = (1.0, *scales)
    stages = tuple(
        stage if isinstance(stage, Pool) else _scaled(stage, network.plan.maps, rates, rates[number + 1])
        for number, stage in enumerate(network.stages)
    )
    return replace(network, stages=stages)


def activation_scales(network: Network, images: NDArray[np.uint8], convert: ConvertSection) -> list[float]:
    """lambda of every stage; 1 for a layer that is silent on all images, that of its source for a pooling unit.

    Raises `WeightError` for weights so large that activations are not finite.
    """
    scales: list[float] = []
    for layer, values in zip(network.stages, network.activations(images), strict=True):
        if isinstance(layer, Pool):
            source = layer.window.source
            scales.append(scales[source - 1] if source else 1.0)
            continue
        if not np.isfinite(values).all():
            raise WeightError(
                f"Layer '{layer.name}' has activations beyond the largest number there is (its largest weight is "
                f"{np.abs(layer.weight).max():.3g}); scale the weights down"
            )
        positive = values[values > 0.0]
        if not positive.size:
            scales.append(1.0)
        elif convert.normalisation == "max":
            scales.append(float(positive.max()))
        else:
            scales.append(float(np.percentile(positive, convert.percentile)))
    return scales


def _scaled(layer: Layer, maps: tuple[MapShape, ...], rates: tuple[float, ...], scale: float) -> Layer:
    factors = np.concatenate(
        [np.full(window.rows(maps[window.source]), rates[window.source] / scale) for window in layer.windows]
    )
    rectifier = layer.rectifier and replace(layer.rectifier, clip=layer.rectifier.clip / scale)
    return replace(layer, weight=layer.weight * factors, bias=layer.bias / scale, rectifier=rectifier)
