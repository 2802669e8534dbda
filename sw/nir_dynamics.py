"""What NIR says of its neurons and the configuration must agree in, and how a neuron fires above its threshold."""

from __future__ import annotations

from dataclasses import replace

from hw.params import Reset
from sim.image import ChipImage
from sw.config import Config
from sw.errors import ConfigError
from sw.field_rules import default_of, value_of
from sw.nir_import import NirModel
from sw.nir_section import UNUSED
from sw.sections import ConvertSection

__all__ = ["check_dynamics", "with_threshold"]


def check_dynamics(model: NirModel, config: Config) -> None:
    """Raise `ConfigError` where the configuration's neurons are not those of the NIR graph, naming every field."""
    wanted = [
        ("neuron", "reset", model.reset),
        ("neuron", "output_reset", model.reset),
        ("neuron", "v0", model.start),
        ("neuron", "leak", 0),
        ("neuron", "clip", 0.0),
        ("coding", "phases", 1),
        ("decision", "readout", "spikes"),
        *(("convert", name, ConvertSection.model_fields[name].default) for name in UNUSED),
    ]
    problems = [
        f"[{table}] {name} must be {value!r} for this network from NIR, not {value_of(config, f'{table}.{name}')!r}; "
        + (f"leave {name} out" if default_of(config, f"{table}.{name}") == value else f"set {name} so")
        for table, name, value in wanted
        if value_of(config, f"{table}.{name}") != value
    ]
    if problems:
        raise ConfigError(config.name, problems)


def with_threshold(image: ChipImage, model: NirModel) -> ChipImage:
    """The chip with neurons that fire above their threshold, if the network's do; the hardware's fire at theirs.

    V > theta is V >= theta + 1 in integers. With reset "zero" the threshold is one step higher. With "subtract" it
    stays, since it is what is taken away, and all membranes start one step lower.
    """
    if model.threshold == "at":
        return image
    layers, shapes = [], []
    for layer, shape in zip(image.layers, image.parameters.layers, strict=True):
        if layer.reset == Reset.SUBTRACT:
            layer = replace(layer, v0=layer.v0 - 1)
        else:
            theta = layer.theta + 1
            layer, shape = replace(layer, theta=theta), replace(shape, max_theta=(1 << theta.bit_length()) - 1)
        layers.append(layer)
        shapes.append(shape)
    return replace(image, layers=tuple(layers), parameters=replace(image.parameters, layers=tuple(shapes)))
