"""Drive side of a crossbar emulator: lists the words of rows that are driven."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.shape import EmulatorShape

__all__ = ["RowList", "entry_layout"]


def entry_layout(shape: EmulatorShape) -> data.StructLayout:
    """An entry of the list: a word, or with `closes` none, but the end of a row tile after which another one comes.

    Number of the word, its row tile (with several tiles), and the row codes (where they say more than that the word is
    listed).
    """
    p = shape.parameters
    bits = shape.rows_per_cycle * p.row_bits
    return data.StructLayout(
        {
            "word": max(1, (shape.words - 1).bit_length()),
            **({"closes": 1, "tile": (p.row_tiles - 1).bit_length()} if p.row_tiles > 1 else {}),
            **({"codes": bits} if bits > 1 else {}),
        }
    )


def _lowest(bits: Value) -> tuple[Value, Value, Value]:
    """Of these bits: one is set, several are set, and the number of the lowest one."""
    if len(bits) == 1:
        return bits[0], Const(0, 1), Const(0, 0)
    half = 1 << (len(bits) - 1).bit_length() - 1
    (low, low_more, low_index), (high, high_more, high_index) = _lowest(bits[:half]), _lowest(bits[half:])
    return low | high, low_more | high_more | (low & high), Cat(Mux(low, low_index, high_index), ~low)


class RowList(wiring.Component):
    """Finds the words of rows with a row code other than 0, and keeps a list of them until the next drive.

    Lines of rows are looked at one after another; the words of a line that are driven are listed one a cycle. Between
    the words of two row tiles is an entry that closes the first one.

    Parameters
    ----------
    shape : EmulatorShape

    Members
    -------
    rows : In(inputs * row_bits), row codes, row 0 lowest; stable while `drive`
    drive : In(1), the rows are driven
    clear : In(1), forget the drive and the list
    sampled : Out(1), the list is complete
    begins : Out(1), first cycle of a drive: the list is empty from the next cycle on
    count : Out, entries of the list
    address : In, entry to read
    entry : Out(entry_layout), the entry of the cycle before

    Cycles
    ------
    With n_i entries for line i, `sampled` is first up in cycle 2 + sum of max(1, n_i) of a drive (its first cycle is
    cycle 1), and down in the second cycle after `drive`'s last one.
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        self._entries = memory.MemoryData(shape=entry_layout(shape), depth=shape.entries, init=[])
        super().__init__(
            {
                "rows": In(shape.parameters.inputs * shape.parameters.row_bits),
                "drive": In(1),
                "clear": In(1),
                "sampled": Out(1),
                "begins": Out(1),
                "count": Out(range(shape.entries + 1)),
                "address": In(range(shape.entries)),
                "entry": Out(entry_layout(shape)),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def _lines(self) -> list[Value]:
        """The rows of every line; where a row is missing there is 0."""
        shape, p = self._shape, self._shape.parameters
        rows = shape.line_words * shape.rows_per_cycle
        lines = []
        for line in range(shape.lines):
            tile, number = divmod(line, shape.tile_lines)
            within = (number * rows, min((number + 1) * rows, shape.tile_rows))
            start, stop = (min(tile * p.tile_rows + row, p.inputs) * p.row_bits for row in within)
            lines.append(Cat(self.rows[start:stop], Const(0, rows * p.row_bits - (stop - start))))
        return lines

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape, p = self._shape, self._shape.parameters
        m.submodules.entries = entries = memory.Memory(self._entries)
        write, read = entries.write_port(), entries.read_port()
        word_bits = shape.rows_per_cycle * p.row_bits
        line_bits = shape.line_words * word_bits

        turn = Signal(shape.lines + 1, init=1)  # one-hot: the line to look at next; the last bit after all of them
        fetched = Signal(line_bits)
        gated = [line & turn[number].replicate(line_bits) for number, line in enumerate(self._lines())]
        m.d.comb += fetched.eq(functools.reduce(operator.or_, gated))
        words = [fetched[n * word_bits : (n + 1) * word_bits] for n in range(shape.line_words)]

        pending = Signal(shape.line_words)  # words of the line that are still to be listed
        push, several, index = _lowest(pending)
        closes = Signal()
        load = Signal()
        m.d.comb += [
            self.begins.eq(self.drive & turn[0]),
            load.eq(~several & ~closes & ~turn[-1]),
        ]
        with m.If(self.clear | ~self.drive):
            m.d.sync += [turn.eq(1), pending.eq(0), self.sampled.eq(0)]
        with m.Elif(load):
            m.d.sync += [turn.eq(turn << 1), pending.eq(Cat(word.any() for word in words))]
        with m.Elif(~closes):
            m.d.sync += [pending.eq(pending & (pending - 1)), self.sampled.eq(~several)]
        with m.If(self.clear | self.begins):
            m.d.sync += self.count.eq(0)
        with m.Elif(push):
            m.d.sync += self.count.eq(self.count + 1)

        m.d.comb += [write.addr.eq(self.count), write.en.eq(push)]
        m.d.comb += [read.addr.eq(self.address), read.en.eq(~push), self.entry.eq(read.data)]
        self._place(m, write.data, load, push, index, closes)
        if word_bits > 1:
            held = Signal(line_bits, reset_less=True)  # row codes of the line
            with m.If(load):
                m.d.sync += held.eq(fetched)
            m.d.comb += write.data.codes.eq(held.word_select(index, word_bits) if shape.line_words > 1 else held)
        return m

    def _place(self, m: Module, entry: data.View, load: Value, push: Value, index: Value, closes: Signal) -> None:
        """Number and tile of the word that is listed."""
        shape = self._shape
        next_line = Signal(range(shape.tile_lines))
        next_tile = Signal(range(max(2, shape.parameters.row_tiles)))
        tile = Signal.like(next_tile, name="tile")
        first = Signal()  # no word of this tile is listed yet
        last = next_line == shape.tile_lines - 1  # of its tile
        idle = self.clear | ~self.drive
        with m.If(idle):
            m.d.sync += [next_line.eq(0), next_tile.eq(0)]
        with m.Elif(load):
            m.d.sync += [next_line.eq(Mux(last, 0, next_line + 1)), next_tile.eq(next_tile + last), tile.eq(next_tile)]
        with m.If(load & (next_line == 0)):
            m.d.sync += first.eq(1)
        with m.Elif(push):
            m.d.sync += first.eq(0)
        if shape.parameters.row_tiles > 1:
            m.d.comb += [closes.eq(push & first & (self.count != 0)), entry.closes.eq(closes), entry.tile.eq(tile)]
        else:
            m.d.comb += closes.eq(0)

        lines = shape.line_words
        if lines & (lines - 1) == 0 and (shape.tile_words % lines == 0 or shape.tile_lines == shape.lines):
            lines, rest = 1, 1
        else:
            rest = shape.tile_words - (shape.tile_lines - 1) * lines
        number, next_number = (Signal(range(shape.words + lines), name=name) for name in ("number", "next_number"))
        with m.If(idle):
            m.d.sync += next_number.eq(0)
        with m.Elif(load):
            m.d.sync += [number.eq(next_number), next_number.eq(next_number + Mux(last, rest, lines))]
        m.d.comb += entry.word.eq(Cat(index, number) if lines != shape.line_words else number + index)
