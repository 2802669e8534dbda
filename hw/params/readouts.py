"""Kinds of column readouts: which codes a column's current becomes. A class per kind; `READOUTS` has them all.

The number of bits of a layer's converters says which kind they are. Whatever the kind, a code is the current in units
of 2^gain shift conductance steps, rounded half to even, and limited to the available codes; 0 is no current. The
hardware is `hw.layer.adc_readout`, the reference `sim.crossbar.adc`. docs/extending.md says what another kind needs.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["READOUTS", "READOUT_BITS", "Codes", "ReadoutKind", "readout_of"]


class Codes(NamedTuple):
    """The codes of a readout, low .. high, and the bits in which the crossbar port carries one, signed."""

    low: int
    high: int
    width: int

    @property
    def magnitude(self) -> int:
        """The largest magnitude of a code."""
        return max(-self.low, self.high)


class ReadoutKind:
    """A kind of readout; it has one instance.

    name : in documents and errors
    bits : numbers of bits that it has
    """

    name: ClassVar[str]
    bits: ClassVar[range]

    def codes(self, bits: int) -> Codes:
        """The codes of so many bits."""
        raise NotImplementedError

    def clips_above(self, bits: int) -> float:
        """The smallest current that is clipped at the top, in units of a code; it is rounded up, to an even code."""
        return self.codes(bits).high + 0.5

    def clips_below(self, bits: int) -> float:
        """The largest magnitude of a negative current that is not clipped; it is rounded into the range."""
        return -self.codes(bits).low + 0.5


class SenseAmplifier(ReadoutKind):
    """A sign, or nothing [BS]."""

    name = "sense amplifier"
    bits = range(1, 2)

    def codes(self, bits: int) -> Codes:
        return Codes(-1, 1, 2)


class Adc(ReadoutKind):
    """Two's complement."""

    name = "ADC"
    bits = range(2, 17)

    def codes(self, bits: int) -> Codes:
        return Codes(-(1 << (bits - 1)), (1 << (bits - 1)) - 1, bits)


READOUTS: tuple[ReadoutKind, ...] = (SenseAmplifier(), Adc())
"""All kinds, by their numbers of bits."""

READOUT_BITS = range(READOUTS[0].bits[0], READOUTS[-1].bits[-1] + 1)
"""Numbers of bits that a readout of some kind has."""


def readout_of(bits: int) -> ReadoutKind:
    """The kind with so many bits. Raises `ValueError` if there is none."""
    found = next((kind for kind in READOUTS if bits in kind.bits), None)
    if found is None:
        raise SpikeLoomError(f"Bits of a readout must be in {READOUT_BITS[0]} .. {READOUT_BITS[-1]}, not {bits!r}")
    return found
