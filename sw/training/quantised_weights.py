"""Weights in training as the cells will have them: quantised to levels, and with an error.

The weights of a layer of neurons share one grid, that which `sw.passes.quantise` will choose. They are those after
folding: with a batch norm, the convolution's times gamma / sigma (of the running statistics); where branches join, all
of them, and the ones of a shortcut without weights. Gradients pass straight through the rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.passes.quantise import largest_threshold
from spikeloom.sw.training.example_networks import Residual

__all__ = ["CellWeights"]

Weighted = Any
"""An `nn.Linear` or `nn.Conv2d`."""
Norm = Any
"""An `nn.BatchNorm1d` or `nn.BatchNorm2d`."""
_PLAIN_BITS = 7
"""Levels -127 .. 127 of weights that training has not rounded."""


@dataclass(frozen=True, eq=False)
class _Column:
    """A layer of neurons: (weights, batch norm or None) of its branches; whether a shortcut adds weights of 1."""

    branches: list[tuple[Weighted, Norm | None]]
    identity: bool
    last: bool


class CellWeights:
    """Runs a network with the weights that its cells will have."""

    def __init__(self, model: nn.Sequential, section: TrainSection) -> None:
        self.model, self.section = model, section
        self._columns: dict[Weighted, _Column] = {}
        self._collect(model, False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The model's outputs with such weights, in the model's own mode."""
        return self._run(self.model, x)

    @torch.no_grad()
    def settle(self) -> None:
        """Leave the rounded weights in the model."""
        if self.section.weight_bits:
            rounded = {module: self._rounded(module) for module in self._columns}
            for module, weight in rounded.items():
                module.weight.copy_(weight)

    @torch.no_grad()
    def folded(self) -> dict[Weighted, tuple[torch.Tensor, float, torch.Tensor]]:
        """Every layer of the trained network without its batch norm: (levels int8 of the weight's shape, weight of one
        level, bias [outputs]). Layers whose neurons are the same have one weight per level.

        Levels are those of the cells; with [train] weight_bits = 0, of `_PLAIN_BITS` bits.
        """
        found = {}
        for module, column in self._columns.items():
            norm = next(norm for inner, norm in column.branches if inner is module)
            scale, top = self._scale(column), self._top
            weight = module.weight * _factor(norm, module)
            levels = torch.clamp(torch.round(weight / scale), -top, top).to(torch.int8)
            bias = torch.zeros(len(weight)) if module.bias is None else module.bias.detach()
            if norm is not None:
                assert norm.running_mean is not None
                bias = norm.bias + (bias - norm.running_mean) * torch.as_tensor(_factor(norm, module)).flatten()
            found[module] = levels, scale, bias.detach().clone()
        return found

    def _run(self, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if isinstance(module, nn.Sequential):
            for inner in module:
                x = self._run(inner, x)
            return x
        if isinstance(module, Residual):
            return self._run(module.activation, self._run(module.main, x) + self._run(module.shortcut, x))
        if isinstance(module, nn.Linear):
            return F.linear(x, self._weight(module), module.bias)
        if isinstance(module, nn.AvgPool2d):
            return self._averages(module(x))
        if isinstance(module, nn.Conv2d):
            return F.conv2d(x, self._weight(module), module.bias, module.stride, module.padding)
        return module(x)

    def _averages(self, x: torch.Tensor) -> torch.Tensor:
        """Averages rounded to the levels of the activations, as a pooling unit gives a whole number of spikes."""
        levels = self.section.activation_levels if self.section.activation == "clipped" else 0
        if not levels:
            return x
        return x + (torch.floor(x * levels + 0.5) / levels - x).detach()

    def _weight(self, module: Weighted) -> torch.Tensor:
        weight: torch.Tensor = module.weight
        if self.section.weight_bits:
            weight = weight + (self._rounded(module) - weight).detach()
        if self.section.weight_noise:
            weight = weight * (1.0 + self.section.weight_noise * torch.randn_like(weight))
        return weight

    @torch.no_grad()
    def _rounded(self, module: Weighted) -> torch.Tensor:
        """Weights on the layer's grid."""
        column, top = self._columns[module], self._top
        scale = self._scale(column)
        norm = next(norm for inner, norm in column.branches if inner is module)
        if norm is None:
            return torch.clamp(torch.round(module.weight / scale), -top, top) * scale
        factor = _factor(norm, module)
        factor = torch.where(factor == 0.0, torch.ones_like(factor), factor)
        return torch.clamp(torch.round(module.weight * factor / scale), -top, top) * scale / factor

    @property
    def _top(self) -> int:
        return (1 << (self.section.weight_bits or _PLAIN_BITS)) - 1

    def _scale(self, column: _Column) -> float:
        """The weight of one level on the grid that `sw.passes.quantise` will choose; the last layer's threshold is
        free, so its grid is too.
        """
        top = self._top
        largest = max(float((_factor(norm, inner) * inner.weight).abs().max()) for inner, norm in column.branches)
        clipped = self.section.activation == "clipped"
        if column.identity and clipped:
            largest = max(largest, 1.0)
        scale = max(largest, 1e-12) / top
        if not column.last and clipped:
            scale = largest / top if largest > top else 1.0 / largest_threshold(largest, top)
        return scale

    def _collect(self, module: nn.Module, inside: bool) -> list[tuple[Weighted, Norm | None]]:
        """Find the layers of neurons; returns the branch that the module ends with, without a column yet."""
        pending: list[tuple[Weighted, Norm | None]] = []
        for inner in module.children() if isinstance(module, nn.Sequential) else ():
            if isinstance(inner, nn.Linear | nn.Conv2d):
                pending = [(inner, None)]
            elif isinstance(inner, nn.BatchNorm1d | nn.BatchNorm2d) and pending:
                pending = [(pending[0][0], inner)]
            elif isinstance(inner, Residual):
                main, shortcut = self._collect(inner.main, True), self._collect(inner.shortcut, True)
                self._close(main + shortcut, identity=not shortcut, last=False)
            elif pending and not isinstance(inner, nn.Dropout):
                self._close(pending, identity=False, last=False)
                pending = []
        if not inside and pending:
            self._close(pending, identity=False, last=True)
        return pending

    def _close(self, branches: list[tuple[Weighted, Norm | None]], identity: bool, last: bool) -> None:
        column = _Column(branches, identity, last)
        self._columns.update({module: column for module, _ in branches})


def _factor(norm: Norm | None, module: Weighted) -> torch.Tensor | float:
    """What folding multiplies a layer's weights with, [outputs, 1, 1, 1]."""
    if norm is None:
        return 1.0
    assert norm.running_var is not None
    return (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().view(-1, *[1] * (module.weight.dim() - 1))
