// Black box of a layer's crossbar macro: both arrays of all its tiles, row drivers, sample-and-hold, and ADCs.
//
// Every variant (silicon, crossbar_macro_ideal.v, the co-simulation's, an FPGA emulator) has this name, these
// parameters and these ports; they are `hw.interfaces.crossbar_port.CrossbarSignature` seen from the macro, and a clock.
//
// All outputs are synchronous to `clk`: the unit samples them at its rising edge, and has no synchroniser. A macro that is
// self-timed brings `sampled`, `done` and `program_done` through synchronisers of its own, its data standing still.
//
// Drive, four phases: `drive` rises with `rows` and `tiles` stable and nonzero; the macro samples the settled column
// currents of the driven tiles and raises `sampled`; `drive` falls; `sampled` falls. Samples are held until the next
// drive.
// Conversion: `convert` is held with `column` stable until `done`, in the same or any later cycle; a cycle with
// `convert` and `done` transfers `codes` and `over` of column group `column`. The next cycle may present another group.
// Codes of tiles that were not driven are ignored.
// Programming: `program_cell` is held, with all other program_* inputs stable, until `program_done`; the next operation
// may follow in the next cycle. Never together with `drive` or `sampled`. A pulse changes the cell (row program_row,
// column program_column of the layer, side program_side) of the row tiles in `program_tiles`; a verify read tells its
// conductance in 1/8 of a level. Withdrawn before `program_done` (reset): the operation may or may not have happened.

`timescale 1ns / 1ps
(* blackbox *)
module crossbar_macro #(
    parameter LAYER = 0,               // index of the layer in the unit
    parameter ROWS = 784,              // inputs of the layer
    parameter ROW_BITS = 1,            // bits of a row code: 1 (spike) or 8 (DAC, full scale 255)
    parameter TILE_ROWS = 256,         // rows of a row tile; the last may have fewer
    parameter ROW_TILES = 4,           // ceil(ROWS / TILE_ROWS)
    parameter COLUMNS = 1000,          // outputs of the layer
    parameter LANES = 16,              // ADCs a row tile; column i is converted by lane i % LANES in group i / LANES
    parameter GROUPS = 63,             // ceil(COLUMNS / LANES)
    parameter GROUP_BITS = 6,          // bits of a group number
    parameter ADC_BITS = 8,            // 1 is the sense amplifier with codes -1, 0, +1
    parameter CODE_BITS = 8,           // bits of a signed code: max(2, ADC_BITS)
    parameter GAIN_SHIFT = 0,          // one ADC code is 2^GAIN_SHIFT conductance steps; equals the gain register
    parameter SETTLE_CYCLES = 1,       // models only: cycles from drive to sampled, >= 1
    parameter ADC_CYCLES = 1,          // models only: cycles a conversion takes, >= 1
    parameter PROGRAM_CYCLES = 10,     // models only: cycles of a pulse, >= 1; a verify read: SETTLE_CYCLES + ADC_CYCLES
    parameter LEVELS_P = "layer_p.hex", // models only: levels of the positive and the negative array
    parameter LEVELS_N = "layer_n.hex"
) (
    input  wire                                    clk,
    input  wire                                    rst,      // synchronous, active high
    input  wire [ROWS*ROW_BITS-1:0]                rows,     // row codes, row 0 lowest
    input  wire [ROW_TILES-1:0]                    tiles,    // row tiles with at least one row that is not silent
    input  wire                                    drive,
    output wire                                    sampled,
    input  wire [GROUP_BITS-1:0]                   column,   // column group to convert
    input  wire                                    convert,
    output wire [ROW_TILES*LANES*CODE_BITS-1:0]    codes,    // signed codes, index tile * LANES + lane
    output wire [ROW_TILES*LANES-1:0]              over,     // the code was clipped
    output wire                                    done,
    input  wire                                    program_cell,       // an operation is wanted
    input  wire                                    program_pulse,      // 1 a pulse, 0 a verify read
    input  wire [(TILE_ROWS > 1 ? $clog2(TILE_ROWS) : 1)-1:0] program_row,    // row in the tile
    input  wire [(COLUMNS > 1 ? $clog2(COLUMNS) : 1)-1:0]     program_column, // column of the layer
    input  wire                                    program_side,       // 0 positive array, 1 negative array
    input  wire [ROW_TILES-1:0]                    program_tiles,      // row tiles that take part
    input  wire [ROW_TILES-1:0]                    program_up,         // 1 raises the conductance
    input  wire [ROW_TILES*8-1:0]                  program_amplitudes, // nominal change, 1/8 of a level
    output wire                                    program_done,
    output wire [ROW_TILES*10-1:0]                 program_codes       // conductance read, 1/8 of a level
);
endmodule
