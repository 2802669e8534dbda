"""What a traced model may compute with sizes: functions and methods that are no layers.

A handler is called with the importer, the traced node, and the operation's place for messages, and gives what the node
gives: a number or tuple of numbers, or a `Value` where positions of a map are left out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch.fx

from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.frontend.layer_kinds import Operands
from spikeloom.sw.frontend.remedies import supported_instead
from spikeloom.sw.ir.graph_builder import Value

__all__ = ["BATCH", "SIZES"]

BATCH = "batch"
"""Stands for the number of images, which a model may pass on but not compute with."""


def _of_sizes(function: Callable[[int, int], int]) -> Callable[[Operands, torch.fx.Node, str], Any]:
    def handler(importer: Operands, node: torch.fx.Node, where: str) -> Any:
        a, b = importer.argument(node, 0, "input"), importer.argument(node, 1, "other")
        if isinstance(a, int) and isinstance(b, int):
            return function(a, b)
        remedy = supported_instead(node.target)
        raise UnsupportedError(f"{where} is not supported but between sizes, which are whole numbers{remedy}")

    return handler


def _size(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    """x.size(), x.size(n) and x.shape: the number of images is a name, the others are numbers."""
    sizes = (BATCH, *(importer.activation(node, 0, where).shape or ()))
    dim = importer.argument(node, 1, "dim") if node.target == "size" else None
    return sizes if dim is None else _item(sizes, dim, where)


def _getattr(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    if node.args[1] != "shape":
        raise UnsupportedError(f"{where} reads '{node.args[1]}', which is not supported; 'shape' is")
    return _size(importer, node, where)


def _getitem(importer: Operands, node: torch.fx.Node, where: str) -> Any:
    source, index = importer.argument(node, 0, ""), importer.argument(node, 1, "")
    if isinstance(source, tuple):
        return _item(source, index, where)
    steps = [_step(part) for part in index] if isinstance(index, tuple) else []
    if not isinstance(source, Value) or len(steps) != 4 or None in steps or steps[:2] != [1, 1]:
        raise UnsupportedError(
            f"{where} is not supported but for sizes, as in x.shape[0], and to leave out positions, as in x[:, :, ::2, "
            "::2]"
        )
    return importer.build.subsample(node.name, where, source, (steps[2] or 1, steps[3] or 1))


def _step(part: Any) -> int | None:
    """n of a slice ::n, 1 of a slice :; None for anything else."""
    whole = isinstance(part, slice) and part.start in (None, 0) and part.stop is None
    step = (1 if part.step is None else part.step) if whole else None
    return step if isinstance(step, int) and step > 0 else None


def _item(sizes: tuple[Any, ...], index: Any, where: str) -> Any:
    try:
        return sizes[index]
    except (IndexError, TypeError):
        raise UnsupportedError(f"{where} asks for size {index} of {len(sizes)} that are known") from None


SIZES: dict[Any, Callable[[Operands, torch.fx.Node, str], Any]] = {
    operator.mul: _of_sizes(operator.mul),
    operator.floordiv: _of_sizes(operator.floordiv),
    "size": _size,
    getattr: _getattr,
    operator.getitem: _getitem,
}
"""What each function or method's name stands for."""
