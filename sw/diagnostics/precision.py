"""Kinds of findings about a stage of the conversion that loses accuracy: weights, converters, devices, tuning."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sw.diagnostics.measure import LayerMeasures, Measures
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.settings import automatic
from spikeloom.sw.diagnostics.stages import LARGE_FALL, LARGE_LOSS, Fall

__all__ = ["FINE", "told"]

COARSE = 0.1
"""Error of a layer's weights, as a share of their power, that it is named with."""
FINE = 0.02
"""Error of the weights, as a share of their power, that cannot be what a stage loses."""
CONVERTED = 0.25
"""Error of a layer's codes, as a share of the power of its currents, that it is named with."""
_FALLS = (
    f"The stage loses {LARGE_FALL:.0%} of the images or more against the original network, or {LARGE_LOSS:.0%} of "
    "accuracy "
    "where labels are given, and more than chance explains."
)
_REMEDIES = {
    "fault-aware mapping": "set [programming] fault_aware = false, and report this",
    "cells": "take cells of another kind, [device] cell",
    "refresh": "set [device] refresh_every to another interval",
}
"""What to do about stages of the devices that are no effects."""


@kind(
    "conversion-fault",
    "fault",
    meaning="Folding or normalising changed the classes, which it must not.",
    measured=_FALLS,
    remedy="This is a bug in SpikeLoom: please report it with the model.",
    group="stages",
)
def conversion_fault(measures: Measures) -> Iterator[Sign]:
    """Folding or normalising that changed the classes."""
    fall = measures.stages.fall("folded", "normalised")
    if fall is not None:
        yield _sign(
            measures, fall, f"the network itself is changed at stage '{fall.stage}'", "report this with the model"
        )


@kind(
    "coarse-weights",
    "fault",
    meaning="The levels of the cells are too coarse for the weights of a layer, or most weights use few of them.",
    measured=_FALLS
    + f" Named are the layers whose weights have an error of {COARSE:.0%} of their power or more, or else the "
    "worst.",
    remedy='`[convert] weight_scale = "auto"`, more `[device] bits`, or training with `[train] weight_bits`.',
    group="stages",
)
def coarse_weights(measures: Measures) -> Iterator[Sign]:
    """Layers for whose weights the levels of the cells are too coarse."""
    fall = measures.stages.fall("quantised")
    if fall is None:
        return
    errors = [layer.weight_error or 0.0 for layer in measures.layers]
    if max(errors) < FINE:
        return  # see "spiking-loss"
    for layer in _worst(measures, errors, COARSE):
        used = len(np.unique(layer.levels))
        clipped = _clipped(layer)
        yield _sign(
            measures,
            fall,
            f"the weights of layer '{layer.name}' are too coarse: they use {used} of {layer.top + 1} levels, "
            f"{layer.zeros:.0%} "
            f"are level 0, {clipped:.0%} are clipped, and rounding and clipping leave {errors[layer.index]:.0%} of "
            "their "
            "power as error",
            automatic(measures, "weight_scale", "give the cells more [device] bits", "train with [train] weight_bits"),
            layer,
            levels=used,
            of=layer.top + 1,
            zeros=layer.zeros,
            clipped=clipped,
            weight_error=errors[layer.index],
        )


@kind(
    "adc-rounds",
    "fault",
    meaning="The steps of a layer's converters are so large that most currents round to code 0.",
    measured=_FALLS
    + f" Named are the layers whose codes have an error of {CONVERTED:.0%} of the currents' power or more, or "
    "else the worst, and more of it by rounding than by clipping.",
    remedy='`[convert] adc_quantile = "auto"`, which takes the range with the least error, or more `[crossbar] '
    "adc_bits`.",
    group="stages",
)
def adc_rounds(measures: Measures) -> Iterator[Sign]:
    """Layers whose converters round too much of the currents away."""
    for layer, fall in _converters(measures):
        c, g = layer.counts, layer.programmed.gain_shift
        if c.rounding < c.clipping:
            continue
        share = c.to_zero / max(1, c.nonzero)
        yield _sign(
            measures,
            fall,
            f"the ADC of layer '{layer.name}' rounds too much away: {share:.0%} of its currents become code 0 with a "
            "step of "
            f"{1 << g} conductance steps, and {c.codes} of its codes are used",
            automatic(measures, "adc_quantile", "raise [crossbar] adc_bits"),
            layer,
            to_zero=share,
            codes=c.codes,
            gain_shift=g,
            error=layer.converter_error,
        )


