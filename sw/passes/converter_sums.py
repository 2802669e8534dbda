"""Effect of a converter range on a layer's currents, and its compensation by threshold and biases.

Of a converter's errors a membrane sees the sum over an image's time steps: see `sw.passes.converters`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.ir.graph import Floats
from spikeloom.sw.passes.calibrate import TileCurrents, row_codes
from spikeloom.sw.passes.float_snn import FloatLayer, Maps, SpikingNetwork
from spikeloom.sw.passes.quantise import MAX_THETA, Levels

__all__ = ["ENOUGH", "ConverterSums", "Converters", "run_sums"]

ENOUGH = 0.25
"""Error of a neuron's summed current, in thresholds, up to which nothing is clipped and nothing compensated."""


@dataclass(frozen=True, eq=False)
class Converters:
    """Those of a layer.

    Parameters
    ----------
    shift : gain shift
    gain, offset : a, and c in conductance steps per time step, float64 [outputs]
    error : rms error of a neuron's summed current that is left, thresholds
    """

    __repr__ = short_repr

    shift: int
    gain: float
    offset: Floats
    error: float

    @property
    def compensates(self) -> bool:
        """Whether threshold and biases compensate for anything."""
        return self.gain != 1.0 or bool(self.offset.any())

    def applied(self, levels: Levels) -> Levels:
        """The layer with threshold and biases that compensate the error."""
        if not self.compensates:
            return levels
        theta = int(np.clip(round(levels.theta / self.gain), 1, MAX_THETA))
        gain = levels.theta / theta
        bias = np.rint((levels.bias + self.offset) / gain).astype(np.int64)
        return replace(levels, theta=theta, bias=bias, scale=levels.scale * gain)


def run_sums(
    network: SpikingNetwork, wide: ProgrammedChip, pixels: NDArray[np.uint8], sums: dict[int, ConverterSums]
) -> None:
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


class ConverterSums:
    """Currents of a layer summed over the steps of each image: with ideal converters, and with some gain shifts."""

    def __init__(self, shape: LayerParameters, layer: FloatLayer, adc_bits: int, shifts: list[int]) -> None:
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
        """Begin the sums of `count` further images."""
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

    def converted(self, layer: FloatLayer, chosen: Converters) -> FloatLayer:
        """The layer behind such converters."""

        def read(maps: Maps) -> NDArray[np.floating]:
            return sum(self._code(current, chosen.shift) for current in self.currents.of(maps))  # type: ignore[return-value]

        factor = layer.dtype(1.0 / chosen.gain)
        bias = (layer.bias + chosen.offset.astype(layer.dtype)) * factor
        theta, v0, clip = layer.theta / chosen.gain, layer.v0 / chosen.gain, layer.clip / chosen.gain
        return replace(layer, bias=bias, theta=theta, v0=v0, clip=clip, converted=read)

    def enough(self, ideal: NDArray[np.float32]) -> Converters | None:
        """The first shift without compensation; None if its error is worth more."""
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
        code: NDArray[np.floating] = np.rint(current / scale)
        np.clip(code, self.bottom, self.top, out=code)
        code *= scale
        return code
