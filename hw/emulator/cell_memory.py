"""Cells of a crossbar emulator, in block RAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BLOCK_BITS", "CellMemory"]

BLOCK_BITS = 1 << 14
"""Bits of a block of memory, without parity: ECP5."""


class CellMemory(wiring.Component):
    """Words of cells: read whole, written cell by cell.

    In a cycle a word is read or cells are written, never both: synthesis sees that, and needs no logic for what a read
    would give of a word that is being written.

    The memory is cut into slices of so few bits that one block is as deep as the memory, if there are such blocks:
    blocks one above the other would need multiplexers for every bit.

    Parameters
    ----------
    depth : words
    cells : cells of a word
    bits : bits of a cell
    block_bits : bits of a block of memory, a power of two

    Members
    -------
    reads : In(1), a word is read in this cycle; else cells are written
    address : In, word to read
    data : Out(cells * bits), the word that was read last
    write_address : In, word to write
    write_cells : In(cells), cells of it that are written
    write_data : In(cells * bits)
    """

    def __init__(self, *, depth: int, cells: int, bits: int, block_bits: int = BLOCK_BITS) -> None:
        self._cells, self._bits = cells, bits
        self._slice = min(bits, max(1, block_bits >> (depth - 1).bit_length()))
        self._slices = -(-bits // self._slice)
        self._words = memory.MemoryData(shape=unsigned(cells * self._slices * self._slice), depth=depth, init=[])
        super().__init__(
            {
                "reads": In(1),
                "address": In(range(depth)),
                "data": Out(cells * bits),
                "write_address": In(range(depth)),
                "write_cells": In(cells),
                "write_data": In(cells * bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.words = words = memory.Memory(self._words, attrs={"ram_style": "block"})
        write, read = words.write_port(granularity=self._slice), words.read_port()
        stored = self._slices * self._slice
        data: list[Value] = []
        for cell in range(self._cells):
            data.append(self.write_data[cell * self._bits : (cell + 1) * self._bits])
            if stored > self._bits:
                data.append(Const(0, stored - self._bits))
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.reads),
            self.data.eq(Cat(read.data[cell * stored : cell * stored + self._bits] for cell in range(self._cells))),
            write.addr.eq(self.write_address),
            write.en.eq(Cat((cell & ~self.reads).replicate(self._slices) for cell in self.write_cells)),
            write.data.eq(Cat(data)),
        ]
        return m
