"""A model as frozen dataclasses, as made by importers: operations, and which reads which.

`sw.passes.fold` turns a `Graph` into a `sw.ir.network.Network` of crossbar layers and pooling units, and everything
after works on that. Values are in PyTorch's order: (channel * height + y) * width + x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import UnsupportedError

__all__ = [
    "Add",
    "Affine",
    "AveragePool",
    "Convolution",
    "Flatten",
    "Graph",
    "GraphNode",
    "Linear",
    "MaxPool",
    "Neurons",
    "Pooled",
    "Rectifier",
    "Subsample",
]

Floats = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, ...]


class GraphNode:
    """An operation; a kind is a frozen dataclass derived from it. What becomes of it is in `sw.passes.fold.FOLDS`, and
    its counterpart in NIR, if it has one, in `sw.nir.nodes`.

    reads : number of values that it reads
    weighted : whether it is a layer, with weights of its own
    in_order : whether it leaves values where they are in a flat image, so that pixels behind it need no order
    listed : whether it is one of the model's layers in words
    """

    reads: ClassVar[int] = 1
    weighted: ClassVar[bool] = False
    in_order: ClassVar[bool] = False
    listed: ClassVar[bool] = True
    name: str

    def makes(self, shape: Shape) -> Shape:
        """Shape of what it makes of values of this shape, as the model knows them: maps, or flat values."""
        return shape


@dataclass(frozen=True, eq=False)
class Linear(GraphNode):
    """y = weight @ x + bias; weight float64 [outputs, inputs], bias float64 [outputs].

    biased : whether the model's layer has a bias at all; without, bias is 0
    """

    weighted: ClassVar[bool] = True

    name: str
    weight: Floats
    bias: Floats
    biased: bool = True

    __repr__ = short_repr

    def makes(self, shape: Shape) -> Shape:
        """As many values as outputs."""
        return (len(self.bias),)


@dataclass(frozen=True, eq=False)
class Convolution(GraphNode):
    """Cross-correlation; weight float64 [outputs, channels, height, width], bias float64 [outputs], zeros around."""

    weighted: ClassVar[bool] = True

    name: str
    weight: Floats
    bias: Floats
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    __repr__ = short_repr

    def window(self, source: int) -> Window:
        """The window of its kernel on map `source`."""
        kernel = (self.weight.shape[2], self.weight.shape[3])
        return Window(source=source, kernel=kernel, stride=self.stride, padding=self.padding)

    def makes(self, shape: Shape) -> Shape:
        """Channels and positions of the outputs."""
        return (len(self.bias), *_positions(self.window(0), shape))


@dataclass(frozen=True, eq=False)
class Affine(GraphNode):
    """y = scale * x + shift: a batch norm in evaluation; both float64, one per channel, or one per value in PyTorch's
    order.
    """

    in_order: ClassVar[bool] = True

    name: str
    scale: Floats
    shift: Floats

    __repr__ = short_repr


@dataclass(frozen=True)
class Rectifier(GraphNode):
    """y = min(max(x, 0), clip), rounded to `levels` equal steps of clip if levels > 0 (see `rectified`)."""

    name: str
    clip: float = math.inf
    levels: int = 0


@dataclass(frozen=True)
class Pooled(GraphNode):
    """Pooling of windows of `kernel` values that do not overlap, each channel on its own; a rest at the rim is left
    out.
    """

    name: str
    kernel: Pair

    @property
    def size(self) -> int:
        """Values of a window."""
        return self.kernel[0] * self.kernel[1]

    def makes(self, shape: Shape) -> Shape:
        """Channels as before, positions of the windows."""
        channels, *_ = (1, *shape)[-3:]
        return (channels, *_positions(Window(source=0, kernel=self.kernel, stride=self.kernel), shape))


@dataclass(frozen=True)
class AveragePool(Pooled):
    """Mean of the windows.

    total : the sum instead of the mean
    """

    total: bool = False


@dataclass(frozen=True)
class MaxPool(Pooled):
    """Largest of the windows."""


@dataclass(frozen=True)
class Subsample(GraphNode):
    """Every stride-th position, and channels of zeros around: a residual network's shortcut without weights."""

    name: str
    stride: Pair = (1, 1)
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Flatten(GraphNode):
    """The same values without positions; noted down only where the name is to be kept."""

    in_order: ClassVar[bool] = True
    listed: ClassVar[bool] = False

    name: str

    def makes(self, shape: Shape) -> Shape:
        """One axis."""
        return (math.prod(shape),)


@dataclass(frozen=True, eq=False)
class Neurons(GraphNode):
    """Integrate-and-fire neurons: V grows by resistance * dt * current per step, and fires at the threshold.

    resistance, threshold : float64, one per value in PyTorch's order, or one for all
    dt : seconds per step
    form : "IF", or "LIF" for a leaky neuron whose time constant is infinite, so that it does not leak
    """

    name: str
    resistance: Floats
    threshold: Floats
    dt: float
    form: Literal["IF", "LIF"] = "IF"

    __repr__ = short_repr

    def gains(self, shape: MapShape) -> Floats:
        """Thresholds that a current of 1 makes in a step, float64 [channels].

        Raises `UnsupportedError` if neurons of a channel differ, since they share their weights.
        """
        values = np.asarray(self.resistance * self.dt / self.threshold)
        values = values.ravel() if values.size > 1 else np.full(shape.size, float(values.reshape(-1)[0]))
        if values.size != shape.size:
            raise UnsupportedError(f"'{self.name}' has {values.size} neurons, but gets {shape.size} values")
        channels = values.reshape(shape.channels, shape.positions)
        if (channels != channels[:, :1]).any():
            raise UnsupportedError(
                f"Neurons '{self.name}' differ within a channel; where a kernel is used at every position, all of its "
                "neurons are alike"
            )
        return np.ascontiguousarray(channels[:, 0])


@dataclass(frozen=True)
class Add(GraphNode):
    """Sum of two maps of one shape."""

    reads: ClassVar[int] = 2

    name: str


def _positions(window: Window, shape: Shape) -> Pair:
    """Output positions of a window on maps of this shape, with or without channels."""
    channels, height, width = (1, *shape)[-3:]
    return window.outputs(MapShape(channels=channels, height=height, width=width))


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

    input: MapShape
    nodes: tuple[GraphNode, ...]
    sources: tuple[tuple[int, ...], ...]
    input_shape: tuple[int, ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if len(self.nodes) != len(self.sources):
            raise ValueError(f"There are {len(self.nodes)} nodes, but sources of {len(self.sources)}")
        for number, (node, sources) in enumerate(zip(self.nodes, self.sources, strict=True)):
            if len(sources) != node.reads or not all(0 <= s <= number for s in sources):
                raise ValueError(f"Node '{node.name}' (number {number + 1}) cannot read {sources}")
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (self.input.size,))

    @classmethod
    def chain(cls, image: MapShape, nodes: tuple[GraphNode, ...]) -> Graph:
        """Nodes that each read the one before."""
        return cls(image, nodes, tuple((number,) for number in range(len(nodes))))

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.input.size

    def readers(self, number: int) -> list[str]:
        """Names of the nodes that read the image (0) or node `number` - 1."""
        return [
            node.name for node, sources in zip(self.nodes, self.sources, strict=True) for s in sources if s == number
        ]
