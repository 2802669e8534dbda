"""What conversion chooses by measured error: rates of 1, levels of the cells, offset and threshold of the outputs,
ranges of converters.

All of it on the calibration images, with ideal cells. Candidates (`sw.passes.candidates`) differ in the activation that
becomes a rate of 1, and with few cell bits in the rule that makes levels of the weights. The best is that with which
the spiking network, by the configured rule, gives most images the model's class, where a time step more must pay for
itself (`sw.passes.outputs`). A quarter of the images says which candidates are worth all of them.

Candidates are measured with ideal converters, and, where converters of few bits lose much (`sw.passes.converters`),
behind the real ones, together with the rules for their ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.decision_rules import K
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.config.config import Config
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.calibrate import evenly, row_codes
from spikeloom.sw.passes.candidates import Candidate, Candidates
from spikeloom.sw.passes.converter_sums import ENOUGH
from spikeloom.sw.passes.converters import Ranges
from spikeloom.sw.passes.float_snn import spiking_network
from spikeloom.sw.passes.map import decision_settings, map_to_chip
from spikeloom.sw.passes.measured_images import MeasuredImages, measured_images
from spikeloom.sw.passes.normalise import normalise
from spikeloom.sw.passes.outputs import KEEP, OutputChoice, OutputLayer
from spikeloom.sw.passes.quantise import Levels, levels_of

__all__ = ["Conversion", "convert"]

_SHARES = (1.0, 0.999, 0.995, 0.99, 0.97)
"""Shares of the positive activations that are at most a rate of 1, tried for all layers alike."""
_FEW_LEVELS = 15
"""Levels of a cell up to which rules for the weights are always compared as well."""
_FEWER_LEVELS = 7
"""Levels of a cell up to which more images are looked at."""
_FEW_SHARES = (0.999, 0.99)
"""Those of `_SHARES` that are tried with the least error of the weights."""
_IMAGES, _MANY_IMAGES = 400, 1000
"""Calibration images that candidates are measured on, and where more is lost."""
_SURE = 0.95
"""Share of images with the model's class below which more of them are looked at, and rules compared."""
_MANY_VALUES = 1 << 23
"""Values of all maps of these many images: of large maps fewer are taken."""
_TRIAL = 4
"""Every which of the images tries all candidates."""
_BEST = 2
"""Candidates, the best of the trial, that all images are run with."""
_RANGES = (None, 0.9, 0.8)
"""Rules for the converters' ranges, tried for all layers alike: least error, or the share of the currents that fit."""
_BEHIND = (0.999, 0.99, 0.97)
"""Those of `_SHARES` that are tried behind converters of few bits."""
_BEHIND_TRIAL = 125
"""Images, about, that try all candidates behind converters."""
_RANGE_IMAGES = 64
"""Calibration images that say in the trial what converters lose."""
_FEW_BITS = 6
"""Bits of the converters up to which candidates may have to be measured behind them."""
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

    __repr__ = short_repr

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


