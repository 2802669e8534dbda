"""Clocks that a board's PLL can make of its crystal: which settings give one, and what the nearest ones are.

A clock is exact, a fraction of hertz: a board whose UART divides a clock that is not what was asked for loses bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Protocol

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["TOLERANCE", "Clock", "Ecp5Pll", "Ice40Pll", "Pll", "clock_of", "in_MHz"]

TOLERANCE = Fraction(1, 1000)
"""Largest relative difference of a clock from the one asked for: 33.3 MHz stands for 33.33."""


@dataclass(frozen=True)
class Clock:
    """A clock that a board can have.

    Parameters
    ----------
    frequency : hertz, exact
    settings : dividers of the PLL, by the names of its parameters; none where the crystal itself is the clock
    """

    frequency: Fraction
    settings: Mapping[str, int]

    @property
    def Hz(self) -> float:
        """The frequency, hertz."""
        return float(self.frequency)


class Pll(Protocol):
    """A kind of PLL."""

    def near(self, crystal_Hz: int, wanted_Hz: Fraction) -> Iterator[Clock]:
        """Clocks of which one is nearest, from below and from above, as far as there are any."""
        ...


class Ecp5Pll:
    """EHXPLLL with feedback by its output CLKOP, and the clock at CLKOS [FPGA-TN-02200].

    The reference is crystal / CLKI_DIV, the oscillator runs at reference * CLKFB_DIV * CLKOP_DIV, and the clock is that
    / CLKOS_DIV. Limits are those of the data sheet for speed grade 6 [FPGA-DS-02012].
    """

    REFERENCE_Hz = 3_125_000, 400_000_000
    OSCILLATOR_Hz = 400_000_000, 800_000_000
    CLOCK_Hz = 3_125_000, 400_000_000
    LARGEST = 128
    _MIDDLE_Hz = 600_000_000

    def near(self, crystal_Hz: int, wanted_Hz: Fraction) -> Iterator[Clock]:
        """As `Pll.near`; of equal clocks, the first has the oscillator nearest to the middle of its range."""
        found: dict[Fraction, tuple[int, Clock]] = {}
        for divider in range(1, self.LARGEST + 1):
            if not self.REFERENCE_Hz[0] * divider <= crystal_Hz <= self.REFERENCE_Hz[1] * divider:
                continue
            lowest = -(-self.OSCILLATOR_Hz[0] * divider // crystal_Hz)
            for factor in range(lowest, self.OSCILLATOR_Hz[1] * divider // crystal_Hz + 1):
                feedback = self._feedback(factor)
                if feedback is None:
                    continue
                oscillator = Fraction(crystal_Hz * factor, divider)
                off = abs(int(oscillator) - self._MIDDLE_Hz)
                least, most = ceil(oscillator / self.CLOCK_Hz[1]), min(self.LARGEST, oscillator // self.CLOCK_Hz[0])
                for exact in (floor(oscillator / wanted_Hz), ceil(oscillator / wanted_Hz)):
                    last = min(max(exact, least), most)
                    clock = oscillator / last
                    if clock not in found or off < found[clock][0]:
                        names = ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOS_DIV")
                        values = (divider, factor // feedback, feedback, last)
                        found[clock] = off, Clock(clock, dict(zip(names, values, strict=True)))
        yield from (clock for _, clock in found.values())

    def _feedback(self, factor: int) -> int | None:
        """A divider of CLKOP, the largest, since that output may be no faster than others."""
        dividers = range(self.LARGEST, 1, -1)
        return next((d for d in dividers if factor % d == 0 and factor // d <= self.LARGEST), None)


class Ice40Pll:
    """SB_PLL40 with simple feedback [FPGA-TN-02052].

    The clock is crystal / (DIVR + 1) * (DIVF + 1) / 2^DIVQ, with the oscillator in its range before DIVQ. Limits, and
    the references at which FILTER_RANGE changes, are those of Project IceStorm's icepll.
    """

    REFERENCE_Hz = 10_000_000, 133_000_000
    OSCILLATOR_Hz = 533_000_000, 1_066_000_000
    CLOCK_Hz = 16_000_000, 275_000_000
    _FILTERS_Hz = 17e6, 26e6, 44e6, 66e6, 101e6

    def near(self, crystal_Hz: int, wanted_Hz: Fraction) -> Iterator[Clock]:
        """As `Pll.near`."""
        for divr in range(16):
            reference = Fraction(crystal_Hz, divr + 1)
            if not self.REFERENCE_Hz[0] <= reference <= self.REFERENCE_Hz[1]:
                continue
            for divq in range(1, 7):
                exact = wanted_Hz * 2**divq / reference
                least = ceil(max(self.OSCILLATOR_Hz[0], self.CLOCK_Hz[0] << divq) / reference)
                most = min(128, floor(min(self.OSCILLATOR_Hz[1], self.CLOCK_Hz[1] << divq) / reference))
                for factor in {min(max(f, least), most) for f in (floor(exact), ceil(exact))} if least <= most else ():
                    dividers = {"DIVR": divr, "DIVF": factor - 1, "DIVQ": divq}
                    yield Clock(reference * factor / 2**divq, {**dividers, "FILTER_RANGE": self._filter(reference)})

    def _filter(self, reference: Fraction) -> int:
        """FILTER_RANGE, by the frequency of the reference."""
        return 1 + sum(reference >= Fraction(bound) for bound in self._FILTERS_Hz)


def in_MHz(frequency: Fraction | float) -> str:
    """A frequency for a sentence: "49.5 MHz", "33.3333 MHz"."""
    return f"{float(frequency) / 1e6:.6g} MHz"


def clock_of(board: str, crystal_Hz: int, pll: Pll, wanted_Hz: float) -> Clock:
    """The clock nearest to the one wanted; the crystal's own needs no PLL.

    Parameters
    ----------
    board : its name, for the message
    wanted_Hz : hertz

    Raises
    ------
    SpikeLoomError : there is none within `TOLERANCE`; the sentence names the nearest ones
    """
    wanted = Fraction(wanted_Hz)
    if wanted <= 0:
        raise SpikeLoomError(f"The clock of a board must be above 0 hertz, not {wanted_Hz!r}; give one such as 50e6")
    clocks = [Clock(Fraction(crystal_Hz), {}), *pll.near(crystal_Hz, wanted)]
    best = min(clocks, key=lambda clock: abs(clock.frequency - wanted))
    if abs(best.frequency - wanted) <= TOLERANCE * wanted:
        return best
    below = max((c.frequency for c in clocks if c.frequency < wanted), default=None)
    above = min((c.frequency for c in clocks if c.frequency > wanted), default=None)
    nearest = [f"{float(f):.12g} ({in_MHz(f)})" for f in (below, above) if f is not None]
    raise SpikeLoomError(
        f"The board {board} has no clock of {float(wanted):.12g} hertz ({in_MHz(wanted)}) from its crystal of "
        f"{in_MHz(crystal_Hz)}; the nearest {'is' if len(nearest) == 1 else 'are'} {' and '.join(nearest)}"
    )
