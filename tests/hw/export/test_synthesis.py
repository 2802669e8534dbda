"""Sizes by component, and netlists of gates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spikeloom.hw.export.synthesis import SynthesisError, cell_counts, netlist, total_counts
from spikeloom.hw.export.verilog import export_verilog, write_folder
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from tests.coverage.rtlil_text.files import rtlil_files
from tests.hw.export.test_verilog import by_place, header, run, sources, tool
from tests.hw.export.test_verilog_maps import UNIT as MAPS
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
    memories = {place for place, text in by_place(files).items() if "parameter WIDTH" in text}
    assert set(counts) == set(by_place(files)) - memories
    layer = unit().layers[0]
    membranes = layer.groups * layer.lanes * (layer.membrane_bits + layer.bias_bits)
    assert counts["npu_layer_0_neuron_array"]["memory"] == membranes
    assert counts["npu_layer_0_spikes"]["dff"] == 32


def flip_flops(counts: dict[str, int]) -> int:
    return sum(bits for kind, bits in counts.items() if "ff" in kind)


@pytest.mark.parametrize(
    "parameters", [pytest.param(unit(), id="dense"), pytest.param(MAPS, marks=pytest.mark.slow, id="maps")]
)
def test_sizes_are_those_of_one_module_an_instance(parameters: NpuParameters) -> None:
    """What Yosys makes of Amaranth's RTLIL has a module for every instance: each has the same flip-flops and memories,
    but that there a memory of one word is flip-flops.
    """
    counts = cell_counts(export_verilog(parameters))
    single = cell_counts(rtlil_files(Npu(parameters=parameters), "npu"))
    assert set(counts) == set(single)
    kept = {name: (flip_flops(each), each.get("memory", 0)) for name, each in counts.items()}
    for name, each in single.items():
        moved = kept[name][1] - each.get("memory", 0)
        assert kept[name][0] + moved == flip_flops(each), name
        assert not moved or name.endswith("_neuron_array")


def test_instances_of_one_module_are_counted_each() -> None:
    ports = "input wire clk, input wire [7:0] a, input wire [7:0] b, output wire [8:0] s, output wire [8:0] t"
    inside = [f"npu_part {name} (.clk(clk), .a(a), .b(b), .s({out}));" for name, out in (("one", "s"), ("other", "t"))]
    lines = [f"module npu ({ports});", *inside, "endmodule", ""]
    counts = cell_counts({"npu.sv": "\n".join(lines), "npu_part.sv": SMALL})
    assert counts["npu_one"] == counts["npu_other"] == {"add": 9, "dff": 9} and "npu_part" not in counts
    assert total_counts(counts)["dff"] == 18


def test_error_names_the_missing_module() -> None:
    with pytest.raises(SynthesisError, match=r"^Yosys could not read the design: .*npu_part"):
        cell_counts({"npu.sv": TOP})


@pytest.fixture(scope="module")
def tiny() -> tuple[dict[str, str], dict[str, str]]:
    """Export and netlist of a unit of one layer; some 4,000 gates, about 4 s."""
    layer = LayerParameters(
        inputs=3, outputs=2, lanes=1, adc_bits=4, max_gain_shift=0, max_theta=3, max_bias=1, max_steps=3
    )
    files = export_verilog(NpuParameters(layers=(layer,), encoder_lanes=1, max_steps=3))
    return files, netlist(files)


def test_netlist_has_the_modules_and_ports_of_the_export(tiny: tuple[dict[str, str], dict[str, str]]) -> None:
    files, gates = tiny
    wrappers = {name for name, text in files.items() if re.search(r"^ +parameter ", text, re.M)}
    modules = {name for name in files if name.endswith(".sv")} - wrappers
    assert set(gates) == modules
    for name, text in gates.items():
        ports = re.findall(r"^  (input|output) (?:signed )?(?:\[(\d+):0\] )?(\w+);", text, re.M)
        assert [(direction, port, int(high or 0) + 1) for direction, high, port in ports] == header(files[name])
        assert text.startswith(
            files[name].split("`timescale")[0] + "// Netlist of gates.\n`timescale 1ns / 1ps\nmodule "
        )


def test_netlist_is_gates_only(tiny: tuple[dict[str, str], dict[str, str]]) -> None:
    """One-bit gates and flip-flops: no memories, no arithmetic, no choices between cases."""
    operand = r"~?(?:\w+(?:\[\d+\])?|\\\S+ )"
    pair = rf"{operand} ?[&|^] ?{operand}"
    gate = rf"(?:~{operand}|~?{pair}|{operand} \? {operand} : {operand})"
    join = r"[^&|^?~+*<>=-]*"  # wires only
    for name, commented in tiny[1].items():
        text = re.sub(r"//.*", "", commented)
        assert not re.search(r"\b(case|if|always_comb|always_ff|always @\*|for|initial)\b", text), name
        for line in re.findall(r"^  assign .*;$", text.replace("(", "").replace(")", ""), re.M):
            assert re.fullmatch(rf"  assign .* = (?:{gate}|{join});", line), f"{name}: {line}"
        assert not re.search(r"^  reg .*\[\d+:\d+\];$", text, re.M), name  # memories have a range after the name
        assert all(
            re.fullmatch(rf"  always @\(posedge clk\)\n    {operand} <= {operand};", block)
            for block in re.findall(r"^  always.*\n.*$", text, re.M)
        )


def test_netlist_is_the_same_in_every_run(tiny: tuple[dict[str, str], dict[str, str]]) -> None:
    files, gates = tiny
    assert netlist(files) == gates
    texts = [text.replace("`timescale 1ns / 1ps", "").replace("//", "") for text in gates.values()]
    assert not any("osys" in text or "/" in text for text in texts)


def test_netlist_is_accepted_by_simulators(tiny: tuple[dict[str, str], dict[str, str]], tmp_path: Path) -> None:
    write_folder(tmp_path / "net", tiny[0] | tiny[1])
    here = tmp_path / "net"
    lint = [tool("verilator"), "--lint-only", "-Wall", "--top-module", "spikeloom_chip", "waivers.vlt"]
    lint += ["-Wno-UNUSEDSIGNAL"]  # mapping leaves bits without a reader in other places than the source has them
    assert "%Warning" not in run(*lint, *sources(here, "blackbox"), cwd=here)
    run(tool("iverilog"), "-g2012", "-s", "spikeloom_chip", "-o", "chip.vvp", *sources(here, "ideal"), cwd=here)


def test_netlist_behaves_like_its_source(tmp_path: Path) -> None:
    """Registers, enable and a memory, in Icarus: the same outputs as the source for random inputs."""
    files = {"npu.sv": TOP, "npu_part.sv": SMALL}
    bench = """\
module bench;
  reg clk = 0, en = 0;
  reg [7:0] a = 0, b = 0;
  wire [8:0] s;
  integer i, random = 7;
  npu npu (.clk(clk), .a(a), .b(b), .en(en), .s(s));
  initial begin
    for (i = 0; i < 300; i = i + 1) begin
      {b, a, en} = $random(random);
      #1 clk = 1; #1 clk = 0;
      if (i > 40) $display("%h", s);
    end
  end
endmodule
"""
    seen = []
    for folder, texts in (("rtl", files), ("net", netlist(files))):
        write_folder(tmp_path / folder, {**texts, "bench.sv": bench})
        here = tmp_path / folder
        run(tool("iverilog"), "-g2012", "-s", "bench", "-o", "b.vvp", *[p.name for p in here.glob("*.sv")], cwd=here)
        seen.append(run(tool("vvp"), "b.vvp", cwd=here))
    assert seen[0] == seen[1] and len(set(seen[0].split())) > 50 and "x" not in seen[0]


def test_netlist_error() -> None:
    with pytest.raises(SynthesisError, match=r"^Yosys could not read the design: .*npu_part"):
        netlist({"npu.sv": TOP})
