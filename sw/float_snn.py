"""A spiking network in real numbers: the stage of the waterfall between the ANN and the integers, and ADC calibration.

The dynamics are those of the number contract (leak, integrate, clip, fire, reset; decision), without any array or
converter between the weights and the membranes. Given integer weights it computes the very integers of ideal cells with
converters that never saturate nor round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.params import Readout, Reset, Rule
from sim.image import ChipImage
from sw.graph import Network

__all__ = ["Codes", "FloatResult", "Observer", "SpikingLayer", "SpikingNetwork", "spiking_network"]

Codes = Callable[[NDArray[np.intp], int], NDArray[np.float32]]
"""Rows of step t (from 1) for the given images, float32 [images, inputs], 1 is full scale."""
Observer = Callable[[int, int, NDArray[np.float32]], None]
"""Called with (layer, step, rows [images, inputs]) before each read."""


@dataclass(frozen=True, eq=False)
class SpikingLayer:
    """Weights float32 [inputs, outputs], bias float32 [outputs]; theta, v0 and clip in the same unit, last phase's."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    theta: float
    v0: float
    clip: float
    reset: Reset


@dataclass(frozen=True, eq=False)
class FloatResult:
    """Classes int64 [images] and steps int64 [images]."""

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Layers and decision; `leak` is the shift lambda (0 off), `whole` rounds the leak down as integer hardware
    does.
    """

    layers: tuple[SpikingLayer, ...]
    phases: int
    leak: int
    whole: bool
    rule: Rule
    k: float
    t_max: int
    skip: int
    readout: Readout

    def run(self, count: int, codes: Codes, observe: Observer | None = None) -> FloatResult:
        """Classes and steps of `count` images. An image that has decided leaves the batch."""
        alive = np.arange(count)
        classes, steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
        membranes = [np.full((count, len(layer.bias)), layer.v0, np.float32) for layer in self.layers]
        counts = np.zeros((count, len(self.layers[-1].bias)), np.float32)
        for step in range(1, self.t_max + 1):
            gain = np.float32(2.0 ** (self.phases - 1 - (step - 1) % self.phases))
            skipped = (step - 1) // self.phases < self.skip
            rows = codes(alive, step)
            for index, layer in enumerate(self.layers[: len(self.layers) - skipped]):
                if observe is not None:
                    observe(index, step, rows)
                rows = self._fire(layer, membranes[index], rows, gain)
            if skipped:
                continue
            counts += rows * gain
            scores = counts if self.readout == Readout.SPIKES else membranes[-1]
            done = np.full(len(alive), step == self.t_max)
            if self.rule == Rule.WINNER_K:
                done |= _margin(scores) >= self.k
            classes[alive[done]] = np.argmax(scores[done], axis=1)
            steps[alive[done]] = step
            if done.any():
                keep = ~done
                alive, counts = alive[keep], counts[keep]
                membranes = [v[keep] for v in membranes]
            if not len(alive):
                break
        return FloatResult(classes, steps)

    def _fire(
        self, layer: SpikingLayer, v: NDArray[np.float32], rows: NDArray[np.float32], gain: np.float32
    ) -> NDArray[np.float32]:
        """One neuron update, in place; spikes as 0 and 1."""
        if self.leak:
            share = v * np.float32(2.0**-self.leak)
            v -= np.floor(share) if self.whole else share
        v += (rows @ layer.weight + layer.bias) * gain
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
    """The dynamics of a chip: with its integers, or with a normalised network's real weights and thresholds of 1."""
    layers = []
    for index, chip in enumerate(image.layers):
        unit = 1.0 if network is None else float(chip.theta)
        weight = chip.weights if network is None else network.layers[index].weight.T
        bias = chip.bias if network is None else network.layers[index].bias
        layers.append(
            SpikingLayer(
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
        image.parameters.phases,
        leak,
        network is None,
        image.rule,
        image.k / unit,
        image.t_max,
        image.skip,
        image.readout,
    )
