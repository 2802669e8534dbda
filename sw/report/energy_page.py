"""The tables of docs/energy.md, generated from the list of parts so that the page is always up to date.

Between `<!-- NAME: begin -->` and `<!-- NAME: end -->` stands the table NAME. They are written
anew by `python -m spikeloom.sw.report.energy_page docs/energy.md`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from spikeloom.sim.chip.device_config import Energy
from spikeloom.sim.chip.energy_margins import CARRIED, MARGINS, Margin
from spikeloom.sim.estimates.energy_parts import CALIBRATED_ONLY, LEFT_OUT, PARTS
from spikeloom.sw.analysis.efficiency import PUBLISHED
from spikeloom.sw.common.marked_text import between_marks
from spikeloom.sw.common.readable import si

__all__ = ["renewed", "tables"]


def tables() -> dict[str, str]:
    """Markdown of `parts`, `coefficients`, `margins`, `left out` and `published`."""
    sources: dict[str, str] = {}
    parts = ["| component | part | events | coefficient | |", "|---|---|---|---|---|"]
    for part in PARTS:
        own = part.field not in ("", CALIBRATED_ONLY)
        usual = own and sources.setdefault(part.field, part.source) == part.source
        name = f"`{part.field}`" if own else "of a calibration" if part.field else "of conductances"
        parts.append(f"| {part.component} | {part.name} | {part.event} | {name} | {'' if usual else part.source} |")
    defaults = Energy()
    coefficients = ["| coefficient | low | typical | high | source |", "|---|---|---|---|---|"]
    for field, source in sources.items():
        values = " | ".join(si(value, "F" if "_F_" in field else "J") for value in getattr(defaults, field))
        coefficients.append(f"| `{field}` | {values} | {source} |")
    left = ["| not included | |", "|---|---|", *(f"| {what} | {why} |" for what, why in LEFT_OUT)]
    published = ["| | TOPS/W | what | level | source |", "|---|---|---|---|---|"]
    for other in PUBLISHED:
        low, high = other.tops_per_W
        value = f"{low:g}" if low == high else f"{low:g} .. {high:g}"
        published.append(f"| {other.name} | {value} | {other.what} | {other.level} | {other.source} |")
    margins = [
        "| not in the netlist | low | high | of | |",
        "|---|---|---|---|---|",
        *map(_margin, (*MARGINS, *CARRIED)),
    ]
    found = {
        "parts": parts,
        "coefficients": coefficients,
        "margins": margins,
        "left out": left,
        "published": published,
    }
    return {name: "\n".join(lines) + "\n" for name, lines in found.items()}


def _margin(each: Margin) -> str:
    return f"| {each.what} | × {each.low:g} | × {each.high:g} | {', '.join(each.of)} | {each.source} |"


def renewed(page: str) -> str:
    """The page with its tables as they are now; ValueError for a page without one of them."""
    for name, table in tables().items():
        page = between_marks(page, name, table, f"a table '{name}'")
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
