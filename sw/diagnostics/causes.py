"""Kinds of findings that are causes: the images, and the contents of a layer's registers and cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikeloom.sim.images.brightness import DARK
from spikeloom.sw.diagnostics.measure import LayerMeasures, Measures
from spikeloom.sw.diagnostics.registry import Sign, kind
from spikeloom.sw.diagnostics.settings import automatic
from spikeloom.sw.passes.quantise import MAX_THETA

__all__: list[str] = []

LOST = 0.98
"""Share of a layer's weights that rounding may take to 0."""
UNEVEN = 20.0
"""Times that a layer's largest weight is that of the median column, from which on it is to blame for what is lost."""
BIAS, BIAS_ALONE = 4.0, 32.0
"""Largest healthy bias, in root mean squares of a column's current, the median over the columns: where something is
wrong with what the layer or the chip gives, and where nothing is known about that.
"""
ALWAYS = 0.9
"""Share of a layer that is silent, or rate of it, for it to say the same of every image."""
THETA_ERROR = 0.05
"""Error of the weights, as a share of their power, that matters where a threshold is at its limit."""


@kind(
    "dark-input",
    "fault",
    meaning="The images are nearly black, so inputs fire in few steps or none, and the original network sees next to "
    "nothing either.",
    measured=f"The brightest pixel of all images is at most {DARK} of 255. `spikeloom.compile` and `chip.diagnose` "
    "warn of it where they take the images, with the factor that is missing.",
    remedy="Give the images in the unit of the training: uint8 0 .. 255, or floats 0 .. 1; divide by their largest "
    "value.",
)
def dark_input(measures: Measures) -> Iterator[Sign]:
    """Images that are nearly black."""
    brightest = int(measures.pixels.max())
    if brightest <= DARK:
        yield Sign(
            f"the images are nearly black: their brightest pixel is {brightest} of 255",
            {"brightest": brightest, "mean": float(measures.pixels.mean())},
            "give them as uint8 0 .. 255 or as floats 0 .. 1, in the unit that the network was trained with",
        )


@kind(
    "uneven-neurons",
    "fault",
    meaning="The weights of a few neurons of a layer are so much larger than those of the others that these have few "
    "levels left, or none: the largest weight of a layer sets the step of all.",
    measured=f"The largest weight of a layer is more than {UNEVEN:.0f} times the largest of the median column, and the "
    "stage 'spiking' or 'quantised' loses accuracy. Not checked for outputs, nor for chips that were loaded.",
    remedy="Behind a ReLU a neuron can be made weaker, and what reads it stronger, without a change of the network: "
    "divide the neuron's weights and bias, multiply the weights that read it. Or train with weight decay.",
)
def uneven_neurons(measures: Measures) -> Iterator[Sign]:
    """Layers in which the weights of a few neurons are far larger than those of the others."""
    first = measures.stages.falls[0].stage if measures.stages.falls else None
    if first not in ("spiking", "quantised"):
        return
    for layer in measures.layers[:-1]:
        largest = np.zeros(1) if layer.source is None else np.abs(layer.source.weight).max(axis=1)
        if not largest.any():
            continue
        median, top = float(np.median(largest[largest > 0.0])), float(largest.max())
        if UNEVEN * median < top:
            strong = np.flatnonzero(largest > 0.5 * top)
            which = ", ".join(str(n) for n in strong[:8]) + (" ..." if len(strong) > 8 else "")
            many = len(strong) > 1
            yield Sign(
                f"neuron{'s' * many} {which} of layer '{layer.name}' {'have' if many else 'has'} weights up to "
                f"{top / median:.3g} times as large as those of half of the others, which have few levels left",
                {"times": top / median, "largest": top, "median": median},
                f"divide {'their' if many else 'its'} weights and bias{'es' * many} in the model, and multiply the "
                "weights that read them by as much, which changes nothing there",
                layer.index,
                tuple(int(n) for n in strong),
            )


@kind(
    "zero-weights",
    "fault",
    meaning="All weights of a layer are level 0, or nearly all of those that are not 0 in the network.",
    measured=f"Share of the weights other than 0 that have become level 0: {LOST:.0%} or more. A chip that was loaded "
    "does not know the weights, so all levels must be 0.",
    remedy='A few large weights set the scale: `[convert] weight_scale = "auto"`, or more `[device] bits`. If the '
    "weights "
    "are 0 in the network itself, train it, or load its weights.",
)
def zero_weights(measures: Measures) -> Iterator[Sign]:
    """Layers whose weights are level 0, all or nearly all."""
    for layer in measures.layers:
        if layer.zeros < LOST:
            continue
        used = int(np.count_nonzero(layer.levels))
        wanted = None if layer.source is None else int(np.count_nonzero(layer.source.weight))
        lost = None if not wanted else 1.0 - used / wanted
        size = {"zeros": layer.zeros, "weights": layer.levels.size, "theta": layer.programmed.theta}
        if used == 0 and not wanted:
            yield Sign(
                f"all {layer.levels.size} weights of layer '{layer.name}' are 0"
                + " in the network itself" * (wanted == 0),
                size,
                "train the network, or load its weights before spikeloom.compile",
                layer.index,
            )
        elif lost is not None and lost >= LOST and not _theta_at_limit(layer) and not _bias_rules(layer):
            yield Sign(
                f"{lost:.1%} of the weights of layer '{layer.name}' that are not 0 have become level 0 of "
                f"{layer.top + 1} levels",
                {**size, "lost": lost},
                automatic(measures, "weight_scale", "give the cells more [device] bits"),
                layer.index,
            )


