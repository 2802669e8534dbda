"""A clock is a lever: the netlist of a faster clock is faster, and that of a slow one is the smallest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.standard_cells.cell_mapping import CellMapper
from spikeloom.hw.standard_cells.components import components, read_netlist
from spikeloom.hw.standard_cells.timing import CriticalPath, Timing, opensta_version
from spikeloom.hw.standard_cells.timing_closure import ROUNDS, Closed, _tighter, map_for_clock
from tests.fixtures.standard_cells import osu018, osu018_library

opensta = pytest.mark.skipif(opensta_version() is None, reason="OpenSTA (Debian: opensta) is not installed")

UNIT = """\
module amount(input clk, input [14:0] a, output [3:0] y);
  reg [14:0] r;
  always @(posedge clk) r <= a;
  assign y = r[0] + r[1] + r[2] + r[3] + r[4] + r[5] + r[6] + r[7] + r[8] + r[9] + r[10] + r[11] + r[12] + r[13];
endmodule
module count(input clk, input rst, input [3:0] a, output reg [27:0] y);
  always @(posedge clk) if (rst) y <= 0; else y <= y + a;
endmodule
module other(input clk, input [3:0] a, output reg [3:0] y);
  always @(posedge clk) y <= y + (a ^ {a[0], a[3:1]});
endmodule
module top(input clk, input rst, input [14:0] a, output [27:0] y, output [3:0] z);
  wire [3:0] sum;
  amount one(.clk(clk), .a(a), .y(sum));
  count two(.clk(clk), .rst(rst), .a(sum), .y(y));
  other three(.clk(clk), .a(sum), .y(z));
endmodule
"""
PORTS = [
    {"name": name, "direction": direction, "width": width}
    for name, direction, width in (
        ("clk", "input", 1), ("rst", "input", 1), ("a", "input", 15), ("y", "output", 28), ("z", "output", 4)
    )
]  # fmt: skip


def closed(clock_Hz: float) -> Closed:
    library = osu018_library()
    mapper = CellMapper({"top.sv": UNIT}, "top", [library], 0)
    return map_for_clock(mapper, "top", [library], sdc(PORTS, clock_Hz, "top"))


def largest_Hz(found: Closed, clock_Hz: float) -> float:
    return 1.0 / (1.0 / clock_Hz - found.timing.slowest.slack_ns * 1e-9)


@osu018
@opensta
def test_a_clock_that_is_not_met_is_met_after_the_modules_on_its_paths_were_mapped_for_delay() -> None:
    """Each of the two modules of the slowest path is faster than the clock, so that neither alone tells of it."""
    slow = closed(1e8)
    assert slow.for_delay == () and slow.rounds == 0 and not slow.timing.failing
    highest_Hz = largest_Hz(slow, 1e8)
    assert all(1e-9 * ns < 1.0 / (1.1 * highest_Hz) for _, ns in slow.timing.slowest.through)
    assert closed(1e6).mapped == slow.mapped, "the smallest netlist, whatever the clock"

    fast = closed(1.1 * highest_Hz)
    assert fast.timing.slowest.slack_ns >= 0.0 and not fast.timing.failing and fast.rounds >= 1
    assert set(fast.for_delay) >= {"count"} and "other" not in fast.for_delay
    library = osu018_library()
    parts = [components(read_netlist(each.mapped.netlist, library.cells), "top", [library]) for each in (slow, fast)]
    assert [part.path for part in parts[0]] == [part.path for part in parts[1]] == ["", "one", "three", "two"]
    assert parts[0][2] == parts[1][2], "on no path that was too slow"
    assert parts[1][3].cells != parts[0][3].cells and parts[1][3].flip_flops == parts[0][3].flip_flops == 28


@osu018
@opensta
def test_a_clock_out_of_reach_gives_the_fastest_netlist_that_was_found() -> None:
    slow, out = closed(1e8), closed(5e9)
    assert 1 <= out.rounds <= ROUNDS and out.timing.failing[0].slack_ns == out.timing.slowest.slack_ns < 0.0
    assert largest_Hz(out, 5e9) > 1.15 * largest_Hz(slow, 1e8)


def test_budgets_are_shares_of_the_paths_that_fail() -> None:
    path = CriticalPath("a", "b", 5.0, -1.0, (("outside", 1.0), ("one", 1.0), ("two/x", 3.0)), 3)
    timing = Timing(path, None, path, "", (path, replace(path, slack_ns=-0.5, through=(("two/x", 5.0),))))
    modules = {"": "top", "one": "m", "two/x": "n"}
    assert _tighter({}, timing, modules) == {"m": 800.0, "n": 2400.0}, "four fifths, since 4 ns are left of 5"
    assert _tighter({"m": 500.0, "n": 3000.0}, timing, modules) == {"m": 500.0, "n": 2400.0}


@osu018
def test_a_budget_of_nothing_is_one() -> None:
    """The share of a module that a path only passes through may be 0 ps."""
    mapper = CellMapper({"top.sv": UNIT}, "top", [osu018_library()], 0)
    assert mapper.map({"other": 0.0}).netlist == mapper.map({"other": 0.0}).netlist
    assert mapper.map() == CellMapper({"top.sv": UNIT}, "top", [osu018_library()], 0).map()
