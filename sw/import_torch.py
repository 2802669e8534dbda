"""From a `torch.nn.Module` to a `Graph`, through torch.fx.

Supported: Linear, ReLU, `sw.layers.ClippedReLU`, Dropout, Flatten, Identity, BatchNorm1d (with its running statistics),
in modules nested as one likes, and the functions and methods of the same. Anything else raises `UnsupportedError` with
the operation and its place in the model: nothing is skipped in silence.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.fx
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from sw.errors import UnsupportedError, WeightError
from sw.graph import Affine, Graph, Linear, Node, Rectifier
from sw.layers import ClippedReLU
from sw.model_checks import check_model, clean_name

__all__ = ["import_torch"]

SUPPORTED = "Linear, ReLU, ClippedReLU, Dropout, Flatten, Identity and BatchNorm1d"


def import_torch(model: nn.Module) -> Graph:
    """The model's layers in order; batch norms as in evaluation, dropout gone.

    Raises `TypeError` for anything but a module, `UnsupportedError` for what the chip does not have, `WeightError` for
    parameters that are not finite.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"The model must be a torch.nn.Module, not {type(model).__name__}")
    check_model(model)
    model = copy.deepcopy(model).cpu().eval()
    root = nn.Sequential(model) if _Tracer().is_leaf_module(model, "") else model
    try:
        fx_graph = _Tracer().trace(root)
    except Exception as error:  # torch.fx raises whatever the model's own code raises
        raise UnsupportedError(
            f"The model {type(model).__name__} cannot be traced by torch.fx, which needs a forward() without decisions "
            f"on values ({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error
    return _Importer(root, fx_graph).run()


def _is_leaf(module: nn.Module) -> bool:
    return isinstance(module, ClippedReLU)


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_leaf(m) or super().is_leaf_module(m, module_qualified_name)


class _Importer:
    """Walks the traced nodes along the one path from the input to the output.

    `value` is the traced node that carries the activations now, `carried` are all that have, `features` is their number
    if known.
    """

    def __init__(self, root: nn.Module, graph: torch.fx.Graph) -> None:
        self.root, self.graph = root, graph
        self.nodes: list[Node] = []
        self.value: torch.fx.Node | None = None
        self.features: int | None = None
        self.seen: dict[int, str] = {}
        self.carried: set[torch.fx.Node] = set()
        self.batch_sizes: set[torch.fx.Node] = set()
        self.shapes: set[torch.fx.Node] = set()

    def run(self) -> Graph:
        for node in self.graph.nodes:
            if node.op == "placeholder":
                if self.value is not None:
                    raise UnsupportedError(f"The model has a second input, '{node.name}'; one is supported")
                self.value = node
                self.carried.add(node)
            elif node.op == "output":
                if node.args[0] is not self.value:
                    raise UnsupportedError("The model's output must be the one result of its last layer")
            elif node.op == "get_attr":
                continue  # a parameter, looked at where it is used
            elif not self._is_batch_size(node):
                self._step(node)
        linear = [node for node in self.nodes if isinstance(node, Linear)]
        if not linear:
            raise UnsupportedError("The model has no Linear layer")
        return Graph(linear[0].weight.shape[1], tuple(self.nodes))

    def _step(self, node: torch.fx.Node) -> None:
        """One operation of the activations."""
        place = _place(node)
        if self.value is None:
            raise UnsupportedError("The model's forward() takes no input; it must take the images")
        inputs = [arg for arg in node.all_input_nodes if arg.op != "get_attr" and arg not in self.batch_sizes]
        if inputs != [self.value]:
            raise UnsupportedError(
                f"{place} joins or branches the activations; layers must follow one another in a single path"
            )
        if node.op == "call_module":
            self._module(node, self.root.get_submodule(str(node.target)), place)
        else:
            handler = _FUNCTIONS.get(node.target)
            if handler is None:
                raise UnsupportedError(
                    f"{place} is not supported; supported are {SUPPORTED} and their functional forms"
                )
            handler(self, node, place)
        self.value = node
        self.carried.add(node)

    def _module(self, node: torch.fx.Node, module: nn.Module, place: str) -> None:
        name = clean_name(str(node.target))
        stateful = isinstance(module, nn.Linear | nn.BatchNorm1d)
        if stateful and id(module) in self.seen:
            raise UnsupportedError(
                f"{place} is used a second time (first as '{self.seen[id(module)]}'); layers cannot be shared"
            )
        self.seen[id(module)] = name
        kind = type(module)
        if kind is nn.Linear:
            self._linear(name, place, _array(module.weight), None if module.bias is None else _array(module.bias))
        elif kind is nn.BatchNorm1d:
            self._module_batch_norm(name, place, module)
        elif kind is nn.ReLU:
            self.nodes.append(Rectifier(name))
        elif isinstance(module, ClippedReLU):
            self.nodes.append(Rectifier(name, module.clip, module.levels))
        elif kind is nn.Flatten:
            self._check_flatten(place, module.start_dim, module.end_dim)
        elif kind not in (nn.Dropout, nn.Identity):
            raise UnsupportedError(f"{place} is not supported; supported are {SUPPORTED} and their functional forms")

    def _linear(self, name: str, place: str, weight: NDArray, bias: NDArray | None) -> None:
        outputs, inputs = weight.shape
        if not outputs or not inputs:
            raise UnsupportedError(f"{place} must have at least one input and one output, not {inputs} and {outputs}")
        if self.features not in (None, inputs):
            raise UnsupportedError(f"{place} has {inputs} inputs, but gets {self.features} values")
        self.features = outputs
        self.nodes.append(Linear(name, weight, np.zeros(outputs) if bias is None else bias))

    def _module_batch_norm(self, name: str, place: str, module: Any) -> None:
        if module.running_mean is None or module.running_var is None:
            raise UnsupportedError(
                f"{place} keeps no running statistics (track_running_stats=False), so it cannot be folded"
            )
        gamma, beta = (_array(module.weight), _array(module.bias)) if module.affine else (None, None)
        self._batch_norm(name, place, _array(module.running_mean), _array(module.running_var), gamma, beta, module.eps)

    def _batch_norm(
        self,
        name: str,
        place: str,
        mean: NDArray[np.float64],
        variance: NDArray[np.float64],
        gamma: NDArray[np.float64] | None,
        beta: NDArray[np.float64] | None,
        eps: float,
    ) -> None:
        variance = variance + eps
        if not (variance > 0.0).all():
            raise WeightError(f"{place} must have a running variance above 0, not {float(variance.min())!r}")
        scale = 1.0 / np.sqrt(variance)
        shift = -mean * scale
        if gamma is not None:
            scale, shift = scale * gamma, shift * gamma
        if beta is not None:
            shift = shift + beta
        self.nodes.append(Affine(name, scale, shift))

    def _check_flatten(self, place: str, start: Any, end: Any) -> None:
        if start != 1 or end not in (-1, 1):
            raise UnsupportedError(f"{place} must flatten all but the first dimension (start_dim 1, end_dim -1)")

    def _is_batch_size(self, node: torch.fx.Node) -> bool:
        """x.size(0), x.size()[0] and x.shape[0] are numbers for a later x.view(...), not operations."""
        source = node.args[0] if node.args else None
        if node.target == "size" and source in self.carried:
            (self.batch_sizes if _argument(node, 1, "dim", None) == 0 else self.shapes).add(node)
        elif node.target is getattr and source in self.carried and node.args[1] == "shape":
            self.shapes.add(node)
        elif node.target is operator.getitem and source in self.shapes and node.args[1] == 0:
            self.batch_sizes.add(node)
        else:
            return False
        return True

    # functions and methods, by their target

    def _on_relu(self, node: torch.fx.Node, place: str) -> None:
        self.nodes.append(Rectifier(node.name))

    def _on_nothing(self, node: torch.fx.Node, place: str) -> None:
        if node.target is F.dropout and _argument(node, 2, "training", True):
            raise UnsupportedError(f"{place} drops activations in evaluation too; pass training=self.training")

    def _on_linear(self, node: torch.fx.Node, place: str) -> None:
        weight, bias = _argument(node, 1, "weight", None), _argument(node, 2, "bias", None)
        weight = self._parameter(weight, place)
        self._linear(_owner(node), place, weight, None if bias is None else self._parameter(bias, place))

    def _on_batch_norm(self, node: torch.fx.Node, place: str) -> None:
        names = ("running_mean", "running_var", "weight", "bias")
        values = [_argument(node, position, name, None) for position, name in enumerate(names, 1)]
        if _argument(node, 5, "training", False):
            raise UnsupportedError(f"{place} uses the batch's own statistics; pass training=self.training")
        if values[0] is None or values[1] is None:
            raise UnsupportedError(f"{place} keeps no running statistics, so it cannot be folded")
        mean, variance, gamma, beta = (None if value is None else self._parameter(value, place) for value in values)
        assert mean is not None and variance is not None
        eps = float(_argument(node, 7, "eps", 1e-5))
        self._batch_norm(node.name, place, mean, variance, gamma, beta, eps)

    def _parameter(self, arg: Any, place: str) -> NDArray[np.float64]:
        if not isinstance(arg, torch.fx.Node) or arg.op != "get_attr":
            raise UnsupportedError(f"{place} must take its numbers straight from parameters and buffers of the model")
        path, _, name = str(arg.target).rpartition(".")
        tensor = getattr(self.root.get_submodule(path), name)
        if id(tensor) in self.seen:
            raise UnsupportedError(f"{place} uses parameter '{arg.target}' a second time; layers cannot be shared")
        self.seen[id(tensor)] = str(arg.target)
        return _array(tensor)

    def _on_flatten(self, node: torch.fx.Node, place: str) -> None:
        start, end = _argument(node, 1, "start_dim", 0), _argument(node, 2, "end_dim", -1)
        self._check_flatten(place, start, end)

    def _on_view(self, node: torch.fx.Node, place: str) -> None:
        sizes = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], tuple | list) else node.args[1:]
        first, last = sizes if len(sizes) == 2 else (None, None)
        keeps_images = first in self.batch_sizes or (first == -1 and last != -1)
        if keeps_images and isinstance(last, int):
            if last != -1:
                if self.features not in (None, last):
                    raise UnsupportedError(f"{place} reshapes {self.features} values to {last}")
                self.features = last
            return
        raise UnsupportedError(
            f"{place} must keep the images apart and make each one flat, as in x.view(x.size(0), -1)"
        )


