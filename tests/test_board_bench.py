"""The benchmark of whole boards: its designs can be made, and its table shows what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import boards
from benchmarks.page import page
from spikeloom.hw.boards import toolchain
from tests.hw.boards.fake_tools import FakeTools


def test_a_design_goes_through_the_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    design = boards.DESIGNS[0]
    tools = FakeTools(tmp_path / "tools")
    monkeypatch.setattr(toolchain, "programs_of", lambda family: tools.programs())
    found = boards.board_design(*design)
    assert tools.calls() == ["yosys", "nextpnr1", "packer"]
    assert found["title"] == "-".join(map(str, design[1])) and found["clock_MHz"] == design[4] / 1e6
    assert found["highest_MHz"] == 100.0 and set(found["seconds"]) == {"synthesise", "place", "pack"}


def test_the_table() -> None:
    usage = {"luts": 1000, "flip_flops": 500, "carry": 0, "block_rams": 3, "dsps": 0}
    row = {
        "board": "a-board", "title": "4-2", "lanes": 2, "rows_per_cycle": 1, "clock_MHz": 24.0, "highest_MHz": 31.26,
        "parts": {"npu_axi": usage, "emulator_0": {**usage, "luts": 20}, "emulator_1": {**usage, "luts": 3},
                  "bridge": {**usage, "luts": 7}, "rest": usage},
        "cells": {**usage, "luts": 2030},
        "seconds": {"synthesise": 12.4, "place": 61.0, "pack": 1.0},
    }  # fmt: skip
    text = page({"boards": [row]})
    assert (
        "| 4-2, 2 lanes, 1 rows a cycle | a-board | 2,030 | 1,000 + 23 + 7 | 500 | 3 | 31.3 MHz (24) | 12 | 61 |"
        in text
    )
