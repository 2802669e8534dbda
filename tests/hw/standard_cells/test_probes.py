"""Probes in a netlist: which nets they have, where they are, and how a bench writes them."""

from __future__ import annotations

from spikeloom.hw.standard_cells.probes import NAME, probed

NETLIST = r"""module leaf(x, y);
  input x;
  output y;
  INV _1_ (
    .A(x),
    .Y(y)
  );
endmodule
module top(a, y);
  INV _1_ (
    .A(a[3]),
    .Y(\odd.name )
  );
  INV \_2[0] (
    .A(1'h0),
    .Y(\odd.vector [2])
  );
  leaf left (
    .x(\odd.name ),
    .y(y)
  );
  leaf \right[1] (
    .x({ a[1], 1'h0 }),
    .y()
  );
  box memory (
    .clk(a[0])
  );
endmodule
"""


def test_a_probe_has_every_net_at_a_cell_once_and_no_constants() -> None:
    found = probed(NETLIST, "top", {"INV": frozenset("AY")}, {"box": 3})
    assert found.bits == {"leaf": 2, "top": 3, "box": 3}
    assert found.instances == {"": "top", "left": "leaf", "right[1]": "leaf", "memory": "box"}
    assert [(cell.name, cell.pins) for cell in found.cells["top"]] == [("_1_", {"A": 0, "Y": 1}), ("_2[0]", {"Y": 2})]
    assert f"  wire [2:0] {NAME} = {{\n    \\odd.vector [2] , \\odd.name , a[3]}};\nendmodule" in found.netlist
    assert found.starts == {"": 0, "left": 32, "right[1]": 64, "memory": 96} and found.size == 128


def test_the_bench_refers_to_odd_names_as_verilog_does() -> None:
    found = probed(NETLIST, "top", {"INV": frozenset("AY")})
    assert found.writer("file", "chip.npu").splitlines() == [
        f'            $fwrite(file, "%u", chip.npu.{NAME});',
        f'            $fwrite(file, "%u", chip.npu.left.{NAME});',
        f'            $fwrite(file, "%u", chip.npu.\\right[1] .{NAME});',
    ]
