"""Numbers as people read them."""

from __future__ import annotations

import pytest

from spikeloom.sw.common.readable import (
    FILTERS,
    change,
    count,
    decimal,
    duration,
    number,
    percent,
    points,
    setting,
    share,
    si,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2345e-9, "J", "1.23 nJ"),
        (9.999e-7, "s", "1 µs"),
        (0.0, "J", "0 J"),
        (1e8, "Hz", "100 MHz"),
        (None, "J", "not run"),
        (3e-15, "J", "3 fJ"),
        (2.5e-10, "J", "250 pJ"),
    ],
)
def test_units_have_prefixes(value: float | None, unit: str, text: str) -> None:
    assert si(value, unit) == text


def test_numbers_are_readable() -> None:
    assert percent(0.98765) == "98.77 %" and percent(None) == "not run"
    assert number(1234567) == "1,234,567" and decimal(4.347, 2) == "4.35"


def test_large_counts_have_a_power() -> None:
    assert (count(0), count(12.345), count(1_277_952)) == ("0", "12.35", "1,277,952")
    assert count(3.797e9) == "3.80 x 10⁹" and count(10**12) == "1.00 x 10¹²" and count(None) == "not run"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "not run"),
        (1.5e-6, "1.5 µs"),
        (90.0, "90 s"),
        (150.0, "2.5 minutes"),
        (7200.0, "2 hours"),
        (1e6, "11.6 days"),
        (3.2e8, "10.1 years"),
        (1e12, "3.17e+04 years"),
    ],
)
def test_times_go_up_to_years(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_templates_have_them_all() -> None:
    assert FILTERS["change"](-0.123) == change(-0.123) == "-12.3 %"
    assert FILTERS["points"](-0.0012) == points(-0.0012) == "-0.12 points"
    assert FILTERS["setting"]("a") == setting("a") == '"a"' and FILTERS["duration"] is duration


def test_small_shares_do_not_vanish() -> None:
    texts = {0.0: "0 %", 1e-6: "< 0.01 %", 1e-4: "0.01 %", 0.0034: "0.3 %", 0.0095: "1 %", 0.126: "13 %", 1.0: "100 %"}
    assert {value: share(value) for value in texts} == texts
