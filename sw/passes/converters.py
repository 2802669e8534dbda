"""The range of the converters with the least error, and what that error does on average, made up for in threshold and
biases.

What a membrane sees of a converter's errors is their sum over an image's time steps: rounding errors change their sign
and cancel in part, while what is clipped, or too small to be seen, is lost again and again. So a gain shift is judged
by the current D summed over steps and row tiles, beside I, the sum with ideal converters in all layers. Of the error,
what is alike in all images can be made up for: with the least squares fit I = a D + c, a for the layer and c for each
column, the layer works with theta / a and (bias + c) / a. The rest is the error of the shift.

Layers are taken first to last, each behind those that are converted already.

With converters of few bits the least error of each layer alone is not always the best chip. So `sw.passes.choose`
also tries ranges that fit a given share of the currents, whose hidden layers are left as they are, and measures the
network behind each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.params import LayerParameters, Rule
from sim.image import ChipImage
from sim.short_repr import short_repr
from sw.float_snn import Maps, SpikingLayer, SpikingNetwork, spiking_network
from sw.graph import Floats
from sw.passes.calibrate import Misfits, TileCurrents, evenly, misfits, row_codes
from sw.passes.quantise import MAX_THETA, Levels

__all__ = ["Converters", "Ranges", "choose_converters"]

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


def choose_converters(
    wide: ChipImage, images: NDArray[np.uint8], adc_bits: int, share: float | None = None
) -> tuple[Converters, ...]:
    """For every layer of the network; copies of a crossbar have the same.

    Parameters
    ----------
    wide : the chip with gain shift 0 and wide converters everywhere
    images : uint8 [images, inputs], calibration images
    share : of the currents that fit, instead of the least error
    """
    return Ranges(wide, images, adc_bits).chosen(share)[0]


class Ranges:
    """The converters of a chip, and the network behind them; arguments as in `choose_converters`."""

    def __init__(self, wide: ChipImage, images: NDArray[np.uint8], adc_bits: int) -> None:
        self.wide, self.images, self.adc_bits = wide, images, adc_bits
        self.pixels = evenly(images, _IMAGES)
        self.exact = spiking_network(wide)
        steps = max(min(wide.t_max, _STEPS), (wide.skip + 1) * wide.parameters.phases)
        self.network = replace(self.exact, rule=Rule.FIXED, t_max=steps)
        self.shapes = [wide.parameters.layers[stage.layer] for _, stage in wide.parameters.stages.crossbars]

    @cached_property
    def misfits(self) -> list[Misfits]:
        return misfits(self.wide, self.images, self.adc_bits)

    @cached_property
    def largest(self) -> tuple[int, ...]:
        """The smallest gain shifts that clip nothing."""
        return self._fitting(1.0)

    def _fitting(self, share: float) -> tuple[int, ...]:
        """The smallest gain shifts that this share of the currents fits."""
        return tuple(counter.smallest_shift(share) for counter in self.misfits)

    @cached_property
    def ideal(self) -> list[NDArray[np.float32]]:
        """Each layer's summed currents with ideal converters in all layers."""
        sums = [self._sums(number, []) for number in range(len(self.shapes))]
        _run(self.network, self.wide, self.pixels, dict(enumerate(sums)))
        return [each.total for each in sums]

    def chosen(self, share: float | None = None) -> tuple[tuple[Converters, ...], SpikingNetwork]:
        """Those of all layers, and the network behind them, otherwise as the chip says."""
        chosen = [Converters(0, 1.0, np.zeros(shape.outputs), 0.0) for shape in self.shapes]
        shifts = self.largest
        network, first = self.network, 0
        if share is None and any(shifts):
            chosen, network, first = self._unchanged(chosen)
        elif any(shifts):
            shifts = self._fitting(share or 1.0)
        last = len(shifts) - 1
        for number in range(first, last + 1):
            if not self.largest[number]:
                continue
            tried = [shifts[number]]
            if share is None:
                tried = [value for value in range(shifts[number], shifts[number] - _SHIFTS, -1) if value >= 0]
            if share is not None and number < last:
                chosen[number] = replace(chosen[number], shift=shifts[number])
                layer = self._sums(number, tried).converted(network.layers[number], chosen[number])
            else:
                sums = self._sums(number, tried, network)
                _run(network, self.wide, self.pixels, {number: sums})
                chosen[number] = sums.best(self.ideal[number], number == last, share is None)
                layer = sums.converted(network.layers[number], chosen[number])
            network = replace(network, layers=(*network.layers[:number], layer, *network.layers[number + 1 :]))
        return tuple(chosen), replace(self.exact, layers=network.layers)

    def _unchanged(self, none: list[Converters]) -> tuple[list[Converters], SpikingNetwork, int]:
        """The layers, from the first on, of which nothing need be clipped or made up for; all in one run."""
        chosen, layers = list(none), list(self.network.layers)
        sums = {number: self._sums(number, [shift]) for number, shift in enumerate(self.largest) if shift}
        for number, each in sums.items():
            wide = replace(none[number], shift=self.largest[number])
            layers[number] = each.converted(layers[number], wide)
        _run(replace(self.network, layers=tuple(layers)), self.wide, self.pixels, sums)
        for number, each in sums.items():
            good = each.enough(self.ideal[number])
            if good is None:
                return chosen, replace(self.network, layers=(*layers[:number], *self.network.layers[number:])), number
            chosen[number] = good
        return chosen, replace(self.network, layers=tuple(layers)), len(layers)

    def _sums(self, number: int, shifts: list[int], network: SpikingNetwork | None = None) -> _Sums:
        layer = (network or self.network).layers[number]
        return _Sums(self.shapes[number], layer, self.adc_bits, shifts)


