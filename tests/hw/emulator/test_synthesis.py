"""The emulator as Verilog, through Yosys: cells in block RAM, nothing left open, and few look-up tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.export.yosys import run_yosys, write_sources
from spikeloom.hw.params.parameters import LayerParameters


def cells_of(dut: CrossbarEmulator, command: str, folder: Path) -> dict[str, int]:
    """Number of cells of each kind after synthesis; every wire has a driver."""
    names = write_sources(folder, export_component(dut, "emulator"))
    log = run_yosys(folder, f"read_verilog -sv {names}\n{command} -top emulator\ntee -q -o cells.json stat -json\n")
    assert "no driver" not in log
    found: dict[str, int] = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
    return found


@pytest.mark.parametrize(("inputs", "programmer", "blocks", "tables"), [(512, False, 17, 900), (128, True, 32, 1400)])
def test_cells_are_in_block_ram(inputs: int, programmer: bool, blocks: int, tables: int, tmp_path: Path) -> None:
    """4096 words of 64 bits are 16 blocks, 4 bits wide and as deep as the memory; the list is one more."""
    p = LayerParameters(inputs=inputs, outputs=32, lanes=4, tile_rows=256, programmer=programmer)
    found = cells_of(CrossbarEmulator(parameters=p, gain=2), "synth_ecp5", tmp_path)
    assert found["DP16KD"] <= blocks
    assert found["LUT4"] <= tables


def test_an_ice40_takes_it(tmp_path: Path) -> None:
    p = LayerParameters(inputs=64, outputs=32, lanes=8, programmer=False)
    found = cells_of(CrossbarEmulator(parameters=p, gain=2, block_bits=1 << 12), "synth_ice40", tmp_path)
    assert found["SB_RAM40_4K"] == 9
    assert found["SB_LUT4"] <= 600
