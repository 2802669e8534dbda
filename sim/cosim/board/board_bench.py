"""Text of the Verilog test bench around a board: bytes of a serial line come and go through two named pipes.

Commands come as words of 4 bytes, big-endian: the operation in the upper 8 bits, a count in the lower 24.

    op        count     what it does
    1 SEND    bytes     as many bytes follow, which are sent to the board, one after another
    2 RUN     cycles    lets the board run, until it is quiet or so many clock cycles have passed
    3 BREAK   cycles    holds the line to the board down
    4 RESET   cycles    holds the board's reset, where it has one
    0, end of file      the simulation ends

Each is answered by a line `d quiet cycles`: whether the board is quiet, and clock cycles since the start. A byte that
the board has sent meanwhile gives a line `f byte`, hexadecimal, before it; `x` in its place is a byte without a stop
bit. Quiet is a board whose light `busy` has been off and whose line has been up for some cycles: nothing comes any more
until it is sent something. Reading a command blocks, so simulated time does not advance while the host is idle.

`record.txt` is that of `sim.cosim.npu_bench` without results, where an image's number is its tag; with `+record`, and
with `+membranes` membranes, too. Only for a board in Verilog as it was generated: gates have no such signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spikeloom.hw.boards.top import UNIT as UNIT_MODULE
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.cosim.npu_bench import recorder_text

__all__ = ["BREAK", "RESET", "RUN", "SEND", "UNIT", "BenchedBoard", "board_bench_text", "board_visible_text"]

SEND, RUN, BREAK, RESET = 1, 2, 3, 4

_BENCH = """\
// Generated test bench of a board: a host sends and receives bytes of its serial line through two pipes.
`timescale 1ns / 1ps

module bench (input wire clk);
    localparam BIT = {clocks_per_bit};
    localparam QUIET = 8 * BIT;
    localparam FETCH = 3'd0, SEND = 3'd1, RUN = 3'd2, BREAK = 3'd3, RESET = 3'd4, DONE = 3'd5;

    reg rst = 1'b1;
    reg [2:0] state = RESET;
    reg answer = 1'b0;
    reg finished = 1'b0;
    reg record = 1'b0;
    reg record_membranes = 1'b0;
    reg [23:0] left = {start_cycles};
    reg [63:0] now = 0;
    reg [31:0] calm = 0;  // cycles without anything
    integer commands_file, responses_file, record_file, got;
    reg [31:0] command;
    reg [7:0] next_byte;

    wire rx, tx, busy_level;
    wire busy = {invert}busy_level;
    reg pulled = 1'b0;  // the line is held down
    reg [9:0] shift = 10'h3FF;
    reg [3:0] bits_left = 0;
    reg [31:0] bit_time = 0;
    assign rx = shift[0] & ~pulled;

    reg receiving = 1'b0;
    reg [31:0] sample_time = 0;
    reg [3:0] sampled = 0;
    reg [8:0] received = 0;
    wire quiet = calm >= QUIET;
    wire sent = state == SEND && bits_left == 0 && left == 0;
    wire ran = (state == RUN || state == BREAK || state == RESET) && (left <= 1 || (state == RUN && quiet));

    {board} board ({ports});

    initial begin
        record_membranes = $test$plusargs("membranes") != 0;
        record = $test$plusargs("record") != 0 || record_membranes;
        commands_file = $fopen("commands", "rb");
        responses_file = $fopen("responses", "w");
        record_file = $fopen("record.txt", "w");
{dump}    end

    always @(posedge clk) begin
        now <= now + 1;
        calm <= (busy || !tx || !rx || receiving || bits_left != 0) ? 0 : quiet ? calm : calm + 1;

        // From the board: samples in the middle of each bit; the ninth is the stop bit.
        if (!receiving) begin
            receiving <= !tx && !rst;
            sample_time <= BIT + BIT / 2 - 1;
            sampled <= 0;
        end else if (sample_time != 0) begin
            sample_time <= sample_time - 1;
        end else begin
            received = {{tx, received[8:1]}};
            sample_time <= BIT - 1;
            sampled <= sampled + 1;
            if (sampled == 8) begin
                receiving <= 1'b0;
                if (received[8]) $fdisplay(responses_file, "f %h", received[7:0]);
                else $fdisplay(responses_file, "f x");
            end
        end

        // To the board: start bit, eight bits, stop bit.
        if (bits_left != 0) begin
            if (bit_time != 0) bit_time <= bit_time - 1;
            else begin
                shift <= {{1'b1, shift[9:1]}};
                bit_time <= BIT - 1;
                bits_left <= bits_left - 1;
            end
        end

        case (state)
            FETCH: begin
                got = $fread(command, commands_file);
                left <= command[23:0];
                calm <= 0;
                state <= DONE;
                if (got == 4) case (command[31:24])
                    8'd1: state <= SEND;
                    8'd2: state <= RUN;
                    8'd3: begin
                        pulled <= 1'b1;
                        state <= BREAK;
                    end
                    8'd4: begin
                        rst <= 1'b1;
                        answer <= 1'b1;
                        state <= RESET;
                    end
                    default: state <= DONE;
                endcase
            end
            SEND:
                if (sent) state <= FETCH;
                else if (bits_left == 0) begin
                    got = $fread(next_byte, commands_file);
                    shift <= {{1'b1, next_byte, 1'b0}};
                    bits_left <= 10;
                    bit_time <= BIT - 1;
                    left <= left - 1;
                end
            RUN, BREAK, RESET: begin
                left <= left - 1;
                if (ran) begin
                    pulled <= 1'b0;
                    rst <= 1'b0;
                    state <= FETCH;
                end
            end
            default: begin
                if (!finished) begin
                    $fclose(responses_file);
                    $fclose(record_file);
                end
                finished <= 1'b1;
            end
        endcase
        if (sent || (ran && (state != RESET || answer))) begin
            $fdisplay(responses_file, "d %0d %0d", quiet, now);
            $fflush(responses_file);
        end
    end
"""


@dataclass(frozen=True)
class BenchedBoard:
    """A board's module, as the bench has it.

    Parameters
    ----------
    module : its name
    pins : port by what it is: `clk`, `rx`, `tx`, `busy_level`, and `rst` where it has a reset
    constants : other inputs, and their values in Verilog
    busy_low : the light `busy` is on while its pin is down
    start_cycles : clock cycles until it listens; of its reset, where it has one
    """

    module: str
    pins: Mapping[str, str]
    constants: Mapping[str, str]
    busy_low: bool = False
    start_cycles: int = 8

    def ports(self) -> str:
        """The connections, in Verilog."""
        named = [*((port, pin) for pin, port in self.pins.items()), *self.constants.items()]
        return ", ".join(f".{port}({value})" for port, value in named)


UNIT = BenchedBoard(UNIT_MODULE, {name: name for name in ("clk", "rst", "rx", "tx")} | {"busy_level": "busy"}, {})
"""The board's unit as it is generated, `hw.boards.board_unit.BoardUnit`, without its PLL and pins."""


def board_bench_text(
    board: BenchedBoard, clocks_per_bit: int, parameters: NpuParameters | None = None, unit: str = "", waves: str = ""
) -> str:
    """Verilog text of the bench, module `bench` with one port, `clk`.

    clocks_per_bit : of the serial line
    parameters, unit : of the unit inside, and the way to it inside of the board, to record spikes and membranes; else
        nothing is recorded
    waves : file in which every signal is dumped, if any
    """
    text = _BENCH.format(
        clocks_per_bit=clocks_per_bit,
        board=board.module,
        ports=board.ports(),
        start_cycles=board.start_cycles,
        invert="~" if board.busy_low else "",
        dump=f'        $dumpfile("{waves}");\n        $dumpvars;\n' if waves else "",
    )
    if parameters is not None:
        p, npu = parameters, f"board.{unit}"
        text += f"    wire [31:0] image = {{16'd0, {npu}.result_tag}};  // the current one's tag\n"
        text += f"    wire [{p.step_bits - 1}:0] step = {npu}.controller.step;\n"
        for index, layer in enumerate(p.layers):
            text += recorder_text(index, layer, npu, "record && ")
    return text + "endmodule\n"


def board_visible_text() -> str:
    """Verilator control file: only what Python touches is visible to it; everything else may be optimised."""
    names = ("finished", "clk")
    return "\n".join(["`verilator_config", *(f'public_flat_rw -module "bench" -var "{name}"' for name in names)]) + "\n"
