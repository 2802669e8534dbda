"""The range of the converters with the least error, and what that error does on average, made up for in threshold and
biases.

What a membrane sees of a converter's errors is their sum over an image's time steps: rounding errors change their sign
and cancel in part, while what is clipped, or too small to be seen, is lost again and again. So a gain shift is judged
by the current D summed over steps and row tiles, beside I, the sum with ideal converters in all layers. Of the error,
what is alike in all images can be made up for: with the least squares fit I = a D + c, a for the layer and c for each
column, the layer works with theta / a and (bias + c) / a. The rest is the error of the shift.

Layers are taken first to last, each behind those that are converted already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw.params import LayerParameters, Rule
from sim.image import ChipImage
from sim.short_repr import short_repr
from sw.float_snn import Maps, SpikingLayer, SpikingNetwork, spiking_network
from sw.graph import Floats
from sw.passes.calibrate import TileCurrents, calibrate_adc, evenly, row_codes
from sw.passes.quantise import MAX_THETA, Levels

__all__ = ["Converters", "choose_converters"]

_IMAGES = 200
"""Calibration images that errors are measured on."""
_STEPS = 16
"""Time steps that currents are summed over, if the chip has as many."""
_SHIFTS = 6
"""Gain shifts that are tried, from the smallest that clips nothing downwards."""
ENOUGH = 0.25
"""Error of a neuron's summed current, in thresholds, up to which nothing is clipped and nothing made up for."""


@dataclass(frozen=True, eq=False)
class Converters:
    """Those of a layer.

    Parameters
    ----------
    shift : gain shift
    gain, offset : a, and c in conductance steps a time step, float64 [outputs]
    error : rms error of a neuron's summed current that is left, thresholds
    """

    __repr__ = short_repr

    shift: int
    gain: float
    offset: Floats
    error: float

    @property
    def compensates(self) -> bool:
        """Whether threshold and biases make up for anything."""
        return self.gain != 1.0 or bool(self.offset.any())

    def applied(self, levels: Levels) -> Levels:
        """The layer with threshold and biases that make up for the error."""
        if not self.compensates:
            return levels
        theta = int(np.clip(round(levels.theta / self.gain), 1, MAX_THETA))
        gain = levels.theta / theta
        bias = np.rint((levels.bias + self.offset) / gain).astype(np.int64)
        return replace(levels, theta=theta, bias=bias, scale=levels.scale * gain)


def choose_converters(wide: ChipImage, images: NDArray[np.uint8], adc_bits: int) -> tuple[Converters, ...]:
    """For every layer of the network; copies of a crossbar have the same.

    Parameters
    ----------
    wide : the chip with gain shift 0 and wide converters everywhere
    images : uint8 [images, inputs], calibration images
    """
    largest = calibrate_adc(wide, images, adc_bits, 1.0)
    pixels = evenly(images, _IMAGES)
    shapes = [wide.parameters.layers[stage.layer] for _, stage in wide.parameters.stages.crossbars]
    chosen = [Converters(0, 1.0, np.zeros(shape.outputs), 0.0) for shape in shapes]
    if not any(largest):
        return tuple(chosen)
    phases = wide.parameters.phases
    network = spiking_network(wide)
    steps = max(min(wide.t_max, _STEPS), (wide.skip + 1) * phases)
    network = replace(network, rule=Rule.FIXED, t_max=steps)
    ideal = [_Sums(shape, layer, adc_bits, []) for shape, layer in zip(shapes, network.layers, strict=True)]
    _run(network, wide, pixels, dict(enumerate(ideal)))
    for number, shift in enumerate(largest):
        if shift:
            shifts = [value for value in range(shift, shift - _SHIFTS, -1) if value >= 0]
            sums = _Sums(shapes[number], network.layers[number], adc_bits, shifts)
            _run(network, wide, pixels, {number: sums})
            chosen[number] = sums.best(ideal[number].total, number == len(largest) - 1)
            layer = sums.converted(network.layers[number], chosen[number])
            network = replace(network, layers=(*network.layers[:number], layer, *network.layers[number + 1 :]))
    return tuple(chosen)


