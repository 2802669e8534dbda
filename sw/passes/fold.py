"""From the model's operations to crossbar layers and pooling units: everything linear before a ReLU is one layer.

Walking the graph, a value is a map of spikes (the image, or what a ReLU or pooling gives), or currents that still wait
for their ReLU. Spikes may be read by several; currents by one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from spikeloom.hw.params.plan import MapShape, Pooling, Window
from spikeloom.sw.common.errors import UnsupportedError
from spikeloom.sw.ir.graph import (
    Add,
    Affine,
    AveragePool,
    Convolution,
    Flatten,
    Graph,
    Linear,
    MaxPool,
    Neurons,
    Node,
    Rectifier,
    Subsample,
)
from spikeloom.sw.ir.network import Network, Pool, SpikingLayer
from spikeloom.sw.passes.merge_branches import (
    PendingLayer,
    SpikeSource,
    composed,
    convolved,
    identity,
    per_value,
    weighted,
)

__all__ = ["fold"]

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
    return _Folder(graph, average).run()


class _Folder:
    """`values` has what the image and every node give; `stages` are the chip's so far."""

    def __init__(self, graph: Graph, average: AverageKind) -> None:
        self.graph, self.average = graph, average
        image = graph.input
        if self._only_dense():
            image = MapShape(channels=image.size)
        self.input = image
        self.values: list[SpikeSource | PendingLayer] = [SpikeSource(0, image)]
        self.stages: list[SpikingLayer | Pool] = []

    def run(self) -> Network:
        for number, (node, sources) in enumerate(zip(self.graph.nodes, self.graph.sources, strict=True), 1):
            value = self._node(node, tuple(self.values[source] for source in sources))
            readers = self.graph.readers(number)
            if isinstance(value, PendingLayer) and len(readers) > 1:
                raise UnsupportedError(
                    f"What '{node.name}' gives goes to {_names(readers)} before a ReLU; only what a ReLU has made "
                    "spikes of can branch"
                )
            self.values.append(value)
        self._finish(self.values[-1])
        return Network(self.input, tuple(self.stages), self.graph.input_shape)

    def _only_dense(self) -> bool:
        """Whether images go nowhere but into dense layers, so that their pixels need no order."""
        flat = {0}
        for number, (node, sources) in enumerate(zip(self.graph.nodes, self.graph.sources, strict=True), 1):
            if not flat & set(sources) or isinstance(node, Linear):
                continue
            if not isinstance(node, Affine | Flatten):
                return False
            flat.add(number)
        return True

    def _node(self, node: Node, given: tuple[SpikeSource | PendingLayer, ...]) -> SpikeSource | PendingLayer:
        x = given[0]
        if isinstance(node, Linear | Convolution):
            if isinstance(x, PendingLayer):
                raise UnsupportedError(
                    f"Layers '{_name(x)}' and '{node.name}' follow one another without a ReLU between them; a layer of "
                    "spiking neurons needs one: put a ReLU between the two, or merge them into one layer"
                )
            return weighted(node, x) if isinstance(node, Linear) else convolved(node, x)
        if isinstance(node, Affine):
            if isinstance(x, SpikeSource) and x.map == 0 and self.input != self.graph.input:
                node = per_value(node, self.graph.input)  # a number a channel, of images that are flat by now
            if isinstance(x, PendingLayer):
                return x.scaled(node)
            return replace(x, affine=node if x.affine is None else composed(x.affine, node, x.shape))
        if isinstance(node, Rectifier):
            return self._rectified(node, x)
        if isinstance(node, Add):
            a, b = (v if isinstance(v, PendingLayer) else identity(v, node.name) for v in given)
            return a.joined(b, node.name)
        if isinstance(node, Flatten):
            return x
        if isinstance(node, Neurons):
            currents = x if isinstance(x, PendingLayer) else identity(x, node.name)
            gains = node.gains(x.shape)
            return self._fire(currents.scaled(Affine(node.name, gains, np.zeros_like(gains))), Rectifier(node.name))
        if isinstance(node, Subsample):
            currents = x if isinstance(x, PendingLayer) else identity(x, node.name)
            height, width = (-(-n // s) for n, s in zip((x.shape.height, x.shape.width), node.stride, strict=True))
            channels = x.shape.channels + node.before + node.after
            return currents.subsampled(node, MapShape(channels=channels, height=height, width=width))
        return self._pooled(node, x)

    def _rectified(self, node: Rectifier, x: SpikeSource | PendingLayer) -> SpikeSource:
        if isinstance(x, PendingLayer):
            return self._fire(x, node)
        if x.affine is not None:
            raise UnsupportedError(
                f"Batch norm '{x.affine.name}' is followed by a ReLU ('{node.name}') without a Linear or Conv2d layer "
                "next to it that it could be folded into; put it between a layer and the ReLU, or take it out"
            )
        if x.relu is None:
            raise UnsupportedError(
                f"ReLU '{node.name}' comes before the first layer; pixels are never negative, take it out"
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
            spikes = self._pool(name, Pooling.MAX, kernel, spikes)
        return spikes

    def _pooled(self, node: AveragePool | MaxPool, x: SpikeSource | PendingLayer) -> SpikeSource | PendingLayer:
        shape = _pooled_shape(x.shape, node.kernel)
        if isinstance(x, PendingLayer):
            if isinstance(node, AveragePool):
                return x.averaged(node, shape)
            return replace(x, pools=(*x.pools, (node.name, node.kernel)), shape=shape)
        _check_norm_before_pool(x, node)
        if isinstance(node, AveragePool) and (self.average == "weights" or node.total):
            return x.averaged(node, shape)
        if x.source is not None:
            raise UnsupportedError(
                f"'{node.name}' pools sums that the weights of the next layer should take in; set "
                '[convert] average_pooling = "spikes"'
            )
        return self._pool(node.name, Pooling.AVERAGE if isinstance(node, AveragePool) else Pooling.MAX, node.kernel, x)

    def _pool(self, name: str, kind: Pooling, kernel: Pair, x: SpikeSource) -> SpikeSource:
        self.stages.append(Pool(name, kind, Window(source=x.map, kernel=kernel, stride=kernel)))
        return replace(x, map=len(self.stages), shape=_pooled_shape(x.shape, kernel))

    def _finish(self, last: SpikeSource | PendingLayer) -> None:
        """The output must be that of a layer with one position."""
        if last.shape.positions > 1:
            raise UnsupportedError(
                f"The model gives {last.shape.channels} channels at {last.shape.height} x {last.shape.width} "
                "positions; it must give one number a class, from a Linear layer or global average pooling"
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
        elif last.map != len(self.stages) or last.source is not None or isinstance(self.stages[-1], Pool):
            self._fire(identity(last, "output"), None)


def _check_norm_before_pool(x: SpikeSource, node: AveragePool | MaxPool) -> None:
    """A batch norm may wait until after a pooling if it treats all values of a window alike, and keeps their order."""
    if x.affine is None:
        return
    if len(x.affine.scale) != x.shape.channels:
        raise UnsupportedError(
            f"Batch norm '{x.affine.name}' scales every position differently before '{node.name}'; put it behind the "
            "pooling, or give it one number a channel (BatchNorm2d)"
        )
    if isinstance(node, MaxPool) and (x.affine.scale < 0.0).any():
        raise UnsupportedError(
            f"Batch norm '{x.affine.name}' has negative factors before max pooling '{node.name}', which turn the "
            "largest into the smallest; put it behind the pooling"
        )


def _pooled_shape(shape: MapShape, kernel: Pair) -> MapShape:
    return MapShape(channels=shape.channels, height=shape.height // kernel[0], width=shape.width // kernel[1])


def _name(currents: PendingLayer) -> str:
    return currents.name or "output"


def _names(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
