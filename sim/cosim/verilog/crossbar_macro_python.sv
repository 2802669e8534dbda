// The analog array of one layer, played by the Python device model (cocotb).
//
// Same module name and ports as the black box. When the rows are driven it latches them and toggles `request`; Python
// then computes every code of the read at once and writes `answer`. The shell only keeps the handshakes and the delays:
// Python runs once per layer read, never once per clock cycle.
//
// `sampled` and `done` have the ideal macro's timing: `sampled` is first up in the SETTLE_CYCLES-th cycle of a drive and
// down in the cycle after `drive` has fallen, `done` ADC_CYCLES - 1 cycles after the first cycle of a conversion.
//
// Programming: in the first cycle of an operation the shell latches it in `program_word` and toggles `program_request`;
// Python then changes the cells, or reads them and writes `program_answer`. `program_done` is up in the
// PROGRAM_CYCLES-th cycle of a pulse, and in the SETTLE_CYCLES + ADC_CYCLES-th of a verify read. `rst` forgets the
// operation, not the cells.
//
// program_word, lowest bits first: pulse, side, row, column, tiles, up, amplitudes.
// answer: for group g = 0 (lowest) .. GROUPS - 1: ROW_TILES * LANES codes, tile-major, then ROW_TILES * LANES over flags.

`timescale 1ns / 1ps
module crossbar_macro #(
    parameter LAYER = 0,
    parameter ROWS = 1,
    parameter ROW_BITS = 1,
    parameter TILE_ROWS = 1,
    parameter ROW_TILES = 1,
    parameter COLUMNS = 1,
    parameter LANES = 1,
    parameter GROUPS = 1,
    parameter GROUP_BITS = 1,
    parameter ADC_BITS = 8,
    parameter CODE_BITS = 8,
    parameter GAIN_SHIFT = 0,
    parameter SETTLE_CYCLES = 1,
    parameter ADC_CYCLES = 1,
    parameter PROGRAM_CYCLES = 10,
    parameter LEVELS_P = "",
    parameter LEVELS_N = ""
) (
    input  wire clk,
    input  wire rst,
    input  wire [ROWS*ROW_BITS-1:0] rows,
    input  wire [ROW_TILES-1:0] tiles,
    input  wire drive,
    output wire sampled,
    input  wire [GROUP_BITS-1:0] column,
    input  wire convert,
    output wire [ROW_TILES*LANES*CODE_BITS-1:0] codes,
    output wire [ROW_TILES*LANES-1:0] over,
    output wire done,
    input  wire program_cell,
    input  wire program_pulse,
    input  wire [(TILE_ROWS > 1 ? $clog2(TILE_ROWS) : 1)-1:0] program_row,
    input  wire [(COLUMNS > 1 ? $clog2(COLUMNS) : 1)-1:0] program_column,
    input  wire program_side,
    input  wire [ROW_TILES-1:0] program_tiles,
    input  wire [ROW_TILES-1:0] program_up,
    input  wire [ROW_TILES*8-1:0] program_amplitudes,
    output wire program_done,
    output wire [ROW_TILES*10-1:0] program_codes
);
    localparam CODES = ROW_TILES * LANES * CODE_BITS;
    localparam OVERS = ROW_TILES * LANES;
    localparam WORD = CODES + OVERS;

    reg request = 1'b0;
    reg [ROWS*ROW_BITS-1:0] latched = 0;
    reg [GROUPS*WORD-1:0] answer = 0;
    reg busy = 1'b0;
    reg holding = 1'b0;
    reg [16:0] settle = SETTLE_CYCLES - 1;  // cycles still to wait in this drive
    reg [16:0] wait_adc = ADC_CYCLES - 1;
    localparam ROW_INDEX = TILE_ROWS > 1 ? $clog2(TILE_ROWS) : 1;
    localparam COLUMN_INDEX = COLUMNS > 1 ? $clog2(COLUMNS) : 1;
    reg program_request = 1'b0;
    reg [2+ROW_INDEX+COLUMN_INDEX+10*ROW_TILES-1:0] program_word = 0;
    reg [ROW_TILES*10-1:0] program_answer = 0;
    reg operating = 1'b0;
    reg [17:0] operation = 0;  // cycles of this operation so far
    reg [17:0] program_extra = 0;
    reg [15:0] noise = 16'hACE1 + LAYER;
    reg stalls = 1'b0;
    initial stalls = $test$plusargs("stalls") != 0;

    // Random extra delays (only with +stalls), a 16-bit Fibonacci LFSR: x^16 + x^14 + x^13 + x^11 + 1.
    wire [16:0] extra = stalls ? {14'b0, noise[2:0]} : 17'd0;
    wire [WORD-1:0] word = answer[column*WORD +: WORD];
    assign codes = word[CODES-1:0];
    assign over = word[WORD-1:CODES];
    wire settled = drive && settle == 0;
    assign sampled = settled || holding;
    assign done = convert && wait_adc == 0;
    wire [17:0] operation_cycles = (program_pulse ? PROGRAM_CYCLES : SETTLE_CYCLES + ADC_CYCLES) + program_extra;
    assign program_done = program_cell && operation >= operation_cycles - 1;
    assign program_codes = (program_done && !program_pulse) ? program_answer : 0;

    always @(posedge clk) begin
        noise <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};
        if (rst) begin
            busy <= 1'b0;
            holding <= 1'b0;
            settle <= SETTLE_CYCLES - 1;
            wait_adc <= ADC_CYCLES - 1;
            operating <= 1'b0;
            operation <= 0;
        end else begin
            busy <= drive;
            holding <= settled;
            if (drive && !busy) begin
                latched <= rows;
                request <= !request;
            end
            if (!drive) settle <= SETTLE_CYCLES - 1 + extra;
            else if (settle != 0) settle <= settle - 1;
            if (convert) begin
                if (wait_adc == 0) wait_adc <= ADC_CYCLES - 1 + extra;
                else wait_adc <= wait_adc - 1;
            end
            operating <= program_cell && !program_done;
            operation <= (program_cell && !program_done) ? operation + 1 : 0;
            if (!program_cell || program_done) program_extra <= extra;
            if (program_cell && !operating) begin
                program_word <= {program_amplitudes, program_up, program_tiles, program_column, program_row,
                                 program_side, program_pulse};
                program_request <= !program_request;
            end
        end
    end

    wire unused = &{1'b0, tiles};
endmodule
