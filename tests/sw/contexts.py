"""Configurations that differ in their choices, so that every pair of choices that goes together is in one of them."""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

from sw.config import Config
from sw.nir_export import write_nir
from sw.nir_import import read_nir

DRIFT = {"device.cell": "tantalum", "device.g_min_S": 1e-4, "device.g_max_S": 0.025, "device.acceleration": 1e9}
WORN = {**DRIFT, "lifetime.measure": True, "lifetime.threshold": 0.5, "lifetime.images": 50}
PULSES = {"programming.method": "verify"}
LEARNED = {"data.validation_images": 100, "decision.strategy": "learned"}
TUNED = {"data.validation_images": 100, "convert.tune": True}
PLAIN = {"train.activation": "relu", "train.activation_levels": 0}
MAPS = {"train.network": "2c3-2s-10", "train.hidden": [128, 64]}

DIGITS = str(Path(__file__).parents[2] / "examples" / "digits.nir")
STEPS = "a NIR file of neurons that integrate over a step"
OTHER = "a NIR file of another network"
"""What stands for a path that is only known when the file has been written."""

FEW = {"data.validation_images": 60}  # so that learning and tuning take little time

WORDS: dict[str, dict[str, Any]] = {
    "dense": {},
    "one layer": {"train.hidden": []},
    "max pooling": MAPS,
    "average pooling": {**MAPS, "train.pooling": "average"},
    "folded pooling": {**MAPS, "train.pooling": "average", "convert.average_pooling": "weights"},
    "residual": {**MAPS, "train.network": "4c3-2s-4r3-10", "decision.t_max": 18},
    "nir": {"nir.file": DIGITS, "nir.reset": "subtract", "neuron.v0": 0.0},
    "nir zero": {
        "nir.file": STEPS, "nir.reset": "zero", "neuron.v0": 0.0, "neuron.reset": "zero", "neuron.output_reset": "zero",
    },
    "relu": PLAIN,
    "fixed": {"decision.rule": "fixed"},
    "learned": {**LEARNED, **FEW},
    "membrane": {"decision.readout": "membrane", "neuron.output_reset": "none"},
    "rate": {"coding.input": "rate"},
    "phase": {"coding.input": "phase"},
    "analog": {"coding.input": "analog"},
    "2 phases": {"coding.phases": 2},
    "3 phases": {"coding.phases": 3},
    "reset zero": {"neuron.reset": "zero"},
    "reset none": {"neuron.reset": "none"},
    "output zero": {"neuron.output_reset": "zero"},
    "output none": {"neuron.output_reset": "none"},
    "verify": PULSES,
    "spread": {"device.pulse_sigma": 0.5},
    "noisy": {"device.device_sigma": 0.1, "device.read_sigma": 0.02},
    "drift": DRIFT,
    "worn": WORN,
    "error": {"device.program_sigma": 0.02},
    "largest": {"convert.normalisation": "max"},
    "percentile": {"convert.normalisation": "percentile"},
    "offset": {"convert.output_offset": "network"},
    "top scale": {"convert.weight_scale": "max"},
    "mse scale": {"convert.weight_scale": "mse"},
    "quantile": {"convert.adc_quantile": 0.99},
    "tuned": {**TUNED, **FEW, "tuning.reductions": 2, "tuning.repeats": 1, "tuning.batch": 40},
}  # fmt: skip

NAMES = (
    "dense, fixed, rate",
    "dense, fixed, membrane, reset zero",
    "dense, fixed, verify, spread",
    "dense, learned, phase, 3 phases",
    "dense, relu, learned, tuned",
    "dense, phase, 3 phases, verify, spread, tuned",
    "dense, membrane, analog, noisy",
    "max pooling, analog, verify, spread",
    "one layer, analog",
    "one layer, fixed, largest",
    "dense, relu, rate, 2 phases, percentile",
    "dense, rate, drift",
    "dense, membrane, verify, drift",
    "max pooling, phase, 3 phases, reset zero, output none",
    "average pooling, fixed",
    "residual, relu, learned, membrane, rate, 3 phases, reset none, worn, largest, offset, mse scale, quantile, tuned",
    "residual, fixed, phase, reset none, output zero, verify, worn, percentile, offset, mse scale, quantile",
    "folded pooling, learned, analog, 3 phases, reset none, output zero, largest, top scale, quantile, tuned",
    "folded pooling, relu, membrane, rate, reset zero, verify, worn, largest, offset, top scale",
    "nir zero, learned, verify, worn, mse scale, tuned",
    "average pooling, relu, fixed, membrane, analog, 3 phases, reset none, verify, percentile, offset, quantile, tuned",
    "one layer, phase, 3 phases, worn, largest, offset, top scale, quantile, tuned",
    "max pooling, fixed, membrane, reset none, verify, worn, offset, top scale, quantile, tuned",
    "nir, fixed, analog, mse scale, quantile",
    "average pooling, relu, learned, phase, 3 phases, reset none, output zero, worn, largest, offset, tuned",
    "residual, learned, analog, 3 phases, reset zero, verify, percentile, tuned",
    "max pooling, relu, learned, rate, 3 phases, output zero, verify, drift, largest, offset, mse scale, quantile, "
    "tuned",
    "dense, fixed, reset none, output zero, worn, error, percentile, offset, top scale, quantile",
    "one layer, learned, membrane, phase, 3 phases, verify, worn, percentile, offset, mse scale, quantile",
    "folded pooling, fixed, verify, drift, percentile, offset, mse scale, quantile, tuned",
    "residual, relu, fixed, membrane, reset zero, worn, error, offset, top scale, quantile",
    "dense, reset none, verify, worn, largest, mse scale",
    "average pooling, relu, learned, rate, 3 phases, reset zero, output none, worn, largest, top scale",
    "folded pooling, learned, phase, reset zero, output none, verify, worn, offset",
    "one layer, learned, rate, output zero, verify, largest, offset, top scale",
    "nir, learned, rate, verify, worn",
    "nir, learned, phase, drift, top scale, quantile, tuned",
    "max pooling, learned, membrane, rate, reset none, verify, drift, percentile, offset, mse scale, tuned",
    "residual, relu, fixed, analog, 3 phases, percentile, offset, mse scale, quantile",
    "average pooling, membrane, rate, reset none, verify, drift, largest, mse scale, quantile, tuned",
)


