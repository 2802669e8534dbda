"""Activations become firing rates: every layer's threshold is 1 afterwards.

Rueckauer et al., "Conversion of continuous-valued deep networks to efficient event-driven networks", 2017: with
lambda_l the activation of layer l that is to be a rate of 1, W_l <- W_l lambda_(l-1) / lambda_l and b_l <- b_l /
lambda_l.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sw.errors import WeightError
from sw.graph import Dense, Floats, Network
from sw.sections import ConvertSection

__all__ = ["activation_scales", "normalise"]


def normalise(network: Network, images: NDArray[np.uint8], convert: ConvertSection) -> Network:
    """The network with weights and biases in units of its thresholds; its classes are the same.

    Parameters
    ----------
    images : uint8 [images, inputs], calibration images, at least one; the input's rate of 1 is pixel 255
    convert : normalisation "max" or "percentile" of the positive activations (percent)
    """
    layers = []
    before = 1.0
    for layer, scale in zip(network.layers, activation_scales(network, images, convert), strict=True):
        layers.append(_scaled(layer, before, scale))
        before = scale
    return Network(tuple(layers))


def activation_scales(network: Network, images: NDArray[np.uint8], convert: ConvertSection) -> list[float]:
    """lambda of every layer; 1 for a layer that is silent on all images.

    Raises `WeightError` for weights so large that activations are not finite.
    """
    scales = []
    for layer, values in zip(network.layers, network.activations(images), strict=True):
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


def _scaled(layer: Dense, before: float, scale: float) -> Dense:
    weight: Floats = layer.weight * (before / scale)
    rectifier = layer.rectifier and replace(layer.rectifier, clip=layer.rectifier.clip / scale)
    return Dense(layer.name, weight, layer.bias / scale, rectifier)
