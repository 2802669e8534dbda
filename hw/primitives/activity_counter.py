"""Event counter of a block, for the energy model."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError

__all__ = ["ActivityCounter"]


class ActivityCounter(wiring.Component):
    """Adds up amounts, and stops at its largest value instead of wrapping.

    A cycle with `clear` starts over with that cycle's amount, so that no amount is lost between two periods: `value`
    then holds everything since the last `clear`, that cycle included.

    Cycles: an amount shows in `value` one cycle later.

    Parameters
    ----------
    amount_bits : bits of the amount added in a cycle, 1 .. bits
    bits : bits of the counter

    Members
    -------
    amount : In(amount_bits), added in every cycle
    clear : In(1), forget what was counted before this cycle
    value : Out(bits), min(sum of the amounts, 2**bits - 1)

    Raises
    ------
    TypeError, ValueError : a width is not a positive integer, or amount_bits exceeds bits
    """

    def __init__(self, *, amount_bits: int, bits: int = 32) -> None:
        for name, width in (("amount_bits", amount_bits), ("bits", bits)):
            if isinstance(width, bool) or not isinstance(width, int):
                raise ArgumentTypeError(f"Activity counter's {name} must be an integer, not {width!r}")
            if width < 1:
                raise SpikeLoomError(f"Activity counter's {name} must be a positive integer, not {width!r}")
        if amount_bits > bits:
            raise SpikeLoomError(f"Activity counter's amount_bits ({amount_bits}) must not exceed its bits ({bits})")
        self._amount_bits = amount_bits
        self._bits = bits
        super().__init__({"amount": In(amount_bits), "clear": In(1), "value": Out(bits)})

    @property
    def amount_bits(self) -> int:
        """Bits of what is added per cycle."""
        return self._amount_bits

    @property
    def bits(self) -> int:
        """Bits of the count."""
        return self._bits

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        total = Signal(self._bits + 1)
        m.d.comb += total.eq(Mux(self.clear, 0, self.value) + self.amount)
        m.d.sync += self.value.eq(Mux(total[-1], (1 << self._bits) - 1, total))
        return m
