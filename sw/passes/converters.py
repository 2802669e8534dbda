"""The range of the converters with the least error, and its mean effect, compensated by threshold and biases.

What a membrane sees of a converter's errors is their sum over an image's time steps: rounding errors change their sign
and cancel in part, while what is clipped, or too small to be seen, is lost again and again. So a gain shift is judged
by the current D summed over steps and row tiles, compared with I, the sum with ideal converters in all layers. Of the
error, what is the same in all images can be compensated: with the least squares fit I = a D + c, a for the layer and c
for each column, the layer works with theta / a and (bias + c) / a. The rest is the error of the shift.

Layers are taken first to last, each behind those that are converted already.

With converters of few bits the least error of each layer alone is not always the best chip. So `sw.passes.choose`
also tries ranges that fit a given share of the currents, whose hidden layers are left as they are, and measures the
network behind each.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.passes.calibrate import Misfits, evenly, misfits
from spikeloom.sw.passes.converter_sums import Converters, ConverterSums, run_sums
from spikeloom.sw.passes.float_snn import SpikingNetwork, spiking_network

__all__ = ["Ranges", "choose_converters"]

_IMAGES = 200
"""Calibration images that errors are measured on."""
_STEPS = 16
"""Time steps that currents are summed over, if the chip has as many."""
_SHIFTS = 6
"""Gain shifts that are tried, from the smallest that clips nothing downwards."""


def choose_converters(
    wide: ProgrammedChip, images: NDArray[np.uint8], adc_bits: int, share: float | None = None
) -> tuple[Converters, ...]:
    """For every layer of the network; replicas of a crossbar have the same.

    Parameters
    ----------
    wide : the chip with gain shift 0 and wide converters everywhere
    images : uint8 [images, inputs], calibration images
    share : of the currents that fit, instead of the least error
    """
    return Ranges(wide, images, adc_bits).chosen(share)[0]


class Ranges:
    """The converters of a chip, and the network behind them; arguments as in `choose_converters`."""

    def __init__(self, wide: ProgrammedChip, images: NDArray[np.uint8], adc_bits: int) -> None:
        self.wide, self.images, self.adc_bits = wide, images, adc_bits
        self.pixels = evenly(images, _IMAGES)
        self.exact = spiking_network(wide)
        steps = max(min(wide.t_max, _STEPS), (wide.skip + 1) * wide.parameters.phases)
        self.network = replace(self.exact, rule=DecisionRule.FIXED, t_max=steps)
        self.shapes = [wide.parameters.layers[stage.layer] for _, stage in wide.parameters.plan.crossbar_stages]

    @cached_property
    def misfits(self) -> list[Misfits]:
        """For each layer, how many currents need which gain shift."""
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
        run_sums(self.network, self.wide, self.pixels, dict(enumerate(sums)))
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
                run_sums(network, self.wide, self.pixels, {number: sums})
                chosen[number] = sums.best(self.ideal[number], number == last, share is None)
                layer = sums.converted(network.layers[number], chosen[number])
            network = replace(network, layers=(*network.layers[:number], layer, *network.layers[number + 1 :]))
        return tuple(chosen), replace(self.exact, layers=network.layers)

    def _unchanged(self, none: list[Converters]) -> tuple[list[Converters], SpikingNetwork, int]:
        """The layers, from the first on, in which nothing need be clipped or compensated; all in one run."""
        chosen, layers = list(none), list(self.network.layers)
        sums = {number: self._sums(number, [shift]) for number, shift in enumerate(self.largest) if shift}
        for number, each in sums.items():
            wide = replace(none[number], shift=self.largest[number])
            layers[number] = each.converted(layers[number], wide)
        run_sums(replace(self.network, layers=tuple(layers)), self.wide, self.pixels, sums)
        for number, each in sums.items():
            good = each.enough(self.ideal[number])
            if good is None:
                return chosen, replace(self.network, layers=(*layers[:number], *self.network.layers[number:])), number
            chosen[number] = good
        return chosen, replace(self.network, layers=tuple(layers)), len(layers)

    def _sums(self, number: int, shifts: list[int], network: SpikingNetwork | None = None) -> ConverterSums:
        layer = (network or self.network).layers[number]
        return ConverterSums(self.shapes[number], layer, self.adc_bits, shifts)
