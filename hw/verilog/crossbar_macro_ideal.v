// Crossbar macro with ideal devices: exact column sums and an exact ADC, in plain Verilog-2001, for simulation.
//
// Levels come from two files, LEVELS_P and LEVELS_N, read by $readmemh: one line a row of the layer, from row 0 on, two
// hexadecimal digits a column, column 0 in the last two (a line is the number sum over i of level[i] << 8 i).
//
// code = clip(round_half_even(sum / (S * 2^GAIN_SHIFT))), sum over the tile's rows of rowcode * (p - n), S = 255 for
// row codes of 8 bits, else 1; clipped to -2^(ADC_BITS-1) .. 2^(ADC_BITS-1) - 1, and to -1 .. +1 for ADC_BITS = 1.
//
// `sampled` is first up in the SETTLE_CYCLES-th cycle of a drive (1: the first), and down in the cycle after `drive`
// has fallen. `done` is up ADC_CYCLES - 1 cycles after the first cycle of a conversion (1: in the same cycle).

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
    output wire                                 done
);
  localparam CODE_MAX = (ADC_BITS == 1) ? 1 : (1 << (ADC_BITS - 1)) - 1;
  localparam CODE_MIN = -(1 << (ADC_BITS - 1));
  localparam DIVISOR = ((ROW_BITS == 8) ? 255 : 1) << GAIN_SHIFT;
  localparam SLOTS = ROW_TILES * LANES;  // ADCs, and codes of one column group

  reg [8*COLUMNS-1:0] levels_p [0:ROWS-1];
  reg [8*COLUMNS-1:0] levels_n [0:ROWS-1];

  // Codes of all columns, made when the currents are sampled and held until the next drive.
  reg [GROUPS*SLOTS*CODE_BITS-1:0] held_codes;
  reg [GROUPS*SLOTS-1:0]           held_over;
  reg                              holding;
  integer                          settling;    // cycles of this drive so far
  integer                          converting;  // cycles of this conversion so far

  wire settled = drive && (settling >= SETTLE_CYCLES - 1);

  assign sampled = settled || holding;
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
                total = total + rows[row*ROW_BITS +: ROW_BITS] * (levels_p[row][8*i +: 8])
                              - rows[row*ROW_BITS +: ROW_BITS] * (levels_n[row][8*i +: 8]);
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

  initial begin
    $readmemh(LEVELS_P, levels_p);
    $readmemh(LEVELS_N, levels_n);
    held_codes = 0;
    held_over  = 0;
    holding    = 0;
    settling   = 0;
    converting = 0;
  end

  always @(posedge clk) begin
    holding    <= settled && !rst;
    settling   <= (drive && !rst) ? settling + 1 : 0;
    converting <= (convert && !done && !rst) ? converting + 1 : 0;
    if (settled && !holding) sample_currents;
  end
endmodule
