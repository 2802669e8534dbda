"""What conversion chooses by measured error: rates of 1, steps of the cells, offset and threshold of the outputs.

All of it on the calibration images, with ideal cells and converters. A layer's step has the least error of the layer's
output (`sw.passes.scale`). The activation that becomes a rate of 1, and offset and threshold of the outputs, are those
with which the spiking network, by the configured rule, gives most images the model's class, where a time step more must
pay for itself (`sw.passes.outputs`). Where a rate of 1 is free, it moves by less than half a step, so that the
threshold is a whole number of steps without any change of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw.geometry import CrossbarStage
from sw.config import Config
from sw.float_snn import spiking_network
from sw.graph import Floats
from sw.network import Layer, Network, Pool
from sw.passes.calibrate import evenly, row_codes
from sw.passes.map import map_to_chip
from sw.passes.normalise import activation_scales, normalise, scaled
from sw.passes.outputs import KEEP, OutputChoice, OutputLayer
from sw.passes.quantise import (
    MAX_THETA,
    Levels,
    largest_threshold,
    levels_of,
    on_grid,
    round_weights,
    threshold_for,
    threshold_of_levels,
)
from sw.passes.scale import LayerInputs
from sw.windows import WindowReader, map_order

__all__ = ["Conversion", "convert"]

_SHARES = (1.0, 0.999, 0.995, 0.99, 0.97)
"""Shares of the positive activations that are at most a rate of 1, tried for all layers alike."""
_IMAGES = 400
"""Calibration images that candidates are measured on."""
_STEP_IMAGES = 128
"""Calibration images that steps are chosen on."""
_MOST_STEPS = 64


@dataclass(frozen=True, eq=False)
class Conversion:
    """What came out, and what was chosen.

    Parameters
    ----------
    network : normalised, thresholds 1, with the offset of the outputs
    levels : of the layers
    share : of the positive activations that are at most a rate of 1
    offset : added to all outputs of the model
    output : what was measured of the output layer; None if nothing was open there
    """

    network: Network
    levels: tuple[Levels, ...]
    share: float
    offset: float
    output: OutputChoice | None


def convert(network: Network, images: NDArray[np.uint8], config: Config, bias_factor: float) -> Conversion:
    """Normalise and quantise a folded network as the table [convert] says.

    Parameters
    ----------
    images : uint8 [images, inputs], calibration images
    bias_factor : as in `sw.passes.quantise`

    Raises `WeightError` for weights so large that activations are not finite, and `ConfigError` as `map_to_chip` does.
    """
    return _Converter(network, images, config, bias_factor).run()


@dataclass(frozen=True, eq=False)
class _Rounded:
    """A layer in integers: threshold and step of normalised weights, its rate of 1, and what its bias gets added, in
    the model's unit.
    """

    theta: int
    step: float
    scale: float
    correction: Floats | float = 0.0


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A conversion with one share; the output layer is as the network has it."""

    share: float
    scales: list[float]
    rounded: list[_Rounded]
    network: Network
    levels: tuple[Levels, ...]