class _Converter:
    def __init__(self, network: Network, images: NDArray[np.uint8], config: Config, bias_factor: float) -> None:
        self.network, self.images, self.config = network, images, config
        self.convert, self.bias_factor = config.convert, bias_factor
        self.candidates = Candidates(network, images, config, bias_factor)
        self.shares: Sequence[float] = (1.0,)

    def run(self) -> Conversion:
        rule, plain = self.convert.normalisation, len(self.network.layers) == 1
        for_rates, top = self.candidates.for_rates, self.candidates.top
        if rule == "percentile":
            self.shares = (self.convert.percentile,)
        elif rule == "auto" and not for_rates and not plain:
            self.shares = _SHARES
        candidates = self.candidates.of(self.shares, [self.convert.weight_scale])
        moves = self.convert.output_offset == "auto" and self.network.layers[-1].rectifier is None
        if rule != "auto" and not moves:
            (only,) = candidates
            return Conversion(only.network, only.levels, only.share, 0.0, None)
        if top <= _FEW_LEVELS:
            candidates += self._of_least_weight_error()
        typical = candidates[len(self.shares) // 2]
        if self.convert.adc_quantile == "auto" and not for_rates and self._loses(typical):
            return self._behind(candidates, moves)
        return self._finished(*self._best(candidates, moves))

    def _of_least_weight_error(self) -> list[Candidate]:
        if self.convert.weight_scale != "auto" or self.candidates.for_rates:
            return []
        shares = [share for share in self.shares if share in _FEW_SHARES] or self.shares
        return self.candidates.of(shares, ["mse"])

    def _best(self, candidates: list[Candidate], moves: bool) -> tuple[Candidate, OutputChoice]:
        """The cheapest candidate with ideal converters."""
        many = self.candidates.top <= _FEWER_LEVELS and not self.candidates.for_rates
        images, kept = self._images(many), candidates
        if len(candidates) > _BEST:
            trial = self._trial(candidates, images, moves)
            if not many and max(choice.agreement for choice in trial) < _SURE:
                images = self._images(many=True)
                if self.candidates.top > _FEW_LEVELS:
                    candidates = candidates + self._of_least_weight_error()
                trial = self._trial(candidates, images, moves)
            numbers = sorted(range(len(trial)), key=lambda number: trial[number].cost)[:_BEST]
            kept = [candidates[number] for number in sorted(numbers)]
        found = [(candidate, self._output(candidate, images, moves)) for candidate in kept]
        return min(found, key=lambda pair: pair[1].cost)

    def _trial(self, candidates: list[Candidate], images: MeasuredImages, moves: bool) -> list[OutputChoice]:
        few = images.every(_TRIAL)
        return [self._output(candidate, few, moves) for candidate in candidates]

    def _images(self, many: bool) -> MeasuredImages:
        size = sum(shape.size for shape in self.network.plan.maps)
        count = max(_IMAGES, min(_MANY_IMAGES, _MANY_VALUES // size)) if many else _IMAGES
        return measured_images(self.network, self.images, count)

    def _ranges(self, candidate: Candidate, images: NDArray[np.uint8]) -> Ranges:
        wide = map_to_chip(candidate.levels, self.config, None, 16, self.network.plan)
        return Ranges(wide, images, self.config.crossbar.adc_bits)

    def _loses(self, candidate: Candidate) -> bool:
        """Whether converters of least error leave an error that matters, after compensation."""
        if self.config.crossbar.adc_bits > _FEW_BITS:
            return False
        ranges = self._ranges(candidate, evenly(self.images, _RANGE_IMAGES))
        return any(each.error > ENOUGH for each in ranges.chosen()[0])

    def _behind(self, candidates: list[Candidate], moves: bool) -> Conversion:
        """The best of all candidates and rules for the ranges, measured behind the converters."""
        images = self._images(many=True)
        few, some = images.every(max(1, len(images.pixels) // _BEHIND_TRIAL)), evenly(self.images, _RANGE_IMAGES)
        trial = []
        for candidate in [each for each in candidates if each.share in _BEHIND] or candidates:
            ranges = self._ranges(candidate, some)
            trial += [(candidate, share, self._output(candidate, few, moves, ranges, share).cost) for share in _RANGES]
        best = sorted(trial, key=lambda each: each[2])[: _BEST + 1]
        some = evenly(self.images, len(images.pixels))
        known = {id(candidate): self._ranges(candidate, some) for candidate, _, _ in best}
        found = [(one, share, self._output(one, images, moves, known[id(one)], share)) for one, share, _ in best]
        candidate, share, choice = min(found, key=lambda each: each[2].cost)
        return replace(self._finished(candidate, choice), measured_behind=True, range_share=share)

    def _output(
        self,
        candidate: Candidate,
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
        chip = map_to_chip(quiet, config, None, 16, self.network.plan)
        spiking = spiking_network(chip)
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
            parts.append(driving.output_currents(len(part), row_codes(chip, part, start), steps, first))
        currents = np.concatenate(parts, axis=1)
        if ranges is not None:
            currents = (gain * currents + offset).astype(currents.dtype)
        last = candidate.rounded[-1]
        unit = last.step * last.scale
        bias = (self.network.layers[-1].bias + last.correction) / unit
        settings = decision_settings(config, 1.0)
        if config.decision.strategy == "learned":
            settings[K.name] = 2.0
        layer = OutputLayer(
            spiking, currents, images.outputs / unit, bias, self.bias_factor, config.neuron.v0, settings
        )
        offsets = layer.offsets() if moves else [0.0]
        shares = None if self.convert.normalisation == "auto" else [candidate.share]
        best = layer.best(offsets, shares)
        if best is not None and not self.candidates.for_rates:
            return best
        kept = layer.measured(0.0, given.theta)
        return kept if best is None or kept.cost <= best.cost + KEEP else best

    def _finished(self, candidate: Candidate, choice: OutputChoice) -> Conversion:
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
        levels = levels_of(corrected, choice.theta, 1.0 / choice.theta, self.candidates.top, self.bias_factor)
        levels = replace(levels, positive=given.positive, negative=given.negative)
        return Conversion(network, (*candidate.levels[:-1], levels), candidate.share, offset, choice)
