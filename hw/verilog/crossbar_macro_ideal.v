// Crossbar macro with ideal devices: exact column sums and an exact ADC, in plain Verilog-2005, for simulation.
//
// Levels come from two files, LEVELS_P and LEVELS_N, read by $readmemh: one line per row of the layer, from row 0 on,
// two hexadecimal digits per column, column 0 in the last two (a line is the number sum over i of level[i] << 8 i).
//
// code = clip(round_half_even(sum / (S * 2^GAIN_SHIFT))), sum over the tile's rows of rowcode * (p - n), S = 255 for
// row codes of 8 bits, else 1; clipped to -2^(ADC_BITS-1) .. 2^(ADC_BITS-1) - 1, and to -1 .. +1 for ADC_BITS = 1.
//
// A cell's conductance is kept in 1/8 of a level, 0 .. 2040, and starts from the level files. A pulse moves it by exactly
// its amplitude and stops at the ends; a verify read tells it, 1023 at most. A pulse takes PROGRAM_CYCLES cycles, a verify
// read SETTLE_CYCLES + ADC_CYCLES.
//
// `sampled` is first up in the SETTLE_CYCLES-th cycle of a drive (1: the first), and down in the cycle after `drive`
// has fallen. `done` is up ADC_CYCLES - 1 cycles after the first cycle of a conversion (1: in the same cycle).

