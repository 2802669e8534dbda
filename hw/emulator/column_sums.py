"""Column side of a crossbar emulator: adds up the listed rows' cells, and has the sums converted."""

from __future__ import annotations

import itertools

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.converter import Converter, converter_stages, start_value
from spikeloom.hw.emulator.lane_noise import NOISE_CYCLES, LaneNoise
from spikeloom.hw.emulator.row_list import entry_layout
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import ceil_div
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
    """What goes along with an entry through the pipeline."""

    def __init__(self, shape: EmulatorShape, stage: int) -> None:
        entry = entry_layout(shape).members
        self.valid = Signal(name=f"valid_{stage}")  # a word, or the end of a row tile
        self.end = Signal(name=f"end_{stage}")  # the list has ended
        self.closes = Signal(name=f"closes_{stage}", reset_less=True)  # the end of a row tile
        self.tile = Signal(entry.get("tile", 1), name=f"tile_{stage}", reset_less=True)
        self.codes = Signal(entry.get("codes", 1), name=f"codes_{stage}", reset_less=True)
        self.group = Signal(shape.parameters.group_bits, name=f"group_{stage}", reset_less=True)  # only with noise


class ColumnSums(wiring.Component):
    """Conversions: for every entry of the list a word of cells is read, and added to the sums of the lanes.

    A sum goes to the ADCs when its row tile is closed, or the list ends. Codes of row tiles without an entry are 0.

    While a column group is converted, the next one is begun, as far as no code is lost; a conversion of another group
    starts over.

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
    word_0, word_1 : In(32), random words of the read (`ReadWords`); only with noise

    Cycles
    ------
    With n entries and L = sum_stages(shape) + converter_stages(shape), a conversion that finds nothing begun has its
    entries read in its first n cycles, and `done` in the n + L-th cycle after its first one. The next group's entries
    are read from the cycle after that on in which the last entry and a cycle more were read, and not before the
    conversion of the group itself has begun (`hw.emulator.cycles.convert_cycles`).
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
                "count": In(range(shape.entries + 1)),
                "entry_address": Out(range(shape.entries)),
                "entry": In(entry_layout(shape)),
                "address": Out(range(shape.depth)),
                "cells": In(shape.cells * shape.cell_bits),
                **({"gain": In(p.gain_bits)} if shape.gain is None else {}),
                **({"word_0": In(32), "word_1": In(32)} if shape.noise else {}),
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
        forget = Signal()
        self._ready = Signal(name="ready")  # the codes of the group that is expected are there
        group = Signal(shape.parameters.group_bits)  # whose entries are read
        marks = [_Marks(shape, stage) for stage in range(sum_stages(shape))]
        listed = Signal(entry_layout(shape), reset_less=True)
        self._issue(m, marks[0], group, forget)
        self._pass_on(m, marks, listed, forget)
        m.d.sync += self.address.eq(self._base(m, group) + listed.word)
        sums = self._sums(m, marks, forget)
        noise = self._noise(m, marks, listed) if shape.noise else None
        self._convert(m, marks[-1], sums, forget, noise)
        return m

    def _issue(self, m: Module, marks: _Marks, group: Signal, forget: Signal) -> None:
        """Read the list from its begin to its end, for one group after another."""
        last_group = self._shape.parameters.groups - 1
        index = Signal(range(self._shape.entries + 1))  # entry to read
        read_group = Signal.like(group, name="read_group")
        expected = Signal.like(group, name="expected")  # the group that is done next
        active = Signal()  # a group is begun, and not done
        ended = Signal()  # all entries of the last group that is begun are read
        reads = Signal()
        goes_on = Signal()  # to the next group
        is_last = index == self.count
        if self._shape.noise:
            m.d.comb += marks.group.eq(group)
        m.d.comb += [
            group.eq(Mux(active, read_group, self.column)),
            reads.eq(Mux(active, ~ended, self.convert)),
            self.entry_address.eq(index),
            marks.valid.eq(reads & ~is_last),
            marks.end.eq(reads & is_last),
            goes_on.eq((marks.end | (active & ended)) & self.convert & (self.column == group) & (group != last_group)),
            forget.eq(self.clear | self.begins | (self.convert & active & (self.column != expected))),
            self.done.eq(self._ready & self.convert & (self.column == expected)),
        ]
        with m.If(forget):
            m.d.sync += [active.eq(0), ended.eq(0), index.eq(0)]
        with m.Else():
            with m.If(goes_on):
                m.d.sync += [read_group.eq(group + 1), ended.eq(0), index.eq(0)]
            with m.Elif(self.done & (read_group == expected)):
                m.d.sync += [active.eq(0), ended.eq(0), index.eq(0)]
            with m.Else():
                m.d.sync += [index.eq(index + marks.valid), ended.eq(ended | marks.end)]
            with m.If(~active & self.convert):
                m.d.sync += [active.eq(1), expected.eq(self.column)]
                with m.If(~goes_on):
                    m.d.sync += read_group.eq(self.column)
            with m.Elif(self.done):
                m.d.sync += expected.eq(expected + 1)

    def _pass_on(self, m: Module, marks: list[_Marks], listed: data.View, forget: Value) -> None:
        """Take the entry that is read, and hand it on from stage to stage."""
        m.d.sync += listed.eq(self.entry)
        known = entry_layout(self._shape).members
        for stage, (before, after) in enumerate(itertools.pairwise(marks)):
            m.d.sync += [after.valid.eq(before.valid & ~forget), after.end.eq(before.end & ~forget)]
            if self._shape.noise:
                m.d.sync += after.group.eq(before.group)
            for name in ("closes", "tile", "codes"):
                if stage > 2:
                    m.d.sync += getattr(after, name).eq(getattr(before, name))
                elif stage == 2:
                    m.d.sync += getattr(after, name).eq(getattr(listed, name) if name in known else 0)

    def _base(self, m: Module, group: Value) -> Value:
        """Address of word 0 of a group, two cycles later."""
        shape = self._shape
        early, base = (Signal(range(shape.depth), name=name, reset_less=True) for name in ("early_base", "base"))
        places = [number * shape.words for number in range(shape.parameters.groups)]
        m.d.sync += [early.eq(looked_up(m, group, places, "group_base")), base.eq(early)]
        return base

    def _sums(self, m: Module, marks: list[_Marks], forget: Value) -> list[Value]:
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
        closed = forget | marks[stage].end | (marks[stage].valid & marks[stage].closes)
        start = start_value(shape)
        sums: list[Value] = []
        for lane, (number,) in enumerate(lanes):
            total = Signal(signed(shape.sum_bits), name=f"sum_{lane}", init=start, reset_less=True)
            with m.If(closed):
                m.d.sync += total.eq(start)
            with m.Elif(marks[stage].valid):
                m.d.sync += total.eq(total + number)
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

    def _noise(self, m: Module, marks: list[_Marks], listed: data.View) -> LaneNoise:
        """Noise of the row tile that an entry closes, when its marks are the last ones."""
        m.submodules.noise = noise = LaneNoise(shape=self._shape)
        stage = len(marks) - 1 - NOISE_CYCLES
        early = marks[stage]
        tile = Signal.like(early.tile, name="noisy_tile", reset_less=True)
        closes, number = early.closes, early.tile
        if stage == 2:  # the entry itself is not among the marks yet
            known = entry_layout(self._shape).members
            closes, number = (getattr(listed, name) if name in known else Const(0, 1) for name in ("closes", "tile"))
        with m.If(early.valid & ~closes):
            m.d.sync += tile.eq(number)
        m.d.comb += [
            noise.word_0.eq(self.word_0),
            noise.word_1.eq(self.word_1),
            noise.tile.eq(tile),
            noise.group.eq(early.group),
        ]
        return noise

    def _convert(self, m: Module, marks: _Marks, sums: list[Value], forget: Value, noise: LaneNoise | None) -> None:
        """Codes of the row tile whose sums are complete."""
        shape, p = self._shape, self._shape.parameters
        m.submodules.converter = converter = Converter(shape=shape)
        m.d.comb += [converter.sums[lane].eq(total) for lane, total in enumerate(sums)]
        if shape.gain is None:
            m.d.comb += converter.gain.eq(self.gain)
        if noise is not None:
            m.d.comb += Value.cast(converter.noise).eq(Value.cast(noise.noise))
        tile = Signal.like(marks.tile, name="summed", reset_less=True)
        with m.If(marks.valid & ~marks.closes):
            m.d.sync += tile.eq(marks.tile)
        closes: Value = (marks.valid & marks.closes) | (marks.end & (self.count != 0))
        ends: Value = marks.end
        whose: Value = tile
        for stage in range(converter_stages(shape)):
            closed, ended = Signal(name=f"closed_{stage}"), Signal(name=f"ended_{stage}")
            whose_next = Signal.like(tile, name=f"whose_{stage}", reset_less=True)
            m.d.sync += [closed.eq(closes & ~forget), ended.eq(ends & ~forget), whose_next.eq(whose)]
            closes, ends, whose = closed, ended, whose_next
        m.d.sync += self._ready.eq((ends | (self._ready & ~self.done)) & ~forget)
        for number in range(p.row_tiles):
            for lane in range(p.lanes):
                at = number * p.lanes + lane
                with m.If(self.begins):
                    m.d.sync += [self.codes[at].eq(0), self.over[at].eq(0)]
                with m.Elif(closes & (whose == number)):
                    m.d.sync += [self.codes[at].eq(converter.codes[lane]), self.over[at].eq(converter.over[lane])]
