"""Kinds of findings that are symptoms: which neurons fire, outputs, when images end. Causes explain them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeloom.hw.params.parameters import Reset
from spikeloom.sw.diagnostics.causes import ALWAYS
from spikeloom.sw.diagnostics.measure import EXPECTED, FEW, Measures
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.settings import automatic

__all__: list[str] = []

MANY = 64
"""Images that a network itself may give one class without a finding."""
ENDLESS = 0.99
"""Share of images that reach T_max although a rule should end them."""


@kind(
    "silent-layer",
    "fault",
    meaning="No neuron of a layer fires on any image.",
    measured="Spikes of the layer on all images: none. Not checked for outputs whose membranes are read.",
    remedy="If it is silent in the network itself, look at its weights and biases there. Otherwise lower the "
    "threshold by "
    '`[convert] normalisation = "auto"`, or allow more `[decision] t_max` steps.',
)
def silent_layer(measures: Measures) -> Iterator[Sign]:
    """Layers of which no neuron fires on any image."""
    for layer in measures.layers:
        if not layer.silent.all() or not measures.spikes_count(layer):
            continue
        size: dict[str, float | int | str] = {"theta": layer.programmed.theta, "t_max": measures.programmed.t_max}
        text = f"layer '{layer.name}' never fires"
        remedy = automatic(measures, "normalisation", "raise [decision] t_max")
        skipped = measures.programmed.skip and layer is measures.layers[-1]
        activation = measures.activation(layer)
        if activation is not None:
            largest = float(activation.largest.max())
            size["largest_activation"] = largest
            text += (
                f": its largest activation is {largest:.3g} thresholds per step, in {measures.programmed.t_max} steps"
            )
            if largest <= 0.0:
                remedy = "check the layer's weights and biases in the model, which is silent there too"
            elif skipped:
                text += f", the first {measures.programmed.skip} periods of which it skips"
                remedy = f"lower [decision] skip, or {remedy}"
        elif measures.nir:
            remedy = (
                "check the seconds per step with which the file is read (spikeloom.read_nir(..., dt=...)), or raise "
                "t_max"
            )
        yield Sign(text, size, remedy, layer.index)
        return


@kind(
    "always-fires",
    "fault",
    meaning="The neurons of a layer fire in nearly every step, so its output hardly depends on the image.",
    measured=f"Mean firing rate of the layer: {ALWAYS} spikes per neuron and step, or more. Not checked for "
    "neurons without reset.",
    remedy="Look at the layer's biases, and at a fixed `[convert] percentile`, which sets the activation that is a "
    'rate of 1; `[convert] normalisation = "auto"` chooses it.',
)
def always_fires(measures: Measures) -> Iterator[Sign]:
    """Layers whose neurons fire in nearly every step."""
    for layer in measures.layers:
        if layer.rate < ALWAYS or layer.programmed.reset == Reset.NONE or not measures.spikes_count(layer):
            continue
        yield Sign(
            f"layer '{layer.name}' always fires: {layer.rate:.3g} spikes per neuron and step",
            {"rate": layer.rate, "theta": layer.programmed.theta},
            automatic(measures, "normalisation", "check the layer's biases"),
            layer.index,
        )


@kind(
    "mostly-silent",
    "fault",
    meaning="Most neurons of a layer that ought to fire do not.",
    measured="Half or more of the columns (channels of a convolution) never fire, and half or more of those whose "
    "largest "
    f"activation is two spikes or more in the median number of steps; there must be {EXPECTED} of these. Needs the "
    "network "
    "in real numbers.",
    remedy='Lower thresholds by `[convert] normalisation = "auto"`, more `[decision] t_max` steps, or a larger k.',
)
def mostly_silent(measures: Measures) -> Iterator[Sign]:
    """Layers of which most neurons that ought to fire do not."""
    for layer, silent, expected in measures.hushed:
        yield Sign(
            f"{len(silent)} of the {expected} outputs of layer '{layer.name}' that ought to fire never do",
            {"silent": len(silent), "expected": expected, "outputs": len(layer.silent)},
            automatic(measures, "normalisation", "raise [decision] t_max or k"),
            layer.index,
            tuple(int(n) for n in silent),
        )


@kind(
    "one-class",
    "fault",
    meaning="The chip gives one class for all images.",
    measured=f"All of {FEW} images or more get one class, and a tenth of them or more are of others.",
    remedy="The stages of the conversion say where the others are lost.",
)
def one_class(measures: Measures) -> Iterator[Sign]:
    """A chip that gives one class for all images."""
    if measures.one_class:
        classes = measures.result.classes
        others = float(np.mean(measures.stages.truth != classes[0]))
        yield Sign(
            f"the chip gives class {classes[0]} for all {len(classes)} images, and {others:.0%} of them are of others",
            {"class": int(classes[0]), "others": others},
            "look at the stages of the conversion in the report",
        )


@kind(
    "network-of-one-class",
    "warning",
    meaning="The original network has one class for all images, so nothing can be said about the others.",
    measured=f"All of {MANY} images or more get one class from the network. Checked only if no labels are given.",
    remedy="Give images of all classes, in the unit that the network was trained with; or the network is not trained.",
)
def network_of_one_class(measures: Measures) -> Iterator[Sign]:
    """A network that has one class for all images."""
    first = measures.stages.first
    if (
        measures.labels is None
        and len(first) >= MANY
        and (first == first[0]).all()
        and measures.programmed.parameters.classes > 1
    ):
        yield Sign(
            f"the network itself gives class {first[0]} for all {len(first)} images",
            {"class": int(first[0])},
            "give images of all classes in the unit of the training, or train the network",
        )


@kind(
    "never-decides",
    "warning",
    meaning="Images run to T_max, because the lead k, or theta, is never reached.",
    measured=f"With rule winner_k or stable, {ENDLESS:.0%} or more of {FEW} images or more end at T_max.",
    remedy='A lower `[decision] k` or `theta`, a higher `t_max`, or `rule = "fixed"` if that is meant.',
)
def never_decides(measures: Measures) -> Iterator[Sign]:
    """Images that the decision rule never ends."""
    result, chip = measures.result, measures.programmed
    share = float(np.mean(result.reasons == 0))
    if chip.rule.registers and len(result) >= FEW and share >= ENDLESS:
        fields = [name.rpartition(".")[2] for name in chip.rule.fields] + ["skip"] * bool(chip.skip)
        yield Sign(
            f"{share:.0%} of the images run to T_max = {chip.t_max} although the rule {chip.rule.when(chip)}; their "
            f"median lead at the end is {int(np.median(result.margins))}",
            {
                "share": share,
                **{own.name: chip.setting(own.name) for own in chip.rule.registers},
                "t_max": chip.t_max,
                "median_lead": float(np.median(result.margins)),
            },
            f'lower [decision] {" or ".join(fields)}, raise t_max, or set rule = "fixed"',
        )
