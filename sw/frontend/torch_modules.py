"""From a `torch.nn.Module` to a `Graph`, through torch.fx.

Supported are the layers that `SUPPORTED` names, in modules nested as one likes, and the functions and methods of the
same. Anything else raises `UnsupportedError` with the operation and its place in the model: nothing is skipped in
silence. Functions and methods are in `sw.frontend.torch_functions`.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.fx
from torch import nn

from spikeloom.sw.common.errors import ArgumentTypeError, UnsupportedError
from spikeloom.sw.frontend.clipped_relu import ClippedReLU
from spikeloom.sw.frontend.model_checks import check_model, clean_name
from spikeloom.sw.frontend.remedies import root_remedy, supported_instead
from spikeloom.sw.frontend.torch_functions import FUNCTIONS
from spikeloom.sw.frontend.torch_options import adaptive_sizes, array, check_flatten, check_pool, conv_padding
from spikeloom.sw.ir.graph import Graph, Rectifier
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["SUPPORTED", "Importer", "import_torch"]

SUPPORTED = (
    "Linear, Conv2d, ReLU, ClippedReLU, BatchNorm1d, BatchNorm2d, AvgPool2d, MaxPool2d, AdaptiveAvgPool2d, Flatten, "
    "Unflatten, Dropout, Dropout2d, Identity, additions, and their functional forms"
)


def import_torch(model: nn.Module, image_shape: tuple[int, ...] | None = None) -> Graph:
    """The model as in evaluation: batch norms with running statistics, dropout gone.

    Parameters
    ----------
    image_shape : of the images that there are, without the batch: (channels, height, width), (height, width), or
        (pixels,). Dense models do without

    Raises `TypeError` for anything but a module, `UnsupportedError` for what the chip does not have, `WeightError` for
    parameters that are not finite.
    """
    if not isinstance(model, nn.Module):
        raise ArgumentTypeError(f"The model must be a torch.nn.Module, not {type(model).__name__}")
    wrapped = root_remedy(model)
    if wrapped is not None:
        raise UnsupportedError(f"The model {type(model).__name__} {wrapped}")
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
    return Importer(root, fx_graph, image_shape).run()


def _is_leaf(module: nn.Module) -> bool:
    return isinstance(module, ClippedReLU)


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_leaf(m) or super().is_leaf_module(m, module_qualified_name)


class Importer:
    """Walks the traced nodes, and keeps what each gives: a `Value`, a number or tuple of numbers, or a parameter.

    `build` puts the graph together; functions and methods ask for `argument`, `activation` and `parameter`.
    """

    def __init__(self, root: nn.Module, graph: torch.fx.Graph, image_shape: tuple[int, ...] | None) -> None:
        self.root, self.graph = root, graph
        self.build = GraphBuilder(image_shape)
        self.given: dict[torch.fx.Node, Any] = {}
        self._seen: dict[int, str] = {}
        self._input: torch.fx.Node | None = None

    def run(self) -> Graph:
        for node in self.graph.nodes:
            if node.op == "placeholder":
                if self._input is not None:
                    raise UnsupportedError(
                        f"The model has a second input, '{node.name}'; only one, the images, is supported"
                    )
                self._input = node
                self.given[node] = self.build.image
            elif node.op == "get_attr":
                continue  # a parameter, looked at where it is used
            elif node.op == "output":
                output = self.given.get(node.args[0]) if isinstance(node.args[0], torch.fx.Node) else None
                if not isinstance(output, Value):
                    raise UnsupportedError(
                        "The model's output must be the one result of its last layer, a number per class; return it "
                        "alone"
                    )
                self._check_all_used()
                return self.build.graph(output)
            elif self._input is None:
                raise UnsupportedError("The model's forward() takes no input; it must take the images")
            elif node.op == "call_module":
                self.given[node] = self._module(node, self.root.get_submodule(str(node.target)), place(node))
            else:
                handler = FUNCTIONS.get(node.target)
                if handler is None:
                    raise UnsupportedError(
                        f"{place(node)} is not supported; supported are {SUPPORTED}{supported_instead(node.target)}"
                    )
                self.given[node] = handler(self, node, place(node))
        raise AssertionError("a traced graph has an output")

    def _check_all_used(self) -> None:
        """A result that is thrown away may stand for a change in place, which the trace does not show."""
        for node, value in self.given.items():
            if isinstance(value, Value) and not node.users and node.op != "placeholder":
                raise UnsupportedError(f"{place(node)} computes a result that is not used; assign it, or remove it")

    def _module(self, node: torch.fx.Node, module: nn.Module, where: str) -> Value:
        name = clean_name(str(node.target))
        if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d):
            if id(module) in self._seen:
                raise UnsupportedError(
                    f"{where} is used a second time (first as '{self._seen[id(module)]}'); layers cannot be shared, "
                    "give each place one of its own"
                )
            self._seen[id(module)] = name
        if type(module) not in _MODULES and not _is_leaf(module):
            raise UnsupportedError(f"{where} is not supported; supported are {SUPPORTED}{supported_instead(module)}")
        x = self.activation(node, 0, where)
        kind, build = type(module), self.build
        if kind is nn.Linear:
            return build.linear(name, where, x, array(module.weight), _optional(module.bias))
        if kind is nn.Conv2d:
            stride, padding = conv_padding(where, module)
            return build.convolution(name, where, x, array(module.weight), _optional(module.bias), stride, padding)
        if kind in (nn.BatchNorm1d, nn.BatchNorm2d):
            return self._batch_norm(name, where, x, module)
        if kind is nn.ReLU:
            return build.rectifier(x, Rectifier(name))
        if isinstance(module, ClippedReLU):
            return build.rectifier(x, Rectifier(name, module.clip, module.levels))
        if kind in (nn.AvgPool2d, nn.MaxPool2d):
            return build.pool(name, where, x, kind is nn.AvgPool2d, check_pool(where, vars(module)))
        if kind is nn.AdaptiveAvgPool2d:
            return build.adaptive_average(name, where, x, adaptive_sizes(module.output_size))
        if kind is nn.Flatten:
            check_flatten(where, x, module.start_dim, module.end_dim)
            return build.flatten(x)
        if kind is nn.Unflatten:
            if module.dim != 1 or not all(isinstance(size, int) for size in module.unflattened_size):
                raise UnsupportedError(f"{where} must unflatten dimension 1 to channels, height and width")
            return build.unflatten(where, x, tuple(module.unflattened_size))
        return x  # Dropout, Dropout2d, Identity

    def _batch_norm(self, name: str, where: str, x: Value, module: Any) -> Value:
        if module.running_mean is None or module.running_var is None:
            raise UnsupportedError(
                f"{where} keeps no running statistics (track_running_stats=False), so it cannot be folded; train it "
                "with them"
            )
        gamma, beta = (array(module.weight), array(module.bias)) if module.affine else (None, None)
        statistics = array(module.running_mean), array(module.running_var)
        maps = type(module) is nn.BatchNorm2d
        return self.build.batch_norm(name, where, x, statistics, gamma, beta, module.eps, maps)

    # what functions and methods ask for

    def argument(self, node: torch.fx.Node, position: int, name: str, default: Any = None) -> Any:
        """An argument, given by position or by name; what traced nodes gave in the place of those nodes."""
        found = node.args[position] if len(node.args) > position else node.kwargs.get(name, default)
        return torch.fx.node.map_arg(found, lambda inner: self.given.get(inner, inner))

    def activation(self, node: torch.fx.Node, position: int, where: str, name: str = "input") -> Value:
        """An argument that must be activations."""
        found = self.argument(node, position, name)
        if not isinstance(found, Value):
            raise UnsupportedError(f"{where} must work on the images or on what a layer made of them")
        return found

    def parameter(self, node: torch.fx.Node, position: int, name: str, where: str) -> Any:
        """An argument that must be a parameter or buffer of the model, float64, or None."""
        found = self.argument(node, position, name)
        if found is None:
            return None
        if not isinstance(found, torch.fx.Node) or found.op != "get_attr":
            raise UnsupportedError(f"{where} must take its numbers straight from parameters and buffers of the model")
        path, _, attribute = str(found.target).rpartition(".")
        tensor = getattr(self.root.get_submodule(path), attribute)
        if id(tensor) in self._seen:
            raise UnsupportedError(
                f"{where} uses parameter '{found.target}' a second time; layers cannot be shared, give "
                "each place its own"
            )
        self._seen[id(tensor)] = str(found.target)
        return array(tensor)


_MODULES = (
    nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.ReLU, nn.AvgPool2d, nn.MaxPool2d,
    nn.AdaptiveAvgPool2d, nn.Flatten, nn.Unflatten, nn.Dropout, nn.Dropout2d, nn.Identity,
)  # fmt: skip


def place(node: torch.fx.Node) -> str:
    """The operation and where it is, for messages."""
    if node.op == "call_module":
        kind = list((node.meta.get("nn_module_stack") or {"": ("", nn.Module)}).values())[-1][1]
        return f"Layer '{clean_name(str(node.target))}' ({kind.__name__})"
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    where = f"in module '{stack[-1][0]}'" if stack and stack[-1][0] else "in the model's forward()"
    return f"Operation '{target}' (node '{node.name}', {where})"


def _optional(tensor: Any) -> Any:
    return None if tensor is None else array(tensor)