`timescale 1ns / 1ps
module crossbar_macro #(
    parameter LAYER = 0,
    parameter ROWS = 784,
    parameter ROW_BITS = 1,
    parameter TILE_ROWS = 256,
    parameter ROW_TILES = 4,
    parameter COLUMNS = 1000,
    parameter LANES = 16,
    parameter GROUPS = 63,
    parameter GROUP_BITS = 6,
    parameter ADC_BITS = 8,
    parameter CODE_BITS = 8,
    parameter GAIN_SHIFT = 0,
    parameter SETTLE_CYCLES = 1,
    parameter ADC_CYCLES = 1,
    parameter PROGRAM_CYCLES = 10,
    parameter LEVELS_P = "layer_p.hex",
    parameter LEVELS_N = "layer_n.hex"
) (
    input  wire                                 clk,
    input  wire                                 rst,
    input  wire [ROWS*ROW_BITS-1:0]             rows,
    input  wire [ROW_TILES-1:0]                 tiles,
    input  wire                                 drive,
    output wire                                 sampled,
    input  wire [GROUP_BITS-1:0]                column,
    input  wire                                 convert,
    output wire [ROW_TILES*LANES*CODE_BITS-1:0] codes,
    output wire [ROW_TILES*LANES-1:0]           over,
    output wire                                 done,
    input  wire                                 program_cell,
    input  wire                                 program_pulse,
    input  wire [(TILE_ROWS > 1 ? $clog2(TILE_ROWS) : 1)-1:0] program_row,
    input  wire [(COLUMNS > 1 ? $clog2(COLUMNS) : 1)-1:0]     program_column,
    input  wire                                 program_side,
    input  wire [ROW_TILES-1:0]                 program_tiles,
    input  wire [ROW_TILES-1:0]                 program_up,
    input  wire [ROW_TILES*8-1:0]               program_amplitudes,
    output wire                                 program_done,
    output wire [ROW_TILES*10-1:0]              program_codes
);
  localparam CODE_MAX = (ADC_BITS == 1) ? 1 : (1 << (ADC_BITS - 1)) - 1;
  localparam CODE_MIN = -(1 << (ADC_BITS - 1));
  localparam DIVISOR = (((ROW_BITS == 8) ? 255 : 1) << GAIN_SHIFT) * 8;
  localparam CELL_MAX = 2040;  // level 255, in 1/8 of a level
  localparam SLOTS = ROW_TILES * LANES;  // ADCs, and codes of one column group

  reg [8*COLUMNS-1:0] levels_p [0:ROWS-1];
  reg [8*COLUMNS-1:0] levels_n [0:ROWS-1];
  reg [11*COLUMNS-1:0] cells_p [0:ROWS-1];  // conductances in 1/8 of a level
  reg [11*COLUMNS-1:0] cells_n [0:ROWS-1];

  // Codes of all columns, made when the currents are sampled and held until the next drive.
  reg [GROUPS*SLOTS*CODE_BITS-1:0] held_codes;
  reg [GROUPS*SLOTS-1:0]           held_over;
  reg                              holding;
  integer                          settling;    // cycles of this drive so far
  integer                          converting;  // cycles of this conversion so far
  integer                          programming; // cycles of this programming operation so far
  reg [ROW_TILES*10-1:0]           read_cells;  // codes of a verify read, from its second cycle on

  wire settled = drive && (settling >= SETTLE_CYCLES - 1);

  assign sampled = settled || holding;
  wire [31:0] operation_cycles = program_pulse ? PROGRAM_CYCLES : SETTLE_CYCLES + ADC_CYCLES;

  assign program_done  = program_cell && (programming >= operation_cycles - 1);
  assign program_codes = (program_done && !program_pulse) ? read_cells : {ROW_TILES*10{1'b0}};
  assign done    = convert && (converting >= ADC_CYCLES - 1);
  assign codes   = held_codes[column * (SLOTS * CODE_BITS) +: SLOTS * CODE_BITS];
  assign over    = held_over[column * SLOTS +: SLOTS];

  // m / DIVISOR, m >= 0, rounded to the nearest integer, to the even one of two.
  function integer round_half_even;
    input integer m;
    begin
      round_half_even = (2 * m + DIVISOR) / (2 * DIVISOR);
      if ((2 * m + DIVISOR) % (2 * DIVISOR) == 0 && round_half_even % 2 == 1)
        round_half_even = round_half_even - 1;
    end
  endfunction

  integer tile, i, row, row_end, slot, total, code;

  task sample_currents;
    begin
      for (tile = 0; tile < ROW_TILES; tile = tile + 1) begin
        row_end = ((tile + 1) * TILE_ROWS < ROWS) ? (tile + 1) * TILE_ROWS : ROWS;
        for (i = 0; i < COLUMNS; i = i + 1) begin
          total = 0;
          if (tiles[tile])
            for (row = tile * TILE_ROWS; row < row_end; row = row + 1)
              if (rows[row*ROW_BITS +: ROW_BITS] != 0)
                total = total + rows[row*ROW_BITS +: ROW_BITS] * (cells_p[row][11*i +: 11])
                              - rows[row*ROW_BITS +: ROW_BITS] * (cells_n[row][11*i +: 11]);
          code = (total < 0) ? -round_half_even(-total) : round_half_even(total);
          slot = (i / LANES) * SLOTS + tile * LANES + i % LANES;
          held_over[slot] = (code > CODE_MAX) || (code < CODE_MIN);
          if (code > CODE_MAX) code = CODE_MAX;
          if (code < CODE_MIN) code = CODE_MIN;
          held_codes[slot*CODE_BITS +: CODE_BITS] = code[CODE_BITS-1:0];
        end
      end
    end
  endtask

  // The operation's cell of one tile.
  integer cell_row, conductance;

  task read_cell;
    input integer of_tile;
    begin
      cell_row    = of_tile * TILE_ROWS + program_row;
      conductance = program_side ? cells_n[cell_row][11*program_column +: 11]
                                 : cells_p[cell_row][11*program_column +: 11];
    end
  endtask

  task verify_cells;
    for (tile = 0; tile < ROW_TILES; tile = tile + 1) begin
      read_cell(tile);
      if (!program_tiles[tile]) conductance = 0;
      if (conductance > 1023) conductance = 1023;
      read_cells[tile*10 +: 10] = conductance[9:0];
    end
  endtask

  task pulse_cells;
    for (tile = 0; tile < ROW_TILES; tile = tile + 1)
      if (program_tiles[tile]) begin
        read_cell(tile);
        conductance = program_up[tile] ? conductance + program_amplitudes[tile*8 +: 8]
                                       : conductance - program_amplitudes[tile*8 +: 8];
        if (conductance > CELL_MAX) conductance = CELL_MAX;
        if (conductance < 0) conductance = 0;
        if (program_side) cells_n[cell_row][11*program_column +: 11] = conductance[10:0];
        else              cells_p[cell_row][11*program_column +: 11] = conductance[10:0];
      end
  endtask

  initial begin
    $readmemh(LEVELS_P, levels_p);
    $readmemh(LEVELS_N, levels_n);
    for (row = 0; row < ROWS; row = row + 1)
      for (i = 0; i < COLUMNS; i = i + 1) begin
        cells_p[row][11*i +: 11] = {levels_p[row][8*i +: 8], 3'b000};
        cells_n[row][11*i +: 11] = {levels_n[row][8*i +: 8], 3'b000};
      end
    held_codes = 0;
    held_over  = 0;
    holding    = 0;
    settling   = 0;
    converting = 0;
    programming = 0;
    read_cells  = 0;
  end

  always @(posedge clk) begin
    holding    <= settled && !rst;
    settling   <= (drive && !rst) ? settling + 1 : 0;
    converting <= (convert && !done && !rst) ? converting + 1 : 0;
    programming <= (program_cell && !program_done && !rst) ? programming + 1 : 0;
    if (settled && !holding) sample_currents;
    if (program_cell && !program_pulse && programming == 0) verify_cells;
    if (program_done && program_pulse && !rst) pulse_cells;
  end
endmodule
