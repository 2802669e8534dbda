"""Programming side of a crossbar emulator: pulses and verify reads of single cells."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.cell_words import FACTOR_AT
from spikeloom.hw.emulator.shape import FACTOR_BITS, FRACTION_BITS, EmulatorShape
from spikeloom.hw.interfaces.crossbar_port import AMPLITUDE_BITS, CELL_CODE_BITS, CELL_FRACTION_BITS, operation_layout
from spikeloom.hw.primitives.constant_division import divided
from spikeloom.hw.primitives.lookup import looked_up

__all__ = ["CELL_CYCLES", "CellPulses"]

CELL_CYCLES = 7
"""Cycles that a cell of an operation takes: chosen, addressed, read, picked, changed, limited, written."""

_DROPPED = FRACTION_BITS - CELL_FRACTION_BITS
"""Bits of a conductance that a verify read rounds away."""


class CellPulses(wiring.Component):
    """Reads and changes cells, one after another: those of an operation's row tiles, lowest tile first, or the host's.

    A pulse of amplitude a changes a conductance by a * D in units of 2^-10 level, D the cell's factor: a / 8 of a level
    times D / 128; it stays in 0 .. levels - 1. A verify read is the conductance in 1/8 of a level, rounded: a half up,
    not to even, as `sim.devices.emulated` has it, and 1023 at most.

    Parameters
    ----------
    shape : EmulatorShape of a layer with a programmer

    Members
    -------
    wanted, done : In(1), Out(1), `program_cell` and `program_done` of the crossbar port
    operation : In(operation_layout), the rest of what its programming side asks for
    codes : Out(row_tiles codes), `program_codes`
    free : In(1), the cells are not being read by conversions, so that the host may have one
    pointer, place : In, the host's cell: word of the memory, and cell in it
    store, fetch : In(1), write or read the host's cell, until `taken`
    stored : In(32), the host's word
    taken : Out(1), done; the cycle after it may ask for the next
    fetched : Out(32), with `taken` of a fetch
    address : Out, word of cells to read and write
    uses : Out(1), the address counts
    conductances, factors : In, the words read in the cycle before
    writes : Out(1), something is written, and nothing read
    write_cells, write_factors : Out(cells), cells that are written
    conductance, factor : Out, what is written

    Cycles
    ------
    An operation on k row tiles is done in its cycle CELL_CYCLES * k + 2, counted from 1. The host's cell is `taken` in
    the sixth cycle of the request, if nothing else is going on.
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        p = shape.parameters
        super().__init__(
            {
                "wanted": In(1),
                "done": Out(1),
                "operation": In(operation_layout(p)),
                "codes": Out(data.ArrayLayout(unsigned(CELL_CODE_BITS), p.row_tiles)),
                "free": In(1),
                "pointer": In(range(shape.depth)),
                "place": In(range(shape.load_words)),
                "store": In(1),
                "fetch": In(1),
                "stored": In(32),
                "taken": Out(1),
                "fetched": Out(32),
                "address": Out(range(shape.depth)),
                "uses": Out(1),
                "conductances": In(shape.cells * shape.cell_bits),
                "factors": In(shape.cells * FACTOR_BITS),
                "writes": Out(1),
                "write_cells": Out(shape.cells),
                "write_factors": Out(shape.cells),
                "conductance": Out(shape.cell_bits),
                "factor": Out(FACTOR_BITS),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape, operation = self._shape, self.operation
        tiles, bits = shape.parameters.row_tiles, shape.cell_bits
        left = Signal(tiles)  # row tiles that are still to be done
        tile = Signal(range(max(2, tiles)))
        place = Signal(range(shape.cells))
        hosts = Signal()  # the cell is the host's
        found = Signal(bits, reset_less=True)  # conductance that was read
        level = Signal(bits, reset_less=True)  # conductance to write
        factor = Signal(FACTOR_BITS, reset_less=True)
        own_address, own_place = self._cell(m, tile)
        moved = self._moved(m, found, factor, tile)
        written = [self.writes & (place == number) for number in range(shape.cells)]
        m.d.comb += [
            self.conductance.eq(level),
            self.factor.eq(self.stored[FACTOR_AT:]),
            self.fetched.eq(Cat(found, Const(0, FACTOR_AT - bits), factor)),
            self.write_cells.eq(Cat(written)),
            self.write_factors.eq(Mux(hosts, Cat(written), 0)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [left.eq(operation.tiles), self.codes.eq(0), hosts.eq(~self.wanted)]
                with m.If(self.wanted):
                    m.next = "TILE"
                with m.Elif(self.free & (self.store | self.fetch)):
                    m.d.sync += [self.address.eq(self.pointer), place.eq(self.place)]
                    m.next = "READ"
            with m.State("TILE"):
                for number in reversed(range(tiles)):
                    with m.If(left[number]):
                        m.d.sync += tile.eq(number)
                m.d.sync += left.eq(left & (left - 1))
                m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.sync += [self.address.eq(own_address), place.eq(own_place)]
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.uses.eq(1)
                m.next = "PICK"
            with m.State("PICK"):
                m.d.sync += [
                    found.eq(self.conductances.word_select(place, bits)),
                    factor.eq(self.factors.word_select(place, FACTOR_BITS)),
                ]
                m.next = "CHANGE"
            with m.State("CHANGE"):
                m.next = "LIMIT"
            with m.State("LIMIT"):
                m.d.sync += level.eq(Mux(hosts, self.stored[:bits], moved))
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [self.writes.eq(Mux(hosts, self.store, operation.pulse)), self.taken.eq(hosts)]
                with m.If(~operation.pulse):
                    self._verify(m, found, tile)
                with m.If(hosts):
                    m.next = "FREE"
                with m.Elif(left == 0):
                    m.next = "DONE"
                with m.Else():
                    m.next = "TILE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(self.wanted)
                m.next = "IDLE"
            with m.State("FREE"):  # the host's request ends
                m.next = "IDLE"
        return m

    def _cell(self, m: Module, tile: Value) -> tuple[Value, Value]:
        """Word of the memory and cell in it that the operation means in a row tile."""
        shape, p = self._shape, self._shape.parameters
        row, column = self.operation.row, self.operation.column
        group, lane = Signal(range(p.groups), name="group"), Signal(range(p.lanes), name="lane")
        quotient, remainder = divided(column, p.lanes, max(1, p.outputs - 1))
        slot_bits = (shape.rows_per_cycle - 1).bit_length()
        slot, word = row[:slot_bits], row[slot_bits:]
        base = Signal(range(shape.depth), name="base")
        groups = looked_up(m, group, [number * shape.words for number in range(p.groups)], "group_base")
        tiles = looked_up(m, tile, [number * shape.tile_words for number in range(p.row_tiles)], "tile_base")
        slots = looked_up(m, slot, [number * p.lanes for number in range(shape.rows_per_cycle)], "slot_base")
        m.d.sync += [group.eq(quotient), lane.eq(remainder), base.eq(groups + word)]
        return base + tiles, Cat(self.operation.side, slots + lane)

    def _moved(self, m: Module, found: Value, factor: Value, tile: Value) -> Value:
        """The conductance after a pulse."""
        shape, operation = self._shape, self.operation
        amplitude = Signal(AMPLITUDE_BITS)
        up = Signal()
        change = Signal(AMPLITUDE_BITS + FACTOR_BITS, reset_less=True)
        m.d.comb += [amplitude.eq(operation.amplitudes[tile]), up.eq(operation.up.bit_select(tile, 1))]
        m.d.sync += change.eq(amplitude * factor)
        raised, lowered = found + change, found - change
        return Mux(up, Mux(raised > shape.highest, shape.highest, raised), Mux(lowered < 0, 0, lowered))

    def _verify(self, m: Module, found: Value, tile: Value) -> None:
        """Take the code of a conductance."""
        rounded = (found >> _DROPPED) + found[_DROPPED - 1]
        most = (1 << CELL_CODE_BITS) - 1
        code = Mux(rounded > most, most, rounded)
        for number in range(self._shape.parameters.row_tiles):
            with m.If(tile == number):
                m.d.sync += self.codes[number].eq(code)
