"""Readable numbers: percentages, prefixes, thousands, times."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "FILTERS", "NOT_RUN", "change", "count", "decimal", "duration", "number", "percent", "points", "setting", "share",
    "si", "span",
]  # fmt: skip

NOT_RUN = "not run"
"""What the page says instead of a number that is not known."""

_LONG_TIMES = (("years", 365.25 * 86400.0), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def percent(value: float | None, digits: int = 2) -> str:
    """0.9812 -> "98.12 %"."""
    return NOT_RUN if value is None else f"{100 * value:.{digits}f} %"


def si(value: float | None, unit: str) -> str:
    """Three digits and a prefix: 1.234e-9 joules -> "1.23 nJ"."""
    if value is None:
        return NOT_RUN
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value / 1e-15:.3g} f{unit}" if value else f"0 {unit}"


def span(value: Mapping[str, float] | None, unit: str) -> str:
    """A figure that is not known well: "16.5 nJ (4.12 nJ .. 78.2 nJ)"; one that has no width is given alone."""
    if value is None or value["low"] == value["high"]:
        return si(None if value is None else value["typical"], unit)
    return f"{si(value['typical'], unit)} ({si(value['low'], unit)} .. {si(value['high'], unit)})"


def share(value: float) -> str:
    """A share, 0 .. 1, of which small ones do not vanish: "12 %", "0.3 %", "< 0.01 %", and "0 %" for none at all."""
    if 0.0 < value < 1e-4:
        return "< 0.01 %"
    return f"{100 * value:.0f} %" if value >= 0.0095 or value == 0.0 else f"{100 * value:.1g} %"


def number(value: float | None) -> str:
    """A count, with thousands set apart."""
    return NOT_RUN if value is None else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 2) -> str:
    """A mean, with a fixed number of decimals."""
    return NOT_RUN if value is None else f"{value:,.{digits}f}"


def change(value: float) -> str:
    """A relative change: -0.123 -> "-12.3 %"."""
    return f"{100 * value:+.1f} %"


def points(value: float) -> str:
    """A difference of two shares: -0.0012 -> "-0.12 points"."""
    return f"{100 * value:+.2f} points"


def count(value: float | None) -> str:
    """A count that may be very large: 123456 -> "123,456", 3.797e9 -> "3.80 x 10⁹"."""
    if value is None or abs(value) < 1e7:
        return NOT_RUN if value is None else f"{value:,.4g}" if abs(value) < 1e3 else f"{value:,.0f}"
    exponent = math.floor(math.log10(abs(value)))
    return f"{value / 10.0**exponent:.2f} x 10{str(exponent).translate(_RAISED)}"


def duration(value: float | None) -> str:
    """A time from nanoseconds to years: 3.2e8 seconds -> "10.1 years"."""
    for unit, length in _LONG_TIMES:
        if value is not None and value >= 2.0 * length:
            return f"{value / length:,.3g} {unit}"
    return si(value, "s")


def setting(value: Any) -> str:
    """A configuration value as it stands in TOML."""
    return json.dumps(value, ensure_ascii=False)


FILTERS: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (percent, si, span, number, decimal, change, points, count, duration, setting)
}
"""The functions by name, for templates."""
