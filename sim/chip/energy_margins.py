"""What an energy fitted to a netlist lacks, as factors: the interval of a calibrated coefficient.

A netlist has neither wires nor a clock tree, is simulated without delays, and at one corner, and the spread between the
images of its fit says nothing of that. So the lowest value of a single image is multiplied by the low factors of
`MARGINS`, and the highest by the high ones. The typical value stays that of the netlist. docs/energy.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["CARRIED", "CLOCKS", "MARGINS", "Margin", "factors"]

CLOCKS = ("clock", "clock of memories")
"""Parts of `sim.chip.energy_calibration.CALIBRATED` that clock flip-flops; the others are logic and memories."""


@dataclass(frozen=True)
class Margin:
    """One thing that a netlist does not show.

    Parameters
    ----------
    what : it is, in words
    low, high : factors on the lowest and the highest energy of an event
    clocks, data : whether it holds for `CLOCKS`, and for the others
    source : of the factors
    """

    what: str
    low: float
    high: float
    clocks: bool
    data: bool
    source: str


MARGINS = (
    Margin(
        "supply", 0.81, 1.21, True, True,
        "10 % of the corner's voltage either way, the usual tolerance, since energy goes with its square",
    ),
    Margin(
        "wires between cells", 1.0, 2.0, False, True,
        "N. Magen et al., SLIP 2004: wires take over half of the dynamic power of a processor at 130 nm",
    ),
    Margin("glitches", 1.0, 1.3, False, True, "an estimate"),
    Margin(
        "clock tree", 1.0, 2.0, True, False,
        "an estimate: trunk, wires and buffers take as much as the flip-flops, whose own clock inverters are in the "
        "library's tables",
    ),
)  # fmt: skip
"""For every calibration."""

CARRIED = (
    Margin(
        "another design, logic and memories", 0.5, 2.0, False, True,
        "measured: parts of the presets tiny and digits differ by a factor of 2 (neurons 519 and 274 fJ, membranes 379 "
        "and 794 fJ per bit), of networks of one kind by less (below)",
    ),
    Margin(
        "another design, clock and leakage", 0.95, 1.05, True, False,
        "measured: 198 and 200 fJ per flip-flop and cycle in tiny and digits",
    ),
)  # fmt: skip
"""For the calibration of another design."""


def factors(part: str, own: bool) -> tuple[float, float]:
    """Low and high factor of a part; own : whether the calibration is of the chip's design."""
    clocks = part in CLOCKS
    mine = [each for each in (*MARGINS, *(() if own else CARRIED)) if (each.clocks if clocks else each.data)]
    return prod(each.low for each in mine), prod(each.high for each in mine)
