"""Layers with weights, batch norms and rectifiers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn import functional as F

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.layer_kind import LayerKind, Operands, owner
from spikeloom.sw.frontend.torch_options import array, conv_padding, optional
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["KINDS"]


class LinearLayer(LayerKind):
    """Fully connected layers."""

    modules = (nn.Linear,)
    functions = (F.linear,)
    own_numbers = True

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return build.linear(name, where, x, array(module.weight), optional(module.bias))

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        x = importer.activation(node, 0, where)
        weight, bias = importer.parameter(node, 1, "weight", where), importer.parameter(node, 2, "bias", where)
        return importer.build.linear(owner(node), where, x, weight, bias)


class ConvolutionLayer(LayerKind):
    """Convolutions over height and width."""

    modules = (nn.Conv2d,)
    functions = (F.conv2d, torch.conv2d)
    own_numbers = True

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        stride, padding = conv_padding(where, module)
        return build.convolution(name, where, x, array(module.weight), optional(module.bias), stride, padding)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        x = importer.activation(node, 0, where)
        weight, bias = importer.parameter(node, 1, "weight", where), importer.parameter(node, 2, "bias", where)
        options = SimpleNamespace(
            stride=importer.argument(node, 3, "stride", 1),
            padding=importer.argument(node, 4, "padding", 0),
            dilation=importer.argument(node, 5, "dilation", 1),
            groups=importer.argument(node, 6, "groups", 1),
            padding_mode="zeros",
            kernel_size=weight.shape[2:],
        )
        stride, padding = conv_padding(where, options)
        return importer.build.convolution(owner(node), where, x, weight, bias, stride, padding)


class PlainRectifier(LayerKind):
    """ReLU without an upper bound."""

    modules = (nn.ReLU,)
    functions = (F.relu, torch.relu, torch.relu_, F.relu_, "relu", "relu_")

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return build.rectifier(x, Rectifier(name))

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        return importer.build.rectifier(importer.activation(node, 0, where), Rectifier(node.name))


class ClippedRectifier(LayerKind):
    """ReLU with an upper bound."""

    modules = (ClippedReLU,)
    leaf = True

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        return build.rectifier(x, Rectifier(name, module.clip, module.levels))


class BatchNorm(LayerKind):
    """In evaluation: with running statistics."""

    modules = (nn.BatchNorm1d, nn.BatchNorm2d)
    functions = (F.batch_norm,)
    own_numbers = True

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        if module.running_mean is None or module.running_var is None:
            raise UnsupportedError(
                f"{where} keeps no running statistics (track_running_stats=False), so it cannot be folded; train it "
                "with them"
            )
        gamma, beta = (array(module.weight), array(module.bias)) if module.affine else (None, None)
        statistics = array(module.running_mean), array(module.running_var)
        maps = type(module) is nn.BatchNorm2d
        return build.batch_norm(name, where, x, statistics, gamma, beta, module.eps, maps)

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        if importer.argument(node, 5, "training", False):
            raise UnsupportedError(f"{where} uses the batch's own statistics; pass training=self.training")
        names = ("running_mean", "running_var", "weight", "bias")
        mean, variance, gamma, beta = (importer.parameter(node, n, name, where) for n, name in enumerate(names, 1))
        if mean is None or variance is None:
            raise UnsupportedError(
                f"{where} keeps no running statistics, so it cannot be folded; give running_mean and running_var"
            )
        eps = float(importer.argument(node, 7, "eps", 1e-5))
        x = importer.activation(node, 0, where)
        return importer.build.batch_norm(node.name, where, x, (mean, variance), gamma, beta, eps)


KINDS = (LinearLayer(), ConvolutionLayer(), PlainRectifier(), ClippedRectifier(), BatchNorm())
"""In the order in which they are listed for users."""
