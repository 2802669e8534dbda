"""All passes in order, from a PyTorch model to a programmed chip; `spikeloom.compile` also diagnoses it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import check_progress
from spikeloom.sim.crossbar.array_limits import array_problems
from spikeloom.sim.images.brightness import CalibrationFacts
from spikeloom.sw.common.errors import ArrayWarning, ConfigError, SpikeLoomError, warn
from spikeloom.sw.compiler.compiled import Compiled, PassResults
from spikeloom.sw.compiler.default_config import ideal_config
from spikeloom.sw.compiler.images import calibration_pixels, check_calibration, image_shape, validation_set
from spikeloom.sw.compiler.notes import conversion_notes, range_notes
from spikeloom.sw.compiler.provenance import Provenance, chip_name, described
from spikeloom.sw.compiler.register_ranges import check_result_fields
from spikeloom.sw.config.config import PRESETS, Config
from spikeloom.sw.config.settings import idle_in_compile
from spikeloom.sw.decision.allowed_loss import ChosenRule, choose_rule
from spikeloom.sw.decision.learn_rule import LearntRule, learn_rule, with_rule, without_drift
from spikeloom.sw.frontend.equivalence import check_same
from spikeloom.sw.frontend.torch_modules import import_torch
from spikeloom.sw.ir.graph import AveragePool
from spikeloom.sw.ir.network import Network
from spikeloom.sw.nir.dynamics import check_dynamics, with_threshold
from spikeloom.sw.nir.reader import NirModel
from spikeloom.sw.passes.calibrate import calibrate_adc
from spikeloom.sw.passes.check_ranges import check_network
from spikeloom.sw.passes.choose import convert
from spikeloom.sw.passes.converter_sums import Converters
from spikeloom.sw.passes.converters import choose_converters
from spikeloom.sw.passes.fold import fold
from spikeloom.sw.passes.map import map_to_chip
from spikeloom.sw.passes.quantise import Levels, full_rate, quantise
from spikeloom.sw.passes.tune import Factors, Tuned, Tuning, scale_chip
from spikeloom.sw.passes.tune_loss import tune_chip

__all__ = ["compile_model"]

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, what)."""
_Rule = Callable[[ProgrammedChip], ProgrammedChip]
"""Gives a chip its decision rule."""


def _given(chip: ProgrammedChip) -> ProgrammedChip:
    """The chip with the rule of its configuration."""
    return chip


def _to_the_end(chip: ProgrammedChip) -> ProgrammedChip:
    """The chip with T_max alone."""
    return with_rule(chip, None)


@dataclass(frozen=True, eq=False)
class _Conversion:
    """What the programmed chip is made of whenever rule and factors change: levels, and images to calibrate with."""

    config: Config
    levels: tuple[Levels, ...]
    images: NDArray[np.uint8]
    network: Network
    finish: Callable[[ProgrammedChip], ProgrammedChip]
    """Has the last word on the neurons, whose thresholds are scaled by then."""
    ranges: list[Converters] = field(default_factory=list)
    """Those of the chip that was made last, if they were chosen."""
    range_share: float | None = None
    """Of the currents that fit the converters, if their ranges are chosen; None for the least error."""

    def chip(self, rule: _Rule = _given, factors: Factors | None = None) -> ProgrammedChip:
        """The chip with converters calibrated for this rule and these factors.

        Both change the currents to expect: how long images run, and how often neurons fire.
        """

        def mapped(
            levels: tuple[Levels, ...], gains: tuple[int, ...] | None, adc_bits: int | None = None
        ) -> ProgrammedChip:
            programmed = map_to_chip(levels, self.config, gains, adc_bits, self.network.plan)
            programmed = rule(programmed)
            return self.finish(programmed if factors is None else scale_chip(programmed, factors))

        wide = mapped(self.levels, None, adc_bits=16)
        quantile, bits = self.config.convert.adc_quantile, self.config.crossbar.adc_bits
        if quantile != "auto":
            return mapped(self.levels, calibrate_adc(wide, self.images, bits, quantile))
        chosen = choose_converters(wide, self.images, bits, self.range_share)
        self.ranges[:] = chosen
        levels = tuple(each.applied(layer) for each, layer in zip(chosen, self.levels, strict=True))
        return mapped(levels, tuple(each.shift for each in chosen))


