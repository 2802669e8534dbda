"""The list of driven rows, for any rows: every driven word once, in order, in the cycles that are documented."""

from __future__ import annotations

import functools
import operator

import pytest
from amaranth.hdl import Array, Assert, Assume, Const, Mux, Signal, Value

from spikeloom.hw.emulator.row_list import RowList
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.primitives.adder_tree import adder_tree
from tests.benches.proof_bench import inside, mutant, past
from tests.formal import Harness, assert_fails, in_turn, prove, reaches


def shape_of(inputs: int, tile_rows: int, rows_per_cycle: int, row_bits: int = 1) -> EmulatorShape:
    layer = LayerParameters(inputs=inputs, outputs=1, lanes=1, tile_rows=tile_rows, row_bits=row_bits, programmer=False)
    return EmulatorShape(parameters=layer, rows_per_cycle=rows_per_cycle)


def _any(bits: list[Value]) -> Value:
    return functools.reduce(operator.or_, bits, Const(0, 1))


class Listed(Harness):
    """For any drives, cut short or cleared at any moment, of rows that stay as they are meanwhile.

    - The words that are written are driven ones, each behind the one before, at the next place; between those of two
      row tiles, and only there, is an entry that closes the first. Each has the row tile and the row codes of its word.
    - After `clear` the list is empty.
    - `sampled` is first up in cycle 2 + sum of max(1, n_i), and then all driven words are listed.
    """

    def elaborate(self, platform):
        inner = inside(self.dut)
        m = super().elaborate(platform)
        dut, shape = self.dut, self.dut.shape
        p, entry, push = shape.parameters, inner.write.data, inner.push
        drive, rows, clear = past(m, dut.drive), past(m, dut.rows), past(m, dut.clear)
        with m.If(drive & dut.drive):
            m.d.comb += Assume(dut.rows == rows)
        with m.If(~past(m, Const(1, 1))):
            m.d.comb += Assume(~dut.drive)

        # What has to be listed.
        driven: list[Value] = []
        tiles: list[int] = []
        codes: list[Value] = []
        lines: list[list[Value]] = []
        earlier: Value = Const(0, 1)
        bits = shape.rows_per_cycle * p.row_bits
        for tile in range(p.row_tiles):
            stop = min((tile + 1) * p.tile_rows, p.inputs)
            found: Value = Const(0, 1)
            for number, first in enumerate(range(tile * p.tile_rows, stop, shape.rows_per_cycle)):
                word = dut.rows[first * p.row_bits : min(first + shape.rows_per_cycle, stop) * p.row_bits]
                if number % shape.line_words == 0:
                    lines.append([])
                lines[-1] += [word.any(), word.any() & ~found & earlier]
                driven.append(word.any())
                tiles.append(tile)
                codes.append(word)
                found = found | word.any()
            earlier = earlier | found
        counts = [adder_tree(line) for line in lines]
        due = 2 + sum((Mux(count == 0, 1, count) for count in counts), start=Const(0))

        # What is listed.
        last, words, entries, begun = Signal(range(shape.words)), Signal(8), Signal(8), Signal()
        cycle, whole = Signal(8), Signal()  # cycles of the drive so far; it was not cleared
        with m.If(dut.clear | ~dut.drive):
            m.d.sync += [words.eq(0), entries.eq(0), begun.eq(0), cycle.eq(0), whole.eq(0)]
        with m.Else():
            m.d.sync += [cycle.eq(cycle + 1), whole.eq(1)]
            with m.If(push):
                m.d.sync += entries.eq(entries + 1)
                with m.If(~inner._place.closes):
                    m.d.sync += [words.eq(words + 1), last.eq(entry.word), begun.eq(1)]
        going = dut.drive & whole & ~clear
        word_tile, closes = Array(tiles)[entry.word], Const(0, 1)
        with m.If(push & going):
            m.d.comb += [Assert(inner.write.addr == entries), Assert(dut.count == entries)]
            if p.row_tiles > 1:
                closes = entry.closes
                m.d.comb += Assert(entry.tile == word_tile)
                crosses = begun & (Array(tiles)[last] != word_tile)
                after_close = past(m, push & closes)
                m.d.comb += Assert(Mux(closes, crosses & ~after_close, ~crosses | after_close))
            with m.If(~closes):
                m.d.comb += [Assert(Array(driven)[entry.word]), Assert(~begun | (entry.word > last))]
                if bits > 1:
                    m.d.comb += Assert(entry.codes == Array(codes)[entry.word])
        total = adder_tree(driven)
        with m.If(clear):
            m.d.comb += [Assert(dut.count == 0), Assert(~dut.sampled)]
        with m.If(going):
            m.d.comb += Assert(dut.sampled == (cycle + 1 >= due))
            with m.If(dut.sampled):
                m.d.comb += [Assert(words == total), Assert(dut.count == entries), Assert(~push)]
                m.d.comb += Assert(entries == sum(counts))
        all_of_them = going & dut.sampled & (total == len(driven))
        reaches(m, all=all_of_them, some=going & dut.sampled & (total == 2), none=going & dut.sampled & (total == 0))
        reaches(m, cut_short=in_turn(m, going & push, ~dut.drive, going & dut.sampled), cleared=clear & (cycle == 0))
        return m


BROKEN = {
    "leaves_the_last_word": ("(pending & (pending - 1))", "(pending & (pending - 1) & ~(1 << len(pending) - 1))"),
    "too_early": ("self.sampled.eq(~several)", "self.sampled.eq(1)"),
    "closes_late": ("first & (self.count != 0)", "first & (self.count > 1)"),
    "goes_on_after_clear": ("with m.If(self.clear | self.begins):", "with m.If(self.begins):"),
}


@pytest.mark.parametrize(
    ("inputs", "tile_rows", "rows_per_cycle", "row_bits", "depth"),
    [(40, 24, 8, 1, 16), (5, 2, 1, 1, 16), (18, 18, 4, 1, 14), (3, 2, 1, 8, 12)],
)
def test_driven_words_are_listed(inputs: int, tile_rows: int, rows_per_cycle: int, row_bits: int, depth: int) -> None:
    """Bounded: two drives of any rows, one after another, and what may happen on the way."""
    spec = Listed(RowList(shape=shape_of(inputs, tile_rows, rows_per_cycle, row_bits)))
    prove(spec, f"row_list_{inputs}", depth=depth, reach=depth)


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Listed(mutant(RowList, *BROKEN[name])(shape=shape_of(5, 2, 1))), f"row_list_{name}", depth=14)
