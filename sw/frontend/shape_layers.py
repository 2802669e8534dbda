"""Layers that change shapes, add branches, or do nothing on a chip."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn import functional as F

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.layer_kind import LayerKind, Operands
from spikeloom.sw.frontend.torch_options import check_flatten
from spikeloom.sw.frontend.traced_sizes import BATCH
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["KINDS"]


class Flattening(LayerKind):
    """Each image as one row of values."""

    modules = (nn.Flatten,)
    functions = (torch.flatten, "flatten")

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        check_flatten(where, x, module.start_dim, module.end_dim)
        return build.flatten(x)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        x = importer.activation(node, 0, where)
        check_flatten(where, x, importer.argument(node, 1, "start_dim", 0), importer.argument(node, 2, "end_dim", -1))
        return importer.build.flatten(x)


class Unflattening(LayerKind):
    """Flat images as channels, height and width."""

    modules = (nn.Unflatten,)

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        if module.dim != 1 or not all(isinstance(size, int) for size in module.unflattened_size):
            raise UnsupportedError(f"{where} must unflatten dimension 1 to channels, height and width")
        return build.unflatten(where, x, tuple(module.unflattened_size))


class View(LayerKind):
    """Other views of the same values; no module has them."""

    functions = ("view", "reshape", torch.reshape, torch.unsqueeze, "unsqueeze", torch.squeeze, "squeeze")

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        name = str(getattr(node.target, "__name__", node.target))
        views = {"unsqueeze": _unsqueeze, "squeeze": _squeeze}
        return views.get(name, _view)(importer, node, where)


class Dropped(LayerKind):
    """Dropout: nothing in evaluation."""

    modules = (nn.Dropout, nn.Dropout2d)
    functions = (F.dropout, F.dropout2d)

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return x

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        if importer.argument(node, 2, "training", True):
            raise UnsupportedError(f"{where} drops activations in evaluation too; pass training=self.training")
        return importer.activation(node, 0, where)


class Same(LayerKind):
    """The same values."""

    modules = (nn.Identity,)
    functions = ("contiguous",)

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return x

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        return importer.activation(node, 0, where)


class Addition(LayerKind):
    """The sum of two branches, and of two sizes."""

    functions = (operator.add, operator.iadd, torch.add, "add", "add_")
    other_names = ("additions",)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Any:
        a, b = importer.argument(node, 0, "input"), importer.argument(node, 1, "other")
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if not isinstance(a, Value) or not isinstance(b, Value):
            raise UnsupportedError(
                f"{where} is supported between two branches of the model alone, not with anything else"
            )
        if importer.argument(node, 2, "alpha", 1) != 1:
            raise UnsupportedError(
                f"{where} has a factor alpha, which is not supported; put the factor into the weights of that branch"
            )
        return importer.build.add(node.name, where, a, b)


class ChannelPad(LayerKind):
    """Channels of zeros; zeros around a map are for the convolution's own padding."""

    functions = (F.pad,)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        pad = importer.argument(node, 1, "pad")
        mode, value = importer.argument(node, 2, "mode", "constant"), importer.argument(node, 3, "value", None)
        sizes = tuple(pad) if isinstance(pad, tuple | list) and all(isinstance(n, int) for n in pad) else ()
        if len(sizes) != 6 or any(sizes[:4]) or mode != "constant" or value:
            raise UnsupportedError(
                f"{where} is supported for channels of zeros alone, as in F.pad(x, (0, 0, 0, 0, 8, 8)); zeros around a "
                "map are a convolution's padding"
            )
        return importer.build.subsample(node.name, where, importer.activation(node, 0, where), (1, 1), *sizes[4:])


def _view(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    x = importer.activation(node, 0, where)
    rest = importer.argument(node, 1, "shape")
    sizes = (
        tuple(rest)
        if isinstance(rest, tuple | list)
        else tuple(importer.argument(node, position, "") for position in range(1, len(node.args)))
    )
    keeps_images = len(sizes) > 1 and (sizes[0] == BATCH or (sizes[0] == -1 and -1 not in sizes[1:]))
    if not keeps_images or not all(isinstance(size, int) for size in sizes[1:]):
        raise UnsupportedError(
            f"{where} must keep the images apart and make each one flat, as in x.view(x.size(0), -1)"
        )
    return importer.build.reshape(where, x, sizes[1:])


def _unsqueeze(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    if importer.argument(node, 1, "dim") != 1:
        raise UnsupportedError(f"{where} must give images their channel, as in x.unsqueeze(1)")
    return importer.build.unsqueeze(where, importer.activation(node, 0, where))


def _squeeze(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    x = importer.activation(node, 0, where)
    shape = x.shape or ()
    dim = importer.argument(node, 1, "dim", None)
    if dim is None:
        return Value(x.number, tuple(size for size in shape if size != 1) or (1,)) if shape else x
    if not isinstance(dim, int) or dim % (len(shape) + 1) == 0 or not shape:
        raise UnsupportedError(f"{where} must take height or width away, as in x.squeeze(3)")
    place = dim % (len(shape) + 1) - 1
    return Value(x.number, shape[:place] + shape[place + 1 :]) if shape[place] == 1 else x


KINDS = (Flattening(), Unflattening(), View(), Dropped(), Same(), Addition(), ChannelPad())
"""In the order in which they are listed for users."""
