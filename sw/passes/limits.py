"""Sizes that a network must not exceed: load addresses, memories of maps, addresses of read noise."""

from __future__ import annotations

from hw.geometry import MapShape
from hw.registers import MAX_BIASES
from sw.config import Config
from sw.config_rules import ONE_LAYER_RULES
from sw.errors import ConfigError
from sw.network import Network, Pool

__all__ = ["MAX_NEURONS", "check_layer", "check_network", "check_sizes"]

MAX_NEURONS = 1 << 22
"""Values of a map: pixels, or membranes of a layer, all positions together."""
_MAX_READS = 1 << 32
"""Reads of a layer in an image: each has a number of its own in the addresses of read noise."""


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
        if isinstance(stage, Pool):
            _check_map(f"what '{stage.name}' pools", shape, config)
        else:
            check_layer(stage.name, shape.channels, shape.positions, config)


def check_layer(name: str, outputs: int, positions: int, config: Config) -> None:
    """Raise `ConfigError` for a layer with too many channels, neurons or reads."""
    if outputs > MAX_BIASES:
        raise ConfigError(config.name, [f"layer '{name}' has {outputs} neurons, and at most {MAX_BIASES} fit"])
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
                f"layer '{name}' may be read {reads} times an image, {config.decision.t_max} steps at {positions} "
                f"positions, and at most {_MAX_READS} are supported; reduce [decision] t_max"
            ],
        )


def _check_map(what: str, shape: MapShape, config: Config) -> None:
    if shape.size > MAX_NEURONS:
        raise ConfigError(
            config.name,
            [
                f"{what} has {shape.channels} x {shape.height} x {shape.width} values, {shape.size} in all, and at "
                f"most {MAX_NEURONS} fit"
            ],
        )
