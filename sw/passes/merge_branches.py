"""Sums of a layer's columns before its ReLU, and the operations that fold into them exactly.

`PendingLayer` has a part for every window; a part is a matrix [outputs, rows] whose rows are in the order of
`hw.params.plan`. Batch norms, biases, average pooling and residual additions change the matrices; nothing of them is
left on the chip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.ir.graph import Affine, AveragePool, Convolution, Floats, Linear, Subsample

__all__ = ["PendingLayer", "SpikeSource", "composed", "convolved", "identity", "per_value", "weighted"]

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class SpikeSource:
    """A map of the chip: the image (0), or what a stage makes; with a batch norm that is yet to be folded.

    shape : of the map; after `pooled`, of what is left
    layer, relu : names of the layer and of the ReLU that made it; None for the image
    clip : the ReLU's upper end
    pooled, gain : sums over windows that the next layer's weights have yet to absorb, times gain
    """

    map: int
    shape: MapShape
    affine: Affine | None = None
    layer: str | None = None
    relu: str | None = None
    clip: float = np.inf
    pooled: Pair = (1, 1)
    gain: float = 1.0
    source: MapShape | None = None

    __repr__ = short_repr

    def averaged(self, node: AveragePool, shape: MapShape) -> SpikeSource:
        """Average pooling that the next layer's weights absorb."""
        (down, right), (rows, columns) = self.pooled, node.kernel
        gain = self.gain if node.total else self.gain / node.size
        return replace(
            self, shape=shape, pooled=(down * rows, right * columns), gain=gain, source=self.source or self.shape
        )


@dataclass(frozen=True, eq=False)
class Part:
    """One window and its weights, float64 [outputs, rows]."""

    window: Window
    weight: Floats
    source: MapShape

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class PendingLayer:
    """Sums over windows, float64 bias [outputs]; `pools` are max poolings that will follow the ReLU instead of going
    before it, which changes nothing, as both keep the order of numbers.
    """

    name: str
    parts: tuple[Part, ...]
    bias: Floats
    shape: MapShape
    pools: tuple[tuple[str, Pair], ...] = ()

    __repr__ = short_repr

    def scaled(self, affine: Affine) -> PendingLayer:
        """A batch norm behind the layer: s (W x + b) + h has weights s W and bias s b + h."""
        scale, shift = affine.scale, affine.shift
        if len(scale) != len(self.bias):
            if self.shape.positions > 1 and len(scale) == self.shape.size:
                raise UnsupportedError(
                    f"Batch norm '{affine.name}' scales every position of '{self.name}' differently, and a kernel is "
                    "the same everywhere; put it before the flattening, as BatchNorm2d"
                )
            raise UnsupportedError(
                f"Batch norm '{affine.name}' of {len(scale)} features follows '{self.name}' of {len(self.bias)} "
                f"{'channels' if self.shape.positions > 1 else 'outputs'}; it must have as many, one each"
            )
        if self.pools and (scale < 0.0).any():
            raise UnsupportedError(
                f"Batch norm '{affine.name}' has negative factors behind max pooling '{self.pools[-1][0]}', which "
                "turn the largest into the smallest; put it before the pooling"
            )
        parts = tuple(replace(part, weight=scale[:, None] * part.weight) for part in self.parts)
        return replace(self, parts=parts, bias=scale * self.bias + shift)

    def averaged(self, node: AveragePool, shape: MapShape) -> PendingLayer:
        """Average pooling behind the layer: one larger kernel with a larger stride [BS: pooling of currents]."""
        if self.pools:
            raise UnsupportedError(
                f"Average pooling '{node.name}' follows max pooling '{self.pools[-1][0]}' without a ReLU between them; "
                "put the ReLU between the two"
            )
        parts = tuple(_averaged(part, node.kernel, 1.0 if node.total else 1.0 / node.size) for part in self.parts)
        return replace(self, parts=parts, bias=self.bias * (node.size if node.total else 1), shape=shape)

    def subsampled(self, node: Subsample, shape: MapShape) -> PendingLayer:
        """Positions left out behind the layer are a larger stride; channels of zeros are columns without weights."""
        if self.pools:
            raise UnsupportedError(
                f"'{node.name}' takes positions of max pooling '{self.pools[-1][0]}', which has no ReLU between itself "
                "and its layer; put the ReLU before the pooling"
            )
        around = (node.before, node.after)
        parts = []
        for part in self.parts:
            stride = (part.window.stride[0] * node.stride[0], part.window.stride[1] * node.stride[1])
            weight = np.pad(part.weight, (around, (0, 0)))
            parts.append(replace(part, window=replace(part.window, stride=stride), weight=weight))
        return replace(self, parts=tuple(parts), bias=np.pad(self.bias, around), shape=shape)

    def joined(self, other: PendingLayer, name: str) -> PendingLayer:
        """The sum of two branches: their rows in one crossbar [WS Fig. 6]."""
        for branch in (self, other):
            if branch.pools:
                raise UnsupportedError(
                    f"'{name}' adds max pooling '{branch.pools[-1][0]}', which has no ReLU between itself and its "
                    "layer; put a ReLU before the pooling"
                )
        main = next((b.name for b in (self, other) if b.name), name)
        return PendingLayer(main, self.parts + other.parts, self.bias + other.bias, self.shape)


def weighted(node: Linear, x: SpikeSource) -> PendingLayer:
    """A dense layer: its window is the whole map."""
    rows = _map_rows(node.weight, x.shape)
    part = Part(Window.whole(x.map, x.shape), rows, x.shape)
    shape = MapShape(channels=len(node.bias))
    return _behind(x, PendingLayer(node.name, (part,), node.bias, shape), node.name)


