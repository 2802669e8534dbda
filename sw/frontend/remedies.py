"""Remedies for common operations that the chip does not support, as ends of sentences."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.fx
from torch import nn
from torch.nn import functional as F

__all__ = ["root_remedy", "supported_instead"]

_CLASSES = "behind the last layer it changes no class: leave it out"
_TYPES = "images are given in floating point, and kinds of numbers do not matter: leave it out"
_SCALE = "mean and deviation of the images go into a BatchNorm in front, or into the first layer's weights and bias"
_ORDER = "the order of pixels and channels is that of the images: give them in it, or move the first layer's weights"
_CLIP = "max(x, 0) is a ReLU, and min(max(x, 0), c) is spikeloom.ClippedReLU(c)"

_OPERATIONS: dict[Any, str] = {
    **dict.fromkeys(
        (F.softmax, F.log_softmax, torch.softmax, torch.log_softmax, torch.sigmoid, F.sigmoid, F.logsigmoid), _CLASSES
    ),
    **dict.fromkeys(("softmax", "log_softmax", "sigmoid"), _CLASSES),
    **dict.fromkeys(("float", "double", "half", "bfloat16", "to", "type", "type_as", "clone", "detach"), _TYPES),
    **dict.fromkeys(("sub", "div", "mul", operator.sub, operator.truediv, torch.sub, torch.div, torch.mul), _SCALE),
    operator.mul: _SCALE,
    **dict.fromkeys(("permute", "transpose", "movedim", torch.permute, torch.transpose, torch.movedim), _ORDER),
    **dict.fromkeys(("clamp", "clamp_min", "clip", torch.clamp, torch.clamp_min, torch.clip), _CLIP),
    **dict.fromkeys((torch.maximum, "maximum", F.relu6, F.hardtanh), _CLIP),
}
_MODULES: dict[type[nn.Module], str] = {
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid), _CLASSES),
    **dict.fromkeys((nn.ReLU6, nn.Hardtanh), _CLIP),
}


def supported_instead(operation: Any) -> str:
    """The end of a sentence about a module, or the function or method of a traced node, that is not supported."""
    if isinstance(operation, nn.Module):
        remedy = _MODULES.get(type(operation), "")
        if torch.nn.utils.parametrize.is_parametrized(operation):
            remedy = "torch.nn.utils.parametrize.remove_parametrizations makes it a plain layer"
    else:
        remedy = _OPERATIONS.get(operation, "")
    return f"; {remedy}" if remedy else ""


def root_remedy(model: nn.Module) -> str | None:
    """The end of a sentence about a model that is wrapped for speed; None for any other."""
    if hasattr(model, "_orig_mod"):
        return "is the result of torch.compile; give the model that was compiled, model._orig_mod"
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "runs a model on several devices; give that model, model.module"
    if isinstance(model, torch.jit.ScriptModule):
        return "is TorchScript, which cannot be traced; give the module that it was made from"
    return None
