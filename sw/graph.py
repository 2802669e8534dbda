"""A network as a handful of frozen dataclasses: what an importer makes, and what the passes hand on.

An importer gives a `Graph`: nodes that are functions of maps, and which node reads which. `sw.passes.fold` turns it
into a `Network` of crossbar layers and pooling units, and everything after works on that.

Values of a map are in the order of the hardware (`hw.geometry`): position * channels + channel, position = y * width +
x. Pixels and the columns of an imported `Linear` are in PyTorch's: (channel * height + y) * width + x.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.geometry import CrossbarStage, MapShape, Plan, Pooling, PoolStage, Window
from sw.windows import WindowReader, map_order, pool_blocks

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Convolution",
    "Graph",
    "Layer",
    "Linear",
    "MaxPool",
    "Network",
    "Node",
    "Pool",
    "Rectifier",
    "Subsample",
    "rectified",
]

Floats = NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Linear:
    """y = weight @ x + bias; weight float64 [outputs, inputs], bias float64 [outputs]."""

    name: str
    weight: Floats
    bias: Floats


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation; weight float64 [outputs, channels, height, width], bias float64 [outputs], zeros around."""

    name: str
    weight: Floats
    bias: Floats
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def window(self, source: int) -> Window:
        kernel = (self.weight.shape[2], self.weight.shape[3])
        return Window(source=source, kernel=kernel, stride=self.stride, padding=self.padding)


@dataclass(frozen=True, eq=False)
class Affine:
    """y = scale * x + shift: a batch norm in evaluation; both float64, one a channel, or one a value in PyTorch's
    order.
    """

    name: str
    scale: Floats
    shift: Floats


@dataclass(frozen=True)
class Rectifier:
    """y = min(max(x, 0), clip), rounded to `levels` equal steps of clip if levels > 0 (see `rectified`)."""

    name: str
    clip: float = math.inf
    levels: int = 0


@dataclass(frozen=True)
class AveragePool:
    """Mean of windows of `kernel` values that do not overlap, a channel on its own; a rest at the rim is left out."""

    name: str
    kernel: Pair


@dataclass(frozen=True)
class MaxPool:
    """Largest of the windows of `AveragePool`."""

    name: str
    kernel: Pair


@dataclass(frozen=True)
class Subsample:
    """Every stride-th position, and channels of zeros around: a residual network's shortcut without weights."""

    name: str
    stride: Pair = (1, 1)
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Add:
    """Sum of two maps of one shape."""

    name: str


Node = Linear | Convolution | Affine | Rectifier | AveragePool | MaxPool | Subsample | Add


@dataclass(frozen=True, eq=False)
class Graph:
    """The model as imported.

    Parameters
    ----------
    image : shape of an image; all pixels are channels of one position where the model takes flat images
    nodes : in an order in which each comes after what it reads; the last is the output
    sources : what each node reads: 0 is the image, n + 1 is node n
    input_shape : of an image as the model takes it, without the batch; flat if not given
    """

    image: MapShape
    nodes: tuple[Node, ...]
    sources: tuple[tuple[int, ...], ...]
    input_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.nodes) != len(self.sources):
            raise ValueError(f"There are {len(self.nodes)} nodes, but sources of {len(self.sources)}")
        for number, (node, sources) in enumerate(zip(self.nodes, self.sources, strict=True)):
            if len(sources) != (2 if isinstance(node, Add) else 1) or not all(0 <= s <= number for s in sources):
                raise ValueError(f"Node '{node.name}' (number {number + 1}) cannot read {sources}")
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (self.image.size,))

    @classmethod
    def chain(cls, image: MapShape, nodes: tuple[Node, ...]) -> Graph:
        """Nodes that each read the one before."""
        return cls(image, nodes, tuple((number,) for number in range(len(nodes))))

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.image.size

    def readers(self, number: int) -> list[str]:
        """Names of the nodes that read the image (0) or node `number` - 1."""
        return [
            node.name for node, sources in zip(self.nodes, self.sources, strict=True) for s in sources if s == number
        ]


@dataclass(frozen=True, eq=False)
class Layer:
    """A crossbar and its neurons.

    Parameters
    ----------
    weight : float64 [outputs, rows], rows in the order of `hw.geometry`: windows, dy, dx, channel
    bias : float64 [outputs]
    rectifier : None on a last layer without one
    windows : what the rows read, by the numbers of maps: 0 is the image, s + 1 what stage s makes
    """

    name: str
    weight: Floats
    bias: Floats
    rectifier: Rectifier | None
    windows: tuple[Window, ...]

    @property
    def inputs(self) -> int:
        """Crossbar rows."""
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]


