"""A network of crossbar layers and pooling units, which the passes hand on, and what it computes in real numbers.

Values of a map are in the order of the hardware (`hw.params.plan`): position * channels + channel, position = y * width
+ x. Pixels of an image are in PyTorch's: (channel * height + y) * width + x.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Pooling, PoolStage, Window
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.ir.graph import Floats, Rectifier
from spikeloom.sw.ir.window_reader import WindowReader, map_order, pool_blocks

__all__ = ["Network", "Pool", "SpikingLayer", "rectified"]


@dataclass(frozen=True, eq=False)
class SpikingLayer:
    """A crossbar and its neurons.

    Parameters
    ----------
    weight : float64 [outputs, rows], rows in the order of `hw.params.plan`: windows, dy, dx, channel
    bias : float64 [outputs]
    rectifier : None on a last layer without one
    windows : what the rows read, by the numbers of maps: 0 is the image, s + 1 what stage s makes
    """

    name: str
    weight: Floats
    bias: Floats
    rectifier: Rectifier | None
    windows: tuple[Window, ...]

    __repr__ = short_repr

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

    image, input_shape : as in `sw.ir.graph.Graph`
    """

    input: MapShape
    stages: tuple[SpikingLayer | Pool, ...]
    input_shape: tuple[int, ...] = field(default=())

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (self.input.size,))

    @classmethod
    def dense(cls, *layers: tuple[str, Floats, Floats, Rectifier | None]) -> Network:
        """Layers of (name, weight, bias, rectifier) that each read all outputs of the one before."""
        stages = tuple(SpikingLayer(*layer, (Window(source=number),)) for number, layer in enumerate(layers))
        return cls(MapShape(channels=stages[0].inputs), stages)

    @property
    def layers(self) -> tuple[SpikingLayer, ...]:
        """The crossbar layers alone."""
        return tuple(stage for stage in self.stages if isinstance(stage, SpikingLayer))

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
        return Plan(input=self.input, stages=tuple(stages), channels=tuple(layer.outputs for layer in self.layers))

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.input.size

    def activations(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.floating]]:
        """What every stage makes, [images, values], for uint8 images [images, inputs]; input is pixel / 255.

        float64; float32 from the first window that is not a whole map on.
        """
        plan = self.plan
        x: NDArray[np.floating] = map_order(images, self.input).astype(np.float64) / 255.0
        last_use = {s: n for n, stage in enumerate(plan.stages) for s in _sources(stage)}
        maps: list[NDArray[np.floating] | None] = [x]
        for number, (stage, made) in enumerate(zip(self.stages, plan.stages, strict=True)):
            if isinstance(stage, Pool):
                source = maps[stage.window.source]
                assert source is not None
                x = pooled(stage, plan.maps[stage.window.source], source)
            else:
                assert isinstance(made, CrossbarStage)
                reader = WindowReader(plan, made)
                with np.errstate(over="ignore", invalid="ignore"):  # infinite activations are an error of `normalise`
                    sums = reader.sums(maps, stage.weight.T, np.float64 if reader.dense else np.float32)
                    x = sums + reader.spread(stage.bias)
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


def pooled(pool: Pool, shape: MapShape, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """What a pooling unit makes of a map [images, values] of this shape, [images, values]."""
    blocks = pool_blocks(values, shape, pool.window.kernel)
    return (blocks.max(axis=3) if pool.kind == Pooling.MAX else _mean(blocks)).reshape(len(values), -1)


def _sources(stage: CrossbarStage | PoolStage) -> set[int]:
    windows = stage.windows if isinstance(stage, CrossbarStage) else (stage.window,)
    return {window.source for window in windows}


def _mean(blocks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means over axis 3, added up one after another: NumPy's own order depends on the array's shape."""
    total = blocks[:, :, :, 0].copy()
    for index in range(1, blocks.shape[3]):
        total += blocks[:, :, :, index]
    return total / blocks.shape[3]


def rectified(x: NDArray[np.floating], rectifier: Rectifier) -> NDArray[np.floating]:
    """The rectifier's function: max(x, 0), or floor(x L / c + 1/2) c / L limited to 0 .. c for L levels and clip c.

    The rounded form is what an integrate-and-fire neuron that starts at half a threshold gives after L steps of
    constant input (Bu et al., "Optimal ANN-SNN conversion", ICLR 2022, eq. 8).
    """
    if rectifier.levels:
        step = rectifier.clip / rectifier.levels
        x = np.floor(x / step + 0.5) * step
    return np.clip(x, 0.0, rectifier.clip)
