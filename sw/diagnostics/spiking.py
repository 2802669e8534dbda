"""Kinds of findings about the stage at which activations become spikes."""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.sw.diagnostics.measure import BEYOND, Measures
from spikeloom.sw.diagnostics.precision import FINE, told
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.settings import automatic
from spikeloom.sw.diagnostics.stages import LARGE_FALL, LARGE_LOSS

__all__: list[str] = []


@kind(
    "rates-clipped",
    "fault",
    meaning="Much of a layer's activations lies above the firing rate of 1, where all fire alike.",
    measured=f"{BEYOND:.0%} or more of the positive activations are above a rate of 1, and the stage 'spiking' loses "
    f"{LARGE_FALL:.0%} of the images or more ({LARGE_LOSS:.0%} of accuracy with labels).",
    group="stages",
    remedy='`[convert] normalisation = "auto"`, or calibration images that are as bright as these. A fixed '
    "`[convert] percentile` is a fraction near 1, such as 0.999.",
)
def rates_clipped(measures: Measures) -> Iterator[Sign]:
    """Layers of whose activations many lie above the firing rate of 1."""
    fall = measures.stages.fall("spiking")
    for layer in measures.layers:
        activation = measures.activation(layer)
        if fall is not None and activation is not None and not measures.stuck and measures.clipped(layer):
            yield Sign(
                f"{activation.above_one:.0%} of the activations of layer '{layer.name}' are above the firing rate "
                "of 1; "
                f"{told(measures, fall)}",
                {"above_one": activation.above_one, "before": fall.before, "after": fall.after},
                automatic(measures, "normalisation", "calibrate with images that are as bright as these"),
                layer.index,
            )


_SPIKING = {
    "clip": ("membranes are clipped", "set [neuron] clip = 0.0, or raise it"),
    "leak": ("membranes leak", "set [neuron] leak = 0, or raise it (V loses V / 2^leak)"),
    "reset": ("the reset takes more than a threshold away", 'set [neuron] reset = "subtract"'),
    "rule": (
        "images end before their spikes have settled",
        "raise [decision] k (theta with rule stable), or skip the first periods",
    ),
    "skip": (
        "the output layer runs in too few of the time steps",
        "lower [decision] skip, or raise t_max",
    ),
    "steps": ("there are too few time steps", "raise [decision] t_max and k, or train for few steps ([train])"),
    None: (
        "rates are not what the activations are",
        "change [coding] input",
    ),
}


@kind(
    "spiking-loss",
    "warning",
    meaning="Spikes do not carry what the activations do.",
    measured=f"The stage 'spiking' loses {LARGE_FALL:.0%} of the images or more ({LARGE_LOSS:.0%} of accuracy with "
    "labels), and more than chance explains. The cause is what gives back half of it in real numbers when it is "
    "changed alone: clip, leak, reset, the decision rule, skipped periods, four times the steps. Or the stage "
    "'quantised' does, and "
    f"the weights are right to {FINE:.0%}, so that decisions hang on single spikes.",
    remedy="As the finding says.",
    group="stages",
)
def spiking_loss(measures: Measures) -> Iterator[Sign]:
    """Accuracy that is lost between activations and spikes, and what mends it."""
    fall = measures.stages.fall("spiking")
    if fall is not None and not measures.stuck and not any(rates_clipped(measures)):
        changed = measures.stages.spiking_remedy
        cause, remedy = _SPIKING[changed]
        if changed is None:
            remedy = automatic(measures, "normalisation", remedy)
        yield Sign(
            f"{cause}; {told(measures, fall)}",
            {"stage": "spiking", "before": fall.before, "after": fall.after, "mended_by": changed or "none of these"},
            remedy,
        )
    fall = measures.stages.fall("quantised")
    error = max(layer.weight_error or 0.0 for layer in measures.layers)
    if fall is not None and error < FINE and not (measures.stuck or measures.hushed or measures.one_class):
        yield Sign(
            f"decisions hang on single spikes, since the weights are right to {error:.2%}; {told(measures, fall)}",
            {"stage": "quantised", "before": fall.before, "after": fall.after, "weight_error": error},
            "raise [decision] k and t_max, or set [neuron] v0 = 0.5",
        )