def convolved(node: Convolution, x: SpikeSource) -> PendingLayer:
    """The layer that a convolution makes of a map."""
    window = node.window(x.map)
    rows = node.weight.transpose(0, 2, 3, 1).reshape(len(node.bias), -1)
    height, width = window.outputs(x.shape)
    shape = MapShape(channels=len(node.bias), height=height, width=width)
    return _behind(x, PendingLayer(node.name, (Part(window, rows, x.shape),), node.bias, shape), node.name)


def identity(x: SpikeSource, name: str) -> PendingLayer:
    """A shortcut: every value onto its own neuron."""
    channels = x.shape.channels
    part = Part(Window(source=x.map), np.eye(channels), x.shape)
    return _behind(x, PendingLayer("", (part,), np.zeros(channels), x.shape), name)


def _behind(x: SpikeSource, layer: PendingLayer, name: str) -> PendingLayer:
    """The layer with the batch norm before it folded in: W (s x + h) + b has weights W s and bias b + W h; and with
    the pooling before that.
    """
    if x.affine is None:
        return replace(layer, parts=tuple(_over_windows(part, x, name) for part in layer.parts))
    (part,) = layer.parts
    size, positions = len(x.affine.scale), part.window.size
    if size == x.shape.channels:
        scale, shift = np.tile(x.affine.scale, positions), np.tile(x.affine.shift, positions)
    elif size == part.weight.shape[1]:
        scale, shift = (_map_rows(v[None], x.shape)[0] for v in (x.affine.scale, x.affine.shift))
    else:
        values = x.shape.size
        maps = f" or {x.shape.channels}, one per channel," if x.shape.positions > 1 else ""
        raise UnsupportedError(
            f"Batch norm '{x.affine.name}' of {size} features comes before '{name}', which takes {values} values; it "
            f"must have {values}{maps} features"
        )
    if part.window.padding != (0, 0) and shift.any():
        raise UnsupportedError(
            f"Batch norm '{x.affine.name}' comes before '{name}', whose zeros around the map it does not shift, so "
            "that the bias would differ at the rim; put it behind the convolution, take the padding away, or train "
            "without it, with images of 0 .. 1"
        )
    moved = layer.bias + (part.weight * shift).sum(axis=1)  # a matrix product's order of additions varies
    scaled = replace(part, weight=part.weight * scale[None, :])
    return replace(layer, parts=(_over_windows(scaled, x, name),), bias=moved)


def _over_windows(part: Part, x: SpikeSource, name: str) -> Part:
    """The window over the map itself of one over the sums that pooling made of it."""
    if x.source is None:
        return part
    window, (rows, columns) = part.window, x.pooled
    rest = (x.source.height % rows, x.source.width % columns)
    if any(left and zeros for left, zeros in zip(rest, window.padding, strict=True)):
        raise UnsupportedError(
            f"Average pooling before '{name}' leaves {rest} rows and columns out at the rim, where '{name}' has zeros "
            "around; its weights cannot take the pooling in: pad by 0, pool windows that divide the map, or set "
            '[convert] average_pooling = "spikes"'
        )
    kernel, stride, padding = (
        (pair[0] * rows, pair[1] * columns) for pair in (window.kernel, window.stride, window.padding)
    )
    weight = part.weight.reshape(len(part.weight), *window.kernel, x.shape.channels)
    weight = weight.repeat(rows, axis=1).repeat(columns, axis=2) * x.gain
    wide = replace(window, kernel=kernel, stride=stride, padding=padding)
    return Part(wide, weight.reshape(len(weight), -1), x.source)


def _averaged(part: Part, kernel: Pair, gain: float) -> Part:
    """The window that gives the sum of kernel[0] x kernel[1] positions times gain, and its weights."""
    window = part.window
    outputs, channels = len(part.weight), part.source.channels
    (rows, columns), (down, right) = window.kernel, window.stride
    weight = part.weight.reshape(outputs, rows, columns, channels)
    larger = np.zeros((outputs, (kernel[0] - 1) * down + rows, (kernel[1] - 1) * right + columns, channels))
    for y in range(kernel[0]):
        for x in range(kernel[1]):
            larger[:, y * down : y * down + rows, x * right : x * right + columns] += weight
    larger *= gain
    stride = (down * kernel[0], right * kernel[1])
    wide = replace(window, kernel=(larger.shape[1], larger.shape[2]), stride=stride)
    return Part(wide, larger.reshape(outputs, -1), part.source)


def _map_rows(weight: Floats, shape: MapShape) -> Floats:
    """Columns in PyTorch's order of a map's values, in the hardware's."""
    outputs = len(weight)
    return weight.reshape(outputs, shape.channels, shape.positions).transpose(0, 2, 1).reshape(outputs, -1)


def composed(first: Affine, second: Affine, shape: MapShape) -> Affine:
    """The batch norm that does what two do, one after the other."""
    if len(first.scale) != len(second.scale):
        first, second = per_value(first, shape), per_value(second, shape)
    if len(first.scale) != len(second.scale):
        raise UnsupportedError(
            f"Batch norm '{second.name}' of {len(second.scale)} features follows batch norm '{first.name}' of "
            f"{len(first.scale)} on {shape.size} values; both must have as many, or one per channel"
        )
    return Affine(second.name, second.scale * first.scale, second.scale * first.shift + second.shift)


def per_value(affine: Affine, shape: MapShape) -> Affine:
    """The same with a number for every value of a map, in PyTorch's order."""
    if len(affine.scale) != shape.channels:
        return affine
    return Affine(affine.name, affine.scale.repeat(shape.positions), affine.shift.repeat(shape.positions))
