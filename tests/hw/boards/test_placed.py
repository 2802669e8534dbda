"""What is read from nextpnr's report and netlist."""

from __future__ import annotations

from typing import Any

import pytest

from spikeloom.hw.boards.ecp5 import ECP5
from spikeloom.hw.boards.family import Usage
from spikeloom.hw.boards.ice40 import ICE40
from spikeloom.hw.boards.placed import REST, component_of, timing_of, usage_by_part, usage_of
from tests.hw.boards.fake_tools import report


@pytest.mark.parametrize(
    ("cell", "component"),
    [
        ("npu.layer_0.neuron_array.leak_TRELLIS_FF_Q_1", "layer_0/neuron_array"),
        ("npu.terminator.best_LUT4_Z_D_L6MUX21_Z", "terminator"),
        ("npu.layer_1.neuron_array.membranes.storage.0.9_DO_1_LUT4_Z", "layer_1/neuron_array"),
        ("npu.busy_LUT4_Z", "npu"),
        ("unit.bridge.uart.left_SB_DFFSR_Q_4_D_SB_LUT4_O_LC", "bridge/uart"),
        ("unit.emulator_0.cells.storage.0.0_RAM", "emulator_0"),
        ("unit.npu.count_CCU2C_S0$CCU2_COMB1", "npu"),
    ],
)
def test_components_of_cells(cell: str, component: str) -> None:
    assert component_of(cell, "npu") == component


def test_the_slowest_path_between_clock_edges() -> None:
    timing = timing_of(report(42.5))
    assert timing.highest_Hz == 42.5e6 and timing.path_cells == 1 and timing.path_s == pytest.approx(7.5e-9)
    assert timing.path == ("receiver", "sender")


def cell(kind: str, **parameters: str) -> dict[str, Any]:
    return {"type": kind, "parameters": parameters}


def test_cells_by_part() -> None:
    cells = {
        "unit.npu.layer_0.a_LUT4_Z": cell("TRELLIS_COMB"),
        "unit.npu.layer_1.a_CCU2C_S0": cell("TRELLIS_COMB", MODE="CCU2"),
        "unit.npu.layer_1.b_TRELLIS_FF_Q": cell("TRELLIS_FF"),
        "unit.emulator_0.cells.storage.0.0": cell("DP16KD"),
        "unit.emulator_0.product": cell("MULT18X18D"),
        "unit.busy_LUT4_Z": cell("TRELLIS_COMB"),
        "count_TRELLIS_FF_Q": cell("TRELLIS_FF"),
        "$nextpnr_CCU2C_0": cell("TRELLIS_COMB", MODE="CCU2"),
        "pll": cell("EHXPLLL"),
    }
    parts = usage_by_part(ECP5, {"modules": {"top": {"cells": cells}}})
    assert list(parts) == ["npu", "rest", "unit", "emulator_0"], "most look-up tables first"
    assert parts["npu"] == Usage(luts=2, flip_flops=1, carry=1)
    assert parts["emulator_0"] == Usage(block_rams=1, dsps=1)
    assert parts["unit"] == Usage(luts=1) and parts[REST] == Usage(luts=1, flip_flops=1, carry=1)
    assert usage_of(parts) == Usage(luts=4, flip_flops=2, carry=2, block_rams=1, dsps=1)
    deeper = usage_by_part(ECP5, {"modules": {"top": {"cells": cells}}}, depth=2)
    assert deeper["npu/layer_0"] == Usage(luts=1)


def test_cells_of_an_ice40() -> None:
    logic = ICE40.usage("unit.a_LC", "ICESTORM_LC", {"DFF_ENABLE": "1", "CARRY_ENABLE": "0"})
    assert logic == Usage(luts=1, flip_flops=1)
    assert ICE40.usage("x", "ICESTORM_LC", {"CARRY_ENABLE": "1"}) == Usage(luts=1, carry=1)
    assert ICE40.usage("x", "ICESTORM_RAM", {}) == Usage(block_rams=1) == ICE40.mapped("SB_RAM40_4KNR")
    assert ICE40.mapped("SB_DFFESR") == Usage(flip_flops=1) and ICE40.mapped("SB_PLL40_CORE") == Usage()