def _run(network: SpikingNetwork, wide: ChipImage, pixels: NDArray[np.uint8], sums: dict[int, _Sums]) -> None:
    """Run the images, and add up what the converters of some layers get and give."""
    phases = network.phases

    def observe(layer: int, step: int, maps: Maps) -> NDArray[np.floating] | None:
        if layer not in sums:
            return None
        return sums[layer].add(maps, float(1 << (phases - 1 - (step - 1) % phases)))

    for start in range(0, len(pixels), network.batch):
        part = pixels[start : start + network.batch]
        for each in sums.values():
            each.begin(len(part))
        network.run(len(part), row_codes(wide, part, start), observe)


class _Sums:
    """Currents of a layer summed over the steps of each image: with ideal converters, and with some gain shifts."""

    def __init__(self, shape: LayerParameters, layer: SpikingLayer, adc_bits: int, shifts: list[int]) -> None:
        self.currents, self.theta, self.outputs = TileCurrents(shape, layer), layer.theta, shape.outputs
        codes = replace(shape, adc_bits=adc_bits)
        self.top, self.bottom = codes.code_max, codes.code_min
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

    def add(self, maps: Maps, gain: float) -> NDArray[np.floating] | None:
        """A step of all images, whose spikes weigh `gain`; returns the sums with the only converter, if it is one."""
        self.weight += gain
        read: NDArray[np.floating] | None = None
        for current in self.currents.of(maps):
            if not self.shifts:
                self.parts[-1][0] += gain * current
            for index, shift in enumerate(self.shifts):
                code = self._code(current, shift)
                self.parts[-1][index] += np.float32(gain) * code
                read = code if read is None else read + code
        return read if len(self.shifts) == 1 else None

    def converted(self, layer: SpikingLayer, chosen: Converters) -> SpikingLayer:
        """The layer behind such converters."""

        def read(maps: Maps) -> NDArray[np.floating]:
            return sum(self._code(current, chosen.shift) for current in self.currents.of(maps))  # type: ignore[return-value]

        factor = layer.dtype(1.0 / chosen.gain)
        bias = (layer.bias + chosen.offset.astype(layer.dtype)) * factor
        theta, v0, clip = layer.theta / chosen.gain, layer.v0 / chosen.gain, layer.clip / chosen.gain
        return replace(layer, bias=bias, theta=theta, v0=v0, clip=clip, converted=read)

    def enough(self, ideal: NDArray[np.float32]) -> Converters | None:
        """The first shift with nothing made up for; None if its error is worth more."""
        error = float(np.sqrt(np.mean((self.total[0] - ideal[0].astype(np.float64)) ** 2)) / self.theta)
        return Converters(self.shifts[0], 1.0, np.zeros(self.outputs), error) if error <= ENOUGH else None

    def best(self, ideal: NDArray[np.float32], last: bool, may_do: bool) -> Converters:
        """The first shift if that `may_do` and its error is not worth more, else that with the least error."""
        if may_do and (good := self.enough(ideal)) is not None:
            return good
        wanted = ideal[0].astype(np.float64)
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