@kind(
    "bias-out-of-proportion",
    "fault",
    meaning="The biases of a layer outweigh what its weights can add, so its neurons fire, or stay silent, whatever "
    "the "
    "image shows.",
    measured="Median over the columns of |bias| divided by the root mean square of the column's current: above "
    f"{BIAS:.0f}, with nearly all outputs silent, or all firing always, or a stage that loses accuracy; for a chip "
    "that "
    f"was loaded above {BIAS_ALONE:.0f}. Healthy layers lie below 2.",
    remedy="Look at the bias of the layer, and of the batch norm behind it, in the model: a common offset of the "
    "outputs, or "
    "weights and biases in different units.",
    group="registers",
)
def bias_out_of_proportion(measures: Measures) -> Iterator[Sign]:
    """Layers whose biases outweigh their currents."""
    for layer in measures.layers:
        if layer.counts.driven == 0 or layer.bias_ratio <= BIAS or _theta_at_limit(layer):
            continue
        if any(measures.clipped(earlier) for earlier in measures.layers[: layer.index]):
            continue
        stuck = layer.silent.mean() >= ALWAYS or layer.rate >= ALWAYS
        falls = measures.stages.falls
        if falls and all(fall.stage in measures.stages.devices for fall in falls):
            continue  # currents that the devices took away are no fault of the biases
        if not (stuck or falls or (layer.source is None and layer.bias_ratio > BIAS_ALONE)):
            continue
        bias = layer.programmed.bias.astype(np.float64)
        share = float(np.mean(bias < 0.0))
        most = "negative" if share > 0.5 else "positive"
        ratio = layer.bias_ratio
        times = (
            f"{ratio:.3g} times what its currents come to" if np.isfinite(ratio) else "all there is, without currents"
        )
        yield Sign(
            f"the biases of layer '{layer.name}' are out of proportion: |bias| is {times} "
            f"({max(share, 1.0 - share):.0%} of them {most}), so {_fires(layer)}",
            {
                "ratio": ratio if np.isfinite(ratio) else "infinite",
                "largest_bias": int(np.abs(bias).max()),
                "theta": layer.programmed.theta,
                "rate": layer.rate,
            },
            "check the layer's bias in the model (an offset common to all outputs changes nothing there) and its batch "
            "norm",
            layer.index,
        )


@kind(
    "theta-at-limit",
    "fault",
    meaning="The weights of a layer are so small in units of its threshold that the largest threshold leaves them few "
    "levels, or none.",
    measured=f"theta is {MAX_THETA}, the largest weight is at most half of the top level, and the error of the "
    "weights is "
    f"{THETA_ERROR:.0%} of their power or more (not asked of a chip that was loaded).",
    remedy="Scale the input, or the layer's weights, so that a spike moves a membrane by a thousandth of its "
    "threshold or "
    "more. Of a NIR file of IF neurons: give `spikeloom.read_nir(..., dt=...)` the seconds per step that it was "
    "trained with.",
    group="registers",
)
def theta_at_limit(measures: Measures) -> Iterator[Sign]:
    """Layers whose threshold is at its limit, so that weights use few levels."""
    for layer in measures.layers:
        if not _theta_at_limit(layer) or _bias_rules(layer):
            continue
        used = len(np.unique(layer.levels))
        error = layer.weight_error
        size: dict[str, float | int | str] = {"theta": layer.programmed.theta, "levels": used, "of": layer.top + 1}
        remedy = "scale the input or the layer's weights up"
        if measures.nir:
            remedy = (
                "give spikeloom.read_nir the seconds per step, such as dt=1.0 (if it has IF), or scale its weights up"
            )
        yield Sign(
            f"theta of layer '{layer.name}' is at its limit of {MAX_THETA}, which leaves its weights {used} of "
            f"{layer.top + 1} levels, so {_fires(layer)}",
            size if error is None else {**size, "weight_error": error},
            remedy,
            layer.index,
        )


def _theta_at_limit(layer: LayerMeasures) -> bool:
    if layer.programmed.theta < MAX_THETA or int(layer.levels.max()) > layer.top // 2:
        return False
    return layer.weight_error is None or layer.weight_error >= THETA_ERROR


def _bias_rules(layer: LayerMeasures) -> bool:
    """Whether the biases outweigh all the weights together, in real numbers: then theta follows from them."""
    if layer.source is None:
        return False
    return float(np.median(np.abs(layer.source.bias) - np.abs(layer.source.weight).sum(axis=1))) > 0.0


def _fires(layer: LayerMeasures) -> str:
    silent = int(layer.silent.sum())
    if silent == len(layer.silent):
        return "it never fires"
    return (
        f"{silent} of {len(layer.silent)} outputs never fire, and the rate is {layer.rate:.3g} spikes per neuron "
        "and step"
    )
