"""Memories of an elaborated design as black boxes."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from spikeloom.hw.export.yosys import run_yosys
from spikeloom.hw.standard_cells.memories import models, read_memories, stubs, with_black_boxes

DESIGN = """\
module top (input clk, input [1:0] ra, input [1:0] wa, input [3:0] d, input we, input wh, input re,
            output reg [3:0] fresh, output reg [3:0] old, output [3:0] now);
  reg [3:0] a [0:3];
  reg [3:0] b [0:3];
  reg [3:0] c [0:3];
  always @(posedge clk) begin
    if (we) begin a[wa] <= d; c[wa] <= d; end
    if (we) b[wa][1:0] <= d[1:0];
    if (wh) b[wa][3:2] <= d[3:2];
    if (re) begin
      fresh <= a[ra];
      if (we && wa == ra) fresh <= d;
      old <= b[ra];
    end
  end
  assign now = c[ra];
endmodule
"""
ELABORATE = "read_verilog -sv design.sv\nhierarchy -top top\nsynth -top top -run begin:fine\nwrite_rtlil design.il\n"


@pytest.fixture(scope="module")
def rtlil(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("memories")
    (folder / "design.sv").write_text(DESIGN)
    run_yosys(folder, ELABORATE)
    return (folder / "design.il").read_text()


def test_sizes_ports_and_collisions(rtlil: str) -> None:
    found = {memory.name: memory for memory in read_memories(rtlil)}
    assert {name: (m.module, m.words, m.bits, m.size, m.granule, m.plain) for name, m in found.items()} == {
        "a": ("top", 4, 4, 16, 4, ""), "b": ("top", 4, 4, 16, 2, ""), "c": ("top", 4, 4, 16, 4, ""),
    }  # fmt: skip
    assert found["a"].ports == "1 clocked read, 1 write, sees what is written"
    assert found["b"].ports == "1 clocked read, 1 write, sees the word before a write"
    assert found["c"].ports == "1 unclocked read, 1 write"
    assert [found[name].cell for name in "abc"] == [
        "memory_4x4_r1w_forwarding", "memory_4x4_r1w_by_2_old", "memory_4x4_a1w"
    ]  # fmt: skip


def test_what_cannot_be_a_black_box_says_why(rtlil: str) -> None:
    for text, other, why in (
        ("parameter \\INIT 16'x", "parameter \\INIT 16'0000000000000001", "it has initial values"),
        ("parameter \\OFFSET 0", "parameter \\OFFSET 1", "its addresses have an offset"),
        ("connect \\RD_SRST 1'0", "connect \\RD_SRST 1'1", "a read port has a reset"),
        ("connect \\WR_CLK \\clk", "connect \\WR_CLK \\other", "it has no clock, or several"),
    ):
        assert text in rtlil
        assert read_memories(rtlil.replace(text, other))[0].plain == why


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
def test_the_design_with_black_boxes_and_their_models_behaves_as_before(rtlil: str, tmp_path: Path) -> None:
    memories = read_memories(rtlil)
    (tmp_path / "boxed.il").write_text(with_black_boxes(rtlil, memories))
    (tmp_path / "stubs.v").write_text(stubs(memories))
    script = "read_rtlil boxed.il\nread_verilog -sv stubs.v\nproc\nhierarchy -check -top top\ncheck -assert\n"
    run_yosys(tmp_path, script + "write_verilog -noattr boxed.v\n")
    bench = """\
module bench;
  reg clk = 0, we = 0, wh = 0, re = 0;
  reg [1:0] ra = 0, wa = 0;
  reg [3:0] d = 0;
  wire [3:0] fresh, old, now;
  integer i, random = 5;
  top top (.*);
  initial for (i = 0; i < 400; i = i + 1) begin
    {ra, wa, d, we, wh, re} = $random(random);
    #1 clk = 1; #1 clk = 0;
    if (i > 60) $display("%h %h %h", fresh, old, now);
  end
endmodule
"""
    (tmp_path / "bench.sv").write_text(bench)
    (tmp_path / "design.sv").write_text(DESIGN)
    (tmp_path / "models.v").write_text(models(memories))
    seen = []
    for sources in (["design.sv"], ["boxed.v", "models.v"]):
        build = ["iverilog", "-g2012", "-s", "bench", "-o", "run.vvp", "bench.sv", *sources]
        subprocess.run(build, cwd=tmp_path, check=True)
        seen.append(subprocess.run(["vvp", "-n", "run.vvp"], cwd=tmp_path, check=True, capture_output=True).stdout)
    assert seen[0] == seen[1] and b"x" not in seen[0] and len(set(seen[0].splitlines())) > 100


def test_memories_of_one_shape_share_a_black_box(rtlil: str) -> None:
    memory = read_memories(rtlil)[0]
    twin = dataclasses.replace(memory, module="other", name="twin")
    assert stubs([memory, twin]) == stubs([memory]) and models([memory, twin]) == models([twin])
