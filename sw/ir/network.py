"""A network of crossbar layers and pooling units, which the passes transform, and its floating-point computation.

Values of a map are in the order of the hardware (`hw.params.plan`): position * channels + channel, position = y * width
+ x. Pixels of an image are in PyTorch's: (channel * height + y) * width + x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Stage, Window
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.windows import map_of_pixels
from spikeloom.sw.ir.graph import Floats, Rectifier
from spikeloom.sw.ir.stages import REAL
from spikeloom.sw.ir.window_reader import WindowReader

__all__ = ["MapUnit", "Network", "SpikingLayer", "rectified"]


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
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        """Crossbar columns."""
        return int(self.weight.shape[0])

    def planned(self, layer: int) -> CrossbarStage:
        """The stage of the plan, after so many layers."""
        return CrossbarStage(layer=layer, windows=self.windows)

    def values(self, maps: Sequence[NDArray[np.floating] | None], reader: WindowReader) -> NDArray[np.floating]:
        """What it makes of the maps so far [images, values], through a reader of its windows."""
        with np.errstate(over="ignore", invalid="ignore"):  # infinite activations are an error of `normalise`
            sums = reader.sums(maps, self.weight.T, np.float64 if reader.dense else np.float32)
            x = sums + reader.spread(self.bias)
        return x if self.rectifier is None else rectified(x, self.rectifier)


@dataclass(frozen=True)
class MapUnit:
    """A stage that makes a map of maps alone, such as a pooling unit on spikes; as the plan has it."""

    name: str
    stage: Stage

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that it reads."""
        return self.stage.windows

    @property
    def source(self) -> int:
        """Number of the map whose firing rates are those of its own."""
        return self.stage.windows[0].source

    def planned(self, layer: int) -> Stage:
        """The stage of the plan, after so many layers."""
        return self.stage

    def values(self, maps: Sequence[NDArray[np.floating] | None], shapes: tuple[MapShape, ...]) -> NDArray[np.floating]:
        """What it makes of the maps so far [images, values], whose shapes are those of the plan's maps."""
        real, read = REAL[type(self.stage)], [maps[window.source] for window in self.windows]
        assert real is not None and all(values is not None for values in read)
        return real.values(self.stage, [shapes[window.source] for window in self.windows], read)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Network:
    """Crossbar layers and units between maps, first to last; every layer but the last has a rectifier.

    image, input_shape : as in `sw.ir.graph.Graph`
    """

    input: MapShape
    stages: tuple[SpikingLayer | MapUnit, ...]
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
        stages: list[Stage] = []
        for stage in self.stages:
            stages.append(stage.planned(sum(len(earlier.layers) for earlier in stages)))
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
        x: NDArray[np.floating] = map_of_pixels(images, self.input).astype(np.float64) / 255.0
        last_use = {window.source: n for n, stage in enumerate(plan.stages) for window in stage.windows}
        maps: list[NDArray[np.floating] | None] = [x]
        crossbars = dict(plan.crossbar_stages)
        for number, stage in enumerate(self.stages):
            if isinstance(stage, SpikingLayer):
                x = stage.values(maps, WindowReader(plan, crossbars[number]))
            else:
                x = stage.values(maps, plan.maps)
            yield x
            maps.append(x)
            for window in stage.windows:
                if last_use[window.source] == number:
                    maps[window.source] = None

    def with_layers(self, change: Callable[[int, SpikingLayer], SpikingLayer]) -> Network:
        """The network with other layers, made of the number of each one's stage and the layer, first to last."""
        stages = (change(n, stage) if isinstance(stage, SpikingLayer) else stage for n, stage in enumerate(self.stages))
        return replace(self, stages=tuple(stages))

    def outputs(self, images: NDArray[np.uint8], batch: int = 0) -> NDArray[np.floating]:
        """What the last layer makes, [images, classes]; `batch` images at a time, by default as fit into 256 MB."""
        size = batch or self.batch
        return np.concatenate([self._last(images[start : start + size]) for start in range(0, len(images), size)])

    def classes(self, images: NDArray[np.uint8], batch: int = 0) -> NDArray[np.int64]:
        """Arg max of the last layer, int64 [images]."""
        classes: NDArray[np.int64] = np.argmax(self.outputs(images, batch), axis=1)
        return classes

    @property
    def batch(self) -> int:
        """Images whose two largest maps fit into 256 MB, at most 2048."""
        return min(2048, max(1, (1 << 24) // max(shape.size for shape in self.plan.maps)))

    def _last(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        *_, last = self.activations(images)
        return last


def rectified(x: NDArray[np.floating], rectifier: Rectifier) -> NDArray[np.floating]:
    """The rectifier's function: max(x, 0), or floor(x L / c + 1/2) c / L limited to 0 .. c for L levels and clip c.

    The rounded form is what an integrate-and-fire neuron that starts at half a threshold gives after L steps of
    constant input (Bu et al., "Optimal ANN-SNN conversion", ICLR 2022, eq. 8).
    """
    if rectifier.levels:
        step = rectifier.clip / rectifier.levels
        x = np.floor(x / step + 0.5) * step
    clipped: NDArray[np.floating] = np.clip(x, 0.0, rectifier.clip)
    return clipped
