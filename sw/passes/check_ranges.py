"""Sizes that a network must not exceed: load addresses, memories of maps, addresses of reads."""

from __future__ import annotations

from spikeloom.hw.interfaces.registers import MAX_BIASES
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.plan import MapShape
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.rules import ONE_LAYER_RULES
from spikeloom.sw.ir.network import MapUnit, Network

__all__ = ["MAX_NEURONS", "MAX_ROW_BITS", "check_layer", "check_network", "check_sizes"]

MAX_NEURONS = 1 << 22
"""Values of a map: pixels, or membranes of a layer, all positions together."""
MAX_ROW_BITS = 1 << 18
"""Bits of a vector of the Verilog: the image in the encoder, or the rows of a crossbar. Writing one takes Amaranth
18 kB of memory and 0.3 ms per bit, so that these take 5 GB and more than a minute."""
_MAX_READS = 1 << 32
"""Reads of a layer in an image: each has a number of its own in the addresses of their noise."""


def check_network(network: Network, config: Config) -> None:
    """Raise `ConfigError` for a network that is too large, or for which the configuration sets what does nothing."""
    check_sizes(network, config)
    if len(network.layers) == 1:
        problems = [sentence for rule in ONE_LAYER_RULES for sentence in rule.problems(config)]
        if problems:
            raise ConfigError(config.name, problems)


def check_sizes(network: Network, config: Config) -> None:
    """Raise `ConfigError`, with the layer's name, for a network that is too large, before anything is computed."""
    maps = network.plan.maps
    _check_map("an image", maps[0], config)
    for stage, shape in zip(network.stages, maps[1:], strict=True):
        if isinstance(stage, MapUnit):
            _check_map(f"what '{stage.name}' pools", shape, config)
        else:
            check_layer(stage.name, shape.channels, shape.positions, config)
    row_bits = CODINGS[config.coding.input].row_bits
    _check_rows("an image", maps[0].size, row_bits, config)
    for number, crossbar in network.plan.crossbar_stages:
        name = f"layer '{network.stages[number].name}'"
        _check_rows(name, network.plan.rows(crossbar), row_bits if crossbar.layer == 0 else 1, config)


def check_layer(name: str, outputs: int, positions: int, config: Config) -> None:
    """Raise `ConfigError` for a layer with too many channels, neurons or reads."""
    if outputs > MAX_BIASES:
        raise ConfigError(
            config.name, [f"layer '{name}' has {outputs} neurons, and at most {MAX_BIASES} fit; use a smaller layer"]
        )
    if outputs * positions > MAX_NEURONS:
        raise ConfigError(
            config.name,
            [
                f"layer '{name}' has {outputs} channels at {positions} positions, {outputs * positions} neurons, and "
                f"at most {MAX_NEURONS} fit; use smaller images, or a stride"
            ],
        )
    reads = config.decision.t_max * positions
    if reads > _MAX_READS:
        raise ConfigError(
            config.name,
            [
                f"layer '{name}' may be read {reads} times per image, {config.decision.t_max} steps at {positions} "
                f"positions, and at most {_MAX_READS} are supported; reduce [decision] t_max"
            ],
        )


def _check_rows(what: str, rows: int, row_bits: int, config: Config) -> None:
    if rows * row_bits > MAX_ROW_BITS:
        analog = ", or another [coding] input than 'analog', which takes 1 bit per value" if row_bits > 1 else ""
        raise ConfigError(
            config.name,
            [
                f"{what} has {rows} values of {row_bits} {'bit' if row_bits == 1 else 'bits'} as inputs of a step, and "
                f"at most {MAX_ROW_BITS // row_bits} fit into the Verilog; use smaller images, or a stride or pooling "
                f"before it{analog}"
            ],
        )


def _check_map(what: str, shape: MapShape, config: Config) -> None:
    if shape.size > MAX_NEURONS:
        raise ConfigError(
            config.name,
            [
                f"{what} has {shape.channels} x {shape.height} x {shape.width} values, {shape.size} in all, and at "
                f"most {MAX_NEURONS} fit; use smaller images, a stride or pooling before it"
            ],
        )
