"""The ideal macro in Icarus: the programmer brings its cells to their targets, in time, and reads follow them."""

from __future__ import annotations

import random
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from spikeloom import hw
from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.layer.programmer import Programmer
from spikeloom.hw.params.cycles import programming_cycles
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.program_bench import Cell, Cells, Settings, golden_program, target_words

MACRO = Path(hw.__file__).parent / "verilog" / "crossbar_macro_ideal.v"
P = LayerParameters(inputs=11, outputs=7, tile_rows=4, lanes=3, adc_bits=6, row_bits=8)
SETTINGS = Settings(window=1, tries=30, amplitude_min=2, amplitude_max=9)
PULSE, SETTLE, ADC, GAIN = 5, 3, 2, 1

BENCH = f"""
module bench;
  reg clk = 0;
  reg rst = 1;
  always #5 clk = !clk;
  reg [3:0] index = 0;
  reg [31:0] value = 0;
  reg write = 0, start = 0;
  reg [15:0] row = 0, group = 0;
  wire busy, request, cell_, pulse, side, done;
  wire [1:0] p_row;
  wire [2:0] p_column, tiles, up;
  wire [23:0] amplitudes;
  wire [29:0] cells;
  reg [87:0] rows = 0;
  reg drive = 0, convert = 0;
  reg [1:0] column = 0;
  wire sampled, converted;
  wire [53:0] codes;
  programmer programmer (
    .clk(clk), .rst(rst), .host__target_write__index(index), .host__target_write__value(value),
    .host__target_write__enable(write), .host__result_index(5'd0), .host__start(start), .host__start_row(row),
    .host__start_group(group), .host__busy(busy), .host__clear_counts(1'b0),
    .settings__window(8'd{SETTINGS.window}), .settings__tries(8'd{SETTINGS.tries}),
    .settings__amplitude_min(8'd{SETTINGS.amplitude_min}), .settings__amplitude_max(8'd{SETTINGS.amplitude_max}),
    .program_request(request), .program_grant(request), .xbar__program_cell(cell_), .xbar__program_pulse(pulse),
    .xbar__program_row(p_row), .xbar__program_column(p_column), .xbar__program_side(side),
    .xbar__program_tiles(tiles), .xbar__program_up(up), .xbar__program_amplitudes(amplitudes),
    .xbar__program_done(done), .xbar__program_codes(cells));
  crossbar_macro #(
    .ROWS({P.inputs}), .ROW_BITS({P.row_bits}), .TILE_ROWS({P.tile_rows}), .ROW_TILES({P.row_tiles}),
    .COLUMNS({P.outputs}), .LANES({P.lanes}), .GROUPS({P.groups}), .GROUP_BITS({P.group_bits}),
    .ADC_BITS({P.adc_bits}), .CODE_BITS({P.code_bits}), .GAIN_SHIFT({GAIN}), .SETTLE_CYCLES({SETTLE}),
    .ADC_CYCLES({ADC}), .PROGRAM_CYCLES({PULSE}), .LEVELS_P("p.hex"), .LEVELS_N("n.hex")
  ) macro (
    .clk(clk), .rst(rst), .rows(rows), .tiles(3'b111), .drive(drive), .sampled(sampled), .column(column),
    .convert(convert), .codes(codes), .done(converted), .program_cell(cell_), .program_pulse(pulse),
    .program_row(p_row), .program_column(p_column), .program_side(side), .program_tiles(tiles), .program_up(up),
    .program_amplitudes(amplitudes), .program_done(done), .program_codes(cells));

  reg [31:0] targets [0:{P.lanes * P.row_tiles * P.groups * P.tile_rows - 1}];
  integer i, cycles, next;
  initial begin
    $readmemh("targets.hex", targets);
    next = 0;
    repeat (3) @(negedge clk);
    rst = 0;
    for (row = 0; row < {P.tile_rows}; row = row + 1)
      for (group = 0; group < {P.groups}; group = group + 1) begin
        write = 1;
        for (i = 0; i < {P.lanes * P.row_tiles}; i = i + 1) begin
          index = i; value = targets[next]; next = next + 1; @(negedge clk);
        end
        write = 0; start = 1; @(negedge clk); start = 0;
        for (cycles = 0; busy; cycles = cycles + 1) @(negedge clk);
        $display("busy %0d", cycles);
      end
    for (i = 0; i < {P.inputs}; i = i + 1) begin
      $display("p %h", macro.cells_p[i]);
      $display("n %h", macro.cells_n[i]);
    end
    for (i = 0; i < {P.inputs}; i = i + 1) rows[8*i +: 8] = 20 * i + 3;
    drive = 1;
    while (!sampled) @(negedge clk);
    @(negedge clk);  // the drive lasts through a cycle with `sampled`
    drive = 0; convert = 1;
    for (i = 0; i < {P.groups}; i = i + 1) begin
      column = i;
      #1 while (!converted) @(negedge clk);
      $display("codes %h", codes); @(negedge clk);
    end
    $finish;
  end
endmodule
"""


