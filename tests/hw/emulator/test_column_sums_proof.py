"""Conversions of an emulator, in any order and cleared at any moment: their codes are the sums of their cells."""

from __future__ import annotations

import pytest
from amaranth.hdl import Array, Assert, Assume, Const, Mux, Signal, signed

from spikeloom.hw.emulator.column_sums import ColumnSums, sum_stages
from spikeloom.hw.emulator.converter import converter_stages
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import mutant, past
from tests.formal import Harness, assert_fails, constant, prove, reaches


def shape_of(inputs: int, tile_rows: int, outputs: int = 2) -> EmulatorShape:
    """Lanes of one column, and codes that hold all sums of cells of -2 .. 1."""
    layer = LayerParameters(
        inputs=inputs, outputs=outputs, lanes=1, tile_rows=tile_rows, adc_bits=4, max_gain_shift=0, programmer=False
    )
    return EmulatorShape(parameters=layer, weight_bits=12, gain=0)


class Converted(Harness):
    """For any list of driven words, any cells, and conversions in any order, at any distance, ended by done or clear.

    - With `done`, the code of every row tile is the sum of the cells of its listed words in the asked group, 0 without
      any; not clipped.
    - With n entries a conversion is done at most n + L + 1 cycles after its first one, and after exactly n + L if
      nothing was begun before.
    """

    def __init__(self, dut: ColumnSums) -> None:
        super().__init__(dut, driven=dut.shape.words, values=2 * dut.shape.depth)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, shape = self.dut, self.dut.shape
        p = shape.parameters
        constant(m, self.driven, self.values)

        # The list of these words: what each entry is, by the words and the ends of row tiles before it.
        entries: list[tuple] = []  # condition, closes, tile, word
        listed = [self.driven[word] for word in range(shape.words)]
        for word, there in enumerate(listed):
            tile = word // shape.tile_words
            before, same = listed[: tile * shape.tile_words], listed[tile * shape.tile_words : word]
            closes = there & _any(before) & ~_any(same)
            entries += [(closes, 1, tile, 0), (there, 0, tile, word)]
        places, count = [], Const(0)
        for condition, *_ in entries:
            places.append(count)
            count = (count + condition)[:8]
        m.d.comb += dut.count.eq(count)
        address = past(m, dut.entry_address)
        for (condition, closes, tile, word), place in zip(entries, places, strict=True):
            with m.If(condition & (place == address)):
                m.d.comb += dut.entry.word.eq(word)
                if p.row_tiles > 1:
                    m.d.comb += [dut.entry.closes.eq(closes), dut.entry.tile.eq(tile)]
        cells = [self.values.word_select(place, 2).as_signed() for place in range(shape.depth)]
        kept = Signal(signed(2))
        m.d.sync += kept.eq(Array(cells)[dut.address])
        m.d.comb += dut.cells.eq(kept << 10)

        # What is asked.
        asked = past(m, dut.convert & ~dut.done)
        m.d.comb += Assume(dut.column < p.groups)
        done, clears = dut.convert & dut.done, dut.clear | dut.begins
        with m.If(asked & ~past(m, clears)):
            m.d.comb += [Assume(dut.convert), Assume(dut.column == past(m, dut.column))]
        fresh, age = Signal(init=1), Signal(8)  # nothing is begun; cycles of a conversion that began so
        counts = Signal()
        with m.If(clears):
            m.d.sync += [fresh.eq(1), counts.eq(0)]
        with m.Elif(dut.convert):
            m.d.sync += [fresh.eq(0), counts.eq((fresh | counts) & ~done), age.eq(Mux(fresh, 1, age + 1))]
        with m.Elif(counts):
            m.d.sync += counts.eq(0)
        latency = sum_stages(shape) + converter_stages(shape)
        with m.If(counts & dut.convert):
            m.d.comb += Assert(dut.done == (age == count + latency))
        waits = Signal(8)
        m.d.sync += waits.eq(Mux(dut.convert & ~dut.done & ~clears, waits + 1, 0))
        m.d.comb += Assert(waits <= count + latency + 1)
        with m.If(done):
            for tile in range(p.row_tiles):
                words = range(tile * shape.tile_words, min((tile + 1) * shape.tile_words, shape.words))
                for group in range(p.groups):
                    total = sum((Mux(listed[w], cells[group * shape.words + w], 0) for w in words), start=Const(0))
                    with m.If(dut.column == group):
                        m.d.comb += [Assert(dut.codes[tile] == total), Assert(~dut.over[tile])]
        dones = Signal(2)
        m.d.sync += dones.eq(Mux(clears, 0, Mux(done & ~dones.all(), dones + 1, dones)))
        reaches(m, twice=done & (dones == 1) & (count == shape.entries), silent=done & (count == 0))
        reaches(m, after_clear=done & (dones == 0) & (count != 0) & ~fresh & ~past(m, fresh))
        return m


def _any(bits: list):
    total = Const(0, 1)
    for bit in bits:
        total = total | bit
    return total


BROKEN = {
    "goes_on_with_the_old_group": ("| (self.convert & active & (self.column != expected))", ""),
    "end_is_not_forgotten": ("after.end.eq(before.end & ~forget)", "after.end.eq(before.end)"),
    "sums_are_not_cleared": ("closed = forget | marks[stage].end |", "closed = marks[stage].end |"),
    "next_group_too_early": ("& (self.column == group) & (group != last_group)", "& (group != last_group)"),
    "tile_of_the_end": ("whose: Value = tile", "whose: Value = marks.tile"),
}


@pytest.mark.parametrize(("inputs", "tile_rows", "outputs", "depth"), [(2, 1, 3, 17), (2, 2, 2, 16)])
def test_codes_are_sums_of_cells(inputs: int, tile_rows: int, outputs: int, depth: int) -> None:
    """Bounded: a conversion whole, what was begun meanwhile, and another that takes or gives up what was begun."""
    dut = ColumnSums(shape=shape_of(inputs, tile_rows, outputs))
    prove(Converted(dut), f"sums_{tile_rows}", depth=depth, reach=depth)


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Converted(mutant(ColumnSums, *BROKEN[name])(shape=shape_of(2, 1, 3))), f"sums_{name}", depth=18)