def _run(network: SpikingNetwork, wide: ChipImage, pixels: NDArray[np.uint8], sums: dict[int, _Sums]) -> None:
    """Run the images, and add up what the converters of some layers get and give."""
    phases = network.phases

    def observe(layer: int, step: int, maps: Maps) -> None:
        if layer in sums:
            sums[layer].add(maps, float(1 << (phases - 1 - (step - 1) % phases)))

    for start in range(0, len(pixels), network.batch):
        part = pixels[start : start + network.batch]
        for each in sums.values():
            each.begin(len(part))
        network.run(len(part), row_codes(wide, part, start), observe)


class _Sums:
    """Currents of a layer summed over the steps of each image: with ideal converters, and with some gain shifts."""

    def __init__(self, shape: LayerParameters, layer: SpikingLayer, adc_bits: int, shifts: list[int]) -> None:
        self.currents, self.theta, self.outputs = TileCurrents(shape, layer), layer.theta, shape.outputs
        self.top = 1 if adc_bits == 1 else (1 << (adc_bits - 1)) - 1
        self.bottom = -1 if adc_bits == 1 else -(1 << (adc_bits - 1))
        self.shifts, self.neurons, self.bias = shifts, len(layer.biases), layer.bias
        self.parts: list[NDArray[np.float32]] = []
        self.weight = 0.0

    @property
    def total(self) -> NDArray[np.float32]:
        """Float32 [shifts or 1, images * positions, outputs]."""
        return np.concatenate(self.parts, axis=1).reshape(len(self.parts[0]), -1, self.outputs)

    def begin(self, count: int) -> None:
        self.parts.append(np.zeros((max(1, len(self.shifts)), count, self.neurons), np.float32))
        self.weight = 0.0

    def add(self, maps: Maps, gain: float) -> None:
        """A step of all images, whose spikes weigh `gain`."""
        self.weight += gain
        for current in self.currents.of(maps):
            if not self.shifts:
                self.parts[-1][0] += gain * current
            for index, shift in enumerate(self.shifts):
                self.parts[-1][index] += np.float32(gain) * self._code(current, shift)

    def converted(self, layer: SpikingLayer, chosen: Converters) -> SpikingLayer:
        """The layer behind such converters."""

        def read(maps: Maps) -> NDArray[np.floating]:
            return sum(self._code(current, chosen.shift) for current in self.currents.of(maps))  # type: ignore[return-value]

        factor = layer.dtype(1.0 / chosen.gain)
        bias = (layer.bias + chosen.offset.astype(layer.dtype)) * factor
        theta, v0, clip = layer.theta / chosen.gain, layer.v0 / chosen.gain, layer.clip / chosen.gain
        return replace(layer, bias=bias, theta=theta, v0=v0, clip=clip, converted=read)

    def best(self, ideal: NDArray[np.float32], last: bool) -> Converters:
        """The largest shift if its error is not worth more, else that with the least error."""
        wanted = ideal[0].astype(np.float64)
        plain = self.total[0] - wanted
        if np.sqrt(np.mean(plain**2)) <= ENOUGH * self.theta:
            return Converters(
                self.shifts[0], 1.0, np.zeros(self.outputs), float(np.sqrt(np.mean(plain**2)) / self.theta)
            )
        near = np.ones_like(wanted)
        if not last:  # what a hidden neuron loses that stays far below its threshold does not matter
            near = (wanted + self.weight * self.bias > -0.1 * self.weight * self.theta).astype(np.float64)
        fits = [self._fit(shift, total, wanted, near) for shift, total in zip(self.shifts, self.total, strict=True)]
        return min(fits, key=lambda fit: fit.error)

    def _fit(self, shift: int, total: NDArray[np.float32], wanted: Floats, near: Floats) -> Converters:
        given, count = total.astype(np.float64), np.maximum(near.sum(axis=0), 1.0)
        middle, target = (near * given).sum(axis=0) / count, (near * wanted).sum(axis=0) / count
        x, y = near * (given - middle), near * (wanted - target)
        square = float((x**2).sum())
        gain = float(np.clip((x * y).sum() / square, 0.25, 4.0)) if square else 1.0
        error = float(np.sqrt(((y - gain * x) ** 2).sum() / max(near.sum(), 1.0))) / self.theta
        return Converters(shift, gain, (target - gain * middle) / self.weight, error)

    def _code(self, current: NDArray[np.floating], shift: int) -> NDArray[np.floating]:
        """What the converter makes of a current, in the current's unit."""
        scale = np.float32(1 << shift)
        code = np.rint(current / scale)
        np.clip(code, self.bottom, self.top, out=code)
        code *= scale
        return code
