"""Column side of a crossbar emulator: adds up the listed rows' cells, and has the sums converted."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.converter import Converter, converter_stages
from spikeloom.hw.emulator.row_list import entry_layout
from spikeloom.hw.emulator.shape import EmulatorShape, ceil_div
from spikeloom.hw.primitives.lookup import looked_up

__all__ = ["ColumnSums", "sum_stages"]

_TREE = 4
"""Numbers that are added in one cycle."""


def sum_stages(shape: EmulatorShape) -> int:
    """Cycles from the read of an entry to the cycle in which its cells are in the sums."""
    stages = 6 + shape.programmer + (shape.parameters.row_bits == 8)
    count = shape.rows_per_cycle
    while count > 1:
        count, stages = ceil_div(count, _TREE), stages + 1
    return stages


class _Marks:
    """What goes along with a word through the pipeline."""

    def __init__(self, shape: EmulatorShape, stage: int) -> None:
        entry = entry_layout(shape).members
        self.valid = Signal(name=f"valid_{stage}")  # a word
        self.end = Signal(name=f"end_{stage}")  # the list has ended
        self.first = Signal(name=f"first_{stage}", reset_less=True)  # of its row tile
        self.tile = Signal(entry.get("tile", 1), name=f"tile_{stage}", reset_less=True)
        self.codes = Signal(entry.get("codes", 1), name=f"codes_{stage}", reset_less=True)


class ColumnSums(wiring.Component):
    """Conversions: for every entry of the list a word of cells is read, and added to the sums of the lanes.

    A sum goes to the ADCs when the next row tile begins, or the list ends. Codes of row tiles without an entry are 0.

    Parameters
    ----------
    shape : EmulatorShape

    Members
    -------
    column, convert, codes, over, done : column side of the crossbar port
    begins : In(1), a drive begins: all codes are 0 until something else is known
    clear : In(1), forget the conversion
    count : In, entries of the list
    entry_address : Out, entry to read
    entry : In(entry_layout), the entry read in the cycle before
    address : Out, word of cells to read
    cells : In, the word read in the cycle before: W of the pairs, or p and n of each
    gain : In(gain_bits), gain shift; only with a gain that is a register

    Cycles
    ------
    With n entries, `done` is up in the n + sum_stages(shape) + converter_stages(shape)-th cycle after the first one
    of `convert` (`hw.emulator.cycles`).
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        p = shape.parameters
        codes = p.row_tiles * p.lanes
        super().__init__(
            {
                "column": In(p.group_bits),
                "convert": In(1),
                "codes": Out(data.ArrayLayout(signed(p.code_bits), codes)),
                "over": Out(codes),
                "done": Out(1),
                "begins": In(1),
                "clear": In(1),
                "count": In(range(shape.words + 1)),
                "entry_address": Out(range(shape.words)),
                "entry": In(entry_layout(shape)),
                "address": Out(range(shape.depth)),
                "cells": In(shape.cells * shape.cell_bits),
                **({"gain": In(p.gain_bits)} if shape.gain is None else {}),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape = self._shape
        marks = [_Marks(shape, stage) for stage in range(sum_stages(shape))]
        self._issue(m, marks)
        m.d.sync += [self.address.eq(self._base(m) + self._entry.word)]
        sums = self._sums(m, marks)
        self._convert(m, marks[-1], sums)
        return m

    def _issue(self, m: Module, marks: list[_Marks]) -> None:
        """Read the list from its begin to its end, and hand every entry's marks on from stage to stage."""
        index = Signal(range(self._shape.words + 1))  # entry to read
        ended = Signal()  # all entries are read
        wanted = Signal()
        entry = self._entry = Signal(entry_layout(self._shape), name="listed", reset_less=True)
        m.d.comb += [
            wanted.eq(self.convert & ~ended),
            self.entry_address.eq(index),
            marks[0].valid.eq(wanted & (index != self.count)),
            marks[0].end.eq(wanted & (index == self.count)),
        ]
        with m.If(self.clear | self.done):
            m.d.sync += [index.eq(0), ended.eq(0)]
        with m.Else():
            with m.If(marks[0].valid):
                m.d.sync += index.eq(index + 1)
            with m.If(marks[0].end):
                m.d.sync += ended.eq(1)
        m.d.sync += entry.eq(self.entry)
        for stage, (before, after) in enumerate(zip(marks, marks[1:], strict=False)):
            m.d.sync += [after.valid.eq(before.valid & ~self.clear), after.end.eq(before.end & ~self.clear)]
            if stage == 2:  # the entry is in `listed`
                m.d.sync += after.first.eq(entry.first)
                for name in ("tile", "codes"):
                    known = name in entry_layout(self._shape).members
                    m.d.sync += getattr(after, name).eq(getattr(entry, name) if known else 0)
            elif stage > 2:
                m.d.sync += [getattr(after, name).eq(getattr(before, name)) for name in ("first", "tile", "codes")]

    def _base(self, m: Module) -> Value:
        """Address of the group's word 0."""
        shape = self._shape
        base = Signal(range(shape.depth), reset_less=True)
        places = [group * shape.words for group in range(shape.parameters.groups)]
        m.d.sync += base.eq(looked_up(m, self.column, places, "group_base"))
        return base

    def _sums(self, m: Module, marks: list[_Marks]) -> list[Value]:
        """Sums of the lanes, with the cells of every word before the one with `marks[-1]`."""
        shape, p = self._shape, self._shape.parameters
        stage = 4  # in which the memory gives the word
        weights = self._weights(m, marks[stage])
        stage += 1 + shape.programmer
        if p.row_bits == 8:
            products = []
            for pair, weight in enumerate(weights):
                row = pair // p.lanes
                code = marks[stage].codes[row * 8 : row * 8 + 8]
                product = Signal((weight * code).shape(), name=f"product_{pair}", reset_less=True)
                m.d.sync += product.eq(weight * code)
                products.append(product)
            weights, stage = products, stage + 1
        lanes = [weights[lane :: p.lanes] for lane in range(p.lanes)]
        level = 0
        while len(lanes[0]) > 1:
            for lane, numbers in enumerate(lanes):
                added: list[Value] = []
                for first in range(0, len(numbers), _TREE):
                    total = sum(numbers[first + 1 : first + _TREE], start=numbers[first])
                    kept = Signal(total.shape(), name=f"added_{level}_{lane}_{first}", reset_less=True)
                    m.d.sync += kept.eq(total)
                    added.append(kept)
                lanes[lane] = added
            level, stage = level + 1, stage + 1
        assert stage == len(marks) - 1
        sums: list[Value] = []
        for lane, (number,) in enumerate(lanes):
            total = Signal(signed(shape.sum_bits), name=f"sum_{lane}", reset_less=True)
            with m.If(marks[stage].valid):
                m.d.sync += total.eq(Mux(marks[stage].first, 0, total) + number)
            sums.append(total)
        return sums

    def _weights(self, m: Module, marks: _Marks) -> list[Value]:
        """W of every pair of the word, and 0 in rows that are not driven."""
        shape, p = self._shape, self._shape.parameters
        cells = [self.cells[n * shape.cell_bits : (n + 1) * shape.cell_bits] for n in range(shape.cells)]
        rows = shape.rows_per_cycle
        driven = [marks.codes[row * p.row_bits : (row + 1) * p.row_bits].any() for row in range(rows)]
        kept = []
        for number, cell in enumerate(cells):
            one = Signal(len(cell), name=f"cell_{number}", reset_less=True)
            row = number * rows // shape.cells
            m.d.sync += one.eq(Mux(driven[row], cell, 0) if rows > 1 and p.row_bits == 1 else cell)
            kept.append(one)
        if not shape.programmer:
            return [one.as_signed() for one in kept]
        weights: list[Value] = []
        for pair, (positive, negative) in enumerate(zip(kept[::2], kept[1::2], strict=True)):
            weight = Signal((positive - negative).shape(), name=f"weight_{pair}", reset_less=True)
            m.d.sync += weight.eq(positive - negative)
            weights.append(weight)
        return weights

    def _convert(self, m: Module, marks: _Marks, sums: list[Value]) -> None:
        """Codes of the row tile whose sums are complete."""
        shape, p = self._shape, self._shape.parameters
        m.submodules.converter = converter = Converter(shape=shape)
        m.d.comb += [converter.sums[lane].eq(total) for lane, total in enumerate(sums)]
        if shape.gain is None:
            m.d.comb += converter.gain.eq(self.gain)
        some = Signal()  # there are sums of a row tile
        tile = Signal.like(marks.tile, name="summed")
        with m.If(marks.valid):
            m.d.sync += [some.eq(1), tile.eq(marks.tile)]
        with m.If(marks.end | self.clear):
            m.d.sync += some.eq(0)
        closes: Value = some & (marks.end | (marks.valid & marks.first))
        ends: Value = marks.end
        tile_then: Value = tile
        for stage in range(converter_stages(shape)):
            closed, ended = Signal(name=f"closed_{stage}"), Signal(name=f"ended_{stage}")
            whose = Signal.like(tile, name=f"whose_{stage}", reset_less=True)
            m.d.sync += [closed.eq(closes & ~self.clear), ended.eq(ends & ~self.clear), whose.eq(tile_then)]
            closes, ends, tile_then = closed, ended, whose
        m.d.sync += self.done.eq(ends & ~self.clear)
        for number in range(p.row_tiles):
            for lane in range(p.lanes):
                at = number * p.lanes + lane
                with m.If(self.begins):
                    m.d.sync += [self.codes[at].eq(0), self.over[at].eq(0)]
                with m.Elif(closes & (tile_then == number)):
                    m.d.sync += [self.codes[at].eq(converter.codes[lane]), self.over[at].eq(converter.over[lane])]
