"""Functions and methods that a traced model may call: the same operations as PyTorch's layers, and sizes.

A handler is called with the importer, the traced node, and the operation's place for messages, and gives what the node
gives: a `Value`, or a number or tuple of numbers where the model computes with sizes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.fx
from torch.nn import functional as F

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.remedies import supported_instead
from spikeloom.sw.frontend.torch_options import Operands, adaptive_sizes, check_flatten, check_pool, conv_padding
from spikeloom.sw.ir.graph import Rectifier
from spikeloom.sw.ir.graph_builder import Value

__all__ = ["BATCH", "FUNCTIONS"]

BATCH = "batch"
"""Stands for the number of images, which a model may pass on but not compute with."""


def _relu(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    return importer.build.rectifier(importer.activation(node, 0, where), Rectifier(node.name))


def _same(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    return importer.activation(node, 0, where)


def _dropout(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    if importer.argument(node, 2, "training", True):
        raise UnsupportedError(f"{where} drops activations in evaluation too; pass training=self.training")
    return importer.activation(node, 0, where)


def _linear(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    x = importer.activation(node, 0, where)
    weight, bias = importer.parameter(node, 1, "weight", where), importer.parameter(node, 2, "bias", where)
    return importer.build.linear(_owner(node), where, x, weight, bias)


def _conv(importer: Operands, node: torch.fx.Node, where: str) -> Value:
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
    return importer.build.convolution(_owner(node), where, x, weight, bias, stride, padding)


def _batch_norm(importer: Operands, node: torch.fx.Node, where: str) -> Value:
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


def _pool(*names: str) -> Callable[[Operands, torch.fx.Node, str], Value]:
    """Average (with divisor_override among its arguments) or max pooling; names: of the arguments after the first."""

    def handler(importer: Operands, node: torch.fx.Node, where: str) -> Value:
        options = {name: importer.argument(node, position, name) for position, name in enumerate(names, 1)}
        options = {name: value for name, value in options.items() if value is not None}
        average = "divisor_override" in names
        x = importer.activation(node, 0, where)
        return importer.build.pool(node.name, where, x, average, check_pool(where, options))

    return handler


def _adaptive(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    sizes = adaptive_sizes(importer.argument(node, 1, "output_size"))
    return importer.build.adaptive_average(node.name, where, importer.activation(node, 0, where), sizes)


def _mean(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    dims = importer.argument(node, 1, "dim", ())
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if sorted(d % 4 if isinstance(d, int) else -1 for d in dims) != [2, 3]:
        raise UnsupportedError(f"{where} must be over height and width, as in x.mean([2, 3])")
    x = importer.build.adaptive_average(node.name, where, importer.activation(node, 0, where), (1, 1))
    return x if importer.argument(node, 2, "keepdim", False) else importer.build.flatten(x)


def _flatten(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    x = importer.activation(node, 0, where)
    check_flatten(where, x, importer.argument(node, 1, "start_dim", 0), importer.argument(node, 2, "end_dim", -1))
    return importer.build.flatten(x)


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


def _add(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    a, b = importer.argument(node, 0, "input"), importer.argument(node, 1, "other")
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if not isinstance(a, Value) or not isinstance(b, Value):
        raise UnsupportedError(f"{where} is supported between two branches of the model alone, not with anything else")
    if importer.argument(node, 2, "alpha", 1) != 1:
        raise UnsupportedError(
            f"{where} has a factor alpha, which is not supported; put the factor into the weights of that branch"
        )
    return importer.build.add(node.name, where, a, b)


def _of_sizes(function: Callable[[int, int], int]) -> Callable[[Operands, torch.fx.Node, str], Any]:
    def handler(importer: Operands, node: torch.fx.Node, where: str) -> Any:
        a, b = importer.argument(node, 0, "input"), importer.argument(node, 1, "other")
        if isinstance(a, int) and isinstance(b, int):
            return function(a, b)
        remedy = supported_instead(node.target)
        raise UnsupportedError(f"{where} is not supported but between sizes, which are whole numbers{remedy}")

    return handler


def _size(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    """x.size(), x.size(n) and x.shape: the number of images is a name, the others are numbers."""
    sizes = (BATCH, *(importer.activation(node, 0, where).shape or ()))
    dim = importer.argument(node, 1, "dim") if node.target == "size" else None
    return sizes if dim is None else _item(sizes, dim, where)


def _getattr(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    if node.args[1] != "shape":
        raise UnsupportedError(f"{where} reads '{node.args[1]}', which is not supported; 'shape' is")
    return _size(importer, node, where)


def _getitem(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    source, index = importer.argument(node, 0, ""), importer.argument(node, 1, "")
    if isinstance(source, tuple):
        return _item(source, index, where)
    steps = [_step(part) for part in index] if isinstance(index, tuple) else []
    if not isinstance(source, Value) or len(steps) != 4 or None in steps or steps[:2] != [1, 1]:
        raise UnsupportedError(
            f"{where} is not supported but for sizes, as in x.shape[0], and to leave out positions, as in x[:, :, ::2, "
            "::2]"
        )
    return importer.build.subsample(node.name, where, source, (steps[2] or 1, steps[3] or 1))


def _step(part: Any) -> int | None:
    """n of a slice ::n, 1 of a slice :; None for anything else."""
    whole = isinstance(part, slice) and part.start in (None, 0) and part.stop is None
    step = (1 if part.step is None else part.step) if whole else None
    return step if isinstance(step, int) and step > 0 else None


def _pad(importer: Operands, node: torch.fx.Node, where: str) -> Value:
    """Channels of zeros; zeros around a map are for the convolution's own padding."""
    pad = importer.argument(node, 1, "pad")
    mode, value = importer.argument(node, 2, "mode", "constant"), importer.argument(node, 3, "value", None)
    sizes = tuple(pad) if isinstance(pad, tuple | list) and all(isinstance(n, int) for n in pad) else ()
    if len(sizes) != 6 or any(sizes[:4]) or mode != "constant" or value:
        raise UnsupportedError(
            f"{where} is supported for channels of zeros alone, as in F.pad(x, (0, 0, 0, 0, 8, 8)); zeros around a map "
            "are a convolution's padding"
        )
    return importer.build.subsample(node.name, where, importer.activation(node, 0, where), (1, 1), *sizes[4:])


