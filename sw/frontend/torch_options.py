"""Options of PyTorch's layers that windows cannot have, refused with the layer's place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.ir.graph_builder import Pair, Value, pair

__all__ = ["adaptive_sizes", "array", "check_flatten", "check_pool", "conv_padding", "optional", "symmetric_padding"]


def array(tensor: torch.Tensor) -> NDArray[np.float64]:
    """A parameter's numbers."""
    numbers: NDArray[np.float64] = tensor.detach().to(torch.float64).cpu().numpy()
    return numbers


def optional(tensor: torch.Tensor | None) -> NDArray[np.float64] | None:
    """A parameter's numbers, None if there is none."""
    return None if tensor is None else array(tensor)


def conv_padding(where: str, options: Any) -> tuple[Pair, Pair]:
    """Stride and padding of a convolution; `options` has the attributes of `nn.Conv2d`."""
    if options.groups != 1:
        raise UnsupportedError(f"{where} has {options.groups} groups; only 1 is supported")
    if pair(options.dilation) != (1, 1):
        raise UnsupportedError(f"{where} has dilation {pair(options.dilation)}; only 1 is supported")
    if options.padding_mode != "zeros":
        raise UnsupportedError(f"{where} has padding mode '{options.padding_mode}'; only 'zeros' is supported")
    return pair(options.stride), symmetric_padding(where, options.padding, pair(options.kernel_size))


def symmetric_padding(where: str, padding: Any, kernel: Pair) -> Pair:
    """Zeros around a map, (vertical, horizontal); 'same' and 'valid' in numbers."""
    if padding == "valid":
        return (0, 0)
    if padding == "same":
        if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            raise UnsupportedError(
                f"{where} has padding 'same' with a kernel of {kernel}, which needs one more zero on one side; only "
                "odd kernels are the same on both"
            )
        return (kernel[0] // 2, kernel[1] // 2)
    return pair(padding)


def check_pool(where: str, options: Mapping[str, Any]) -> Pair:
    """The window of a pooling, which must not overlap another; `options` by the names of PyTorch's modules."""
    kernel = pair(options["kernel_size"])
    stride = options.get("stride")
    if stride not in (None, [], ()) and pair(stride) != kernel:
        raise UnsupportedError(f"{where} has windows of {kernel} with stride {pair(stride)}; they must be equal")
    if pair(options.get("padding", 0)) != (0, 0):
        raise UnsupportedError(f"{where} has padding {pair(options['padding'])}; only 0 is supported")
    if pair(options.get("dilation", 1)) != (1, 1):
        raise UnsupportedError(f"{where} has dilation {pair(options['dilation'])}; only 1 is supported")
    for name in ("ceil_mode", "return_indices", "divisor_override"):
        if options.get(name):
            raise UnsupportedError(f"{where} has {name}={options[name]}, which is not supported")
    return kernel


def adaptive_sizes(size: Any) -> tuple[int | None, int | None]:
    """The output size of an adaptive pooling, for both directions."""
    return (size, size) if size is None or isinstance(size, int) else (size[0], size[1])


def check_flatten(where: str, x: Value, start: Any, end: Any) -> None:
    """Raise unless all dimensions of x but the batch become one."""
    if start != 1 or end not in (-1, 1 if x.shape is None else len(x.shape)):
        raise UnsupportedError(f"{where} must flatten all but the first dimension (start_dim 1, end_dim -1)")
