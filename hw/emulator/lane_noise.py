"""The noise of the lanes' conversions, of the random words of a read."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.shape import LARGEST_NOISE, EmulatorShape

__all__ = ["GROUP_AT", "NOISE_CYCLES", "TILE_AT", "LaneNoise", "times_power"]

_TAPS = (1, 2, 22)
"""Powers in the primitive polynomial x^32 + x^22 + x^2 + x + 1."""
GROUP_AT, TILE_AT = 10, 20
"""Lowest bit of the column group, and of the row tile, in the factor that tells conversions apart."""

NOISE_CYCLES = 3
"""Cycles from a row tile and a column group to the noise of their lanes."""


def times_power(word: list[Any], power: int) -> list[Any]:
    """A word times x^power in GF(2^32), bits from the coefficient of x^0 on: values of one bit, or 0 and 1."""
    bits = list(word)
    for _ in range(power):
        top = bits[-1]
        bits = [top, *(bit ^ top if place in _TAPS else bit for place, bit in enumerate(bits[:-1], 1))]
    return bits


def _xor(words: Iterable[Value]) -> Value:
    return functools.reduce(operator.xor, words)


class LaneNoise(wiring.Component):
    """Gaussian noise of a conversion: the sum of eight digits of 4 bits of a random word, less their mean.

        w = a xor e b in GF(2^32), e = tile << 20 | group << 10 | lane
        t = sum of the eight digits of w - 60        variance 170, -60 .. 60

    (a, b) are the words of the read. For uniform ones the w of any two conversions of a read are independent. The same
    as `sim.crossbar.conversion_noise`; docs/devices.md has the reasons.

    Parameters
    ----------
    shape : EmulatorShape

    Members
    -------
    word_0, word_1 : In(32), a and b, stable while a read is converted
    tile : In(range(row_tiles)), group : In(group_bits), of the conversion
    noise : Out(lanes t, signed), of the tile and the group NOISE_CYCLES cycles before
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        p = shape.parameters
        super().__init__(
            {
                "word_0": In(32),
                "word_1": In(32),
                "tile": In(range(max(2, p.row_tiles))),
                "group": In(p.group_bits),
                "noise": Out(data.ArrayLayout(range(-LARGEST_NOISE, LARGEST_NOISE + 1), p.lanes)),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        factor = list(self.word_1)
        shared = Signal(32, reset_less=True)
        terms = [
            Cat(times_power(factor, at + place)) & bit.replicate(32)
            for at, bits in ((TILE_AT, self.tile), (GROUP_AT, self.group))
            for place, bit in enumerate(bits)
        ]
        m.d.sync += shared.eq(_xor([self.word_0, *terms]))
        for lane in range(self._shape.parameters.lanes):
            places = [place for place in range(lane.bit_length()) if lane >> place & 1]
            word = Signal(32, name=f"word_of_{lane}")
            m.d.comb += word.eq(_xor([shared, *(Cat(times_power(factor, place)) for place in places)]))
            halves = [Signal(6, name=f"half_{number}_{lane}", reset_less=True) for number in range(2)]
            for number, half in enumerate(halves):
                digits = [word[16 * number + 4 * digit :][:4] for digit in range(4)]
                m.d.sync += half.eq((digits[0] + digits[1]) + (digits[2] + digits[3]))
            m.d.sync += self.noise[lane].eq(halves[0] + halves[1] - LARGEST_NOISE)
        return m
