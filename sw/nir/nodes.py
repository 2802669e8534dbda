"""NIR's nodes, one function each way: their conversion to our graph, what is refused, and ours as NIR's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.sw.common.errors import UnsupportedError, WeightError
from spikeloom.sw.frontend.torch_options import symmetric_padding
from spikeloom.sw.ir.graph import Affine, AveragePool, Convolution, Flatten, GraphNode, Linear, Neurons
from spikeloom.sw.ir.graph_builder import GraphBuilder, Pair, Value

__all__ = ["NODES", "SUPPORTED", "nir_node"]

Shape = tuple[int, ...]

SUPPORTED = (
    "Input, Output, Linear, Affine, Conv2d, Scale, SumPool2d, AvgPool2d, Flatten, IF, and LIF that does not leak"
)


def _linear(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    weight = _numbers(where, "weight", node.weight, 2)
    bias = _numbers(where, "bias", node.bias) if hasattr(node, "bias") else None
    return build.linear(name, where, x, weight, _fitting(where, bias, len(weight)))


def _conv(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    if int(node.groups) != 1 or _pair(node.dilation) != (1, 1):
        raise UnsupportedError(
            f"{where} has {int(node.groups)} groups and dilation {_pair(node.dilation)}; only 1 is supported"
        )
    weight = _numbers(where, "weight", node.weight, 4)
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    padding = padding if isinstance(padding, str) else _pair(padding)
    zeros = symmetric_padding(where, padding, (weight.shape[2], weight.shape[3]))
    bias = _fitting(where, _numbers(where, "bias", node.bias), len(weight))
    return build.convolution(name, where, x, weight, bias, _pair(node.stride), zeros)


def _scale(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    scale = _numbers(where, "scale", node.scale)
    if scale.ndim == 3 and (scale == scale[:, :1, :1]).all():
        scale = scale[:, 0, 0]
    if scale.ndim != 1:
        raise UnsupportedError(f"{where} scales positions of a map differently; only channels can differ")
    return build.affine(name, where, x, scale, np.zeros_like(scale))


def _pool(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    kernel = _pair(node.kernel_size)
    if _pair(node.stride) != kernel or _pair(node.padding) != (0, 0):
        raise UnsupportedError(
            f"{where} has windows of {kernel} with stride {_pair(node.stride)} and padding {_pair(node.padding)}; "
            "the stride must be the window and the padding 0"
        )
    return build.pool(where, x, AveragePool(name, kernel, total=type(node).__name__ == "SumPool2d"), keep=True)


def _flatten(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    rank = len(x.shape or ())
    if int(node.start_dim) != 0 or int(node.end_dim) not in (-1, rank - 1):
        raise UnsupportedError(
            f"{where} must flatten all dimensions (start_dim 0, end_dim -1), not {int(node.start_dim)} to "
            f"{int(node.end_dim)}"
        )
    return build.flatten(x, name)


def _neurons(build: GraphBuilder, name: str, where: str, x: Value, node: Any, dt: float) -> Value:
    r, threshold = np.asarray(node.r, np.float64), _numbers(where, "v_threshold", node.v_threshold)
    form: Literal["IF", "LIF"] = "IF"
    if type(node).__name__ == "LIF":
        # snnTorch writes Leaky(beta=1) so: tau = r * dt, both infinite, which is a neuron without a leak
        if not (np.isinf(node.tau).all() and np.isinf(r).all()) or np.asarray(node.v_leak).any():
            raise UnsupportedError(
                f"{where} leaks; only IF, and LIF with an infinite tau and r and v_leak 0, are supported"
            )
        r, form = np.full(threshold.shape, 1.0 / dt), "LIF"
    r = _numbers(where, "r", r)
    if node.v_reset is not None and np.asarray(node.v_reset).any():
        raise UnsupportedError(f"{where} resets to {np.unique(node.v_reset)}; only 0 is supported")
    if not (threshold > 0.0).all() or not (r > 0.0).all():
        raise WeightError(f"{where} must have thresholds and resistances above 0")
    if r.size != threshold.size and 1 not in (r.size, threshold.size):
        raise UnsupportedError(
            f"{where} has {r.size} resistances, but {threshold.size} thresholds; there must be as many"
        )
    return build.neurons(x, Neurons(name, r, threshold, dt, form))


NODES: dict[str, Callable[[GraphBuilder, str, str, Value, Any, float], Value]] = {
    **dict.fromkeys(("Linear", "Affine"), _linear),
    "Conv2d": _conv,
    "Scale": _scale,
    **dict.fromkeys(("SumPool2d", "AvgPool2d"), _pool),
    "Flatten": _flatten,
    **dict.fromkeys(("IF", "LIF"), _neurons),
}
"""Each takes (graph, name, place for messages, what it reads, node, seconds per step), and gives what it makes."""


def _linear_out(node: Linear, shape: Shape) -> Any:
    import nir

    if not node.biased:
        return nir.Linear(weight=_small(node.weight))
    return nir.Affine(weight=_small(node.weight), bias=_small(node.bias))


def _conv_out(node: Convolution, shape: Shape) -> Any:
    import nir

    return nir.Conv2d(
        input_shape=shape[-2:],
        weight=_small(node.weight),
        stride=node.stride,
        padding=node.padding,
        dilation=(1, 1),
        groups=1,
        bias=_small(node.bias),
    )


def _scale_out(node: Affine, shape: Shape) -> Any:
    import nir

    if node.shift.any():
        return None
    scale = node.scale
    if len(shape) == 3 and len(scale) == shape[0]:
        scale = np.broadcast_to(scale[:, None, None], shape).copy()
    return nir.Scale(scale=_small(scale))


def _pool_out(node: AveragePool, shape: Shape) -> Any:
    import nir

    kind = nir.SumPool2d if node.total else nir.AvgPool2d
    return kind(kernel_size=np.array(node.kernel), stride=np.array(node.kernel), padding=np.array((0, 0)))


def _flatten_out(node: Flatten, shape: Shape) -> Any:
    import nir

    return nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


def _neurons_out(node: Neurons, shape: Shape) -> Any:
    import nir

    r, threshold = _small(node.resistance), _small(node.threshold)
    if node.form == "LIF":
        endless = np.full_like(threshold, np.inf)
        zeros = np.zeros_like(threshold)
        return nir.LIF(tau=endless, r=endless.copy(), v_leak=zeros, v_threshold=threshold, v_reset=zeros.copy())
    return nir.IF(r=r, v_threshold=threshold, v_reset=np.zeros_like(threshold))


_WRITTEN: dict[type[GraphNode], Callable[[Any, Shape], Any]] = {
    Linear: _linear_out,
    Convolution: _conv_out,
    Affine: _scale_out,
    AveragePool: _pool_out,
    Flatten: _flatten_out,
    Neurons: _neurons_out,
}
"""Our nodes as NIR's, of the shape of what they read; None for one that has no counterpart."""


