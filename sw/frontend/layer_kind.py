"""Kinds of layers of PyTorch models: what a kind is. All of them are registered in `sw.frontend.layer_kinds.LAYERS`.

A kind is one class, which knows the modules and functions of PyTorch that stand for it and what they become in the
graph (`sw.ir.graph_builder`). A layer that folds away is made of operations that the graph has, or of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import torch.fx
from torch import nn

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import Attribute, Registration, is_tuple_of
from spikeloom.sw.ir.graph_builder import GraphBuilder, Value

__all__ = ["LayerKind", "LayerKinds", "Operands", "owner"]


class Operands(Protocol):
    """What kinds of layers ask of the importer, `sw.frontend.torch_modules.Importer`: the graph being put together, and
    arguments of traced nodes.
    """

    build: GraphBuilder

    def argument(self, node: torch.fx.Node, position: int, name: str, default: Any = None) -> Any:
        """An argument, given by position or by name; what traced nodes gave in place of those nodes."""

    def activation(self, node: torch.fx.Node, position: int, where: str, name: str = "input") -> Value:
        """An argument that must be activations."""

    def parameter(self, node: torch.fx.Node, position: int, name: str, where: str) -> Any:
        """An argument that must be a parameter or buffer of the model, float64, or None."""


class LayerKind:
    """A kind of layer; it has one instance.

    modules : PyTorch's classes, or those of a user
    functions : PyTorch's functions, and names of methods, that do the same
    leaf : whether the modules' own code is not traced, as that of PyTorch's modules is not; their subclasses count, too
    own_numbers : whether it has parameters, so that each place in a model needs one of its own
    other_names : further names in the list of what is supported
    """

    modules: ClassVar[tuple[type[nn.Module], ...]] = ()
    functions: ClassVar[tuple[Any, ...]] = ()
    leaf: ClassVar[bool] = False
    own_numbers: ClassVar[bool] = False
    other_names: ClassVar[tuple[str, ...]] = ()

    def of_module(self, build: GraphBuilder, name: str, where: str, x: Value, module: Any) -> Value:
        """What a module makes of x; name : of the node, where : the place, for messages."""
        raise NotImplementedError

    def of_call(self, importer: Operands, node: torch.fx.Node, where: str) -> Value:
        """What a traced call of a function or method gives; where : the place, for messages."""
        raise NotImplementedError


_REGISTRATION = Registration(
    "layer kind",
    LayerKind,
    objects=True,
    attributes=(
        Attribute(
            "modules",
            lambda value: is_tuple_of(value, lambda item: isinstance(item, type) and issubclass(item, nn.Module)),
            "a tuple of classes of modules, such as (MyLayer,)",
        ),
        Attribute(
            "functions",
            lambda value: is_tuple_of(value, lambda item: callable(item) or isinstance(item, str)),
            "a tuple of functions and names of methods",
        ),
    ),
)


class LayerKinds:
    """All kinds of layers, in the order in which they are listed for users."""

    group = "spikeloom.layers"

    def __init__(self, *kinds: LayerKind) -> None:
        self._kinds = list(kinds)

    def register(self, kind: LayerKind) -> None:
        """Add a kind from outside of the source tree, for modules of a user's own. A class that is registered already
        is not added again. Raises `ValueError` for what is no such object, for one without modules and functions, and
        for a module or a function that a kind has.
        """
        _REGISTRATION.check(kind)
        if not kind.modules and not kind.functions:
            raise SpikeLoomError(
                f"The layer kind {type(kind).__name__} is for nothing; name its PyTorch classes in modules, or its "
                "functions in functions"
            )
        if any(type(known) is type(kind) for known in self._kinds):
            return
        for known in self._kinds:
            both = {*known.modules, *known.functions} & {*kind.modules, *kind.functions}
            if both:
                name = getattr(both.pop(), "__name__", "a method")
                raise SpikeLoomError(
                    f"The layer kind {type(kind).__name__} is for '{name}', as {type(known).__name__} is; give it "
                    "others"
                )
        self._kinds.append(kind)

    def unregister(self, kind: LayerKind) -> None:
        """Take away a kind that was registered."""
        self._kinds.remove(kind)

    def __iter__(self) -> Iterator[LayerKind]:
        load_plugins(self.group)
        return iter(tuple(self._kinds))

    def of_module(self, module: nn.Module) -> LayerKind | None:
        """The kind of a module; None if it is not supported."""
        found = (k for k in self if type(module) in k.modules or (k.leaf and isinstance(module, k.modules)))
        return next(found, None)

    def of_function(self, function: Any) -> LayerKind | None:
        """The kind of a function, or of a method by its name; None if it is none."""
        return next((kind for kind in self if function in kind.functions), None)

    def is_leaf(self, module: nn.Module) -> bool:
        """Whether a module's code is not to be traced, besides those of PyTorch."""
        kind = self.of_module(module)
        return kind is not None and kind.leaf

    @property
    def supported(self) -> str:
        """The list for users."""
        names = [n for kind in self for n in (*(module.__name__ for module in kind.modules), *kind.other_names)]
        return f"{', '.join(names)}, and their functional forms"


def owner(node: torch.fx.Node) -> str:
    """Path of the module whose code called a function, or the traced node's own name."""
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    return path or node.name
