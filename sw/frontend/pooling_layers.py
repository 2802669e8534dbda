"""Pooling layers."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.fx
from torch import nn
from torch.nn import functional as F

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.layer_kind import LayerKind, Operands
from spikeloom.sw.frontend.torch_options import adaptive_sizes, check_pool
from spikeloom.sw.ir.graph import AveragePool, MaxPool
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["KINDS", "pooling_module"]


class _Pooling(LayerKind):
    """Windows that do not overlap.

    word : in [train] pooling
    node : of the graph
    options : arguments of the functions after the first
    """

    word: ClassVar[str]
    node: ClassVar[type[AveragePool] | type[MaxPool]]
    options: ClassVar[tuple[str, ...]]

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return build.pool(where, x, self.node(name, check_pool(where, vars(module))))

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        options = {name: importer.argument(node, position, name) for position, name in enumerate(self.options, 1)}
        options = {name: value for name, value in options.items() if value is not None}
        x = importer.activation(node, 0, where)
        return importer.build.pool(where, x, self.node(node.name, check_pool(where, options)))


class AveragePooling(_Pooling):
    """Average of windows that do not overlap."""

    modules = (nn.AvgPool2d,)
    functions = (F.avg_pool2d,)
    word = "average"
    node = AveragePool
    options = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


class MaxPooling(_Pooling):
    """Maximum of windows that do not overlap."""

    modules = (nn.MaxPool2d,)
    functions = (F.max_pool2d, torch.max_pool2d)
    word = "max"
    node = MaxPool
    options = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


class AdaptiveAverage(LayerKind):
    """Average pooling to so many positions; also the mean over height and width."""

    modules = (nn.AdaptiveAvgPool2d,)
    functions = (F.adaptive_avg_pool2d, torch.mean, "mean")

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return _adaptive(build, name, where, x, module.output_size)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        if node.target not in (torch.mean, "mean"):
            sizes = importer.argument(node, 1, "output_size")
            return _adaptive(importer.build, node.name, where, importer.activation(node, 0, where), sizes)
        dims = importer.argument(node, 1, "dim", ())
        dims = (dims,) if isinstance(dims, int) else tuple(dims)
        if sorted(d % 4 if isinstance(d, int) else -1 for d in dims) != [2, 3]:
            raise UnsupportedError(f"{where} must be over height and width, as in x.mean([2, 3])")
        x = _adaptive(importer.build, node.name, where, importer.activation(node, 0, where), 1)
        return x if importer.argument(node, 2, "keepdim", False) else importer.build.flatten(x)


def pooling_module(word: str) -> type[nn.Module]:
    """The module that a value of [train] pooling stands for."""
    module: type[nn.Module] = next(k.modules[0] for k in KINDS if isinstance(k, _Pooling) and k.word == word)
    return module


def _adaptive(build: GraphBuilder, name: str, where: str, x: Value, sizes: Any) -> Value:
    x, kernel = build.adaptive_kernel(where, x, adaptive_sizes(sizes))
    return build.pool(where, x, AveragePool(name, kernel))


KINDS = (AveragePooling(), MaxPooling(), AdaptiveAverage())
"""In the order in which they are listed for users."""
