"""What conversion chooses by measured error: rates of 1, steps of the cells, offset and threshold of the outputs.

All of it on the calibration images, with ideal cells. A layer's step has the least error of the layer's
output (`sw.passes.scale`). The activation that becomes a rate of 1, and offset and threshold of the outputs, are those
with which the spiking network, by the configured rule, gives most images the model's class, where a time step more must
pay for itself (`sw.passes.outputs`). Where a rate of 1 is free, it moves by less than half a step, so that the
threshold is a whole number of steps without any change of the steps.

Candidates are measured with ideal converters, and, where converters lose so much that it must be made up for
(`sw.passes.converters`), behind the real ones, together with the rules for their ranges. A quarter of the images says
which candidates are worth all of them. The images are those that the model is least sure of: of an image with a clear
winner, every candidate makes the same.
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
from sw.passes.converters import Ranges
from sw.passes.map import map_to_chip
from sw.passes.measured_images import MeasuredImages, measured_images
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
_STEP_IMAGES = 128
"""Calibration images that steps are chosen on."""
_TRIAL = 4
"""Every which of the images tries all candidates."""
_BEST = 2
"""Candidates, the best of the trial, that all images are run with."""
_RANGES = (None, 0.9, 0.8)
"""Rules for the converters' ranges, tried for all layers alike: least error, or the share of the currents that fit."""
_BEHIND = (0.999, 0.99, 0.97)
"""Those of `_SHARES` that are tried behind converters of few bits."""
_RANGE_IMAGES = 64
"""Calibration images that say in the trial what converters lose."""
_KNOWN = 1 << 26
"""Values of the first layer's sums, 256 MB, that are not made again for every candidate."""
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
    measured_behind : whether that was behind the chip's converters
    range_share : of the currents that fit the converters; None for the least error
    """

    network: Network
    levels: tuple[Levels, ...]
    share: float
    offset: float
    output: OutputChoice | None
    measured_behind: bool = False
    range_share: float | None = None


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
        self.steps: dict[int, float] = {}

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
        images = measured_images(self.network, self.images, self.for_rates)
        numbers: Sequence[int] = range(len(candidates))
        if len(candidates) > _BEST:
            few = images.every(_TRIAL)
            costs = [self._output(candidate, few, moves).cost for candidate in candidates]
            numbers = sorted(sorted(numbers, key=costs.__getitem__)[:_BEST])
        best, choice = min(
            ((candidates[number], self._output(candidates[number], images, moves)) for number in numbers),
            key=lambda pair: pair[1].cost,
        )
        if self.convert.adc_quantile == "auto" and not self.for_rates and self._loses(best):
            return self._behind(candidates, images, moves)
        return self._finished(best, choice)

    def _ranges(self, candidate: _Candidate, images: NDArray[np.uint8]) -> Ranges:
        wide = map_to_chip(candidate.levels, self.config, None, 16, self.network.plan)
        return Ranges(wide, images, self.config.crossbar.adc_bits)

    def _loses(self, candidate: _Candidate) -> bool:
        """Whether converters of least error need something made up for."""
        ranges = self._ranges(candidate, evenly(self.images, _RANGE_IMAGES))
        return any(each.compensates for each in ranges.chosen()[0])

    def _behind(self, candidates: list[_Candidate], images: MeasuredImages, moves: bool) -> Conversion:
        """The best of all candidates and rules for the ranges, measured behind the converters."""
        few, some = images.every(_TRIAL), evenly(self.images, _RANGE_IMAGES)
        trial = []
        for candidate in [each for each in candidates if each.share in _BEHIND] or candidates:
            ranges = self._ranges(candidate, some)
            trial += [(candidate, share, self._output(candidate, few, moves, ranges, share).cost) for share in _RANGES]
        found = [
            (candidate, share, self._output(candidate, images, moves, self._ranges(candidate, self.images), share))
            for candidate, share, _ in sorted(trial, key=lambda each: each[2])[: _BEST + 1]
        ]
        candidate, share, choice = min(found, key=lambda each: each[2].cost)
        return replace(self._finished(candidate, choice), measured_behind=True, range_share=share)

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
        step = largest / self.top if exact else self._step(number) * unit
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
        # where branches join, the rows of each have the unit of their own source
        sources = [np.full(w.rows(maps[w.source]), rates[w.source] / self.base[w.source]) for w in stage.windows]
        units = np.concatenate(sources) / scale
        return _Rounded(theta, step, scale, self.inputs[number].correction(levels, step / units))

    def _step(self, number: int) -> float:
        """The step of a layer with rates of 1 as in `base`, which all candidates have in common."""
        if number not in self.steps:
            self.steps[number] = self.inputs[number].step(self.top)
        return self.steps[number]

    def _output(
        self,
        candidate: _Candidate,
        images: MeasuredImages,
        moves: bool,
        ranges: Ranges | None = None,
        share: float | None = None,
    ) -> OutputChoice:
        """The best offset and threshold of the output layer, behind this candidate's hidden layers; if `ranges` are
        given, behind the converters that they give for this share.
        """
        config, given, pixels = self.config, candidate.levels[-1], images.pixels
        quiet = (*candidate.levels[:-1], replace(given, bias=np.zeros_like(given.bias)))
        image = map_to_chip(quiet, config, None, 16, self.network.plan)
        spiking = spiking_network(image)
        steps = min(config.decision.t_max, max(_MOST_STEPS, (config.decision.skip + 4) * config.coding.phases))
        driving, gain, offset = spiking, 1.0, np.zeros(len(given.bias))
        if ranges is not None:
            converters, driving = ranges.chosen(share)
            gain, offset = converters[-1].gain, converters[-1].offset
        known = None
        if ranges is None and steps * len(pixels) * len(spiking.layers[0].biases) <= _KNOWN:
            known = candidate.levels[0].weights.tobytes()
        parts = []
        for start in range(0, len(pixels), spiking.batch):
            part = pixels[start : start + spiking.batch]
            first = None if known is None else images.first_sums(known, start)
            parts.append(driving.output_currents(len(part), row_codes(image, part, start), steps, first))
        currents = np.concatenate(parts, axis=1)
        if ranges is not None:
            currents = (gain * currents + offset).astype(currents.dtype)
        last = candidate.rounded[-1]
        unit = last.step * last.scale
        bias = (self.network.layers[-1].bias + last.correction) / unit
        k = 2.0 if config.decision.strategy == "learned" else config.decision.k
        layer = OutputLayer(spiking, currents, images.outputs / unit, bias, self.bias_factor, config.neuron.v0, k)
        offsets = layer.offsets() if moves else [0.0]
        shares = None if self.convert.normalisation == "auto" else [candidate.share]
        best = layer.best(offsets, shares)
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
