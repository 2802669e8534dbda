"""The table [lifetime]: what does not go together is said."""

from __future__ import annotations

from typing import Any

import pytest

from spikeloom.sim.lifetime.search import LIMIT
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from tests.fixtures.drifting import DRIFT


def load(device: dict[str, Any], lifetime: dict[str, Any]) -> Config:
    return Config.load({"device": device, "lifetime": lifetime})


def test_the_default_measures_nothing() -> None:
    section = Config.load("tiny").lifetime
    assert not section.measure and section.threshold == 0.85 and section.limit == LIMIT
    assert load({**DRIFT, "program_sigma": 0.01}, {"measure": True, "programmings": 3}).lifetime.programmings == 3


@pytest.mark.parametrize(
    ("device", "lifetime", "sentence"),
    [
        (DRIFT, {"threshold": 0.9}, r"\[lifetime\] threshold must be 0.85 with measure false, .* not 0.9; leave"),
        ({}, {"measure": True}, r"\[lifetime\] measure must be false with \[device\] cell 'linear'"),
        (DRIFT, {"measure": True, "programmings": 2}, r"\[lifetime\] programmings must be 1 with .* program_sigma 0"),
        (DRIFT, {"measure": True, "limit": LIMIT + 1}, "limit"),
        (DRIFT, {"measure": True, "threshold": 0.0}, "threshold"),
        (DRIFT, {"measure": True, "tolerance": 1.0}, "tolerance"),
        ({"refresh_every": 3}, {}, r"\[device\] refresh_every must be 0 with cell 'linear'"),
    ],
)
def test_what_does_not_go_together_is_said(device: dict[str, Any], lifetime: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(device, lifetime)


def test_pulses_are_not_given_again_within_a_run() -> None:
    with pytest.raises(
        ConfigError, match=r"\[device\] refresh_every must be 0 with \[programming\] method 'write-verify'"
    ):
        Config.load({"device": {**DRIFT, "refresh_every": 5}, "programming": {"method": "write-verify"}})