_FUNCTIONS: dict[Any, Callable[[_Importer, torch.fx.Node, str], None]] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, F.relu_, "relu", "relu_"), _Importer._on_relu),
    F.dropout: _Importer._on_nothing,
    "contiguous": _Importer._on_nothing,
    F.linear: _Importer._on_linear,
    F.batch_norm: _Importer._on_batch_norm,
    **dict.fromkeys((torch.flatten, "flatten"), _Importer._on_flatten),
    **dict.fromkeys(("view", "reshape", torch.reshape), _Importer._on_view),
}


def _argument(node: torch.fx.Node, position: int, name: str, default: Any) -> Any:
    """An argument, given by position or by name."""
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _owner(node: torch.fx.Node) -> str:
    """Path of the module whose code called the function, or the traced node's own name."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return path or node.name


def _place(node: torch.fx.Node) -> str:
    """The operation and where it is, for messages."""
    if node.op == "call_module":
        kind = list((node.meta.get("nn_module_stack") or {"": ("", nn.Module)}).values())[-1][1]
        return f"Layer '{clean_name(str(node.target))}' ({kind.__name__})"
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    where = f"in module '{stack[-1][0]}'" if stack and stack[-1][0] else "in the model's forward()"
    return f"Operation '{target}' (node '{node.name}', {where})"


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return tensor.detach().to(torch.float64).numpy()
