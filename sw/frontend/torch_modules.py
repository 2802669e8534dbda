"""From a `torch.nn.Module` to a `Graph`, through torch.fx.

Supported are the kinds of layers of `sw.frontend.layer_kinds.LAYERS`, in modules nested as one likes, the functions and
methods of the same, and sizes (`sw.frontend.traced_sizes`). Anything else raises `UnsupportedError` with the operation
and its place in the model: nothing is skipped in silence.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.fx
from torch import nn

from spikeloom.sw.common.errors import ArgumentTypeError, UnsupportedError
from spikeloom.sw.frontend.layer_kinds import LAYERS
from spikeloom.sw.frontend.model_checks import check_model, clean_name
from spikeloom.sw.frontend.remedies import root_remedy, supported_instead
from spikeloom.sw.frontend.torch_options import array
from spikeloom.sw.frontend.traced_sizes import SIZES
from spikeloom.sw.ir.graph import Graph
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["Importer", "import_torch"]


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


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return LAYERS.is_leaf(m) or super().is_leaf_module(m, module_qualified_name)


class Importer:
    """Walks the traced nodes, and keeps what each gives: a `Value`, a number or tuple of numbers, or a parameter.

    `build` puts the graph together; kinds of layers ask for `argument`, `activation` and `parameter`.
    """

    def __init__(self, root: nn.Module, graph: torch.fx.Graph, image_shape: tuple[int, ...] | None) -> None:
        self.root, self.graph = root, graph
        self.build = GraphBuilder(image_shape)
        self.values: dict[torch.fx.Node, Any] = {}
        self._seen: dict[int, str] = {}
        self._input: torch.fx.Node | None = None

    def run(self) -> Graph:
        """The graph of the traced model; raises `UnsupportedError` for what the chip cannot do."""
        for node in self.graph.nodes:
            if node.op == "placeholder":
                if self._input is not None:
                    raise UnsupportedError(
                        f"The model has a second input, '{node.name}'; only one, the images, is supported"
                    )
                self._input = node
                self.values[node] = self.build.input
            elif node.op == "get_attr":
                continue  # a parameter, looked at where it is used
            elif node.op == "output":
                output = self.values.get(node.args[0]) if isinstance(node.args[0], torch.fx.Node) else None
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
                self.values[node] = self._module(node, self.root.get_submodule(str(node.target)), place(node))
            else:
                self.values[node] = self._call(node, place(node))
        raise AssertionError("a traced graph has an output")

    def _check_all_used(self) -> None:
        """A result that is thrown away may stand for a change in place, which the trace does not show."""
        for node, value in self.values.items():
            if isinstance(value, Value) and not node.users and node.op != "placeholder":
                raise UnsupportedError(f"{place(node)} computes a result that is not used; assign it, or remove it")

    def _module(self, node: torch.fx.Node, module: nn.Module, where: str) -> Value:
        kind = LAYERS.of_module(module)
        if kind is None:
            raise UnsupportedError(
                f"{where} is not supported; supported are {LAYERS.supported}{supported_instead(module)}"
            )
        name = clean_name(str(node.target))
        if kind.own_numbers:
            if id(module) in self._seen:
                raise UnsupportedError(
                    f"{where} is used a second time (first as '{self._seen[id(module)]}'); layers cannot be shared, "
                    "give each place one of its own"
                )
            self._seen[id(module)] = name
        return kind.of_module(self.build, name, where, self.activation(node, 0, where), module)

    def _call(self, node: torch.fx.Node, where: str) -> Any:
        kind = LAYERS.of_function(node.target)
        if kind is not None:
            return kind.of_call(self, node, where)
        handler = SIZES.get(node.target)
        if handler is None:
            raise UnsupportedError(
                f"{where} is not supported; supported are {LAYERS.supported}{supported_instead(node.target)}"
            )
        return handler(self, node, where)

    # what kinds of layers ask for

    def argument(self, node: torch.fx.Node, position: int, name: str, default: Any = None) -> Any:
        """An argument, given by position or by name; what traced nodes gave in place of those nodes."""
        found = node.args[position] if len(node.args) > position else node.kwargs.get(name, default)
        return torch.fx.node.map_arg(found, lambda inner: self.values.get(inner, inner))

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


def place(node: torch.fx.Node) -> str:
    """The operation and where it is, for messages."""
    if node.op == "call_module":
        kind = list((node.meta.get("nn_module_stack") or {"": ("", nn.Module)}).values())[-1][1]
        return f"Layer '{clean_name(str(node.target))}' ({kind.__name__})"
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    where = f"in module '{stack[-1][0]}'" if stack and stack[-1][0] else "in the model's forward()"
    return f"Operation '{target}' (node '{node.name}', {where})"
