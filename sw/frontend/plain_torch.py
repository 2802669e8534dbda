"""Runs a user's model so that its outputs depend on nothing but the model and the image.

In single precision PyTorch takes kernels of oneDNN and NNPACK, whose last digits change with the processor, the number
of threads and the number of images, and which have been seen to be wrong where a map is one column wide. In double
precision it has kernels of its own.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode

__all__ = ["Unit", "double_outputs", "plain_kernels", "torch_accuracy", "torch_classes"]

Unit = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""What makes pixels of another unit, float64 [images, ...], of those of 0 .. 1."""

_BATCH_VALUES = 1 << 18
"""Pixels of the images that run together; convolutions copy each pixel once per kernel value."""


def double_outputs(
    model: nn.Module, images: NDArray[np.uint8], threads: int = 1, unit: Unit | None = None
) -> NDArray[np.float64]:
    """What a copy of the model in double precision and evaluation mode gives, float64 [images, outputs].

    Parameters
    ----------
    images : uint8 [images, ...] of the model's own shape; it is given pixel / 255
    unit : what to make of all of them, float64 [images, ...] of 0 .. 1, before they are given

    Raises whatever the model's own code raises.
    """
    scaled = images if unit is None else unit(images.astype(np.float64) / 255.0)
    plain = copy.deepcopy(model).cpu().double().eval()
    size = max(1, min(1000, _BATCH_VALUES // max(1, int(np.prod(images.shape[1:])))))
    parts = []
    with torch.no_grad(), plain_kernels(threads), _Doubles():
        for start in range(0, len(images), size):
            part = scaled[start : start + size]
            pixels = torch.from_numpy(part.astype(np.float64) / 255.0 if unit is None else part)
            parts.append(plain(pixels).detach().numpy().reshape(len(pixels), -1))
    return np.concatenate(parts)


def torch_accuracy(model: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of images that the model as given classifies rightly, 0 .. 1; uint8 [images, ...] as it takes them."""
    return float(np.mean(torch_classes(model, images) == labels))


def torch_classes(model: nn.Module, images: NDArray[np.uint8], unit: Unit | None = None) -> NDArray[np.int64]:
    """Classes int64 [images] that the model as given gives to uint8 [images, ...] as it takes them, in 0 .. 1 or in
    the `unit` of `double_outputs`.

    In double precision; outputs that are equal in single precision are equal.
    """
    classes: NDArray[np.int64] = double_outputs(model, images, unit=unit).astype(np.float32).argmax(1)
    return classes


@contextlib.contextmanager
def plain_kernels(threads: int = 1) -> Iterator[None]:
    """PyTorch without the kernels of oneDNN and NNPACK, and without lower precision, in so many threads."""
    before = torch.get_num_threads(), torch.backends.mkldnn.enabled
    torch.set_num_threads(threads)
    torch.backends.mkldnn.enabled = False
    try:
        with torch.backends.nnpack.flags(enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.mkldnn.enabled = before[1]


class _Doubles(TorchFunctionMode):
    """Operations of double and single precision are done in double.

    A model's `double()` reaches its parameters and buffers, not other tensors that its code holds, which PyTorch would
    refuse to multiply with double ones.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given: Any = (tuple(args), dict(kwargs or {}))
        kinds: set[torch.dtype] = set()

        def see(value: Any) -> Any:
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                kinds.add(value.dtype)
            return value

        def double(value: Any) -> Any:
            return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value

        map_aggregate(given, see)
        if torch.float64 in kinds and len(kinds) > 1:
            given = map_aggregate(given, double)
        return func(*given[0], **given[1])
