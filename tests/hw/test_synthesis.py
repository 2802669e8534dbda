"""Sizes by component."""

from __future__ import annotations

import pytest

from hw.export import export_verilog
from hw.synthesis import SynthesisError, cell_counts, total_counts
from tests.hw.test_npu import unit

SMALL = """\
module npu_part (input wire clk, input wire [7:0] a, input wire [7:0] b, output reg [8:0] s);
  always_ff @(posedge clk) s <= a + b;
endmodule
"""
TOP = """\
module npu (input wire clk, input wire [7:0] a, input wire [7:0] b, input wire en, output wire [8:0] s);
  reg [8:0] kept [0:3];
  wire [8:0] sum;
  npu_part part (.clk(clk), .a(a), .b(b), .s(sum));
  always_ff @(posedge clk) if (en) kept[a[1:0]] <= sum;
  assign s = kept[b[1:0]];
endmodule
"""


def test_counts_are_bits_of_a_modules_own_cells() -> None:
    counts = cell_counts({"npu.sv": TOP, "npu_part.sv": SMALL, "chip.sv": "not read", "ports.json": "{}"})
    assert counts["npu_part"] == {"add": 9, "dff": 9}
    assert counts["npu"]["memory"] == 36
    assert "add" not in counts["npu"]
    assert total_counts(counts)["dff"] == 9


def test_every_component_of_an_export_is_counted() -> None:
    files = export_verilog(unit())
    counts = cell_counts(files)
    assert set(counts) == {name.removesuffix(".sv") for name in files if name.endswith(".sv")} - {"chip"}
    layer = unit().layers[0]
    membranes = layer.groups * layer.lanes * (layer.membrane_bits + layer.bias_bits)
    assert counts["npu_layer_0_neuron_array"]["memory"] == membranes
    assert counts["npu_layer_0_spikes"]["dff"] == 32


def test_error_names_the_missing_module() -> None:
    with pytest.raises(SynthesisError, match=r"^Yosys could not read the design: .*npu_part"):
        cell_counts({"npu.sv": TOP})