def run(folder: Path, *command: str) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def values(line: str, bits: int, count: int) -> list[int]:
    number = int(line, 16)
    return [number >> bits * i & (1 << bits) - 1 for i in range(count)]


def expected_code(cells: Cells, tile: int, column: int) -> int:
    """ADC code of one column of a tile, for the bench's row codes."""
    total = sum(
        (20 * row + 3) * (cells.values.get(Cell(row, column, 0), 0) - cells.values.get(Cell(row, column, 1), 0))
        for row in range(tile * P.tile_rows, min((tile + 1) * P.tile_rows, P.inputs))
    )
    return min(max(round(Fraction(total, 8 * 255 << GAIN)), P.code_min), P.code_max)


def test_programmer_and_ideal_macro(tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed")
    rng = random.Random(7)
    cells = Cells()
    for side, name in enumerate("pn"):
        levels = [[rng.randrange(30) for _ in range(P.outputs)] for _ in range(P.inputs)]
        cells.values |= {
            Cell(row, column, side): 8 * level for row, line in enumerate(levels) for column, level in enumerate(line)
        }
        text = "\n".join("".join(f"{level:02x}" for level in reversed(line)) for line in levels)
        (tmp_path / f"{name}.hex").write_text(text + "\n")
    words, busy = [], []
    for row in range(P.tile_rows):
        for group in range(P.groups):
            targets = [(rng.randrange(300), rng.randrange(300)) for _ in range(P.lanes * P.row_tiles)]
            words += target_words(targets)
            done = golden_program(P, cells, targets, SETTINGS, row, group)
            cycles = {"pulse_cycles": PULSE, "verify_cycles": SETTLE + ADC, "grant": 2}
            busy.append(programming_cycles(P, columns=done.columns, rounds=done.rounds, **cycles))
    (tmp_path / "targets.hex").write_text("\n".join(f"{word:08x}" for word in words) + "\n")
    (tmp_path / "bench.sv").write_text(BENCH)
    files = export_component(Programmer(parameters=P), "programmer")
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    run(tmp_path, "iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.sv", *files, str(MACRO))
    lines = [line.split() for line in run(tmp_path, "vvp", "bench.vvp").splitlines()]
    assert [int(line[1]) for line in lines if line[0] == "busy"] == busy
    for side, name in enumerate("pn"):
        found = [values(line[1], 11, P.outputs) for line in lines if line[0] == name]
        assert found == [[cells.values[Cell(row, i, side)] for i in range(P.outputs)] for row in range(P.inputs)]
    codes = [values(line[1], P.code_bits, P.row_tiles * P.lanes) for line in lines if line[0] == "codes"]
    assert len(codes) == P.groups
    for column in range(P.outputs):
        group, lane = divmod(column, P.lanes)
        for tile in range(P.row_tiles):
            mask = (1 << P.code_bits) - 1
            assert codes[group][tile * P.lanes + lane] == expected_code(cells, tile, column) & mask
