"""Activity counters of a layer: their names, their width, and their port."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["ACTIVITY_BITS", "COUNTERS", "ActivitySignature"]

COUNTERS = ("row_pulses", "tile_reads", "conversions", "saturations", "spikes")
"""Names of a layer's counters, in the order of a result frame's halves of words."""

ACTIVITY_BITS = 32


class ActivitySignature(wiring.Signature):
    """What a layer did since the counters were cleared; each stops at 2^32 - 1.

    Members
    -------
    row_pulses : Out(32), sum over reads of (active rows) * column_tiles
    tile_reads : Out(32), sum over reads of (active row tiles) * column_tiles
    conversions : Out(32), ADC conversions: sum over reads of (active row tiles) * outputs
    saturations : Out(32), conversions whose code was clipped
    spikes : Out(32), spikes emitted
    """

    def __init__(self) -> None:
        super().__init__({name: Out(ACTIVITY_BITS) for name in COUNTERS})
