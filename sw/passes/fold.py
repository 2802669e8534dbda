"""From the model's operations to crossbar layers and pooling units: everything linear before a ReLU is one layer.

Walking the graph, a value is a map of spikes (the image, or what a ReLU or pooling gives), or currents that still wait
for their ReLU. Spikes may be read by several; currents by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.ir.graph import (
    Add,
    Affine,
    AveragePool,
    Convolution,
    Flatten,
    Graph,
    GraphNode,
    Linear,
    MaxPool,
    Neurons,
    Pooled,
    Rectifier,
    Subsample,
)
from spikeloom.sw.ir.network import MapUnit, Network, SpikingLayer
from spikeloom.sw.passes.merge_branches import (
    PendingLayer,
    SpikeSource,
    composed,
    convolved,
    identity,
    per_value,
    weighted,
)

__all__ = ["FOLDS", "Folder", "fold"]

AverageKind = Literal["spikes", "weights"]
Pair = tuple[int, int]


def fold(graph: Graph, average: AverageKind = "spikes") -> Network:
    """The same function with crossbar layers and pooling units only.

    Parameters
    ----------
    average : what becomes of average pooling behind a ReLU: a pooling unit on "spikes", or part of the "weights" of the
        next layer, whose rows are then all that it averages over

    A batch norm after a layer goes into that layer, one before a layer into the next; average pooling before a ReLU
    goes into the layer before it, max pooling before a ReLU is done after it; an addition joins the rows of its two
    branches in one layer, a branch of spikes by identity weights.

    Raises `UnsupportedError`, with the names, if two layers follow one another without a ReLU, if currents are read by
    two, if a ReLU or a batch norm has no layer that it could go into, or if the output has more than one position.
    """
    return Folder(graph, average).run()


class Folder:
    """`values` has what the image and every node give; `stages` are the chip's so far."""

    def __init__(self, graph: Graph, average: AverageKind) -> None:
        self.graph, self.averages = graph, average
        image = graph.input
        if self._only_dense():
            image = MapShape(channels=image.size)
        self.input = image
        self.values: list[SpikeSource | PendingLayer] = [SpikeSource(0, image)]
        self.stages: list[SpikingLayer | MapUnit] = []

    def run(self) -> Network:
        """The network of layers and poolings that the chip has."""
        for number, (node, sources) in enumerate(zip(self.graph.nodes, self.graph.sources, strict=True), 1):
            value = self._value(node, tuple(self.values[source] for source in sources))
            readers = self.graph.readers(number)
            if isinstance(value, PendingLayer) and len(readers) > 1:
                raise UnsupportedError(
                    f"What '{node.name}' gives goes to {_names(readers)} before a ReLU; only what a ReLU has made "
                    "spikes of can branch"
                )
            self.values.append(value)
        self._finish(self.values[-1])
        return Network(self.input, tuple(self.stages), self.graph.input_shape)

    def _value(self, node: GraphNode, given: tuple[SpikeSource | PendingLayer, ...]) -> SpikeSource | PendingLayer:
        if type(node) not in FOLDS:
            raise UnsupportedError(
                f"'{node.name}' is a {type(node).__name__}, which has no rule of folding; add one to "
                "sw.passes.fold.FOLDS"
            )
        return FOLDS[type(node)](self, node, *given)

    def _only_dense(self) -> bool:
        """Whether images go nowhere but into dense layers, so that their pixels need no order."""
        flat = {0}
        for number, (node, sources) in enumerate(zip(self.graph.nodes, self.graph.sources, strict=True), 1):
            if not flat & set(sources) or isinstance(node, Linear):
                continue
            if not node.in_order:
                return False
            flat.add(number)
        return True

    def linear(self, node: Linear, x: SpikeSource | PendingLayer) -> PendingLayer:
        """A layer whose rows are all values of `x`."""
        return weighted(node, self._unweighted(node, x))

    def convolution(self, node: Convolution, x: SpikeSource | PendingLayer) -> PendingLayer:
        """A layer whose rows are windows of `x`."""
        return convolved(node, self._unweighted(node, x))

    def affine(self, node: Affine, x: SpikeSource | PendingLayer) -> SpikeSource | PendingLayer:
        """Scale and shift of each channel, folded into the layer before, or kept for the one behind."""
        if isinstance(x, PendingLayer):
            return x.scaled(node)
        if x.map == 0 and self.input != self.graph.input:
            node = per_value(node, self.graph.input)  # one number per channel, of images that are flat by now
        return replace(x, affine=node if x.affine is None else composed(x.affine, node, x.shape))

    def add(self, node: Add, *given: SpikeSource | PendingLayer) -> PendingLayer:
        """One layer of the rows of both."""
        a, b = (_currents(x, node.name) for x in given)
        return a.joined(b, node.name)

    def flatten(self, node: Flatten, x: SpikeSource | PendingLayer) -> SpikeSource | PendingLayer:
        """`x` as it is: rows of dense layers follow the order of its map."""
        return x

    def neurons(self, node: Neurons, x: SpikeSource | PendingLayer) -> SpikeSource:
        """The neurons that are given, as those of the layer."""
        gains = node.gains(x.shape)
        scaled = _currents(x, node.name).scaled(Affine(node.name, gains, np.zeros_like(gains)))
        return self._fire(scaled, Rectifier(node.name))

    def subsample(self, node: Subsample, x: SpikeSource | PendingLayer) -> PendingLayer:
        """Every stride-th position of the layer before, with channels of zeros around."""
        height, width = (-(-n // s) for n, s in zip((x.shape.height, x.shape.width), node.stride, strict=True))
        channels = x.shape.channels + node.before + node.after
        return _currents(x, node.name).subsampled(node, MapShape(channels=channels, height=height, width=width))

    def _unweighted(self, node: Linear | Convolution, x: SpikeSource | PendingLayer) -> SpikeSource:
        if isinstance(x, PendingLayer):
            raise UnsupportedError(
                f"Layers '{_name(x)}' and '{node.name}' follow one another without a ReLU between them; a layer of "
                "spiking neurons needs one: put a ReLU between the two, or merge them into one layer"
            )
        return x

    def rectifier(self, node: Rectifier, x: SpikeSource | PendingLayer) -> SpikeSource:
        """Neurons behind the sums of a layer; a further ReLU that changes nothing is left out."""
        if isinstance(x, PendingLayer):
            return self._fire(x, node)
        if x.affine is not None:
            raise UnsupportedError(
                f"Batch norm '{x.affine.name}' is followed by a ReLU ('{node.name}') without a Linear or Conv2d layer "
                "next to it that it could be folded into; put it between a layer and the ReLU, or take it out"
            )
        if x.relu is None:
            raise UnsupportedError(
                f"ReLU '{node.name}' comes before the first layer; pixels are never negative, so remove it"
            )
        if node.clip < x.clip or node.levels:
            raise UnsupportedError(
                f"Layer '{x.layer}' has two different rectifiers, '{x.relu}' and '{node.name}'; one is supported"
            )
        return x

    def _fire(self, currents: PendingLayer, rectifier: Rectifier | None) -> SpikeSource:
        """A layer of neurons for the currents, and the max poolings that wait behind it."""
        weight = np.concatenate([part.weight for part in currents.parts], axis=1)
        windows = tuple(part.window for part in currents.parts)
        self.stages.append(
            SpikingLayer(_name(currents), np.ascontiguousarray(weight), currents.bias, rectifier, windows)
        )
        height, width = windows[0].outputs(currents.parts[0].source)
        shape = MapShape(channels=len(currents.bias), height=height, width=width)
        relu, clip = (None, math.inf) if rectifier is None else (rectifier.name, rectifier.clip)
        spikes = SpikeSource(len(self.stages), shape, None, _name(currents), relu, clip)
        for name, kernel in currents.pools:
            spikes = self._pool(name, MaxPoolStage, kernel, spikes)
        return spikes

    def average(self, node: AveragePool, x: SpikeSource | PendingLayer) -> SpikeSource | PendingLayer:
        """An average pooling of spikes, or one folded into the weights before or behind it."""
        shape = _pooled_shape(x.shape, node.kernel)
        if isinstance(x, PendingLayer):
            return x.averaged(node, shape)
        _check_norm_before_pool(x, node)
        if self.averages == "weights" or node.total:
            return x.averaged(node, shape)
        return self._pool_unit(node, AveragePoolStage, x)

    def largest(self, node: MaxPool, x: SpikeSource | PendingLayer) -> SpikeSource | PendingLayer:
        """A max pooling of spikes, or one that waits for the layer's neurons."""
        if isinstance(x, PendingLayer):
            pools = (*x.pools, (node.name, node.kernel))
            return replace(x, pools=pools, shape=_pooled_shape(x.shape, node.kernel))
        _check_norm_before_pool(x, node)
        if x.affine is not None and (x.affine.scale < 0.0).any():
            raise UnsupportedError(
                f"Batch norm '{x.affine.name}' has negative factors before max pooling '{node.name}', which turn the "
                "largest into the smallest; put it behind the pooling"
            )
        return self._pool_unit(node, MaxPoolStage, x)

    def _pool_unit(self, node: Pooled, kind: type[PoolStage], x: SpikeSource) -> SpikeSource:
        """Pooling of spikes, which must not be sums that the next layer's weights absorb."""
        if x.source is not None:
            raise UnsupportedError(
                f"'{node.name}' pools sums that the weights of the next layer should take in; set "
                '[convert] average_pooling = "spikes"'
            )
        return self._pool(node.name, kind, node.kernel, x)

    def _pool(self, name: str, kind: type[PoolStage], kernel: Pair, x: SpikeSource) -> SpikeSource:
        self.stages.append(MapUnit(name, kind(window=Window(source=x.map, kernel=kernel, stride=kernel))))
        return replace(x, map=len(self.stages), shape=_pooled_shape(x.shape, kernel))

    def _finish(self, last: SpikeSource | PendingLayer) -> None:
        """The output must be that of a layer with one position."""
        if last.shape.positions > 1:
            raise UnsupportedError(
                f"The model gives {last.shape.channels} channels at {last.shape.height} x {last.shape.width} "
                "positions; it must give one number per class, from a Linear layer or global average pooling"
            )
        if isinstance(last, PendingLayer):
            if last.pools:
                raise UnsupportedError(
                    f"The model ends with max pooling '{last.pools[-1][0]}'; it must end with a layer"
                )
            self._fire(last, None)
        elif last.affine is not None:
            raise UnsupportedError(
                f"Batch norm '{last.affine.name}' has no Linear layer next to it that it could be folded into; put "
                "it next to one, or take it out"
            )
        elif last.map != len(self.stages) or last.source is not None or isinstance(self.stages[-1], MapUnit):
            self._fire(identity(last, "output"), None)


def _check_norm_before_pool(x: SpikeSource, node: Pooled) -> None:
    """A batch norm may wait until after a pooling if it treats all values of a window alike."""
    if x.affine is None:
        return
    if len(x.affine.scale) != x.shape.channels:
        raise UnsupportedError(
            f"Batch norm '{x.affine.name}' scales every position differently before '{node.name}'; put it behind the "
            "pooling, or give it one number per channel (BatchNorm2d)"
        )


def _pooled_shape(shape: MapShape, kernel: Pair) -> MapShape:
    return MapShape(channels=shape.channels, height=shape.height // kernel[0], width=shape.width // kernel[1])


def _currents(x: SpikeSource | PendingLayer, name: str) -> PendingLayer:
    """Spikes as the currents of a shortcut."""
    return x if isinstance(x, PendingLayer) else identity(x, name)


def _name(currents: PendingLayer) -> str:
    return currents.name or "output"


def _names(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


FOLDS: dict[type[GraphNode], Callable[..., SpikeSource | PendingLayer]] = {
    Linear: Folder.linear,
    Convolution: Folder.convolution,
    Affine: Folder.affine,
    Rectifier: Folder.rectifier,
    AveragePool: Folder.average,
    MaxPool: Folder.largest,
    Subsample: Folder.subsample,
    Flatten: Folder.flatten,
    Neurons: Folder.neurons,
    Add: Folder.add,
}
"""What becomes of each kind of node, called with the `Folder`, the node, and the values it reads."""
