"""The one layer that PyTorch does not have: a ReLU with an upper limit and optional quantisation levels."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from spikeloom.sim.common.arguments import is_whole
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["ClippedReLU"]


class ClippedReLU(nn.Module):
    """y = min(max(x, 0), clip), rounded to `levels` equal steps; the gradient passes straight through the rounding.

    Parameters
    ----------
    clip : upper end, > 0; becomes the neuron's threshold
    levels : steps between 0 and clip; 0 is no rounding

    A network trained with it loses little when its activations become the spike counts of a few time steps (Bu et al.,
    "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural networks", ICLR 2022).
    """

    def __init__(self, clip: float = 1.0, levels: int = 0) -> None:
        super().__init__()
        if not clip > 0.0 or clip == float("inf"):
            raise SpikeLoomError(f"ClippedReLU: clip must be a positive finite number, not {clip!r}")
        if not is_whole(levels) or levels < 0:
            raise SpikeLoomError(f"ClippedReLU: levels must be a whole number of at least 0, not {levels!r}")
        self.clip = float(clip)
        self.levels = int(levels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """min(max(x, 0), clip), rounded to the levels; gradients pass the rounding."""
        if self.levels and x.dtype == torch.bfloat16:
            return _Levels.apply(x, self.clip, self.levels)
        y = torch.clamp(x, 0.0, self.clip)
        if not self.levels:
            return y
        step = self.clip / self.levels
        rounded = torch.clamp(torch.floor(x / step + 0.5) * step, 0.0, self.clip)
        return y + (rounded - y).detach() if torch.is_grad_enabled() else rounded

    def extra_repr(self) -> str:
        """What is printed of it inside of a model."""
        return f"clip={self.clip}, levels={self.levels}"


class _Levels(torch.autograd.Function):
    """The same for bfloat16, in few passes over the memory; y + (rounded - y) would be no level there."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, clip: float, levels: int) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.clip = clip
        return (x * (levels / clip)).add_(0.5).floor_().clamp_(0.0, levels).mul_(clip / levels)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, x, 0.0, ctx.clip), None, None
