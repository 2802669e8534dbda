"""All kinds of layers, in the order in which they are listed for users."""

from __future__ import annotations

from spikeloom.sw.frontend.layer_kinds import LayerKind, LayerKinds
from spikeloom.sw.frontend.pooling_layers import AdaptiveAverage, AveragePooling, MaxPooling
from spikeloom.sw.frontend.shape_layers import (
    Addition,
    ChannelPad,
    Dropped,
    Flattening,
    Same,
    Unflattening,
    View,
)
from spikeloom.sw.frontend.weighted_layers import (
    BatchNorm,
    ClippedRectifier,
    ConvolutionLayer,
    LinearLayer,
    PlainRectifier,
)

__all__ = ["LAYERS", "register_layer"]

LAYERS = LayerKinds(
    LinearLayer(),
    ConvolutionLayer(),
    PlainRectifier(),
    ClippedRectifier(),
    BatchNorm(),
    AveragePooling(),
    MaxPooling(),
    AdaptiveAverage(),
    Flattening(),
    Unflattening(),
    View(),
    Dropped(),
    Same(),
    Addition(),
    ChannelPad(),
)


def register_layer(kind: LayerKind) -> None:
    """Add a kind from outside of the source tree, for modules of a user's own, whose code is not traced if it is a
    `leaf`. A package that is to register it wherever it is installed names a function that does so in an entry point of
    group `spikeloom.layers`.

    Raises ValueError for a module or a function that another kind has.
    """
    LAYERS.register(kind)