class _Converter:
    def __init__(self, network: Network, images: NDArray[np.uint8], config: Config, bias_factor: float) -> None:
        self.network, self.images, self.config = network, images, config
        self.convert, self.bias_factor = config.convert, bias_factor
        self.top = (1 << config.device.bits) - 1
        hidden = [layer.rectifier for layer in network.layers[:-1]]
        self.for_rates = bool(hidden) and all(r is not None and np.isfinite(r.clip) for r in hidden)
        self.plain = len(network.layers) == 1

    def run(self) -> Conversion:
        rule = self.convert.normalisation
        shares: Sequence[float] = (1.0,)
        if rule == "percentile":
            shares = (self.convert.percentile,)
        elif rule == "auto" and not self.for_rates and not self.plain:
            shares = _SHARES
        scales = activation_scales(self.network, self.images, shares)
        self.base = (1.0, *scales[0])
        self.inputs = self._inputs() if self.convert.weight_scale == "auto" else {}
        candidates = [self._candidate(*pair) for pair in zip(shares, scales, strict=True)]
        moves = self.convert.output_offset == "auto" and self.network.layers[-1].rectifier is None
        if rule != "auto" and not moves:
            (only,) = candidates
            return Conversion(only.network, only.levels, only.share, 0.0, None)
        pixels = evenly(self.images, _IMAGES)
        outputs = self.network.outputs(pixels).astype(np.float64)
        choices = [self._output(candidate, pixels, outputs, moves) for candidate in candidates]
        best = min(range(len(choices)), key=lambda number: choices[number].cost)
        return self._finished(candidates[best], choices[best])

    def _inputs(self) -> dict[int, LayerInputs]:
        """What every layer reads on some images, in units of the rates of 1 of its sources."""
        pixels = evenly(self.images, _STEP_IMAGES)
        maps: list[NDArray[np.floating]] = [map_order(pixels, self.network.image).astype(np.float64) / 255.0]
        maps += [values / scale for values, scale in zip(self.network.activations(pixels), self.base[1:], strict=True)]
        plan, found = self.network.plan, {}
        for number, (stage, made) in enumerate(zip(self.network.stages, plan.stages, strict=True)):
            if isinstance(stage, Layer) and isinstance(made, CrossbarStage):
                unit = scaled(stage, plan.maps, self.base, 1.0)
                sources = {window.source for window in stage.windows}
                read = [values if source in sources else None for source, values in enumerate(maps[: number + 1])]
                found[number] = LayerInputs(WindowReader(plan, made), read, unit.weight, unit.bias, stage.rectifier)
        return found

    def _candidate(self, share: float, scales: list[float]) -> _Candidate:
        """Rates of 1 at this share, and levels for them; layer by layer, since a rate that moves changes the next."""
        scales, rounded, levels = list(scales), [], []
        for number, stage in enumerate(self.network.stages):
            if isinstance(stage, Pool):
                source = stage.window.source
                scales[number] = scales[source - 1] if source else 1.0
                continue
            found = self._rounded(number, stage, (1.0, *scales), scales[number])
            scales[number] = found.scale
            rounded.append(found)
        network = normalise(self.network, scales)
        for layer, found in zip(network.layers, rounded, strict=True):
            corrected = replace(layer, bias=layer.bias + found.correction / found.scale)
            levels.append(levels_of(corrected, found.theta, found.step, self.top, self.bias_factor))
        return _Candidate(share, scales, rounded, network, tuple(levels))

    def _rounded(self, number: int, stage: Layer, rates: tuple[float, ...], scale: float) -> _Rounded:
        maps, rule = self.network.plan.maps, self.convert.weight_scale
        weight = scaled(stage, maps, rates, scale).weight
        largest = float(np.abs(weight).max(initial=0.0))
        if rule != "auto" or largest == 0.0:
            return _Rounded(*threshold_for(weight, self.top, "max" if rule == "auto" else rule), scale)
        known = threshold_of_levels(weight, largest_threshold(largest, self.top)) if largest <= self.top else None
        if known is not None:
            return _Rounded(known, 1.0 / known, scale)
        exact = on_grid(weight, self.top)
        if exact and self.for_rates:
            return _Rounded(*threshold_for(weight, self.top, "max"), scale)
        source = stage.windows[0].source
        unit = rates[source] / self.base[source] / scale
        step = largest / self.top if exact else self.inputs[number].step(self.top) * unit
        theta = int(np.clip(round(1.0 / step), 1, MAX_THETA))
        clipped = stage.rectifier is not None and np.isfinite(stage.rectifier.clip)
        if self.convert.normalisation == "auto" and not clipped:
            scale, unit = scale * theta * step, unit / (theta * step)
        elif largest > self.top:
            return _Rounded(*threshold_for(weight, self.top, "max"), scale)
        step = 1.0 / theta
        if exact:
            return _Rounded(theta, step, scale)
        levels = round_weights(scaled(stage, maps, rates, scale).weight, step, self.top)
        return _Rounded(theta, step, scale, self.inputs[number].correction(levels, step / unit))

    def _output(self, candidate: _Candidate, pixels: NDArray[np.uint8], outputs: Floats, moves: bool) -> OutputChoice:
        """The best offset and threshold of the output layer, behind this candidate's hidden layers."""
        config, given = self.config, candidate.levels[-1]
        quiet = (*candidate.levels[:-1], replace(given, bias=np.zeros_like(given.bias)))
        image = map_to_chip(quiet, config, None, 16, self.network.plan)
        spiking = spiking_network(image)
        steps = min(config.decision.t_max, max(_MOST_STEPS, (config.decision.skip + 4) * config.coding.phases))
        currents = [
            spiking.output_currents(len(part), row_codes(image, part, start), steps)
            for start in range(0, len(pixels), spiking.batch)
            for part in [pixels[start : start + spiking.batch]]
        ]
        last = candidate.rounded[-1]
        unit = last.step * last.scale
        bias = (self.network.layers[-1].bias + last.correction) / unit
        k = 2.0 if config.decision.strategy == "learned" else config.decision.k
        layer = OutputLayer(
            spiking, np.concatenate(currents, axis=1), outputs / unit, bias, self.bias_factor, config.neuron.v0, k
        )
        offsets = layer.offsets() if moves else [0.0]
        best = layer.best(offsets, None if self.convert.normalisation == "auto" else [candidate.share])
        if best is not None and not self.for_rates:
            return best
        kept = layer.measured(0.0, given.theta)
        return kept if best is None or kept.cost <= best.cost + KEEP else best

    def _finished(self, candidate: _Candidate, choice: OutputChoice) -> Conversion:
        """The candidate with this output layer."""
        last, given = candidate.rounded[-1], candidate.levels[-1]
        if (choice.offset, choice.theta) == (0.0, given.theta):
            return Conversion(candidate.network, candidate.levels, candidate.share, 0.0, choice)
        unit = last.step * last.scale
        offset, scale = choice.offset * unit, choice.theta * unit
        stage = self.network.layers[-1]
        moved = replace(self.network, stages=(*self.network.stages[:-1], replace(stage, bias=stage.bias + offset)))
        network = normalise(moved, [*candidate.scales[:-1], scale])
        layer = network.layers[-1]
        corrected = replace(layer, bias=layer.bias + last.correction / scale)
        levels = levels_of(corrected, choice.theta, 1.0 / choice.theta, self.top, self.bias_factor)
        levels = replace(levels, positive=given.positive, negative=given.negative)
        return Conversion(network, (*candidate.levels[:-1], levels), candidate.share, offset, choice)
