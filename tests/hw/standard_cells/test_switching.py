"""Joules of nets: by hand from tables, and the loads against OpenSTA's own sum."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from spikeloom.hw.export.yosys import SynthesisError
from spikeloom.hw.standard_cells import conditions
from spikeloom.hw.standard_cells.conditions import Conditions, cell_conditions
from spikeloom.hw.standard_cells.liberty import LibraryError, read_library
from spikeloom.hw.standard_cells.probes import probed
from spikeloom.hw.standard_cells.switching import switching_energy
from spikeloom.hw.standard_cells.timing import find_opensta, opensta_version
from tests.fixtures.standard_cells import FEW, osu018, osu018_library

opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")

LIBRARY = """\
library (small) {
  time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1, ff); nom_voltage : 2;
  power_lut_template (loads) { variable_1 : total_output_net_capacitance; index_1 ("0, 10"); }
  cell (INV) { area : 1; pin (A) { direction : input; capacitance : 3; } pin (Y) { direction : output;
    function : "!A"; internal_power () { related_pin : "A"; power (loads) { values ("1, 2"); } } } }
  cell (FF) { area : 1; ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin (C) { direction : input; capacitance : 5; clock : true; internal_power () { power (scalar) { values ("7"); } } }
    pin (D) { direction : input; capacitance : 2; internal_power () { power (scalar) { values ("4"); } } }
    pin (Q) { direction : output; function : "IQ"; } }
}
"""
NETLIST = """module part(clk, d, q);
  FF _1_ (
    .C(clk),
    .D(d),
    .Q(q)
  );
endmodule
module top(clk, q);
  INV _1_ (
    .A(q),
    .Y(n)
  );
  part part (
    .clk(clk),
    .d(n),
    .q(q)
  );
endmodule
"""


def test_a_transition_takes_what_is_inside_cells_and_what_its_driver_charges(tmp_path: Path) -> None:
    """A flip-flop that divides the clock by two. Volts 2, so that a load of C fF takes 2 C fJ in a transition."""
    (tmp_path / "small.lib").write_text(LIBRARY)
    library = read_library(tmp_path / "small.lib")
    probes = probed(NETLIST, "top", {"INV": frozenset("AY"), "FF": frozenset("CDQ")})
    loads = {"_1_": 4e-15, "part/_1_": 6e-15}  # of d, 2 fF; of the inverter's input, 3 fF
    found = switching_energy(probes, [library], Conditions({}, loads, {"_1_": 1e-9, "part/_1_": 2e-9}), 2.0)
    start = found.probes.starts
    assert found.net_J[start[""] : start[""] + 2] == pytest.approx([0.0, 1.2e-15 + 4e-15]), "of q's pin, and of n"
    clock, d, q = found.net_J[start["part"] : start["part"] + 3]
    assert (clock, d, q) == pytest.approx((0.0, 4e-15, 6e-15)), "d is driven by the inverter"
    assert found.clock_J == pytest.approx({"": 0.0, "part": 2 * 7e-15 + 5e-15 * 4.0})
    assert found.leakage_W == pytest.approx({"": 1e-9, "part": 2e-9}) and found.flip_flops == {"": 0, "part": 1}
    transitions = np.zeros((2, probes.size), np.int64)
    transitions[1, start["part"] + 1] = 10
    of_nets = found.of_nets(transitions)
    assert of_nets["part"] == pytest.approx([0.0, 4e-14]) and of_nets[""] == pytest.approx([0.0, 0.0])


def test_a_library_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "few.lib").write_text(FEW)
    probes = probed(
        "module top(a, y);\n  INV _1_ (\n    .A(a),\n    .Y(y)\n  );\nendmodule\n", "top", {"INV": frozenset("AY")}
    )
    with pytest.raises(LibraryError, match="The library few has no tables of internal power: give a library that has"):
        switching_energy(probes, [read_library(tmp_path / "few.lib")], Conditions({}, {"_1_": 0.0}, {"_1_": 0.0}), 1.0)


COUNTER = """module part(clk, a, q);
  input clk;
  wire clk;
  input a;
  wire a;
  output q;
  wire q;
  wire _0_;
  XOR2X1 _1_ (
    .A(a),
    .B(q),
    .Y(_0_)
  );
  DFFPOSX1 _2_ (
    .CLK(clk),
    .D(_0_),
    .Q(q)
  );
