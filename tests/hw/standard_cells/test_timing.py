"""OpenSTA's report in terms of components, from a report as it prints it, and from a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.export.yosys import SynthesisError
from spikeloom.hw.standard_cells import timing
from spikeloom.hw.standard_cells.memories import Memory, ideal_liberty
from spikeloom.hw.standard_cells.timing import opensta_version, time_netlist
from tests.fixtures.standard_cells import osu018, osu018_library

NETLIST = """\
module inner(clk, a, y);
  input clk;
  input a;
  output y;
  wire q;
  DFFPOSX1 one ( .CLK(clk), .D(a), .Q(q) );
  INVX1 two ( .A(q), .Y(y) );
endmodule
module top(clk, a, y);
  input clk;
  input a;
  output y;
  wire n;
  wire m;
  inner part ( .clk(clk), .a(a), .y(n) );
  INVX1 gate ( .A(n), .Y(m) );
  DFFPOSX1 last ( .CLK(clk), .D(m), .Q(y) );
endmodule
"""
PORTS = [
    {"name": "clk", "direction": "input", "width": 1},
    {"name": "a", "direction": "input", "width": 1},
    {"name": "y", "direction": "output", "width": 1},
]
opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")


@osu018
@opensta
def test_the_slowest_path_is_told_by_component() -> None:
    found = time_netlist(NETLIST, "top", {"cells.lib": osu018_library().text}, sdc(PORTS, 1e8, "top"))
    path = found.registers
    assert path is not None and path == found.slowest
    assert path.start == "part/one/CLK" and path.end == "last/D" and path.gates == 3
    assert [name for name, _ in path.through] == ["part", ""]
    assert sum(ns for _, ns in path.through) == pytest.approx(path.arrival_ns, abs=1e-3)
    assert 9.0 < path.slack_ns < 10.0 - path.arrival_ns
    assert found.failing == ()
    slower = time_netlist(NETLIST, "top", {"cells.lib": osu018_library().text}, sdc(PORTS, 1e9, "top"), "typical")
    assert slower.slowest.slack_ns == pytest.approx(path.slack_ns - 9.0, abs=1e-3)
    late = time_netlist(NETLIST, "top", {"cells.lib": osu018_library().text}, sdc(PORTS, 4e9, "top"))
    assert late.failing[0] == late.slowest and late.slowest.slack_ns == pytest.approx(path.slack_ns - 9.75, abs=1e-3)
    assert [each.slack_ns for each in late.failing] == sorted(each.slack_ns for each in late.failing)
    assert all(each.slack_ns < 0.0 for each in late.failing)


@osu018
@opensta
def test_memories_that_are_black_boxes_take_no_time() -> None:
    memory = Memory("top", "words", 4, 2, 2, (True,), 1, 2, "undefined")
    text = f"""\
module top(clk, a, y);
  input clk;
  input a;
  output [1:0] y;
  {memory.black_box} words ( .clk(clk), .rd_en(a), .rd_addr({{ a, a }}), .rd_data(y), .wr_en(a), .wr_addr({{ a, a }}),
    .wr_data({{ a, a }}) );
endmodule
"""
    ports = [*PORTS[:2], {"name": "y", "direction": "output", "width": 2}]
    libraries = {"cells.lib": osu018_library().text, "memories.lib": ideal_liberty([memory])}
    assert time_netlist(text, "top", libraries, sdc(ports, 1e8, "top")).slowest.slack_ns == 10.0


@osu018
@opensta
def test_what_opensta_refuses_is_one_sentence() -> None:
    text = osu018_library().text
    for libraries, netlist in (({"cells.lib": text}, NETLIST + "garbage"), ({"cells.lib": "library"}, NETLIST)):
        with pytest.raises(SynthesisError, match=r"^OpenSTA could not time the netlist: .*") as raised:
            time_netlist(netlist, "top", libraries, sdc(PORTS, 1e8, "top"))
        assert "\n" not in str(raised.value)


def test_another_program_of_that_name_is_not_opensta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert opensta_version() is None
    for text, version in (("echo usage: sta", None), ("echo 2.6.0", "2.6.0"), ("exit 3", None)):
        (tmp_path / "sta").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "sta").chmod(0o755)
        assert opensta_version() == version

    def hangs(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("sta", 30)

    monkeypatch.setattr(timing.subprocess, "run", hangs)
    assert opensta_version() is None
