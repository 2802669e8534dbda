"""Every way to a configuration says what is wrong in the same sentences, as a `ConfigError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config

WAYS: dict[str, Callable[[dict[str, Any]], Config]] = {
    "keywords": lambda values: Config(**values),
    "model_validate": Config.model_validate,
    "model_validate_json": lambda values: Config.model_validate_json(json.dumps(values)),
    "load": Config.load,
    "updated": lambda values: Config().updated(values, "configuration"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"crossbar": {"copies": 2}}, "[crossbar] copies is called replicas now; rename it"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"sed": 1}, "Unknown key 'sed'; did you mean 'seed'?"),
    ],
)
def test_the_sentence(way: str, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WAYS[way](values)
    assert str(caught.value) == f"configuration: {sentence}"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_right_is_taken(way: str) -> None:
    assert WAYS[way]({"seed": 3, "device": {"bits": 3}}) == Config(seed=3, device={"bits": 3})  # type: ignore[arg-type]


def test_what_is_no_table() -> None:
    with pytest.raises(ConfigError, match=r"^configuration: the values must be a table, not 3$"):
        Config.model_validate(3)
    with pytest.raises(ConfigError, match=r"^configuration: Invalid JSON"):
        Config.model_validate_json("{")
