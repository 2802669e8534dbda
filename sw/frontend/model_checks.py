"""Checks that a PyTorch model can be traced: parameters with real, finite values, and no hooks on its modules."""

from __future__ import annotations

import torch
from torch import nn

from spikeloom.sw.common.errors import UnsupportedError, WeightError

__all__ = ["check_model", "clean_name"]


def check_model(model: nn.Module) -> None:
    """Raise `UnsupportedError` for hooks, `WeightError` for parameters without real, finite values."""
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        _check_values(name, value)
    _check_hooks(model)


def clean_name(target: str) -> str:
    """Name of a module as the user knows it (a bare layer is wrapped as '0')."""
    return target or "model"


def _check_hooks(model: nn.Module) -> None:
    """Raise if code is hooked to a module: torch.fx would not see it."""
    for name, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise UnsupportedError(
                f"Module '{clean_name(name)}' ({type(module).__name__}) has a forward hook (pruning, and old "
                "weight_norm and spectral_norm, are hooks too), which cannot be converted; "
                "torch.nn.utils.prune.remove, remove_weight_norm and remove_spectral_norm leave plain weights; any "
                "other hook: remove it"
            )


def _check_values(name: str, value: torch.Tensor) -> None:
    """Raise if a parameter holds no real numbers."""
    if torch.nn.parameter.is_lazy(value):
        raise WeightError(
            f"Parameter '{name}' of the model has no values yet (a lazy module); run the model once first"
        )
    if value.device.type == "meta":
        raise WeightError(f"Parameter '{name}' of the model has no values (it is on the meta device); load its weights")
    if value.is_complex():
        raise WeightError(f"Parameter '{name}' of the model must be real numbers, not {value.dtype}; convert it")
    finite = torch.isfinite(value.detach())
    if not bool(finite.all()):
        bad = int((~finite).sum())
        raise WeightError(
            f"Parameter '{name}' of the model has {bad} values that are NaN or infinite; train it again, with a "
            "smaller learning rate, or load weights without them"
        )