def changes_of(name: str) -> dict[str, Any]:
    """What a context, words with commas between them, changes of the preset `tiny`."""
    return {field: value for word in name.split(", ") for field, value in WORDS[word].items()}


CONTEXTS = {name: changes_of(name) for name in NAMES}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def nir_file(which: str) -> str:
    """The path that `STEPS` or `OTHER` stands for; any other text is a path itself."""
    if which not in (STEPS, OTHER):
        return which
    model = read_nir(DIGITS)
    if which == OTHER:
        model.graph.nodes[0].bias[:] += 1.0
    for node in model.graph.nodes:
        if which == STEPS and hasattr(node, "form"):
            object.__setattr__(node, "form", "IF")
    return str(write_nir(model, Path(_folder().name) / f"{len(which)}.nir"))


def config(**changes: Any) -> Config:
    """The preset `tiny`, trained for 3 epochs, with changes of fields such as "device.bits"."""
    values = Config.load("tiny").model_dump(mode="json")
    values["train"]["epochs"] = 3
    if changes.get("nir.file"):
        values["train"] = {}  # a network that is not trained here
    for field, value in changes.items():
        section, _, name = field.partition(".")
        value = nir_file(value) if field == "nir.file" else value
        if name:
            values[section][name] = value
        else:
            values[section] = value
    return Config.load(values)


CHOICES: dict[str, tuple[Any, ...]] = {
    "decision.rule": ("fixed", "winner_k"),
    "decision.strategy": ("given", "learned"),
    "decision.readout": ("spikes", "membrane"),
    "coding.input": ("even", "rate", "phase", "analog"),
    "coding.phases": (1, 3),
    "neuron.reset": ("subtract", "zero", "none"),
    "neuron.output_reset": ("subtract", "zero", "none"),
    "programming.method": ("direct", "verify"),
    "device.cell": ("linear", "tantalum"),
    "convert.normalisation": ("auto", "max", "percentile"),
    "convert.output_offset": ("auto", "network"),
    "convert.weight_scale": ("auto", "max", "mse"),
    "convert.adc_quantile": ("auto", 0.99),
    "convert.tune": (False, True),
    "train.activation": ("clipped", "relu"),
    "lifetime.measure": (False, True),
    "network": ("one layer", "dense", "max pooling", "average pooling", "folded pooling", "residual", "nir"),
}
"""Fields of choices with their values, and what kind of network it is."""


def network_of(settings: Config) -> str:
    """The word for the kind of network."""
    train = settings.train
    if settings.nir.file:
        return "nir"
    if train.network == "mlp":
        return "dense" if train.hidden else "one layer"
    if "r" in train.network:
        return "residual"
    folded = settings.convert.average_pooling == "weights"
    return "max pooling" if train.pooling == "max" else "folded pooling" if folded else "average pooling"


def choices_of(settings: Config) -> dict[str, Any]:
    """The value of every one of `CHOICES` in a configuration."""
    found: dict[str, Any] = {"network": network_of(settings)}
    for field in CHOICES:
        table, _, name = field.partition(".")
        if name:
            found[field] = getattr(getattr(settings, table), name)
    return found


def pairs_of(settings: Config) -> set[frozenset[tuple[str, Any]]]:
    """All pairs of choices that are made in a configuration."""
    return {frozenset(pair) for pair in itertools.combinations(choices_of(settings).items(), 2)}