@kind(
    "adc-clips",
    "fault",
    meaning="The range of a layer's converters is too small: currents saturate.",
    measured=_FALLS + " The layers are chosen as for adc-rounds; clipping makes more of their error than rounding.",
    remedy='`[convert] adc_quantile = "auto"`, calibration images that are typical, or more `[crossbar] adc_bits`.',
    group="stages",
)
def adc_clips(measures: Measures) -> Iterator[Sign]:
    """Layers whose converters saturate too often."""
    for layer, fall in _converters(measures):
        c = layer.counts
        if c.rounding >= c.clipping:
            continue
        share = layer.saturations / max(1, c.conversions)
        yield _sign(
            measures,
            fall,
            f"the ADC of layer '{layer.name}' saturates in {share:.1%} of its conversions",
            automatic(measures, "adc_quantile", "give typical calibration images", "raise [crossbar] adc_bits"),
            layer,
            saturated=share,
            gain_shift=layer.programmed.gain_shift,
            error=layer.converter_error,
        )


@kind(
    "device-loss",
    "fault",
    meaning="An effect of the devices takes the accuracy.",
    measured=_FALLS + " Effects are added one after the other.",
    remedy="As the finding says for the effect; training with `[train] weight_noise` makes networks tolerate some.",
    group="stages",
)
def device_loss(measures: Measures) -> Iterator[Sign]:
    """Effects of the devices that take accuracy."""
    for effect in measures.stages.devices:
        fall = measures.stages.fall(effect)
        if fall is not None:
            yield _sign(
                measures,
                fall,
                f"the network does not tolerate the effect '{effect}'",
                _remedy(effect, measures.programmed.programming.method == "write-verify"),
            )


@kind(
    "tuning-loss",
    "warning",
    meaning="Tuning the thresholds took accuracy for fewer spikes.",
    measured=_FALLS,
    remedy="A smaller `[tuning] accuracy_drop`, more validation images, or `[convert] tune = false`.",
    group="stages",
)
def tuning_loss(measures: Measures) -> Iterator[Sign]:
    """Tuned thresholds that took accuracy."""
    fall = measures.stages.fall("tuned")
    if fall is not None:
        yield _sign(
            measures,
            fall,
            "the tuned thresholds lose what the chip had before",
            "lower [tuning] accuracy_drop, give more validation images, or set [convert] tune = false",
        )


_PULSES = "raise [programming] tries, lower [programming] tolerance, or lower [device] pulse_sigma and read_sigma"
"""What to do about cells that pulses have not brought to their levels."""


def _remedy(effect: str, pulses: bool) -> str:
    """What to do about a stage of the devices, programmed by pulses or not; effects know it themselves."""
    if effect == "programming" and pulses:
        return _PULSES
    if effect in _REMEDIES:
        return _REMEDIES[effect]
    return next(entry for entry in EFFECTS if effect == (entry.write_verify if pulses else entry.direct)).advice()


def told(measures: Measures, fall: Fall) -> str:
    """What a stage lost, in words."""
    what = "agreement with the network" if measures.labels is None else "accuracy"
    return f"{what} falls from {fall.before:.1%} to {fall.after:.1%} at stage '{fall.stage}'"


def _sign(
    measures: Measures,
    fall: Fall,
    cause: str,
    remedy: str,
    layer: LayerMeasures | None = None,
    **size: float | int | str,
) -> Sign:
    size |= {"stage": fall.stage, "before": fall.before, "after": fall.after}
    return Sign(f"{cause}; {told(measures, fall)}", size, remedy, None if layer is None else layer.index)


def _converters(measures: Measures) -> Iterator[tuple[LayerMeasures, Fall]]:
    fall = measures.stages.fall("ADC")
    if fall is not None:
        errors = [layer.converter_error for layer in measures.layers]
        yield from ((layer, fall) for layer in _worst(measures, errors, CONVERTED))


def _worst(measures: Measures, errors: list[float], limit: float) -> list[LayerMeasures]:
    """Layers with an error of `limit` or more; the one with the largest if there is none."""
    chosen = [layer for layer in measures.layers if errors[layer.index] >= limit]
    return chosen or [measures.layers[int(np.argmax(errors))]]


def _clipped(layer: LayerMeasures) -> float:
    if layer.source is None:
        return 0.0
    return float(np.mean(np.abs(layer.source.weight) > (layer.top + 0.5) * layer.programmed.scale))
