"""The example networks, untrained: multilayer perceptrons, and networks given by a layer string.

All take flat images, as the data sets have them.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict

import torch
from torch import nn

from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.layer_string import LayerToken, parse_layers, shapes_of
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.pooling_layers import pooling_module

__all__ = ["MLP", "TRAINED", "Residual", "build"]

MLP = "mlp"
"""The value of [train] network that stands for dense layers of the sizes of [train] hidden."""
TRAINED = "trained"
"""The value of [train] weights that stands for training."""
Parts = list[tuple[str, nn.Module]]


class Residual(nn.Module):
    """y = activation(main(x) + shortcut(x))."""

    def __init__(self, main: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.main, self.shortcut, self.activation = main, shortcut, activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The activation of both branches' sum."""
        return self.activation(self.main(x) + self.shortcut(x))


def build(section: TrainSection, shape: tuple[int, ...] | int, classes: int) -> nn.Sequential:
    """The untrained network for flat images; without batch norms if [train] weights names a trained one, whose weights
    include them.

    Parameters
    ----------
    shape : of an image, (height, width) or (channels, height, width), or the number of its pixels for dense layers

    Raises `ValueError` if the network's layers do not fit the images, or do not end with one neuron per class.
    """
    if section.weights != TRAINED:
        section = section.model_copy(update={"batch_norm": False})
    inputs = shape if isinstance(shape, int) else int(torch.Size(shape).numel())
    if section.network == MLP:
        return _perceptron(section, inputs, classes)
    channels, height, width = (inputs, 1, 1) if isinstance(shape, int) else (1, *shape)[-3:]
    return _layers(section, parse_layers(section.network), (channels, height, width), classes)


def _perceptron(section: TrainSection, inputs: int, classes: int) -> nn.Sequential:
    """Linear, activation (and dropout) for each hidden layer, a Linear at the end."""
    sizes = (inputs, *section.hidden, classes)
    parts: Parts = []
    for index, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        parts.append((f"layer{index}", nn.Linear(rows, columns)))
        if index < len(section.hidden):
            parts += _activation(section, str(index))
    return nn.Sequential(OrderedDict(parts))


def _layers(
    section: TrainSection, tokens: tuple[LayerToken, ...], image: tuple[int, int, int], classes: int
) -> nn.Sequential:
    shapes = [image, *shapes_of(tokens, image)]
    if tokens[-1].outputs != classes:
        raise SpikeLoomError(f"it ends with {tokens[-1].outputs} neurons, but there are {classes} classes")
    spatial = tokens[0].kind != "dense"
    parts: Parts = [("image", nn.Unflatten(1, image))] if spatial else []
    for index, (token, before) in enumerate(zip(tokens, shapes[:-1], strict=True)):
        if token.kind == "conv":
            parts += _convolution(section, token, before[0], str(index)) + _activation(section, str(index))
        elif token.kind == "residual":
            parts.append((f"block{index}", _residual(section, token, before[0])))
        elif token.kind == "pool":
            parts.append((f"pool{index}", pooling_module(section.pooling)(token.kernel)))
        elif token.kind == "global":
            parts.append((f"pool{index}", nn.AdaptiveAvgPool2d(1)))
        else:
            if spatial:
                parts.append(("flat", nn.Flatten()))
                spatial = False
            hidden = index < len(tokens) - 1
            norm = section.batch_norm and hidden
            parts.append((f"layer{index}", nn.Linear(math.prod(before), token.outputs, bias=not norm)))
            parts += [(f"norm{index}", nn.BatchNorm1d(token.outputs))] if norm else []
            parts += _activation(section, str(index)) if hidden else []
    return nn.Sequential(OrderedDict(parts))


def _convolution(section: TrainSection, token: LayerToken, channels: int, name: str) -> Parts:
    """A convolution, and its batch norm if there are any."""
    conv = nn.Conv2d(channels, token.outputs, token.kernel, token.stride, token.padding, bias=not section.batch_norm)
    norm: Parts = [(f"norm{name}", nn.BatchNorm2d(token.outputs))] if section.batch_norm else []
    return [(f"layer{name}", conv), *norm]


def _residual(section: TrainSection, token: LayerToken, channels: int) -> Residual:
    second = LayerToken(token.text, "conv", token.outputs, token.kernel, 1, token.padding)
    (_, activation), *_ = _activation(section, "")
    main = nn.Sequential(
        OrderedDict(
            [
                *_convolution(section, token, channels, "0"),
                ("relu", activation),
                *_convolution(section, second, token.outputs, "1"),
            ]
        )
    )
    shortcut: nn.Module = nn.Identity()
    if token.stride != 1 or channels != token.outputs:
        one = LayerToken(token.text, "conv", token.outputs, 1, token.stride)
        shortcut = nn.Sequential(OrderedDict(_convolution(section, one, channels, "")))
    return Residual(main, shortcut, nn.Sequential(OrderedDict(_activation(section, ""))))


def _activation(section: TrainSection, name: str) -> Parts:
    """The activation behind a hidden layer, and the dropout."""
    clipped = section.activation == "clipped"
    parts: Parts = [(f"relu{name}", ClippedReLU(1.0, section.activation_levels) if clipped else nn.ReLU())]
    if section.dropout:
        parts.append((f"dropout{name}", nn.Dropout(section.dropout)))
    return parts