@dataclass(frozen=True)
class Pool:
    """A pooling unit on spikes."""

    name: str
    kind: Pooling
    window: Window


@dataclass(frozen=True, eq=False)
class Network:
    """Crossbar layers and pooling units, first to last; every layer but the last has a rectifier.

    image, input_shape : as in `Graph`
    """

    image: MapShape
    stages: tuple[Layer | Pool, ...]
    input_shape: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (self.image.size,))

    @classmethod
    def dense(cls, *layers: tuple[str, Floats, Floats, Rectifier | None]) -> Network:
        """Layers of (name, weight, bias, rectifier) that each read all outputs of the one before."""
        stages = tuple(Layer(*layer, (Window(source=number),)) for number, layer in enumerate(layers))
        return cls(MapShape(channels=stages[0].inputs), stages)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The crossbar layers alone."""
        return tuple(stage for stage in self.stages if isinstance(stage, Layer))

    @cached_property
    def plan(self) -> Plan:
        """What every stage reads; average pooling starts at 0."""
        stages: list[CrossbarStage | PoolStage] = []
        for stage in self.stages:
            if isinstance(stage, Pool):
                stages.append(PoolStage(kind=stage.kind, window=stage.window))
            else:
                number = sum(isinstance(earlier, CrossbarStage) for earlier in stages)
                stages.append(CrossbarStage(layer=number, windows=stage.windows))
        return Plan(image=self.image, stages=tuple(stages), channels=tuple(layer.outputs for layer in self.layers))

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.image.size

    def activations(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.floating]]:
        """What every stage makes, [images, values], for uint8 images [images, inputs]; input is pixel / 255.

        float64; float32 from the first window that is not a whole map on.
        """
        plan = self.plan
        x: NDArray[np.floating] = map_order(images, self.image).astype(np.float64) / 255.0
        last_use = {s: n for n, stage in enumerate(plan.stages) for s in _sources(stage)}
        maps: list[NDArray[np.floating] | None] = [x]
        for number, (stage, made) in enumerate(zip(self.stages, plan.stages, strict=True)):
            if isinstance(stage, Pool):
                source = maps[stage.window.source]
                assert source is not None
                blocks = pool_blocks(source, plan.maps[stage.window.source], stage.window.kernel)
                pooled = blocks.max(axis=3) if stage.kind == Pooling.MAX else blocks.mean(axis=3)
                x = pooled.reshape(len(images), -1)
            else:
                assert isinstance(made, CrossbarStage)
                reader = WindowReader(plan, made)
                with np.errstate(over="ignore", invalid="ignore"):  # infinite activations are an error of `normalise`
                    x = reader.sums(maps, reader.kernels(stage.weight.T)) + reader.spread(stage.bias)
                if stage.rectifier is not None:
                    x = rectified(x, stage.rectifier)
            yield x
            maps.append(x)
            for source_map in _sources(made):
                if last_use[source_map] == number:
                    maps[source_map] = None

    def outputs(self, images: NDArray[np.uint8], batch: int = 0) -> NDArray[np.floating]:
        """What the last layer makes, [images, classes]; `batch` images at a time, by default as fit into 256 MB."""
        size = batch or self.batch
        return np.concatenate([self._last(images[start : start + size]) for start in range(0, len(images), size)])

    def classes(self, images: NDArray[np.uint8], batch: int = 0) -> NDArray[np.int64]:
        """Arg max of the last layer, int64 [images]."""
        return np.argmax(self.outputs(images, batch), axis=1)

    @property
    def batch(self) -> int:
        """Images whose two largest maps fit into 256 MB, at most 2048."""
        return min(2048, max(1, (1 << 24) // max(shape.size for shape in self.plan.maps)))

    def _last(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        *_, last = self.activations(images)
        return last


def _sources(stage: CrossbarStage | PoolStage) -> set[int]:
    windows = stage.windows if isinstance(stage, CrossbarStage) else (stage.window,)
    return {window.source for window in windows}


def rectified(x: NDArray[np.floating], rectifier: Rectifier) -> NDArray[np.floating]:
    """The rectifier's function: max(x, 0), or floor(x L / c + 1/2) c / L limited to 0 .. c for L levels and clip c.

    The rounded form is what an integrate-and-fire neuron that starts at half a threshold gives after L steps of
    constant input (Bu et al., "Optimal ANN-SNN conversion", ICLR 2022, eq. 8).
    """
    if rectifier.levels:
        step = rectifier.clip / rectifier.levels
        x = np.floor(x / step + 0.5) * step
    return np.clip(x, 0.0, rectifier.clip)
