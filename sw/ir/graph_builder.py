"""Builds a `Graph`, node by node, and refuses what does not fit, with the operation's name and position.

Every importer works through it. A `Value` is what an operation of the model gives: the map that carries it, and its
shape as the model knows it, (channels, height, width) or, once flattened, (values,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sim.images.layout import CHANNELS_LAST
from spikeloom.sw.common.errors import SpikeLoomError, UnsupportedError, WeightError
from spikeloom.sw.ir.graph import (
    Add,
    Affine,
    Convolution,
    Flatten,
    Graph,
    GraphNode,
    Linear,
    Neurons,
    Pooled,
    Rectifier,
    Subsample,
)

__all__ = ["GraphBuilder", "Pair", "Value", "pair", "shape_text"]

Pair = tuple[int, int]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Value:
    """What an operation gives: number of its map (0 is the image), and shape without the batch; None: flat, any."""

    number: int
    shape: tuple[int, ...] | None


class GraphBuilder:
    """A graph in the making.

    Parameters
    ----------
    image_shape : of the images that there are; None for flat ones, and if it is not known
    """

    def __init__(self, image_shape: tuple[int, ...] | None) -> None:
        self.input = Value(0, None if image_shape is None or len(image_shape) < 2 else image_shape)
        self._input_shape: tuple[int, ...] | None = None  # that the model needs, if it needs one
        self._maps: list[MapShape | None] = [None]
        self._nodes: list[GraphNode] = []
        self._sources: list[tuple[int, ...]] = []

    def graph(self, output: Value) -> Graph:
        """The finished graph. Raises `UnsupportedError` if there is no layer, or something leads nowhere."""
        if not any(node.weighted for node in self._nodes):
            raise UnsupportedError(
                "The model has no Linear or Conv2d layer; it needs one at least, whose outputs are the classes"
            )
        read = {source for sources in self._sources for source in sources} | {output.number}
        for number, node in enumerate(self._nodes, 1):
            if number not in read:
                raise UnsupportedError(f"What '{node.name}' computes is not used; take it out of the model")
        if output.number != len(self._nodes):
            raise UnsupportedError(
                "The model's output must be the one result of its last layer, a number per class; return it alone"
            )
        image = self._maps[0]
        assert image is not None
        return Graph(image, tuple(self._nodes), tuple(self._sources), self._input_shape or (image.size,))

    def linear(self, name: str, place: str, x: Value, weight: Floats, bias: Floats | None) -> Value:
        """A dense layer on a flat value, or on a map that is flattened."""
        outputs, inputs = weight.shape
        if not outputs or not inputs:
            raise UnsupportedError(f"{place} must have at least one input and one output, not {inputs} and {outputs}")
        x = self._flat(place, x, inputs)
        if x.shape != (inputs,):
            raise UnsupportedError(
                f"{place} has {inputs} inputs, but gets {_size(x)} values {self._from(x)}; both must be equal"
            )
        node = Linear(name, weight, np.zeros(outputs) if bias is None else bias, bias is not None)
        return self._add(node, (x,), (outputs,), MapShape(channels=outputs))

    def convolution(
        self,
        name: str,
        place: str,
        x: Value,
        weight: Floats,
        bias: Floats | None,
        stride: Pair,
        padding: Pair,
    ) -> Value:
        """A convolution on maps."""
        x, shape = self._spatial(place, x)
        outputs, channels = weight.shape[:2]
        if not weight.size:
            raise UnsupportedError(f"{place} must have at least one input and one output channel")
        if channels != shape.channels:
            raise UnsupportedError(
                f"{place} has {channels} input channels, but gets {shape.channels}: {self._text(x)}"
                f"{self._turned(shape, channels)}; both must be equal"
            )
        node = Convolution(name, weight, np.zeros(outputs) if bias is None else bias, stride, padding)
        height, width = self._outputs(place, shape, (weight.shape[2], weight.shape[3]), stride, padding)
        return self._add_map(node, (x,), MapShape(channels=outputs, height=height, width=width))

    def affine(self, name: str, place: str, x: Value, scale: Floats, shift: Floats, maps: bool | None = None) -> Value:
        """scale x + shift, one number per channel of maps or one per flat value; `maps` says which is expected."""
        if maps or (maps is None and x.shape is not None and len(x.shape) == 3):
            x, shape = self._spatial(place, x)
            expected, what = shape.channels, "channels"
        else:
            x = self._flat(place, x, len(scale))
            expected, what = _size(x), "values"
        if len(scale) != expected:
            turned = self._turned(shape, len(scale)) if what == "channels" else ""
            raise UnsupportedError(
                f"{place} has {len(scale)} features, but gets {expected} {what} {self._from(x)}{turned}; both must be "
                "equal"
            )
        return self._add(Affine(name, scale, shift), (x,), x.shape, self._map(x))

    def batch_norm(
        self,
        name: str,
        place: str,
        x: Value,
        statistics: tuple[Floats, Floats],
        gamma: Floats | None,
        beta: Floats | None,
        eps: float,
        maps: bool | None = None,
    ) -> Value:
        """A batch norm in evaluation; statistics: running mean and variance."""
        mean, variance = statistics[0], statistics[1] + eps
        if not (variance > 0.0).all():
            raise WeightError(f"{place} must have a running variance above 0, not {float(variance.min())!r}")
        scale = 1.0 / np.sqrt(variance)
        shift = -mean * scale
        if gamma is not None:
            scale, shift = scale * gamma, shift * gamma
        if beta is not None:
            shift = shift + beta
        return self.affine(name, place, x, scale, shift, maps)

    def rectifier(self, x: Value, rectifier: Rectifier) -> Value:
        """A ReLU; refused on the pixels themselves."""
        if x.number == 0:
            raise UnsupportedError(
                f"ReLU '{rectifier.name}' comes before the first layer; pixels are never negative, so remove it"
            )
        return self._add(rectifier, (x,), x.shape, self._map(x))

    def neurons(self, x: Value, node: Neurons) -> Value:
        """Neurons of a NIR file."""
        node.gains(self._map(x))  # which refuses what does not fit
        return self._add(node, (x,), x.shape, self._map(x))

    def pool(self, place: str, x: Value, node: Pooled, keep: bool = False) -> Value:
        """Pooling; of single values it is nothing, and a node only if that is to be kept."""
        x, shape = self._spatial(place, x)
        height, width = self._outputs(place, shape, node.kernel, node.kernel, (0, 0))
        if node.kernel == (1, 1) and not keep:
            return x
        return self._add_map(node, (x,), MapShape(channels=shape.channels, height=height, width=width))

    def adaptive_kernel(self, place: str, x: Value, outputs: tuple[int | None, int | None]) -> tuple[Value, Pair]:
        """The window of a pooling to so many positions, None keeps those there are; and its value as maps."""
        x, shape = self._spatial(place, x)
        sizes = (shape.height, shape.width)
        kept = tuple(size if wanted is None else wanted for wanted, size in zip(outputs, sizes, strict=True))
        if any(wanted < 1 or size % wanted for wanted, size in zip(kept, sizes, strict=True)):
            raise UnsupportedError(
                f"{place} makes {kept} of {sizes} positions, which are no windows of one size; supported are sizes "
                "that divide those of the map, such as 1"
            )
        return x, (sizes[0] // kept[0], sizes[1] // kept[1])

    def subsample(self, name: str, place: str, x: Value, stride: Pair, before: int = 0, after: int = 0) -> Value:
        """Every stride-th position, with channels of zeros around."""
        x, shape = self._spatial(place, x)
        if min(*stride, before + 1, after + 1) < 1:
            raise UnsupportedError(f"{place} needs strides of at least 1 and no fewer channels than there are")
        made = MapShape(
            channels=shape.channels + before + after,
            height=-(-shape.height // stride[0]),
            width=-(-shape.width // stride[1]),
        )
        return self._add_map(Subsample(name, stride, before, after), (x,), made)

    def add(self, name: str, place: str, a: Value, b: Value) -> Value:
        """The sum of two values of one shape."""
        if a.shape is None or a.shape != b.shape:
            raise UnsupportedError(f"{place} adds {self._text(a)} and {self._text(b)}; both must be alike")
        if self._map(a) != self._map(b):
            raise UnsupportedError(f"{place} adds flat values of maps of different shapes; add before flattening")
        return self._add(Add(name), (a, b), a.shape, self._map(a))

    def flatten(self, x: Value, name: str | None = None) -> Value:
        """Each image flat; how many pixels an image has is for the layers to say, and for the images to fit.

        A node is made of it only if it has a name.
        """
        if name is not None:
            assert x.shape is not None
            return self._add(Flatten(name), (x,), (math.prod(x.shape),), self._map(x))
        return Value(x.number, None if x.shape is None or x == self.input else (math.prod(x.shape),))

    def unflatten(self, place: str, x: Value, shape: tuple[int, ...]) -> Value:
        """Flat images, in any shape that there are, to maps."""
        return self.reshape(place, self.flatten(x) if x.number == 0 else x, shape)

    def unsqueeze(self, place: str, x: Value) -> Value:
        """Images without channels, to one channel."""
        if x.number != 0 or x.shape is None or len(x.shape) != 2:
            raise UnsupportedError(
                f"{place} can only give images without channels a channel, not {shape_text(x.shape)}"
            )
        self._input_shape = x.shape
        return Value(0, (1, *x.shape))

    def reshape(self, place: str, x: Value, shape: tuple[int, ...]) -> Value:
        """To one flat vector per image, to the shape there is, or the image itself to maps; -1 is what is left."""
        if shape == (-1,):
            return self.flatten(x)
        size = None if x.shape is None else math.prod(x.shape)
        if shape.count(-1) == 1 and size is not None:
            known = -math.prod(shape)
            shape = tuple((size // known if known and size % known == 0 else n) if n == -1 else n for n in shape)
        if any(n < 1 for n in shape) or size not in (None, math.prod(shape)):
            given = "flat images" if size is None else f"{size} values"
            raise UnsupportedError(f"{place} reshapes {given} to {shape[0] if len(shape) == 1 else shape}")
        if len(shape) > 1 and x.number != 0 and shape != x.shape:
            raise UnsupportedError(f"{place} makes {shape} of {shape_text(x.shape)}; only images can be given a shape")
        return Value(x.number, shape)

    def _add(
        self, node: GraphNode, reads: tuple[Value, ...], shape: tuple[int, ...] | None, made: MapShape | None
    ) -> Value:
        self._nodes.append(node)
        self._sources.append(tuple(x.number for x in reads))
        self._maps.append(made)
        return Value(len(self._nodes), shape)

    def _add_map(self, node: GraphNode, reads: tuple[Value, ...], made: MapShape) -> Value:
        return self._add(node, reads, (made.channels, made.height, made.width), made)

    def _from(self, x: Value) -> str:
        """Where a value comes from, for messages."""
        return "(the images)" if x.number == 0 else f"from '{self._nodes[x.number - 1].name}'"

    def _text(self, x: Value) -> str:
        """Shape and origin of a value, for messages."""
        return shape_text(x.shape) if x.shape is None else f"{shape_text(x.shape)} {self._from(x)}"

    def _map(self, x: Value) -> MapShape:
        if x.number == 0 and self._maps[0] is None and x.shape is not None:
            x = self._spatial("The input", x)[0] if len(x.shape) > 1 else self._flat("The input", x, x.shape[0])
        shape = self._maps[x.number]
        assert shape is not None
        return shape

    def _flat(self, place: str, x: Value, size: int) -> Value:
        """The value where `size` flat ones are wanted; images may have any shape that has as many."""
        if x.number == 0 and (x.shape is None or math.prod(x.shape) == size):
            x = Value(0, (size,))
        if x.shape is None or len(x.shape) != 1:
            raise UnsupportedError(f"{place} needs flat values, but gets {self._text(x)}; flatten them first")
        if x.number == 0 and self._maps[0] is None:
            self._maps[0] = MapShape(channels=x.shape[0])
        return x

    def _spatial(self, place: str, x: Value) -> tuple[Value, MapShape]:
        """The value where maps are wanted, and their shape."""
        own = x == self.input
        if x.number == 0 and x.shape is not None and len(x.shape) == 2:  # images without channels have one
            x = Value(0, (1, *x.shape))
        if x.shape is None or len(x.shape) != 3:
            hint = "; give images of shape [images, channels, height, width], or input_shape" if x.number == 0 else ""
            raise UnsupportedError(f"{place} needs maps of channels x height x width, but gets {self._text(x)}{hint}")
        shape = MapShape(channels=x.shape[0], height=x.shape[1], width=x.shape[2])
        if x.number == 0:
            known = self._maps[0]
            if known is not None and known.positions > 1 and known != shape:
                raise UnsupportedError(f"{place} takes the images in another shape than an operation before it")
            self._maps[0] = shape
            if own and self._input_shape is None:
                self._input_shape = x.shape
        return x, shape

    def _turned(self, shape: MapShape, channels: int) -> str:
        """What the axes of the images seem to be, where a layer of so many channels gets the images' first axis."""
        given = self.input.shape
        if given is not None and len(given) == 2 and (1, *given) == (shape.channels, shape.height, shape.width):
            return f", since the images have shape [images, {given[0]}, {given[1]}], without an axis of channels"
        if given is None or shape.channels != given[0]:
            return ""
        known = f", since the images have shape [images, {', '.join(map(str, given))}]"
        return known + (f": {CHANNELS_LAST}" if given[-1] == channels else "")

    def _outputs(self, place: str, shape: MapShape, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
        try:
            return Window(source=0, kernel=kernel, stride=stride, padding=padding).outputs(shape)
        except SpikeLoomError as error:
            raise UnsupportedError(f"{place} cannot be mapped: {error}") from error


def pair(value: Any) -> Pair:
    """One number for both directions, or one for each."""
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def shape_text(shape: tuple[int, ...] | None) -> str:
    """A shape for messages."""
    if shape is None:
        return "flat images"
    if len(shape) == 1:
        return f"{shape[0]} flat values"
    return f"maps of {' x '.join(str(n) for n in shape)}"


def _size(x: Value) -> int:
    assert x.shape is not None
    return math.prod(x.shape)
