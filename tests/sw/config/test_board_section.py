"""The table [board]: clocks and rates that the board cannot have are said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config


def test_defaults_are_the_boards_own() -> None:
    section = Config.load("tiny").board
    assert (section.name, section.clock_Hz, section.baud, section.rows_per_cycle) == ("ulx3s-85f", 0.0, 0, 1)
    given = {"name": "icebreaker", "clock_Hz": 24e6, "baud": 115_200, "gain": "loaded"}
    assert Config.load({"board": given}).board.model_dump().items() >= given.items()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"clock_Hz": 50e6, "name": "icebreaker"}, "[board] clock_Hz 50000000: The board icebreaker has no clock of"),
        ({"baud": 20_000_000}, "[board] baud 20000000: The board ulx3s-85f has no serial port of 20000000 baud"),
        ({"clock_Hz": 25e6, "baud": 12_500_000}, "[board] baud 12500000: The board ulx3s-85f has no serial port of"),
        ({"name": "ulx3s"}, "[board] name must be 'ulx3s-85f', 'ulx3s-45f', 'ulx3s-25f', 'ice40-hx8k-evn' or "),
        ({"gain": "none"}, "[board] gain must be 'fixed' or 'loaded', not 'none'"),
        ({"clock_Hz": 25e6, "baud": 300}, "[board] baud 300: The board ulx3s-85f has no serial port of 300 baud"),
        ({"rows_per_cycle": 0}, "[board] rows_per_cycle must be at least 1, not 0"),
        ({"rows_per_cycle": 3}, "[board] rows_per_cycle must be 1, 2, 4 or 8, not 3"),
        ({"rows_per_cycle": 16}, "[board] rows_per_cycle must be at most 8, not 16"),
    ],
)
def test_what_does_not_go_together_is_said(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        Config.load({"board": given})


@pytest.mark.filterwarnings("ignore:.*usual values are")
def test_a_clock_in_megahertz_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no clock of 50 hertz .* the nearest is 3125000"):
        Config.load({"board": {"clock_Hz": 50}})
