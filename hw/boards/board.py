"""What a board is: its pins, its clock, its size. One class a board; all of them are in `hw.boards.boards`.

A board is described by amaranth-boards, which has its pins; here is what an Amaranth platform does not say.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

from spikeloom.hw.boards.clocks import Clock, clock_of
from spikeloom.hw.boards.family import Family, Usage
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.serial.protocol import MOST_CLOCKS

if TYPE_CHECKING:
    from amaranth.hdl import Module

__all__ = ["SMALLER", "TRIES", "Board"]

SMALLER = "choose a larger board, or make the network, lanes, or rows per cycle smaller"
"""What to do about a design that is too large."""
TRIES = 4
"""Placements, each with another seed, of which the first that meets the clock is taken."""


class Board:
    """A board with an FPGA and a serial port.

    Attributes
    ----------
    name : in [board] name and --board
    meaning : for the manual, a clause
    family : of the FPGA
    crystal, crystal_Hz : resource of the platform that is the clock's source, and its frequency
    clock_Hz : clock that a design has where nobody asks for another
    baud : rate of the serial port where nobody asks for another, bits per second
    buffer_bytes : largest frame that the board takes, bytes
    capacity : what the FPGA has
    block_ram_bits : of one block memory
    pll_pad : whether the crystal is at the pin that belongs to the PLL
    busy_led, error_led : numbers of the resource `led`
    loader : openFPGALoader's arguments for the board, without the file
    """

    name: ClassVar[str]
    meaning: ClassVar[str]
    family: ClassVar[Family]
    crystal: ClassVar[str]
    crystal_Hz: ClassVar[int]
    clock_Hz: ClassVar[float]
    baud: ClassVar[int]
    buffer_bytes: ClassVar[int] = 2048
    capacity: ClassVar[Usage]
    block_ram_bits: ClassVar[int]
    pll_pad: ClassVar[bool] = False
    busy_led: ClassVar[int] = 0
    error_led: ClassVar[int] = 1
    loader: ClassVar[tuple[str, ...]]

    @property
    def memory_bits(self) -> int:
        """Bits of a block memory that emulators use: those of the ninth bits of a byte are not."""
        return 1 << self.block_ram_bits.bit_length() - 1

    def platform(self) -> Any:
        """A new platform of amaranth-boards, which is imported here since few programs need it."""
        raise NotImplementedError

    def add_extras(self, m: Module, platform: Any) -> None:
        """Drive pins that the board needs driven, besides those of the design."""

    def clock(self, wanted_Hz: float | None = None) -> Clock:
        """The clock that is meant: the board's own, or the one asked for. Raises `SpikeLoomError` for one that the PLL
        cannot make, naming the nearest.
        """
        return clock_of(self.name, self.crystal_Hz, self.family.pll, self.clock_Hz if wanted_Hz is None else wanted_Hz)

    def clocks_per_bit(self, clock: Clock, baud: int | None = None) -> int:
        """Clock cycles of a bit of the serial port.

        Raises `SpikeLoomError` where the rate would be more than 2 % off, or a bit shorter than four cycles: of ten
        bits, the last would be read at the wrong place; and for a bit of more cycles than the serial port counts.
        """
        rate = self.baud if baud is None else baud
        if rate <= 0:
            raise SpikeLoomError(f"The rate of the serial port must be above 0 baud, not {rate}; give 115200")
        exact = clock.frequency / rate
        cycles = max(1, round(exact))
        if cycles < 4 or abs(exact / cycles - 1) > Fraction(2, 100):
            most = clock.frequency / 4
            near = ", ".join(f"{float(clock.frequency / c):.0f}" for c in (max(4, cycles), max(4, cycles) + 1))
            raise SpikeLoomError(
                f"The board {self.name} has no serial port of {rate} baud at its clock of {clock.Hz:.12g} hertz, whose "
                f"cycles a bit must have a whole number of, at least 4 (at most {float(most):.0f} baud); near it are "
                f"{near} baud"
            )
        if cycles > MOST_CLOCKS:
            raise SpikeLoomError(
                f"The board {self.name} has no serial port of {rate} baud at its clock of {clock.Hz:.12g} hertz: a bit "
                f"would take {cycles:,} cycles, and takes {MOST_CLOCKS:,} at most, which are "
                f"{ceil(clock.frequency / MOST_CLOCKS)} baud"
            )
        return cycles

    def check_capacity(self, needed: Usage, what: str, remedy: str) -> None:
        """Raise `SpikeLoomError` where the FPGA has not what a design needs.

        Parameters
        ----------
        needed : of the design, or a lower bound of it
        what : takes it, in words
        remedy : what to do, a clause
        """
        words = (("luts", self.family.lut_words), ("flip_flops", "flip-flops"), ("block_rams", "block memories"))
        for name, word in (*words, ("dsps", "multipliers")):
            wanted, there = getattr(needed, name), getattr(self.capacity, name)
            if wanted > there:
                raise SpikeLoomError(
                    f"{what} needs {wanted:,} {word}, and the board {self.name} has {there:,} ({self.family.name}); "
                    f"{remedy}"
                )
