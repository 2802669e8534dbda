"""A spiking network in real numbers: the stage of the waterfall between the ANN and the integers, and ADC calibration.

The dynamics are those of the number contract (leak, integrate, clip, fire, reset; decision), without any array or
converter between the weights and the membranes. Given integer weights it computes the very integers of ideal cells with
converters that never saturate nor round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.geometry import CrossbarStage, Plan, Pooling, PoolStage
from hw.params import Readout, Reset, Rule
from sim.image import ChipImage
from sim.short_repr import short_repr
from sw.network import Network
from sw.windows import Kernels, WindowReader, map_order, pool_blocks

__all__ = ["Codes", "FloatResult", "Maps", "Observer", "SpikingLayer", "SpikingNetwork", "spiking_network"]

Codes = Callable[[NDArray[np.intp], int], NDArray[np.float32]]
"""Pixels of step t (from 1) for the given images, float32 [images, inputs], 1 is full scale."""
Maps = Sequence[NDArray[np.float32]]
Observer = Callable[[int, int, Maps], None]
"""Called with (layer, step, the maps made so far) before each read; map 0 is the image."""


@dataclass(frozen=True, eq=False)
class SpikingLayer:
    """Weights float32 [rows, outputs], bias float32 [outputs]; theta, v0 and clip in the same unit, last phase's."""

    reader: WindowReader
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    theta: float
    v0: float
    clip: float
    reset: Reset

    __repr__ = short_repr

    @cached_property
    def kernels(self) -> Kernels:
        return self.reader.kernels(self.weight)

    @cached_property
    def biases(self) -> NDArray[np.float32]:
        """The bias of every neuron, float32 [positions * outputs]."""
        return self.reader.spread(self.bias)

    def pulses(self, maps: Maps) -> int:
        """Rows driven in all windows of all images."""
        if self.reader.dense:
            return int(np.count_nonzero(maps[self.reader.windows[0].source]))
        ones = np.ones((len(self.weight), 1), np.float32)
        driven = [(values != 0.0).astype(np.float32) for values in maps]
        return round(float(self.reader.sums(driven, self.reader.kernels(ones)).sum(dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class FloatResult:
    """Classes int64 [images] and steps int64 [images]."""

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Layers, what they and pooling units read, and decision; `leak` is the shift lambda (0 off), `whole` rounds the
    leak down as integer hardware does.
    """

    layers: tuple[SpikingLayer, ...]
    plan: Plan
    phases: int
    leak: int
    whole: bool
    rule: Rule
    k: float
    t_max: int
    skip: int
    readout: Readout

    __repr__ = short_repr

    @property
    def batch(self) -> int:
        """Images to run together: whose membranes fit into 256 MB, at most 1000."""
        return min(1000, max(1, (1 << 26) // sum(shape.size for shape in self.plan.maps)))

    def run(self, count: int, codes: Codes, observe: Observer | None = None) -> FloatResult:
        """Classes and steps of `count` images. An image that has decided leaves the batch."""
        alive = np.arange(count)
        classes, steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
        states = [self._start(stage, count) for stage in self.plan.stages]
        counts = np.zeros((count, len(self.layers[-1].bias)), np.float32)
        for step in range(1, self.t_max + 1):
            gain = np.float32(2.0 ** (self.phases - 1 - (step - 1) % self.phases))
            skipped = (step - 1) // self.phases < self.skip
            maps = [map_order(codes(alive, step), self.plan.image)]
            for stage, state in zip(self.plan.stages[: len(states) - skipped], states, strict=False):
                if isinstance(stage, PoolStage):
                    maps.append(self._pool(stage, state, maps[stage.window.source], gain))
                    continue
                if observe is not None:
                    observe(stage.layer, step, maps)
                maps.append(self._fire(self.layers[stage.layer], state, maps, gain))
            if skipped:
                continue
            counts += maps[-1] * gain
            scores = counts if self.readout == Readout.SPIKES else states[-1]
            done = np.full(len(alive), step == self.t_max)
            if self.rule == Rule.WINNER_K:
                done |= _margin(scores) >= self.k
            classes[alive[done]] = np.argmax(scores[done], axis=1)
            steps[alive[done]] = step
            if done.any():
                keep = ~done
                alive, counts = alive[keep], counts[keep]
                states = [state[keep] for state in states]
            if not len(alive):
                break
        return FloatResult(classes, steps)

    def _start(self, stage: CrossbarStage | PoolStage, count: int) -> NDArray[np.float32]:
        """Membranes of a layer [images, neurons], or the sums of a pooling unit: a MAX's are those of its inputs."""
        if isinstance(stage, CrossbarStage):
            layer = self.layers[stage.layer]
            return np.full((count, len(layer.biases)), layer.v0, np.float32)
        source = self.plan.maps[stage.window.source]
        if stage.kind == Pooling.MAX:
            return np.zeros((count, source.size), np.float32)
        height, width = stage.window.outputs(source)
        return np.full((count, height * width * source.channels), stage.start, np.float32)

    def _pool(
        self, stage: PoolStage, state: NDArray[np.float32], spikes: NDArray[np.float32], gain: np.float32
    ) -> NDArray[np.float32]:
        """One step of a pooling unit, in place; spikes as 0 and 1."""
        source, kernel = self.plan.maps[stage.window.source], stage.window.kernel
        inputs = pool_blocks(spikes, source, kernel)
        if stage.kind == Pooling.MAX:
            state += spikes * gain
            largest = np.argmax(pool_blocks(state, source, kernel), axis=3)
            return np.take_along_axis(inputs, largest[:, :, :, None], axis=3).reshape(len(spikes), -1)
        size = kernel[0] * kernel[1]
        state += inputs.sum(axis=3).reshape(len(spikes), -1) * gain
        fired = state >= size * gain
        state -= fired * (size * gain)
        return fired.astype(np.float32)

    def _fire(self, layer: SpikingLayer, v: NDArray[np.float32], maps: Maps, gain: np.float32) -> NDArray[np.float32]:
        """One neuron update, in place; spikes as 0 and 1."""
        if self.leak:
            share = v * np.float32(2.0**-self.leak)
            v -= np.floor(share) if self.whole else share
        v += (layer.reader.sums(maps, layer.kernels) + layer.biases) * gain
        if layer.clip > 0.0:
            np.clip(v, -layer.clip, layer.clip, out=v)
        theta = np.float32(layer.theta) * gain
        fired = v >= theta
        if layer.reset == Reset.SUBTRACT:
            v -= fired * theta
        elif layer.reset == Reset.ZERO:
            v[fired] = 0.0
        return fired.astype(np.float32)


def _margin(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Best score less the second, or less 0 with a single class; float32 [images]."""
    if scores.shape[1] == 1:
        return scores[:, 0]
    top = np.partition(scores, -2, axis=1)
    return top[:, -1] - top[:, -2]


def spiking_network(image: ChipImage, network: Network | None = None) -> SpikingNetwork:
    """The dynamics of a chip: with its integers, or with a normalised network's real weights and thresholds of 1.

    Its layers are the network's: copies of a crossbar, which compute the same, are one.
    """
    layers = []
    shared = image.parameters.stages
    chips = [image.layers[stage.layer] for _, stage in shared.crossbars]
    plan = shared.with_copies([1] * len(chips))
    for index, (chip, (_, stage)) in enumerate(zip(chips, plan.crossbars, strict=True)):
        unit = 1.0 if network is None else float(chip.theta)
        weight = chip.weights if network is None else network.layers[index].weight.T
        bias = chip.bias if network is None else network.layers[index].bias
        layers.append(
            SpikingLayer(
                WindowReader(plan, stage),
                np.ascontiguousarray(weight, np.float32),
                bias.astype(np.float32),
                chip.theta / unit,
                chip.v0 / unit,
                chip.clip / unit,
                chip.reset,
            )
        )
    unit = float(image.layers[-1].theta) if network is not None and image.readout == Readout.MEMBRANE else 1.0
    leak = image.layers[0].leak
    return SpikingNetwork(
        tuple(layers),
        plan,
        image.parameters.phases,
        leak,
        network is None,
        image.rule,
        image.k / unit,
        image.t_max,
        image.skip,
        image.readout,
    )
