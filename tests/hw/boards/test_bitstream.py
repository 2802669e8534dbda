"""A whole design with the real programs: bitstream, report, and the placed cells in a simulator, from pin to pin."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.boards import BOARDS
from spikeloom.hw.boards.netlist import MODELS, NETLIST, netlist_ports, placed_netlist
from spikeloom.hw.boards.placed import usage_by_part, usage_of
from spikeloom.hw.boards.project import project_of, unit_text
from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.boards.toolchain import Built, build
from tests.conftest import icarus
from tests.hw.boards.stand_in import StandIn

BYTES = (0x5A, 0xC3, 0x00, 0xFF)
BENCH = """\
`timescale 1ns / 1ps
module bench;
  reg clk = 0, rx = 1;
  wire tx;
  reg [7:0] got;
  integer place, number, index;
  reg [7:0] sent [0:{last}];
  always #10 clk = !clk;
  top dut(.{clock}(clk), .{rx}(rx), .{tx}(tx));
  always begin
    @(negedge tx) repeat ({cycles} / 2) @(posedge clk);
    for (place = 0; place < 8; place = place + 1) begin
      repeat ({cycles}) @(posedge clk);
      got[place] = tx;
    end
    repeat ({cycles}) @(posedge clk);
    $display("%d %b", got, tx);
  end
  initial begin
{values}
    repeat (5000) @(posedge clk);
    for (number = 0; number <= {last}; number = number + 1) begin
      for (index = 0; index < 10; index = index + 1) begin
        rx = index == 0 ? 1'b0 : index == 9 ? 1'b1 : sent[number][index - 1];
        repeat ({cycles}) @(posedge clk);
      end
      repeat (25 * {cycles}) @(posedge clk);
    end
    $finish;
  end
endmodule
"""
CYCLES = 8


@pytest.fixture(scope="module", params=["ice40-hx8k-evn", pytest.param("ulx3s-85f", marks=pytest.mark.slow)])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    board: Board = BOARDS[request.param]
    project = project_of(board, board.clock(), unit_text(StandIn(CYCLES)))
    return build(project, tmp_path_factory.mktemp("board"))


def test_a_bitstream_is_made(built: Built) -> None:
    board = built.project.board
    assert built.bitstream.startswith({"bin": b"\xff\x00", "bit": b"\xff\x00"}[board.family.bitstream])
    assert len(built.bitstream) > 50_000
    assert built.placed.timing.highest_Hz > built.project.clock.Hz
    parts = usage_by_part(board.family, built.placed.netlist)
    assert {"receiver", "sender", "unit", "rest"} <= set(parts)
    whole = usage_of(parts)
    assert whole.block_rams == 1 and 60 < whole.flip_flops < 120 and 80 < whole.luts < 250 and whole.carry > 10
    report = json.loads(built.placed.done.read("report.json"))["utilization"]
    kinds = {"ICESTORM_LC": "luts", "ICESTORM_RAM": "block_rams", "TRELLIS_COMB": "luts", "TRELLIS_FF": "flip_flops"}
    for kind in report.keys() & kinds.keys():
        assert report[kind]["used"] == getattr(whole, kinds[kind]), "as nextpnr counts"
        assert report[kind]["available"] == getattr(board.capacity, kinds[kind]), "what the board is said to have"


@icarus
def test_the_placed_cells_do_what_the_design_does(built: Built, tmp_path: Path) -> None:
    netlist = built.placed.netlist
    ports = {name: port for name, (port, _) in netlist_ports(netlist).items()}
    assert {name: way for name, (_, way) in netlist_ports(netlist).items() if name in ("clock", "rx", "tx")} == {
        "clock": "input",
        "rx": "input",
        "tx": "output",
    }
    files = placed_netlist(built.project.board, netlist)
    values = "\n".join(f"    sent[{number}] = {value};" for number, value in enumerate(BYTES))
    files["bench.v"] = BENCH.format(**ports, cycles=CYCLES, last=len(BYTES) - 1, values=values)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    names = ["bench.v", NETLIST, MODELS]
    made = subprocess.run(
        [str(shutil.which("iverilog")), "-g2012", "-o", "bench", *names], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0 and made.stderr == ""
    ran = subprocess.run([str(shutil.which("vvp")), "bench"], cwd=tmp_path, capture_output=True, text=True)
    got = [tuple(int(word) for word in line.split()) for line in ran.stdout.splitlines() if "finish" not in line]
    assert got == [(value, 1) for number, byte in enumerate(BYTES) for value in (byte, number + 1)]


def test_a_cell_without_a_model_is_named(built: Built) -> None:
    netlist = built.placed.netlist
    (module,) = netlist["modules"].values()
    module["cells"]["odd"] = {"type": "ODD", "parameters": {}, "connections": {}, "port_directions": {}}
    with pytest.raises(BitstreamError, match="There is no simulation model of ODD for Lattice"):
        placed_netlist(built.project.board, netlist)
