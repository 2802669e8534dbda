"""Batch norms into the neighbouring weights, rectifiers into their layer: one `Dense` a layer remains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sw.errors import UnsupportedError
from sw.graph import Affine, Dense, Graph, Linear, Network, Rectifier

__all__ = ["fold"]


def fold(graph: Graph) -> Network:
    """The same function with dense layers only.

    A batch norm after a linear layer, y = s (W x + b) + h, gives weights s W and bias s b + h. One before a linear
    layer (at the input, or after a rectifier), y = W (s x + h) + b, gives weights W s and bias b + W h.

    Raises `UnsupportedError` if two linear layers follow one another without a rectifier, if a rectifier has no linear
    layer before it, if the last batch norm has none after it, or if sizes do not fit.
    """
    layers: list[Dense] = []
    pending: Affine | None = None
    for node in graph.nodes:
        open_layer = layers[-1] if layers and layers[-1].rectifier is None else None
        if isinstance(node, Linear):
            if open_layer is not None:
                raise UnsupportedError(
                    f"Layers '{open_layer.name}' and '{node.name}' follow one another without a ReLU between them; a "
                    "layer of spiking neurons needs one (or merge the two into one Linear)"
                )
            layers.append(_after(pending, Dense(node.name, node.weight, node.bias, None)))
            pending = None
        elif isinstance(node, Affine):
            if open_layer is None:
                pending = node if pending is None else _composed(pending, node)
                continue
            _check_size(node, open_layer.outputs, open_layer.name)
            weight = node.scale[:, None] * open_layer.weight
            layers[-1] = replace(open_layer, weight=weight, bias=node.scale * open_layer.bias + node.shift)
        else:
            _rectify(layers, node, pending)
    if pending is not None:
        raise UnsupportedError(
            f"Batch norm '{pending.name}' has no Linear layer next to it that it could be folded into"
        )
    return Network(tuple(layers))


def _rectify(layers: list[Dense], node: Rectifier, pending: Affine | None) -> None:
    if pending is not None:
        raise UnsupportedError(
            f"Batch norm '{pending.name}' is followed by a ReLU ('{node.name}') without a Linear layer next to it that "
            "it could be folded into"
        )
    if not layers:
        raise UnsupportedError(f"ReLU '{node.name}' comes before the first Linear layer")
    last = layers[-1]
    if last.rectifier is None:
        layers[-1] = replace(last, rectifier=node)
    elif node.clip < last.rectifier.clip or node.levels:
        raise UnsupportedError(
            f"Layer '{last.name}' has two different rectifiers, '{last.rectifier.name}' and '{node.name}'"
        )


def _after(pending: Affine | None, layer: Dense) -> Dense:
    if pending is None:
        return layer
    _check_size(pending, layer.inputs, layer.name)
    return replace(layer, weight=layer.weight * pending.scale[None, :], bias=layer.bias + layer.weight @ pending.shift)


def _composed(first: Affine, second: Affine) -> Affine:
    _check_size(second, len(first.scale), first.name)
    return Affine(second.name, second.scale * first.scale, second.scale * first.shift + second.shift)


def _check_size(node: Affine, size: int, neighbour: str) -> None:
    if np.shape(node.scale) != (size,):
        raise UnsupportedError(f"Batch norm '{node.name}' has {len(node.scale)} features, but '{neighbour}' has {size}")