def _item(sizes: tuple[Any, ...], index: Any, where: str) -> Any:
    try:
        return sizes[index]
    except (IndexError, TypeError):
        raise UnsupportedError(f"{where} asks for size {index} of {len(sizes)} that are known") from None


_AVERAGE = _pool("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_MAX = _pool("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
FUNCTIONS: dict[Any, Callable[[Operands, torch.fx.Node, str], Any]] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, F.relu_, "relu", "relu_"), _relu),
    **dict.fromkeys((F.dropout, F.dropout2d), _dropout),
    "contiguous": _same,
    F.linear: _linear,
    **dict.fromkeys((F.conv2d, torch.conv2d), _conv),
    F.batch_norm: _batch_norm,
    F.avg_pool2d: _AVERAGE,
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), _MAX),
    F.adaptive_avg_pool2d: _adaptive,
    **dict.fromkeys((torch.mean, "mean"), _mean),
    **dict.fromkeys((torch.flatten, "flatten"), _flatten),
    **dict.fromkeys(("view", "reshape", torch.reshape), _view),
    **dict.fromkeys((torch.unsqueeze, "unsqueeze"), _unsqueeze),
    **dict.fromkeys((torch.squeeze, "squeeze"), _squeeze),
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), _add),
    **dict.fromkeys((operator.mul,), _of_sizes(operator.mul)),
    **dict.fromkeys((operator.floordiv,), _of_sizes(operator.floordiv)),
    "size": _size,
    getattr: _getattr,
    operator.getitem: _getitem,
    F.pad: _pad,
}
"""What each function or method's name stands for."""


def _owner(node: torch.fx.Node) -> str:
    """Path of the module whose code called the function, or the traced node's own name."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return path or node.name
