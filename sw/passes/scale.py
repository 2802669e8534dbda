"""The step of a layer's cells, the weight of one conductance level, chosen by the error of the layer's output.

Rounding and clipping change weights W to levels w. What counts is what that does to the neurons on typical inputs,
where the rectifier lets it pass (for a last layer without one: where classes differ). For some steps s, w = W / s is
rounded, and the layer's output is fitted: of all numbers a and, for each column, c, with which a (w x') + b + c comes
nearest to W x + b, a is what a level then stands for, and c goes into the bias (as in Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 3.2, there on average over all
inputs). With few levels a is not s: weights below s / 2 are lost.

x' is what the layers before make of the images in levels, x what they made with real weights: a layer so makes up for
what those before it have lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.windows import map_of_pixels
from spikeloom.sw.ir.graph import Floats, Rectifier
from spikeloom.sw.ir.network import MapUnit, Network
from spikeloom.sw.ir.window_reader import WindowReader
from spikeloom.sw.passes.normalise import scaled
from spikeloom.sw.passes.quantise import on_grid, round_weights

__all__ = ["LayerFit", "LayerInputs", "layer_fits", "weight_step"]

_PER_OCTAVE = 4
_OCTAVES = 5
_WEIGHT_STEPS = 32
"""Steps of two octaves that the weights' own error is tried with."""
_FITS = 3
"""Rounds of the fit: which neurons the rectifier lets pass depends on the fit."""


@dataclass(frozen=True, eq=False)
class LayerFit:
    """How a layer becomes levels, in the unit of its weights.

    Parameters
    ----------
    step : weights are rounded to multiples of it
    value : what a level stands for
    correction : what the bias gets added, float64 [outputs]
    error : mean square error of the output
    """

    step: float
    value: float
    correction: Floats
    error: float

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class LayerInputs:
    """What a layer reads on some images, and what it makes of it.

    Parameters
    ----------
    reader : of the layer's windows
    maps : float [images, values] of every map that the windows read, None for the others; with real weights
    level_maps : the same behind layers in levels
    rectifier : None on a last layer without one
    weight, bias : float64 [outputs, rows] and [outputs]
    """

    __repr__ = short_repr

    reader: WindowReader
    maps: Sequence[NDArray[np.floating] | None]
    level_maps: Sequence[NDArray[np.floating] | None]
    weight: Floats
    bias: Floats
    rectifier: Rectifier | None

    def fit(self, top: int) -> LayerFit:
        """The step with the least error of the output, for levels -top .. top."""
        largest = float(np.abs(self.weight).max(initial=0.0))
        if largest == 0.0 or on_grid(self.weight, top):
            step = (largest or 1.0) / top
            return LayerFit(step, step, np.zeros_like(self.bias), 0.0)
        target = self._passed(self._columns(self.reader.sums(self.maps, self.weight.T, np.float64)) + self.bias)
        best: LayerFit | None = None
        worse = 0
        for step in largest / top * 2.0 ** (-np.arange(_OCTAVES * _PER_OCTAVE) / _PER_OCTAVE):
            found = self._fit(float(step), top, target)
            if best is None or found.error < best.error:
                best, worse = found, 0
            else:
                worse += 1
                if worse == _PER_OCTAVE:
                    break
        assert best is not None
        return best

    def output(self, levels: NDArray[np.integer], fit: LayerFit) -> Floats:
        """What the layer makes in levels, [images, values]."""
        sums = self._columns(self.reader.sums(self.level_maps, levels.T.astype(np.float64), np.float64))
        out = fit.value * sums + (self.bias + fit.correction)
        if self.rectifier is not None:
            np.clip(out, 0.0, self.rectifier.clip, out=out)
        return out.reshape(-1, self.reader.positions * self.reader.outputs)

    def _columns(self, sums: NDArray[np.floating]) -> Floats:
        return sums.reshape(-1, self.reader.outputs).astype(np.float64, copy=False)

    def _passed(self, x: Floats) -> Floats:
        if self.rectifier is None:  # a single output is compared with 0, others with each other
            return x - x.mean(axis=1, keepdims=True) if x.shape[1] > 1 else x
        return np.clip(x, 0.0, self.rectifier.clip)

    def _fit(self, step: float, top: int, target: Floats) -> LayerFit:
        levels = round_weights(self.weight, step, top).T.astype(np.float64)
        sums = self._columns(self.reader.sums(self.level_maps, levels, np.float64))
        bias = self.bias
        if self.rectifier is None:
            sums, bias = self._passed(sums), self._passed(bias[None])[0]
        value, correction = step, np.zeros_like(bias)
        for _ in range(_FITS if self.rectifier is not None else 1):
            out = value * sums + (bias + correction)
            near = np.ones_like(out)
            if self.rectifier is not None:
                near = ((target > 0.0) | (out > 0.0)).astype(np.float64)
                near *= (target < self.rectifier.clip) | (out < self.rectifier.clip)
            count = np.maximum(near.sum(axis=0), 1.0)
            wanted = target - bias
            middle, goal = (near * sums).sum(axis=0) / count, (near * wanted).sum(axis=0) / count
            x = near * (sums - middle)
            square = float((x**2).sum())
            value = float(np.clip((x * (wanted - goal)).sum() / square, 0.25 * step, 4.0 * step)) if square else step
            correction = goal - value * middle
        out = self._passed(value * sums + (bias + correction))
        return LayerFit(step, value, correction, float(np.mean((out - target) ** 2)))


def weight_step(weight: Floats, top: int) -> float:
    """The step with the least mean square error of the weights themselves, which are not all 0."""
    steps = np.abs(weight).max() / top * 2.0 ** (-np.arange(_WEIGHT_STEPS) / _WEIGHT_STEPS * 2.0)
    errors = [float(np.mean((round_weights(weight, step, top) * step - weight) ** 2)) for step in steps]
    return float(steps[int(np.argmin(errors))])


def layer_fits(network: Network, rates: Sequence[float], pixels: NDArray[np.uint8], top: int) -> dict[int, LayerFit]:
    """A fit of every layer, by the number of its stage, first to last: each reads what those before make in levels.

    Weights that are multiples of the largest / top stay as they are.

    Parameters
    ----------
    rates : what a rate of 1 of every map stands for, the image first; weights are in units of its rows' rates
    pixels : uint8 [images, inputs]
    """
    plan, found = network.plan, {}
    crossbars = dict(plan.crossbar_stages)
    image = map_of_pixels(pixels, network.input).astype(np.float64) / 255.0
    exact: list[NDArray[np.floating]] = [image]
    given: list[NDArray[np.floating]] = [image]
    made = zip(network.stages, network.activations(pixels), rates[1:], strict=True)
    for number, (stage, values, rate) in enumerate(made):
        if isinstance(stage, MapUnit):
            given.append(stage.values(given, plan.maps))
        else:
            unit = scaled(stage, plan.maps, rates, 1.0)
            sources = {window.source for window in stage.windows}
            read = [_only(maps, sources) for maps in (exact, given)]
            inputs = LayerInputs(
                WindowReader(plan, crossbars[number]), read[0], read[1], unit.weight, unit.bias, stage.rectifier
            )
            found[number] = inputs.fit(top)
            levels = round_weights(unit.weight, found[number].step, top)
            given.append(inputs.output(levels, found[number]) / rate)
        exact.append(values / rate)
    return found


def _only(maps: Sequence[NDArray[np.floating]], sources: set[int]) -> list[NDArray[np.floating] | None]:
    return [values if source in sources else None for source, values in enumerate(maps)]
