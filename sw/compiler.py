"""`compile`: all passes in a row, from a PyTorch model to a programmed chip."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hw.geometry import Plan
from sim.image import ChipImage
from sw.chip import Chip
from sw.compile_images import calibration_pixels, image_shape, validation_set
from sw.config import Config
from sw.default_config import ideal_config
from sw.errors import ConfigError
from sw.graph import AveragePool
from sw.import_check import check_same
from sw.import_torch import import_torch
from sw.network import Network
from sw.nir_dynamics import check_dynamics, with_threshold
from sw.nir_import import NirModel
from sw.passes.calibrate import calibrate_adc
from sw.passes.fold import fold
from sw.passes.learn import LearntRule, held_still, learn_rule, with_rule
from sw.passes.limits import check_network
from sw.passes.map import map_to_chip
from sw.passes.normalise import normalise
from sw.passes.quantise import Levels, quantise
from sw.passes.tune import Factors, Tuned, Tuning, scale_chip
from sw.passes.tune_loss import tune_chip

__all__ = ["Stages", "compile_model"]

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, what)."""


@dataclass(frozen=True, eq=False)
class Stages:
    """The network before it became integers, for the waterfall: the model, after folding, after normalising; and the
    chip before its thresholds were tuned, if they were.

    The model takes images of shape `folded.input_shape`.
    """

    model: nn.Module
    folded: Network
    normalised: Network
    untuned: ChipImage | None = None


@dataclass(frozen=True, eq=False)
class _Conversion:
    """What the chip image is made of whenever rule and factors change: levels, and images to calibrate with."""

    config: Config
    levels: tuple[Levels, ...]
    images: NDArray[np.uint8]
    plan: Plan | None
    finish: Callable[[ChipImage], ChipImage]
    """Has the last word on the neurons, whose thresholds are scaled by then."""

    def chip(self, rule: int | Literal["given"] | None = "given", factors: Factors | None = None) -> ChipImage:
        """The image with converters calibrated for this rule (k, None for T_max alone, or "given") and these factors.

        Both change the currents to expect: how long images run, and how often neurons fire.
        """

        def mapped(gains: tuple[int, ...] | None, adc_bits: int | None = None) -> ChipImage:
            image = map_to_chip(self.levels, self.config, gains, adc_bits, self.plan)
            image = image if isinstance(rule, str) else with_rule(image, rule)
            return self.finish(image if factors is None else scale_chip(image, factors))

        wide = mapped(None, adc_bits=16)
        section, bits = self.config.convert, self.config.crossbar.adc_bits
        return mapped(calibrate_adc(wide, self.images, bits, section.adc_quantile))


def compile_model(
    model: nn.Module | NirModel,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    validation: tuple[Any, Any] | None = None,
    progress: Progress | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Chip:
    """Convert a trained model; see `sw.compile`."""
    given = None if config is None else Config.load(config)
    tell = _passes(progress)
    if isinstance(model, NirModel):
        if input_shape is not None:
            raise ValueError(
                "input_shape is for a PyTorch model: a network from NIR says the shape of its images itself"
            )
        network = fold(model.graph, "weights")
        config = ideal_config(network, model) if given is None else given
        check_dynamics(model, config)
        check_network(network, config)
        images = calibration_pixels(calibration_images, network.inputs)
        tell(3)
        return _programmed(network, images, config, validation, progress, lambda image: with_threshold(image, model))
    graph = import_torch(model, image_shape(calibration_images, input_shape))
    tell(1)
    averages = "spikes" if given is None else given.convert.average_pooling
    if given is not None and averages != "spikes" and not any(isinstance(node, AveragePool) for node in graph.nodes):
        raise ConfigError(
            given.name,
            [f"[convert] average_pooling must be 'spikes' for this network, which has none to fold, not '{averages}'"],
        )
    folded = fold(graph, averages)
    config = ideal_config(folded) if given is None else given
    check_network(folded, config)
    images = calibration_pixels(calibration_images, folded.inputs)
    check_same(model, folded, images[:4])
    tell(2)
    normalised = normalise(folded, images, config.convert)
    tell(3)
    return _programmed(normalised, images, config, validation, progress, stages=Stages(model, folded, normalised))


_PASSES = ("imported", "folded", "normalised", "quantised and mapped")


def _passes(progress: Progress | None) -> Callable[[int], None]:
    """Tells the progress how many passes are done."""

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, len(_PASSES), f"passes, {_PASSES[done - 1]}")

    return tell


def _programmed(
    network: Network,
    images: NDArray[np.uint8],
    config: Config,
    validation: tuple[Any, Any] | None,
    progress: Progress | None,
    finish: Callable[[ChipImage], ChipImage] = lambda image: image,
    stages: Stages | None = None,
) -> Chip:
    """Quantise, calibrate, map, learn and tune a network whose thresholds are 1."""
    held_out = validation_set(validation, config, network)
    phases = config.coding.phases
    factor = 1.0 / (1.0 - 2.0**-phases) if config.coding.input == "phase" and phases > 1 else 1.0
    levels = quantise(network, config.device.bits, config.convert.weight_scale, factor)
    conversion = _Conversion(config, levels, images, network.plan, finish)
    if held_out is None:
        image = conversion.chip()
        _passes(progress)(len(_PASSES))
        return Chip(image, config, stages)
    image, untuned, learnt, tuned = _chosen(conversion, held_out, progress)
    return Chip(image, config, None if stages is None else replace(stages, untuned=untuned), learnt, tuned)


def _chosen(
    conversion: _Conversion, held_out: tuple[NDArray[np.uint8], NDArray[np.int64]], progress: Progress | None
) -> tuple[ChipImage, ChipImage | None, LearntRule | None, Tuned | None]:
    """The chip with what the validation images chose: k, then thresholds, then k again if so configured; and the chip
    before its thresholds were tuned.
    """
    config = conversion.config
    learnt: LearntRule | None = None
    rule: int | Literal["given"] | None = "given"

    def learn(image: ChipImage) -> LearntRule:
        return learn_rule(image, *held_out, config.learning, config.seed, progress)

    if config.decision.strategy == "learned":
        learnt = learn(conversion.chip(rule=None))
        rule = learnt.k
    image = conversion.chip(rule)
    if not config.convert.tune:
        return image, None, learnt, None
    untuned = image
    tuned = tune_chip(
        held_still(image),
        *held_out,
        _tuning(config),
        config.tuning.batch,
        config.seed,
        None if progress is None else lambda done, total, text: progress(done, total, f"factors, tuning: {text}"),
    )[1]
    if learnt is not None and config.tuning.relearn:
        learnt = replace(learn(conversion.chip(None, tuned.factors)), before=learnt)
        rule = learnt.k
    return conversion.chip(rule, tuned.factors), untuned, learnt, tuned


def _tuning(config: Config) -> Tuning:
    section = config.tuning
    return Tuning(
        **{name: getattr(section, name) for name in ("beta", "alpha", "reductions", "repeats", "limit")},
        accuracy_drop=None if section.accuracy_drop == 1.0 else section.accuracy_drop,
    )
