"""Signals that nothing drives have their start values in the exported text, as they have in Amaranth's simulator."""

from __future__ import annotations

from pathlib import Path

from amaranth.hdl import Module, ResetInserter, Signal, signed
from amaranth.lib import data, memory
from amaranth.lib.wiring import Component, In, Out

from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.export.yosys import run_yosys, write_sources
from tests.hw.export.test_verilog import run, tool


class Counter(Component):
    """Counts what it is given; `level` is not driven."""

    def __init__(self) -> None:
        super().__init__({"step": In(4), "stop": In(1), "count": Out(8), "level": Out(3, init=5)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(~self.stop):
            m.d.sync += self.count.eq(self.count + self.step)
        return m


class Idle(Component):
    """Signals without a driver: inputs of what is inside, a memory's too, outputs, fields, and those between."""

    def __init__(self) -> None:
        members = {"step": Out(4), "count": Out(8), "level": Out(3), "nothing": Out(6, init=33), "word": Out(8)}
        super().__init__({**members, "low": Out(signed(5)), "pair": Out(8), "clear": In(1), "cleared": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counter = counter = Counter()
        m.submodules.other = other = Counter()
        restart = Signal()  # is needed by a reset alone
        m.submodules.restarted = restarted = ResetInserter(restart)(Counter())
        m.submodules.store = store = memory.Memory(shape=8, depth=4, init=[])
        write, read = store.write_port(), store.read_port()
        low = Signal(signed(4), init=-3)
        pair = Signal(data.StructLayout({"a": 4, "b": 4}), init={"a": 9, "b": 6})
        m.d.comb += [
            counter.step.eq(3),  # its `stop` is not driven, nor the `step` of the other
            restart.eq(self.clear),
            restarted.step.eq(1),
            self.cleared.eq(restarted.count),
            self.step.eq(other.step),
            self.count.eq(counter.count + other.count),
            self.level.eq(counter.level),
            write.data.eq(7),
            write.en.eq(1),
            read.en.eq(1),
            self.word.eq(read.data),  # both at address 0
            self.low.eq(low + 1),
            pair.a.eq(2),
            self.pair.eq(pair),
        ]
        return m


BENCH = """\
module bench;
    reg clk = 0, rst = 1, clear = 0;
    wire [3:0] step;
    wire [7:0] count, word, pair, cleared;
    wire [2:0] level;
    wire [5:0] nothing;
    wire signed [4:0] low;
    unit dut (.*);
    always #5 clk = ~clk;
    initial begin
        @(negedge clk) rst = 0;
        repeat (5) @(negedge clk);
        clear = 1;
        repeat (1) @(negedge clk);
        clear = 0;
        repeat (2) @(negedge clk);
        $display("%b %b %b %b %b %b %b %b", step, count, level, nothing, word, low, pair, cleared);
        $finish;
    end
endmodule
"""


def test_they_have_their_start_values(tmp_path: Path) -> None:
    files = export_component(Idle(), "unit")
    sources = write_sources(tmp_path, files)
    log = run_yosys(tmp_path, f"read_verilog -sv {sources}\nhierarchy -top unit\nproc\nopt_clean\ncheck -assert\n")
    assert "no driver" not in log
    (tmp_path / "bench.sv").write_text(BENCH)
    run(tool("iverilog"), "-g2012", "-s", "bench", "-o", "bench", *sources.split(), "bench.sv", cwd=tmp_path)
    found = [int(number, 2) for number in run("vvp", "-n", "bench", cwd=tmp_path).split()]  # x is no number
    assert found == [0, 3 * 8, 5, 33, 7, 32 - 2, 0x62, 2]


def test_an_input_is_connected_to_the_value() -> None:
    text = export_component(Idle(), "unit")["unit.sv"]
    assert ".stop(1'b0)" in text and ".step(4'd3)" in text and "assign nothing = 6'd33;" in text