def nir_node(node: GraphNode, shape: Shape) -> Any:
    """The NIR node of one of ours; shape is that of what it reads. Raises `UnsupportedError` if there is none."""
    write = _WRITTEN.get(type(node))
    found = None if write is None else write(node, shape)
    if found is None:
        raise UnsupportedError(f"'{node.name}' ({type(node).__name__}) has no counterpart in NIR")
    return found


def _small(values: NDArray[np.float64]) -> NDArray[Any]:
    """float32 where that changes no number."""
    narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), values) else values


def _numbers(where: str, what: str, values: Any, rank: int | None = None) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if rank is not None and array.ndim != rank:
        raise UnsupportedError(f"{where} has a {what} of shape {array.shape}; it must have {rank} dimensions")
    if not np.isfinite(array).all():
        raise WeightError(f"{where} has numbers in its {what} that are NaN or infinite; write the file without them")
    return array


def _fitting(where: str, bias: NDArray[np.float64] | None, outputs: int) -> NDArray[np.float64] | None:
    if bias is not None and bias.shape != (outputs,):
        raise UnsupportedError(
            f"{where} has a bias of shape {bias.shape}, but {outputs} outputs; it must be ({outputs},)"
        )
    return bias


def _pair(value: Any) -> Pair:
    values = [int(n) for n in np.asarray(value).reshape(-1)]
    return (values[0], values[-1])
