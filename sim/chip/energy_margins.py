"""What an energy fitted to a netlist lacks, as factors: the interval of a calibrated coefficient.

A netlist has neither wires nor a clock tree, is simulated without delays, and at one corner, and the spread between the
images of its fit says nothing of that. So the lowest value of a single image is multiplied by the low factors of
`MARGINS`, and the highest by the high ones. The typical value stays that of the netlist. docs/energy.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["CARRIED", "CLOCKS", "MARGINS", "MEMORIES", "Margin", "factors", "group"]

CLOCKS = ("clock", "clock of memories")
"""Parts of `sim.chip.energy_calibration.CALIBRATED` that clock flip-flops."""

MEMORIES = ("membranes", "biases", "pixels", "error diffusion", "spike counts", "maps", "pooling sums")
"""Those that are memories, without their clock; the others are logic."""

_CLOCK, _LOGIC, _MEMORY = "clock and leakage", "logic", "memories"
_DATA = (_LOGIC, _MEMORY)


@dataclass(frozen=True)
class Margin:
    """One thing that a netlist does not show.

    Parameters
    ----------
    what : it is, in words
    low, high : factors on the lowest and the highest energy of an event
    of : groups of parts for which it holds, see `group`
    source : of the factors
    """

    what: str
    low: float
    high: float
    of: tuple[str, ...]
    source: str


MARGINS = (
    Margin(
        "supply", 0.81, 1.21, (_CLOCK, *_DATA),
        "10 % of the corner's voltage either way, the usual tolerance, since energy goes with its square",
    ),
    Margin(
        "wires between cells", 1.0, 2.0, _DATA,
        "N. Magen et al., SLIP 2004: wires take over half of the dynamic power of a processor at 130 nm",
    ),
    Margin("glitches", 1.0, 1.3, _DATA, "an estimate"),
    Margin(
        "clock tree", 1.0, 2.0, (_CLOCK,),
        "an estimate: trunk, wires and buffers take as much as the flip-flops, whose own clock inverters are in the "
        "library's tables",
    ),
)  # fmt: skip
"""For every calibration."""

CARRIED = (
    Margin(
        "another design, logic", 0.25, 4.0, (_LOGIC,),
        "measured: parts of the presets tiny, digits and mnist differ by up to a factor of 4 (row drivers' logic 160 "
        "and 42 fJ per bit in digits and mnist; neurons 522, 439 and 329 fJ), of networks of one kind by less (below)",
    ),
    Margin(
        "another design, memories", 0.14, 7.0, (_MEMORY,),
        "measured: a bit of a memory of more words takes more (pixels 349 fJ in the 4 words of digits, 2.31 pJ in the "
        "49 of mnist; membranes 379 fJ, 684 fJ and 2.69 pJ)",
    ),
    Margin(
        "another design, clock and leakage", 0.92, 1.08, (_CLOCK,),
        "measured: 199, 198 and 208 fJ per flip-flop and cycle",
    ),
)  # fmt: skip
"""For the calibration of another design."""


def group(part: str) -> str:
    """What a part is: "clock and leakage", "logic" or "memories"."""
    return _CLOCK if part in CLOCKS else _MEMORY if part in MEMORIES else _LOGIC


def factors(part: str, own: bool) -> tuple[float, float]:
    """Low and high factor of a part; own : whether the calibration is of the chip's design."""
    mine = [each for each in (*MARGINS, *(() if own else CARRIED)) if group(part) in each.of]
    return prod(each.low for each in mine), prod(each.high for each in mine)
