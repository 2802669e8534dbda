"""Structure of a crossbar emulator: where rows and cells lie, and how wide its numbers are."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.parameters import LayerParameters, ceil_div

__all__ = [
    "FACTOR_BITS",
    "FRACTION_BITS",
    "LARGEST_NOISE",
    "LINE_ROWS",
    "NOISY_LIMITS",
    "ROWS_PER_CYCLE",
    "EmulatorShape",
]

FRACTION_BITS = 10
"""Fraction bits of a conductance, in levels: the grid of `sim.crossbar`."""

FACTOR_BITS = 8
"""Bits of a cell's factor D, 128 is 1.0: what a pulse moves it by, relative to a nominal cell; 0 is a stuck cell."""

LINE_ROWS = 16
"""Rows that are looked at together when the driven ones are listed."""

ROWS_PER_CYCLE = 1, 2, 4, 8
"""Rows that a word may have."""

LARGEST_NOISE = 60
"""Largest magnitude of the noise of a conversion, in amplitudes: `hw.emulator.lane_noise`."""

_RANGES = {"levels": (2, 1024), "weight_bits": (2, 24), "noise": (0, 2047)}
NOISY_LIMITS = {"lanes": 1 << 10, "groups": 1 << 10, "row_tiles": 1 << 12}
"""What the factors that tell the conversions of a read apart have places for."""


@dataclass(frozen=True, kw_only=True)
class EmulatorShape:
    """A layer's crossbar, as an emulator holds it.

    A *word* of rows is `rows_per_cycle` neighbouring rows of a row tile, read in one cycle; the last word of a tile may
    have fewer. A *line* is up to 16 rows of a tile, in whole words. The memory has a word of cells per column group and
    word of rows, at address group * words + word, and in it `lanes` cells (or pairs) of every row of the word.

    Parameters
    ----------
    parameters : LayerParameters of the layer; with its `programmer`, cells are kept apart, and pulses move them
    rows_per_cycle : rows of a word: 1, 2, 4 or 8
    levels : levels of a cell, 2 .. 1024
    weight_bits : bits of W = (p - n) 2^10 of a pair, signed, 2 .. 24, without programmer; None for a sign, twice the
        range of the levels, and 10 fraction bits
    gain : gain shift of the ADCs, 0 .. max_gain_shift of the layer; None for a register
    noise : amplitude of the noise of a conversion, 0 .. 2047: its rms is noise sqrt(170) / 1024 codes; 0 is none

    Raises
    ------
    TypeError, ValueError : a number is not an integer, or out of range; a layer is too large for noise
    """

    parameters: LayerParameters
    rows_per_cycle: int = 1
    levels: int = 16
    weight_bits: int | None = None
    gain: int | None = None
    noise: int = 0

    def __post_init__(self) -> None:
        for name in ("rows_per_cycle", "levels", "weight_bits", "gain", "noise"):
            value = getattr(self, name)
            optional = value is None and name in ("weight_bits", "gain")
            if not optional and (isinstance(value, bool) or not isinstance(value, int)):
                raise ArgumentTypeError(f"Emulator's {name} must be an integer, not {value!r}")
        if self.rows_per_cycle not in ROWS_PER_CYCLE:
            raise SpikeLoomError(f"Emulator's rows_per_cycle must be 1, 2, 4 or 8, not {self.rows_per_cycle!r}")
        ranges = {**_RANGES, "gain": (0, self.parameters.max_gain_shift)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SpikeLoomError(f"Emulator's {name} must be in {low} .. {high}, not {value!r}")
        for name, most in NOISY_LIMITS.items() if self.noise else ():
            value = getattr(self.parameters, name)
            if value > most:
                raise SpikeLoomError(f"An emulator with noise takes at most {most} {name}, and the layer has {value}")

    @property
    def programmer(self) -> bool:
        """Whether cells are kept apart, and moved by pulses."""
        return self.parameters.programmer

    @property
    def tile_rows(self) -> int:
        """Rows of the first row tile."""
        return min(self.parameters.tile_rows, self.parameters.inputs)

    @property
    def tile_words(self) -> int:
        """Words of a row tile; the last one may have fewer."""
        return ceil_div(self.tile_rows, self.rows_per_cycle)

    @property
    def words(self) -> int:
        """Words of all row tiles."""
        before = self.parameters.row_tiles - 1
        rest = self.parameters.inputs - before * self.parameters.tile_rows
        return before * self.tile_words + ceil_div(rest, self.rows_per_cycle)

    @property
    def entries(self) -> int:
        """Entries of the longest list: all words, and between row tiles one that closes the first of them."""
        return self.words + self.parameters.row_tiles - 1

    @property
    def line_words(self) -> int:
        """Words of a line; the last one of a row tile may have fewer."""
        return min(LINE_ROWS // self.rows_per_cycle, self.tile_words)

    @property
    def tile_lines(self) -> int:
        """Lines of a row tile; the last one may have fewer."""
        return ceil_div(self.tile_words, self.line_words)

    @property
    def lines(self) -> int:
        """Lines of all row tiles."""
        before = self.parameters.row_tiles - 1
        return before * self.tile_lines + ceil_div(self.words - before * self.tile_words, self.line_words)

    @property
    def depth(self) -> int:
        """Words of the memory of cells."""
        return self.parameters.groups * self.words

    @property
    def address_bits(self) -> int:
        """Bits of an address of the memory of cells, at least 1."""
        return max(1, (self.depth - 1).bit_length())

    @property
    def pairs(self) -> int:
        """Pairs of a word of the memory: lane of row 0 first."""
        return self.rows_per_cycle * self.parameters.lanes

    @property
    def highest(self) -> int:
        """The highest conductance that a pulse leads to, in 2^-10 level."""
        return (self.levels - 1) << FRACTION_BITS

    @property
    def cell_bits(self) -> int:
        """Bits of what the memory holds: W of a pair, signed, or the conductance of a cell, unsigned."""
        if self.programmer:
            return self.highest.bit_length()
        return self.weight_bits or (self.levels - 1).bit_length() + FRACTION_BITS + 2

    @property
    def cells(self) -> int:
        """Cells of a word of the memory: pairs, or with a programmer p and n of every pair."""
        return self.pairs * (2 if self.programmer else 1)

    @property
    def load_cells(self) -> int:
        """Cells that a word of the host's has: one with its factor, or as many as fit."""
        return 1 if self.programmer or self.cell_bits > 16 else 2

    @property
    def load_words(self) -> int:
        """Words of the host's for a word of the memory."""
        return ceil_div(self.cells, self.load_cells)

    @property
    def largest_weight(self) -> int:
        """Bound on the magnitude of W."""
        return self.highest if self.programmer else 1 << (self.cell_bits - 1)

    @property
    def largest_sum(self) -> int:
        """Bound on the magnitude of a column's sum in a row tile."""
        return self.largest_weight * self.tile_rows * self.full_scale

    @property
    def noise_unit(self) -> int:
        """What the noise of a conversion is a multiple of, in the units of a sum (after the shift of a register's
        gain).
        """
        return self.noise * self.full_scale << (self.gain or 0)

    @property
    def full_scale(self) -> int:
        """S: the largest row code, which is the read voltage."""
        return (1 << self.parameters.row_bits) - 1

    @property
    def sum_bits(self) -> int:
        """Bits of a column's sum and half a code, signed."""
        half = self.full_scale << (FRACTION_BITS - 1 + (self.gain or 0))
        return (self.largest_sum + half).bit_length() + 1
