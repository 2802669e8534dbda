"""Export of the unit behind its buses: files, wrapper, no warnings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.export.c_header import c_header
from spikeloom.hw.export.system_rdl import system_rdl
from spikeloom.hw.export.verilog import export_verilog, write_folder
from tests.checks.lint import slang, unwaived, waived
from tests.hw.export.test_verilog import MACROS, header, run, tool
from tests.hw.test_npu import unit


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return export_axi(unit())


def test_files_are_the_same_every_run(files: dict[str, str]) -> None:
    assert files == export_axi(unit())
    modules = {"npu_axi.sv", "npu_axi_npu.sv", "npu_axi_axi_lite.sv", "npu_axi_host.sv", "npu_axi_host_guard.sv"}
    assert modules | {"axi_chip.sv", "ports.json", "waivers.vlt"} <= set(files)
    assert files["spikeloom_registers.h"] == c_header()
    assert files["registers.rdl"] == system_rdl(unit())


def test_ports_have_meanings(files: dict[str, str]) -> None:
    ports = json.loads(files["ports.json"])
    assert ports["module"] == "npu_axi" and all(port["meaning"] for port in ports["ports"])
    assert [(p["direction"], p["name"], p["width"]) for p in ports["ports"]] == header(files["npu_axi.sv"])


def test_soft_reset_reaches_the_macros_and_not_the_bus(files: dict[str, str]) -> None:
    assert files["axi_chip.sv"].count(".rst(rst | crossbar_reset)") == 2
    resets = dict(re.findall(r"npu_axi_\w+ (\w+) \(\n    \.clk\(clk\),\n    \.rst\((.*)\)", files["npu_axi.sv"]))
    assert resets["axi_lite"] == resets["results"] == "rst"
    assert {resets[name] for name in ("host", "pixels", "npu")} == {"rst | reset"}


def test_blocks_that_a_soft_reset_reaches_read_as_without_it(files: dict[str, str]) -> None:
    """States have their names: the controller differs in nothing but the unit's name."""
    plain = export_verilog(unit())["npu_controller.sv"]
    assert "IDLE = 3'd0, ADMIT = 3'd1" in plain and "fsm_state <= ADMIT;" in plain
    assert files["npu_axi_npu_controller.sv"].replace("npu_axi_npu", "npu").replace("npu_axi.npu", "npu") == plain


def test_no_warnings(files: dict[str, str], tmp_path: Path) -> None:
    macro = "crossbar_macro_blackbox.v"
    write_folder(tmp_path / "export", {**files, macro: (MACROS / macro).read_text()})
    sources = [name for name in sorted(files) if name.endswith(".sv")]
    command = [tool("verilator"), "--lint-only", "-Wall", "--top-module", "spikeloom_axi_chip", "waivers.vlt"]
    assert "%Warning" not in run(*command, *sources, macro, cwd=tmp_path / "export")
    paths = [tmp_path / "export" / name for name in (*sources, macro)]
    assert slang("spikeloom_axi_chip", paths) == (0, 0)
    assert waived(files["waivers.vlt"]) == unwaived("spikeloom_axi_chip", paths)