endmodule
module top(clk, a, y);
  input clk;
  wire clk;
  input a;
  wire a;
  output y;
  wire y;
  wire \\odd.net ;
  part \\part[0] (
    .clk(clk),
    .a(a),
    .q(\\odd.net )
  );
  INVX8 _1_ (
    .A(\\odd.net ),
    .Y(y)
  );
endmodule
"""
SDC = "create_clock -name clk -period 10 [get_ports clk]\nset_input_delay 0 -clock clk [get_ports a]\nset_output_delay 0 -clock clk [get_ports y]\nset_load 0.1 [get_ports y]\n"  # noqa: E501


def opensta_power(netlist: str, library: str) -> tuple[float, float]:
    """OpenSTA's switching power, where every net has 0.1 transitions per cycle, and leakage; watts."""
    script = (
        "read_liberty cells.lib\nread_verilog netlist.v\nlink_design top\nset_cmd_units -time ns\nread_sdc top.sdc\n"
        "set_power_activity -global -activity 0.1\nreport_power\n"
    )
    place = find_opensta()
    assert place is not None
    with tempfile.TemporaryDirectory() as folder:
        texts = {"cells.lib": library, "netlist.v": netlist, "top.sdc": SDC, "power.tcl": script}
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="latin-1")
        command = [place, "-no_splash", "-exit", "power.tcl"]
        log = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    total = re.search(r"^Total +(\S+) +(\S+) +(\S+)", log, re.M)
    assert total is not None, log
    return float(total[2]), float(total[3])


@osu018
@opensta
def test_loads_add_up_to_opensta_s_switching_power() -> None:
    """Every net at 0.1 transitions per cycle of 10 ns: C V^2 / 2 of all outputs is the switching power that OpenSTA
    gives; the odd name of an instance is found again.
    """
    library = osu018_library()
    texts = {"cells.lib": library.text}
    found = cell_conditions(COUNTER, "top", texts, SDC, 1e8)
    assert set(found.load_J) >= {"_1_", "part[0]/_1_", "part[0]/_2_"}
    assert found.slew_ns["_1_/A"] > 0.0 and found.slew_ns["part[0]/_2_/CLK"] == 0.0
    switching_W, leakage_W = opensta_power(COUNTER, library.text)
    assert sum(found.load_J.values()) * 0.1 * 1e8 == pytest.approx(switching_W, rel=0.01)
    assert sum(found.leakage_W.values()) == pytest.approx(leakage_W, rel=0.01)
    pins = {name: frozenset(cell.inputs) | frozenset(cell.functions) for name, cell in library.cells.items()}
    energy = switching_energy(probed(COUNTER, "top", pins), [library], found, 1.8)
    assert energy.flip_flops == {"": 0, "part[0]": 1} and 1e-13 < energy.clock_J["part[0]"] < 4e-13
    assert sum(energy.net_J) * 0.1 * 1e8 > switching_W


def test_without_opensta_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "find_opensta", lambda: None)
    with pytest.raises(
        SynthesisError, match=r"need OpenSTA .program sta; Debian: apt-get install opensta., which is not"
    ):
        cell_conditions(COUNTER, "top", {}, "", 1e8)


@osu018
@opensta
def test_what_opensta_refuses_is_one_sentence() -> None:
    with pytest.raises(SynthesisError, match="OpenSTA could not give the conditions of the cells: Error"):
        cell_conditions(COUNTER, "none", {"cells.lib": osu018_library().text}, SDC, 1e8)
