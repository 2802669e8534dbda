"""The measurement of clock and size on an FPGA: what stands around the unit, and what is read from nextpnr's report."""

from __future__ import annotations

import re

from benchmarks.page import page
from benchmarks.placement import place, ring

PORTS = {
    "clk": {"direction": "input", "bits": [2]},
    "rst": {"direction": "input", "bits": [3]},
    "row": {"direction": "input", "bits": [4, 5, 6]},
    "sum": {"direction": "output", "bits": [7, 8]},
    "valid": {"direction": "output", "bits": [9]},
}

COUNTER = """\
module npu(input wire clk, input wire rst, input wire step, output wire [7:0] value, output wire full);
  part counter(.clk(clk), .rst(rst), .step(step), .value(value));
  assign full = &value;
endmodule
"""
PART = """\
module part(input wire clk, input wire rst, input wire step, output reg [7:0] value);
  always @(posedge clk) if (rst) value <= 0; else if (step) value <= value + 1;
endmodule
"""


def test_every_bit_but_the_clock_has_a_flip_flop() -> None:
    text, around = ring(PORTS)
    assert around == 7
    assert "reg [3:0] inputs" in text and "reg [2:0] kept" in text
    assert re.search(r"\.clk\(clk\), \.rst\(inputs\[0 \+: 1\]\), \.row\(inputs\[1 \+: 3\]\)", text)
    assert ".sum(outputs[0 +: 2]), .valid(outputs[2 +: 1])" in text


def test_a_counter_is_placed() -> None:
    found = place({"npu.sv": COUNTER, "part.sv": PART, "chip.sv": "not read"})
    assert found["TRELLIS_FF"] == 8
    assert 1 <= found["LUT4"] + 2 * found["CCU2C"] <= 20
    assert 150 < found["clock_MHz"] < 1000
    assert set(found["path"]) <= {"counter", "npu"} and 1 <= found["path_cells"] <= 12
    row = {"title": "a counter", "lanes": 1, "wall_s": 1.0, "clocks_MHz": [found["clock_MHz"]], **found}
    assert f"{found['clock_MHz']:.1f} MHz" in page({"placement": [row]})
