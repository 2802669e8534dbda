"""A network as a handful of frozen dataclasses: what the importer makes, and what the passes hand on.

The importer gives `Linear`, `Affine` (a batch norm) and `Rectifier` nodes in the order of the model; `sw.passes.fold`
turns them into one `Dense` a layer, and everything after works on those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Affine", "Dense", "Graph", "Linear", "Network", "Node", "Rectifier", "rectified"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Linear:
    """y = weight @ x + bias; weight float64 [outputs, inputs], bias float64 [outputs]."""

    name: str
    weight: Floats
    bias: Floats


@dataclass(frozen=True, eq=False)
class Affine:
    """y = scale * x + shift, elementwise: a batch norm in evaluation; both float64 [features]."""

    name: str
    scale: Floats
    shift: Floats


@dataclass(frozen=True)
class Rectifier:
    """y = min(max(x, 0), clip), rounded to `levels` equal steps of clip if levels > 0 (see `rectified`)."""

    name: str
    clip: float = math.inf
    levels: int = 0


Node = Linear | Affine | Rectifier


@dataclass(frozen=True, eq=False)
class Graph:
    """The model as imported: number of inputs (pixels) and the nodes, first to last."""

    inputs: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer: weights, bias, and its rectifier (None on a last layer without one)."""

    name: str
    weight: Floats
    bias: Floats
    rectifier: Rectifier | None

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers, first to last; every layer but the last has a rectifier."""

    layers: tuple[Dense, ...]

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    def activations(self, images: NDArray[np.uint8]) -> Iterator[Floats]:
        """Output of every layer, float64 [images, outputs], for uint8 images [images, inputs]; input is pixel / 255."""
        x: Floats = images.astype(np.float64) / 255.0
        for layer in self.layers:
            with np.errstate(over="ignore", invalid="ignore"):  # infinite activations are an error of `normalise`
                x = x @ layer.weight.T + layer.bias
            if layer.rectifier is not None:
                x = rectified(x, layer.rectifier)
            yield x

    def classes(self, images: NDArray[np.uint8], batch: int = 2048) -> NDArray[np.int64]:
        """Arg max of the last layer, int64 [images]."""
        parts = []
        for start in range(0, len(images), batch):
            *_, last = self.activations(images[start : start + batch])
            parts.append(np.argmax(last, axis=1))
        return np.concatenate(parts)


def rectified(x: Floats, rectifier: Rectifier) -> Floats:
    """The rectifier's function: max(x, 0), or floor(x L / c + 1/2) c / L limited to 0 .. c for L levels and clip c.

    The rounded form is what an integrate-and-fire neuron that starts at half a threshold gives after L steps of
    constant input (Bu et al., "Optimal ANN-SNN conversion", ICLR 2022, eq. 8).
    """
    if rectifier.levels:
        step = rectifier.clip / rectifier.levels
        x = np.floor(x / step + 0.5) * step
    return np.clip(x, 0.0, rectifier.clip)
