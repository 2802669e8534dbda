"""Families of FPGAs: the programs that take a design to a bitstream, the PLL in the design, and what a cell counts as.

A board names its family; what differs between families is in the objects of `hw.boards.families`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from spikeloom.hw.boards.clocks import Clock, Pll

if TYPE_CHECKING:
    from amaranth.hdl import Module, Signal

__all__ = ["Family", "Usage"]


@dataclass(frozen=True)
class Usage:
    """Cells of a design, or of a part of it, or that a device has.

    luts : look-up tables of four inputs, those of carry chains and of distributed memory included
    flip_flops : one bit each
    carry : bits of carry chains
    block_rams : memories of the device, whatever their size
    dsps : multipliers
    """

    luts: int = 0
    flip_flops: int = 0
    carry: int = 0
    block_rams: int = 0
    dsps: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Family:
    """A family of FPGAs, and its tool chain.

    Attributes
    ----------
    name : in words
    nextpnr, packer : names of the programs
    package : Python package that has both, as functions `run_...`
    placed, bitstream : endings of the files that the two write
    pll : clocks that its PLL makes
    synthesis : options of Yosys' command for the family
    packing : options of the packer
    models : simulation models of its cells, files of Yosys' shared folder, in the order in which they are read
    cells : what nextpnr counts in a device, kind -> words
    lut_words : what a look-up table is part of, in words, where it cannot be had without the rest
    """

    name: str
    nextpnr: str
    packer: str
    package: str
    placed: str
    bitstream: str
    pll: Pll
    synthesis: str = ""
    packing: str = ""
    models: tuple[str, ...] = ()
    cells: Mapping[str, str] = {}
    lut_words: str = "look-up tables"

    def add_pll(self, m: Module, clock: Clock, crystal: Any, pad: bool, out: Signal, lock: Signal) -> None:
        """Put a PLL into a module.

        Parameters
        ----------
        crystal : the crystal's signal, or with `pad` its bare pin
        pad : whether the crystal is at the pin that belongs to the PLL
        out, lock : driven, 1 bit each: the clock, and whether it is steady
        """
        raise NotImplementedError

    def mapped(self, kind: str) -> Usage:
        """What a cell that Yosys has mapped to takes, at least: `usage` of it, before placement."""
        raise NotImplementedError

    def needed(self, cells: Mapping[str, Mapping[str, Any]]) -> Usage:
        """What a design takes at least, once it is packed.

        Parameters
        ----------
        cells : name -> cell of Yosys' netlist in JSON
        """
        return sum((self.mapped(cell["type"]) for cell in cells.values()), Usage())

    def usage(self, name: str, kind: str, parameters: Mapping[str, str]) -> Usage:
        """What a placed cell takes of the device.

        Parameters
        ----------
        name, kind, parameters : of the cell, as nextpnr writes them
        """
        raise NotImplementedError
