"""Candidates of the conversion: which activation is a rate of 1, and how weights become levels.

All candidates of a rule for the weights share the levels of all layers, where rates of 1 are free: a rate moves by less
than half a level, so that the threshold is a whole number of levels without any change of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.config.config import Config
from spikeloom.sw.ir.graph import Floats
from spikeloom.sw.ir.network import MapUnit, Network, SpikingLayer
from spikeloom.sw.passes.calibrate import evenly
from spikeloom.sw.passes.normalise import activation_scales, normalise, scaled
from spikeloom.sw.passes.quantise import (
    MAX_THETA,
    Levels,
    largest_threshold,
    levels_of,
    on_grid,
    threshold_for,
    threshold_of_levels,
)
from spikeloom.sw.passes.scale import LayerFit, layer_fits, weight_step

__all__ = ["Candidate", "Candidates", "Rounded"]

_STEP_IMAGES = 128
"""Calibration images that steps are chosen on."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """A layer in integers.

    Parameters
    ----------
    theta : threshold in levels
    step : what a level stands for, in normalised weights
    scale : the activation that is a rate of 1
    correction : what the bias gets added, in the model's unit
    rounding : weights are rounded to multiples of so many steps
    """

    theta: int
    step: float
    scale: float
    correction: Floats | float = 0.0
    rounding: float = 1.0

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class Candidate:
    """A conversion with one share and one rule; the output layer is as the network has it."""

    share: float
    scales: list[float]
    rounded: list[Rounded]
    network: Network
    levels: tuple[Levels, ...]

    __repr__ = short_repr


class Candidates:
    """Makes them for a folded network; arguments as in `sw.passes.choose.convert`."""

    def __init__(self, network: Network, images: NDArray[np.uint8], config: Config, bias_factor: float) -> None:
        self.network, self.images, self.bias_factor = network, images, bias_factor
        self.free, self.fitted = config.convert.normalisation == "auto", config.convert.weight_scale == "auto"
        self.top = (1 << config.device.bits) - 1
        hidden = [layer.rectifier for layer in network.layers[:-1]]
        self.for_rates = bool(hidden) and all(r is not None and np.isfinite(r.clip) for r in hidden)
        self.base: tuple[float, ...] = ()

    def of(self, shares: Sequence[float], rules: Sequence[str]) -> list[Candidate]:
        """One for every rule ("auto", "mse" or "max") and every share of the activations that are at most 1.

        Where the configured rule is "auto", "mse" leaves the last layer's threshold free, which would else depend on
        the offset of the outputs.
        """
        scales = activation_scales(self.network, self.images, shares)
        if not self.base:
            self.base = (1.0, *scales[0])
        return [self._made(share, rates, rule) for rule in rules for share, rates in zip(shares, scales, strict=True)]

    @cached_property
    def fits(self) -> dict[int, LayerFit]:
        """How layers become levels with the rule "auto", in units of the rates of 1 in `base`."""
        return layer_fits(self.network, self.base, evenly(self.images, _STEP_IMAGES), self.top)

    def _made(self, share: float, rates: list[float], rule: str) -> Candidate:
        """Layer by layer, since a rate that moves changes the next."""
        scales, rounded, levels = list(rates), [], []
        for number, stage in enumerate(self.network.stages):
            if isinstance(stage, MapUnit):
                scales[number] = scales[stage.source - 1] if stage.source else 1.0
                continue
            last = number == len(self.network.stages) - 1
            found = self._rounded(number, stage, (1.0, *scales), scales[number], rule, last)
            scales[number] = found.scale
            rounded.append(found)
        network = normalise(self.network, scales)
        for layer, found in zip(network.layers, rounded, strict=True):
            corrected = replace(layer, bias=layer.bias + found.correction / found.scale)
            step = found.rounding * found.step
            levels.append(levels_of(corrected, found.theta, found.step, self.top, self.bias_factor, step))
        return Candidate(share, scales, rounded, network, tuple(levels))

    def _rounded(
        self, number: int, stage: SpikingLayer, rates: tuple[float, ...], scale: float, rule: str, last: bool
    ) -> Rounded:
        weight = scaled(stage, self.network.plan.maps, rates, scale).weight
        largest = float(np.abs(weight).max(initial=0.0))
        own = rule == "mse" and self.fitted and last  # no error of weights in units of a threshold that moves
        if (rule != "auto" and not own) or largest == 0.0:
            return Rounded(*threshold_for(weight, self.top, "max" if rule == "auto" else rule), scale)
        known = threshold_of_levels(weight, largest_threshold(largest, self.top)) if largest <= self.top else None
        if known is not None:
            return Rounded(known, 1.0 / known, scale)
        exact = on_grid(weight, self.top)
        if exact and self.for_rates:
            return Rounded(*threshold_for(weight, self.top, "max"), scale)
        source = stage.windows[0].source
        unit = rates[source] / self.base[source] / scale
        fit = None if exact or own else self.fits[number]
        step = weight_step(weight, self.top) if own else largest / self.top if fit is None else fit.value * unit
        theta = int(np.clip(round(1.0 / step), 1, MAX_THETA))
        clipped = stage.rectifier is not None and np.isfinite(stage.rectifier.clip)
        if self.free and not clipped:
            scale *= theta * step
        elif largest > self.top:
            return Rounded(*threshold_for(weight, self.top, "max"), scale)
        if fit is None:
            return Rounded(theta, 1.0 / theta, scale)
        return Rounded(theta, 1.0 / theta, scale, fit.correction, fit.step / fit.value)