def compile_model(
    model: nn.Module | NirModel,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    validation: tuple[Any, Any] | None = None,
    progress: Progress | None = None,
    input_shape: tuple[int, ...] | None = None,
    name: str | None = None,
) -> tuple[Compiled, NDArray[np.uint8]]:
    """Convert a trained model; see `spikeloom.compile`.

    Returns
    -------
    the chip, not diagnosed yet, and the calibration images as it sees them, uint8 [images, inputs]
    """
    given = None if config is None else Config.load(config)
    idle = idle_in_compile(config) if isinstance(config, Mapping) else None
    if idle is not None:
        warn(idle)
    check_progress(progress)
    check_calibration(calibration_images)
    shape = image_shape(calibration_images, input_shape)
    request = _Request(calibration_images, shape, given, validation, progress, name)
    if not isinstance(model, NirModel):
        return _of_torch(model, request)
    if input_shape is not None:
        raise SpikeLoomError(
            "input_shape is for a PyTorch model: a network from NIR says the shape of its images itself; leave it out"
        )
    return _of_nir(model, request)


class _Request(NamedTuple):
    """What is asked for: the arguments of `compile_model` besides the model, checked.

    shape : of an image, as far as it is known
    """

    calibration_images: Any
    shape: tuple[int, ...] | None
    config: Config | None
    validation: tuple[Any, Any] | None
    progress: Progress | None
    name: str | None


def _of_nir(model: NirModel, request: _Request) -> tuple[Compiled, NDArray[np.uint8]]:
    """As `compile_model`, of a network that spikes already: it is not normalised, and keeps its thresholds."""
    network = fold(model.graph, "weights")
    config = ideal_config(network, model) if request.config is None else request.config
    name = _name(request.name, config, request.config is None, "nir")
    check_dynamics(model, config)
    check_network(network, config)
    images, facts = calibration_pixels(request.calibration_images, network.input_shape, request.shape)
    rule = "mse" if config.convert.weight_scale == "auto" else config.convert.weight_scale
    levels = quantise(network, config.device.bits, rule)
    _passes(request.progress)(3)
    chip = _programmed(
        network,
        levels,
        images,
        facts,
        config,
        request.validation,
        request.progress,
        lambda programmed: with_threshold(programmed, model),
    )
    return _named(chip, name, described("nir", type(model).__name__, model.graph, images, facts)), images


def _of_torch(model: nn.Module, request: _Request) -> tuple[Compiled, NDArray[np.uint8]]:
    """As `compile_model`, of a PyTorch model."""
    given, tell = request.config, _passes(request.progress)
    graph = import_torch(model, request.shape)
    tell(1)
    averages = "spikes" if given is None else given.convert.average_pooling
    if given is not None and averages != "spikes" and not any(isinstance(node, AveragePool) for node in graph.nodes):
        raise ConfigError(
            given.name,
            [
                f"[convert] average_pooling must be 'spikes' for this network, which has none to fold, not "
                f"'{averages}'; leave average_pooling out"
            ],
        )
    folded = fold(graph, averages)
    config = ideal_config(folded) if given is None else given
    kind = type(model).__name__
    name = _name(request.name, config, given is None, kind)
    check_network(folded, config)
    images, facts = calibration_pixels(request.calibration_images, folded.input_shape, request.shape)
    check_same(model, folded, images[:4])
    tell(2)
    factor = full_rate(CODINGS[config.coding.input], config.coding.phases)
    chosen = convert(folded, images, config, factor)
    tell(3)
    chip = _programmed(
        chosen.network,
        chosen.levels,
        images,
        facts,
        config,
        request.validation,
        request.progress,
        passes=PassResults(model, folded, chosen.network),
        range_share=chosen.range_share,
    )
    chip.notes = (*conversion_notes(chosen, config), *chip.notes)
    return _named(chip, name, described("own", kind, graph, images, facts)), images


