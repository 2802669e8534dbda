"""From a graph of NIR (Neuromorphic Intermediate Representation, Pedersen et al., Nature Communications 2024) to ours.

Supported: Input, Output, Linear, Affine, Conv2d, Scale, SumPool2d, AvgPool2d, Flatten, IF, edges that branch and edges
that join (their values add up). Anything else raises `UnsupportedError` with the node's name.

NIR describes spiking neurons, so nothing is normalised: the weights are taken in units of the thresholds as they are.
What NIR leaves open is said by the file's own metadata (ours has it), or by the caller: seconds a step, whether a spike
takes the membrane to zero, as NIR's equation has it, or the threshold away, and whether a neuron fires above its
threshold, as in NIR's equation, or at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sw.errors import FileError, UnsupportedError, WeightError
from sw.files import as_path, readable_error
from sw.graph import Graph, Neurons
from sw.graph_builder import GraphBuilder, Pair, Value
from sw.import_options import symmetric_padding

__all__ = ["DT", "NirModel", "read_nir"]

DT = 1e-4
"""Seconds a step, which the libraries that write NIR agree on."""
SUPPORTED = "Input, Output, Linear, Affine, Conv2d, Scale, SumPool2d, AvgPool2d, Flatten and IF"


@dataclass(frozen=True, eq=False)
class NirModel:
    """A network of spiking neurons from NIR, for `sw.compile`.

    Parameters
    ----------
    graph : operations and neurons
    reset : what follows a spike: V is set to 0, or loses the threshold
    threshold : whether V fires "above" or "at" its threshold
    ends : names of the Input and the Output
    """

    graph: Graph
    reset: Literal["zero", "subtract"]
    threshold: Literal["above", "at"]
    ends: tuple[str, str] = ("input", "output")


def read_nir(
    source: Any,
    dt: float | None = None,
    reset: Literal["zero", "subtract"] | None = None,
    threshold: Literal["above", "at"] | None = None,
) -> NirModel:
    """A network from a NIR file or an `nir.NIRGraph`.

    Parameters
    ----------
    source : path of a file (HDF5), or the graph
    dt : seconds a step, which currents are integrated over; the file's, or 1e-4
    reset, threshold : as in `NirModel`; the file's, or NIR's own equation: "zero" and "above"

    Raises `FileError` for a file that cannot be read, `UnsupportedError` for what the chip does not have, `WeightError`
    for numbers that are not finite, or thresholds that are not positive.
    """
    import nir

    graph = source if isinstance(source, nir.NIRGraph) else _read(as_path(source, "NIR file"))
    notes = graph.metadata if isinstance(graph.metadata, dict) else {}
    reset = notes.get("reset", "zero") if reset is None else reset
    threshold = notes.get("threshold", "above") if threshold is None else threshold
    dt = float(notes.get("dt", DT)) if dt is None else dt
    for name, value, allowed in (("reset", reset, ("zero", "subtract")), ("threshold", threshold, ("above", "at"))):
        if value not in allowed:
            raise ValueError(f"{name} must be '{allowed[0]}' or '{allowed[1]}', not {value!r}")
    if not 0.0 < dt < float("inf"):
        raise ValueError(f"dt must be a positive number of seconds, not {dt!r}")
    importer = _Importer(graph, dt)
    return NirModel(importer.run(), reset, threshold, importer.ends)


def _read(path: Path) -> Any:
    import nir

    try:
        return nir.read(path, type_check=False)  # it takes every kernel for a square; ours is checked all the same
    except FileNotFoundError as error:
        raise FileError(readable_error(path, error)) from error
    except Exception as error:  # h5py and nir raise whatever they come across
        text = " ".join(str(error).split())
        raise FileError(f"'{path}' is not a NIR file that can be read ({type(error).__name__}: {text})") from error


class _Importer:
    """Walks the nodes in an order in which each comes after what it reads."""

    def __init__(self, graph: Any, dt: float) -> None:
        self.graph, self.dt = graph, dt
        self.sources = {name: [a for a, b in graph.edges if b == name] for name in graph.nodes}
        self.ends = self._end("Input"), self._end("Output")

    def run(self) -> Graph:
        first, last = self.ends
        shape = tuple(int(n) for n in np.asarray(self.graph.nodes[first].input_type["input"]).reshape(-1))
        build = GraphBuilder(shape)
        values: dict[str, Value] = {first: Value(0, shape)}
        for name in self._order():
            if name == first:
                continue
            node = self.graph.nodes[name]
            where = f"Node '{name}' ({type(node).__name__})"
            if not self.sources[name]:
                raise UnsupportedError(f"{where} reads nothing; only the one Input does")
            x = values[self.sources[name][0]]
            for number, other in enumerate(self.sources[name][1:], 1):
                x = build.add(f"{name}+{number}", f"The join before node '{name}'", x, values[other])
            if name == last:
                return build.graph(x)
            handler = _NODES.get(type(node).__name__)
            if handler is None:
                raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}")
            values[name] = handler(self, build, name, where, x, node)
        raise AssertionError("the order ends with the Output")

    def _end(self, kind: str) -> str:
        names = [name for name, node in self.graph.nodes.items() if type(node).__name__ == kind]
        if len(names) != 1:
            raise UnsupportedError(f"The NIR graph has {len(names)} {kind} nodes; one is supported")
        return names[0]

    def _order(self) -> list[str]:
        """Names in an order of work, as near to the file's as it goes; the Output last."""
        left, order = list(self.graph.nodes), []
        while left:
            ready = next((name for name in left if all(s in order for s in self.sources[name])), None)
            if ready is None:
                raise UnsupportedError(f"The NIR graph has a loop at node '{left[0]}'; recurrence is not supported")
            left.remove(ready)
            order.append(ready)
        return sorted(order, key=lambda name: type(self.graph.nodes[name]).__name__ == "Output")

    # nodes, by their kind

    def on_linear(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        weight = _numbers(where, "weight", node.weight)
        if weight.ndim != 2:
            raise UnsupportedError(f"{where} has weights of shape {weight.shape}; only a matrix is supported")
        bias = _numbers(where, "bias", node.bias) if hasattr(node, "bias") else None
        return build.linear(name, where, x, weight, bias)

    def on_conv(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        if int(node.groups) != 1 or _pair(node.dilation) != (1, 1):
            raise UnsupportedError(
                f"{where} has {int(node.groups)} groups and dilation {_pair(node.dilation)}; only 1 is supported"
            )
        weight = _numbers(where, "weight", node.weight)
        padding = node.padding if isinstance(node.padding, str) else _pair(node.padding)
        zeros = symmetric_padding(where, padding, (weight.shape[2], weight.shape[3]))
        bias = _numbers(where, "bias", node.bias)
        return build.convolution(name, where, x, weight, bias, _pair(node.stride), zeros)

    def on_scale(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        scale = _numbers(where, "scale", node.scale)
        if scale.ndim == 3 and (scale == scale[:, :1, :1]).all():
            scale = scale[:, 0, 0]
        if scale.ndim != 1:
            raise UnsupportedError(f"{where} scales positions of a map differently")
        return build.affine(name, where, x, scale, np.zeros_like(scale))

    def on_pool(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        kernel = _pair(node.kernel_size)
        if _pair(node.stride) != kernel or _pair(node.padding) != (0, 0):
            raise UnsupportedError(
                f"{where} has windows of {kernel} with stride {_pair(node.stride)} and padding {_pair(node.padding)}; "
                "the stride must be the window and the padding 0"
            )
        return build.pool(name, where, x, True, kernel, total=type(node).__name__ == "SumPool2d", keep=True)

    def on_flatten(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        rank = len(x.shape or ())
        if int(node.start_dim) != 0 or int(node.end_dim) not in (-1, rank - 1):
            raise UnsupportedError(f"{where} must flatten all dimensions (start_dim 0, end_dim -1)")
        return build.flatten(x, name)

    def on_neurons(self, build: GraphBuilder, name: str, where: str, x: Value, node: Any) -> Value:
        r, threshold = np.asarray(node.r, np.float64), _numbers(where, "v_threshold", node.v_threshold)
        if type(node).__name__ == "LIF":
            # snnTorch writes Leaky(beta=1) so: tau = r * dt, both infinite, which is a neuron without a leak
            if not (np.isinf(node.tau).all() and np.isinf(r).all()):
                raise UnsupportedError(f"{where} leaks; only IF, and LIF with an infinite tau and r, are supported")
            r = np.full(threshold.shape, 1.0 / self.dt)
        r = _numbers(where, "r", r)
        if node.v_reset is not None and np.asarray(node.v_reset).any():
            raise UnsupportedError(f"{where} resets to {np.unique(node.v_reset)}; only 0 is supported")
        if not (threshold > 0.0).all() or not (r > 0.0).all():
            raise WeightError(f"{where} must have thresholds and resistances above 0")
        return build.neurons(x, Neurons(name, r, threshold, self.dt))


_NODES: dict[str, Callable[[_Importer, GraphBuilder, str, str, Value, Any], Value]] = {
    **dict.fromkeys(("Linear", "Affine"), _Importer.on_linear),
    "Conv2d": _Importer.on_conv,
    "Scale": _Importer.on_scale,
    **dict.fromkeys(("SumPool2d", "AvgPool2d"), _Importer.on_pool),
    "Flatten": _Importer.on_flatten,
    **dict.fromkeys(("IF", "LIF"), _Importer.on_neurons),
}


def _numbers(where: str, what: str, values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise WeightError(f"{where} has numbers in its {what} that are NaN or infinite")
    return array


def _pair(value: Any) -> Pair:
    values = [int(n) for n in np.asarray(value).reshape(-1)]
    return (values[0], values[-1])
