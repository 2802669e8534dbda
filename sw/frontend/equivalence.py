"""Checks that the imported network equals the model: both must compute the same on some images.

torch.fx records what a model's code asks for, not what it does: changes in place and patched methods can escape it.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.plain_torch import double_outputs
from spikeloom.sw.ir.network import Network

__all__ = ["check_same"]

_TOLERANCE = 1e-3
"""Of the largest output; maps in single precision differ by some 1e-6."""


def check_same(model: nn.Module, network: Network, images: NDArray[np.uint8]) -> None:
    """Raise `UnsupportedError` if the network gives other outputs than the model, for uint8 images [images, inputs].

    Both are compared without the rounding of their activations, which would make a hair's breadth a whole level.
    """
    plain = copy.deepcopy(model)
    for module in plain.modules():
        if isinstance(module, ClippedReLU):
            module.levels = 0
    smooth = network.with_layers(
        lambda _, layer: replace(layer, rectifier=layer.rectifier and replace(layer.rectifier, levels=0))
    )
    try:
        expected = double_outputs(plain, images.reshape(len(images), *network.input_shape))
    except Exception as error:  # the model's own code may raise anything
        raise UnsupportedError(
            f"The model {type(model).__name__} cannot be run on images of shape {network.input_shape} "
            f"({type(error).__name__}: {' '.join(str(error).split())}); give calibration images of the shape that it "
            "takes, or input_shape"
        ) from error
    found = smooth.outputs(images)
    if not np.isfinite(expected).all():
        return  # for `normalise` to say
    limit = _TOLERANCE * max(1e-9, float(np.abs(expected).max()))
    if expected.shape != found.shape or float(np.abs(found - expected).max()) > limit:
        raise UnsupportedError(
            f"The model {type(model).__name__} gives other outputs than its traced operations, so it does something "
            "that torch.fx does not see, such as changing activations in place; write such a step as an assignment"
        )
