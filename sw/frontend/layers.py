"""All kinds of layers, in the order in which they are listed for users."""

from __future__ import annotations

from spikeloom.sw.frontend import pooling_layers, shape_layers, weighted_layers
from spikeloom.sw.frontend.layer_kinds import LayerKind, LayerKinds

__all__ = ["LAYERS", "register_layer"]

LAYERS = LayerKinds(*weighted_layers.KINDS, *pooling_layers.KINDS, *shape_layers.KINDS)
"""All of them; each module lists its own."""


def register_layer(kind: LayerKind) -> None:
    """Add a kind from outside of the source tree, for modules of a user's own, whose code is not traced if it is a
    `leaf`. A package that is to register it wherever it is installed names a function that does so in an entry point of
    group `spikeloom.layers`.

    Raises ValueError for a module or a function that another kind has.
    """
    LAYERS.register(kind)
