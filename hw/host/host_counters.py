"""Counters of the last result, stored until the next one, for the registers and the result frame."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.activity import COUNTERS, ActivitySignature
from spikeloom.hw.interfaces.streams import CYCLE_BITS

__all__ = ["HostCounters"]


class HostCounters(wiring.Component):
    """Keeps cycles, gap and the layers' activity of the last answer, and counts the answers.

    Parameters
    ----------
    layers : how many have activity counters; all of the unit, or none

    Members
    -------
    taken : In(1), an answer is taken in this cycle; the next three belong to it
    cycles, gap : In(32)
    activity_<l> : In(ActivitySignature)
    images : Out(32), answers so far; wraps
    kept_cycles, kept_gap : Out(32), of the last answer, from the cycle after it was taken on
    kept_<l> : Out(ActivitySignature), likewise
    words : Out(64 * (1 + 3 layers)), the same as words of a result frame, lowest first: cycles and gap, then of each
        layer row_pulses and tile_reads, conversions and saturations, spikes and 0; the first of two is the lower half
    """

    def __init__(self, *, layers: int) -> None:
        self._layers = layers
        super().__init__(
            {
                "taken": In(1),
                "cycles": In(CYCLE_BITS),
                "gap": In(CYCLE_BITS),
                **{f"activity_{index}": In(ActivitySignature()) for index in range(layers)},
                "images": Out(32),
                "kept_cycles": Out(CYCLE_BITS),
                "kept_gap": Out(CYCLE_BITS),
                **{f"kept_{index}": Out(ActivitySignature()) for index in range(layers)},
                "words": Out(64 * (1 + 3 * layers)),
            }
        )

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self._layers

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        halves = [self.kept_cycles, self.kept_gap]
        with m.If(self.taken):
            m.d.sync += [
                self.images.eq(self.images + 1),
                self.kept_cycles.eq(self.cycles),
                self.kept_gap.eq(self.gap),
            ]
        for index in range(self._layers):
            now, kept = getattr(self, f"activity_{index}"), getattr(self, f"kept_{index}")
            for name in COUNTERS:
                with m.If(self.taken):
                    m.d.sync += getattr(kept, name).eq(getattr(now, name))
                halves.append(getattr(kept, name))
            halves.append(Const(0, 32))
        m.d.comb += self.words.eq(Cat(halves))
        return m