def _name(given: Any, config: Config, ideal: bool, kind: str) -> str:
    """The chip's name: as given, or the configuration's own, or the model's class."""
    unnamed = (*PRESETS, str(Config.model_fields["name"].default), *([config.name] if ideal else []))
    return chip_name(given, config.name, unnamed, kind)


def _named(chip: Compiled, name: str, provenance: Provenance) -> Compiled:
    chip.programmed, chip.provenance = replace(chip.programmed, name=name), provenance
    return chip


_PASSES = ("imported", "folded", "normalised", "quantised and mapped")


def _passes(progress: Progress | None) -> Callable[[int], None]:
    """Tells the progress how many passes are done."""

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, len(_PASSES), f"passes, {_PASSES[done - 1]}")

    return tell


def _programmed(
    network: Network,
    levels: tuple[Levels, ...],
    images: NDArray[np.uint8],
    facts: CalibrationFacts,
    config: Config,
    validation: tuple[Any, Any] | None,
    progress: Progress | None,
    finish: Callable[[ProgrammedChip], ProgrammedChip] = lambda programmed: programmed,
    passes: PassResults | None = None,
    range_share: float | None = None,
) -> Compiled:
    """Calibrate, map, learn and tune a network in levels."""
    held_out = validation_set(validation, config, network, facts)
    conversion = _Conversion(config, levels, images, network, finish, range_share=range_share)
    if held_out is None:
        chip = Compiled(conversion.chip(), config, passes, network=network)
        _passes(progress)(len(_PASSES))
    else:
        found = _chosen(conversion, held_out, progress)
        passes = None if passes is None else replace(passes, untuned=found.untuned)
        chip = Compiled(
            found.programmed, config, passes, found.learnt, found.tuned, network=network, chosen_rule=found.rule
        )
    check_result_fields(chip.programmed, config)
    problems = tuple(array_problems(chip.programmed))
    for sentence in problems:
        warn(sentence, ArrayWarning)
    chip.notes = (*range_notes(network, conversion.ranges), *problems)
    return chip


class _Found(NamedTuple):
    """What the validation images chose: the chip, the one before its thresholds were tuned, and how it came about."""

    programmed: ProgrammedChip
    untuned: ProgrammedChip | None = None
    learnt: LearntRule | None = None
    tuned: Tuned | None = None
    rule: ChosenRule | None = None


def _chosen(
    conversion: _Conversion, held_out: tuple[NDArray[np.uint8], NDArray[np.int64]], progress: Progress | None
) -> _Found:
    """The chip with what the validation images chose: when to stop, then thresholds, then k again if so configured."""
    config, decision = conversion.config, conversion.config.decision
    learnt: LearntRule | None = None
    chosen: ChosenRule | None = None
    rule: _Rule = _given

    def learn(programmed: ProgrammedChip) -> LearntRule:
        return learn_rule(programmed, *held_out, config.learning, config.seed, progress)

    if decision.strategy == "learned":
        learnt = learn(conversion.chip(_to_the_end))
        rule = partial(with_rule, k=learnt.k)
    elif decision.strategy == "allowed_loss":
        kind = DECISION_RULES[decision.rule]
        chosen = choose_rule(conversion.chip(_to_the_end), *held_out, kind, decision.allowed_loss, progress)
        rule = chosen.applied
    programmed = conversion.chip(rule)
    if not config.convert.tune:
        return _Found(programmed, None, learnt, None, chosen)
    untuned = programmed
    tuned = tune_chip(
        without_drift(programmed),
        *held_out,
        _tuning(config),
        config.tuning.batch,
        config.seed,
        None if progress is None else lambda done, total, text: progress(done, total, f"factors, tuning: {text}"),
    )[1]
    if learnt is not None and config.tuning.relearn:
        learnt = replace(learn(conversion.chip(_to_the_end, tuned.factors)), before=learnt)
        rule = partial(with_rule, k=learnt.k)
    return _Found(conversion.chip(rule, tuned.factors), untuned, learnt, tuned, chosen)


def _tuning(config: Config) -> Tuning:
    section = config.tuning
    return Tuning(
        **{name: getattr(section, name) for name in ("beta", "alpha", "reductions", "repeats", "limit")},
        accuracy_drop=None if section.accuracy_drop == 1.0 else section.accuracy_drop,
    )
