"""Remedies that set a field of the table [convert], for a chip where it is not set already."""

from __future__ import annotations

from typing import Literal

from spikeloom.sw.diagnostics.measure import Measures

__all__ = ["automatic", "either"]


def automatic(
    measures: Measures,
    field: Literal["normalisation", "output_offset", "weight_scale", "adc_quantile"],
    *others: str,
) -> str:
    """'set [convert] `field` = "auto"', unless the chip was converted so, or one of the others."""
    known = getattr(measures.chip.config.convert, field) == "auto"
    return either(*([] if known else [f'set [convert] {field} = "auto"']), *others)


def either(*remedies: str) -> str:
    """'a', 'a, or b', 'a, b, or c'."""
    *first, last = remedies
    return f"{', '.join(first)}, or {last}" if first else last
