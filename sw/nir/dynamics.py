"""Agreement of the neurons in NIR with the configuration, and neurons that fire above their threshold."""

from __future__ import annotations

from dataclasses import replace

from spikeloom.hw.params.parameters import Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.field_rules import default_of, value_of
from spikeloom.sw.config.nir_section import UNUSED
from spikeloom.sw.config.sections import ConvertSection
from spikeloom.sw.nir.reader import NirModel

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


def with_threshold(chip: ProgrammedChip, model: NirModel) -> ProgrammedChip:
    """The chip with neurons that fire above their threshold, if the network's do; the hardware's fire at theirs.

    V > theta is V >= theta + 1 in integers. With reset "zero" the threshold is one step higher. With "subtract" it
    stays, since it is what is taken away, and all membranes start one step lower.
    """
    if model.threshold == "at":
        return chip
    layers, shapes = [], []
    for layer, shape in zip(chip.layers, chip.parameters.layers, strict=True):
        if layer.reset == Reset.SUBTRACT:
            layer = replace(layer, v0=layer.v0 - 1)
        else:
            theta = layer.theta + 1
            layer, shape = replace(layer, theta=theta), replace(shape, max_theta=(1 << theta.bit_length()) - 1)
        layers.append(layer)
        shapes.append(shape)
    return replace(chip, layers=tuple(layers), parameters=replace(chip.parameters, layers=tuple(shapes)))
