"""Text of the Verilog test bench around the chip with buses: a host drives it through two named pipes.

The bench reads commands from `commands`, which blocks: simulated time does not advance while the host is busy, so a run
does not depend on the host's speed. It answers with lines of text in `responses`. A command is four numbers of 4 bytes,
big-endian: op, a, b, c.

    op        a          b              c            answer
    1 WRITE   address    data           strobes      w response
    2 READ    address                                r response data
    3 FRAME   words      tag            image        none; as many words of encoder_lanes bytes follow, lane 0 last
    4 WAIT    cycles                                 i
    5 RECEIVE frames     idle cycles                 d frames
    6 RELOAD                                         l   models.pickle is read again
    7 TOTALS                                         t   conductance.npz is written, and forgotten
    8 CELLS                                          c   cells.npz and drift.npz are written
    9 RESET   cycles                                 x
    10 IRQ    cycles                                 q level
    11 TIME                                          n clock cycles since the start
    0, end of file                                   none; the simulation ends

FRAME + 0x100 has no `tlast` on its last word; FRAME + 0x200 goes on with the frame before. RECEIVE waits until `frames`
result frames have come that no RECEIVE has counted before, or until none has come for `idle cycles`. IRQ waits for the
interrupt. A result frame gives a line `f tag word word ...` when it comes; `h` says that nothing has moved for far
longer than an image takes, and ends the simulation.

`record.txt` is that of `sim.cosim.npu_bench` without results; its `image` is the place of the image's FRAME among all,
from 0. It is written with `+record`, and has membranes with `+membranes`. `+stalls` pauses every channel at random.
"""

from __future__ import annotations

from collections.abc import Mapping

from spikeloom.hw.host.register_map import ADDRESS_BITS
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.hw.params.cycles import image_bound
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.cosim.npu_bench import context_text, recorder_text

__all__ = [
    "CELLS", "COMMANDS", "CONTINUES", "FRAME", "IRQ", "NO_LAST", "READ", "RECEIVE", "RECORD", "RELOAD", "RESET",
    "RESPONSES", "STOP", "TIME", "TOTALS", "WAIT", "WRITE", "host_bench_text", "visible_text",
]  # fmt: skip

COMMANDS, RESPONSES, RECORD = "commands", "responses", "record.txt"
STOP, WRITE, READ, FRAME, WAIT, RECEIVE, RELOAD, TOTALS, CELLS, RESET, IRQ, TIME = range(12)
NO_LAST, CONTINUES = 0x100, 0x200
"""Flags of a FRAME."""

_HEAD = """\
// Generated test bench of the chip with buses: a host gives commands and reads answers through two pipes.
`timescale 1ns / 1ps

module bench (input wire clk);
    localparam LANES = {encoder_lanes};
    localparam FRAME_WORDS = {buffer_words};
    localparam [63:0] HANG_CYCLES = 64'd{hang_cycles};
    localparam FETCH = 4'd0, WRITE = 4'd1, READ = 4'd2, FRAME = 4'd3, PAUSE = 4'd4, RECEIVE = 4'd5, SERVICE = 4'd6;
    localparam RESET = 4'd7, INTERRUPT = 4'd8, DONE = 4'd9;

    reg rst = 1'b1;
    reg [31:0] reset_count = 8;
    reg answer_reset = 1'b0;
    reg [3:0] state = RESET;
    reg finished = 1'b0;
    reg stalls = 1'b0;
    reg record = 1'b0;
    reg record_membranes = 1'b0;
    reg [63:0] idle = 0;
    reg [63:0] now = 0;
    reg [31:0] noise = 32'h1234_5678;
    integer commands_file, responses_file, record_file, got, index;
    reg [127:0] command;
    reg [31:0] op = 0, a = 0, b = 0;
    reg [31:0] waited = 0;

    // Python plays the devices. It is asked for more than reads and pulses by `service`, a count and the command's
    // number in one word that changes at once, and says in `service_done` what it has done.
    reg [31:0] service = 0, service_done = 0;
    wire [{wake_bits}-1:0] wake = {{finished, service[8], {requests}}};

    // Images, by tag: place of the image's frame among all frames, and the number that addresses its random draws.
    reg [63:0] images [0:65535];
    reg [31:0] place = 0;

    reg awvalid = 1'b0, wvalid = 1'b0, bready = 1'b0, arvalid = 1'b0, rready = 1'b0;
    reg aw_left = 1'b0, w_left = 1'b0;
    reg [{address_bits}-1:0] address = 0;
    reg [31:0] wdata = 0;
    reg [3:0] wstrb = 0;
    wire awready, wready, bvalid, arready, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    reg pixels_valid = 1'b0, pixels_last = 1'b0;
    reg [8*LANES-1:0] pixels = 0, pixel_word;
    reg [15:0] pixels_tag = 0;
    reg [31:0] words_left = 0;
    wire pixels_ready;

    wire result_valid, result_last;
    wire [63:0] result;
    wire [15:0] result_tag;
    reg result_ready = 1'b0;
    reg [63:0] frame [0:FRAME_WORDS-1];
    integer count = 0;
    reg [31:0] available = 0;  // result frames that no RECEIVE has counted
    wire irq;

    wire [15:0] tag = {unit}.result_tag;  // of the current image
    wire [{step_bits}-1:0] step = {unit}.controller.step;
    wire [63:0] image_of_tag = images[tag];
    wire [31:0] image = image_of_tag[63:32];
    // What the device model needs to address its random draws; read once per layer read.
    wire [95:0] context_word = {{image_of_tag, {{{step_pad}'b0, step}}}};

    {chip} #(
{parameters}
    ) chip (
        .clk(clk), .rst(rst),
        .s_axil_awaddr(address), .s_axil_awprot(3'b0), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(wstrb), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
        .s_axil_araddr(address), .s_axil_arprot(3'b0), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready),
        .s_axis_pixels_tdata(pixels), .s_axis_pixels_tlast(pixels_last), .s_axis_pixels_tuser(pixels_tag),
        .s_axis_pixels_tvalid(pixels_valid), .s_axis_pixels_tready(pixels_ready),
        .m_axis_result_tdata(result), .m_axis_result_tlast(result_last), .m_axis_result_tuser(result_tag),
        .m_axis_result_tvalid(result_valid), .m_axis_result_tready(result_ready),
        .irq(irq)
    );

    initial begin
        stalls = $test$plusargs("stalls") != 0;
        record_membranes = $test$plusargs("membranes") != 0;
        record = $test$plusargs("record") != 0 || record_membranes;
        for (index = 0; index < 65536; index = index + 1) images[index] = 0;
        commands_file = $fopen("{commands}", "rb");
        responses_file = $fopen("{responses}", "w");
        record_file = $fopen("{record}", "w");
{dump}    end

    always @(posedge clk) begin
        noise <= {{noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]}};
        now <= now + 1;
        idle <= idle + 1;

        // The result stream: one line per frame.
        result_ready <= !(stalls && noise[0]);
        if (result_valid && result_ready && !rst) begin
            frame[count] = result;
            count = (count == FRAME_WORDS - 1) ? 0 : count + 1;
            if (result_last) begin
                $fwrite(responses_file, "f %0d", result_tag);
                for (index = 0; index < count; index = index + 1) $fwrite(responses_file, " %h", frame[index]);
                $fwrite(responses_file, "\\n");
                $fflush(responses_file);
                count = 0;
                available = available + 1;
                waited <= 0;
                idle <= 0;
            end
        end
        if (rst) count = 0;

        if (pixels_valid && pixels_ready) begin
            pixels_valid <= 1'b0;
            idle <= 0;
        end
        if (awvalid && awready) awvalid <= 1'b0;
        if (wvalid && wready) wvalid <= 1'b0;
        if (arvalid && arready) arvalid <= 1'b0;

        case (state)
            RESET: begin
                reset_count <= reset_count - 1;
                if (reset_count == 0) begin
                    rst <= 1'b0;
                    if (answer_reset) begin
                        $fdisplay(responses_file, "x");
                        $fflush(responses_file);
                    end
                    state <= FETCH;
                end
            end
            FETCH: begin
                got = $fread(command, commands_file);
                op <= command[127:96];
                a <= command[95:64];
                b <= command[63:32];
                waited <= 0;
                idle <= 0;
                state <= DONE;
                if (got == 16) case (command[103:96])
                    8'd1: begin
                        address <= command[64 +: {address_bits}];
                        wdata <= command[63:32];
                        wstrb <= command[3:0];
                        awvalid <= !stalls;
                        wvalid <= !stalls;
                        bready <= !stalls;
                        aw_left <= stalls;
                        w_left <= stalls;
                        state <= WRITE;
                    end
                    8'd2: begin
                        address <= command[64 +: {address_bits}];
                        arvalid <= !stalls;
                        rready <= !stalls;
                        aw_left <= stalls;
                        state <= READ;
                    end
                    8'd3: begin
                        words_left <= command[95:64];
                        state <= (command[95:64] == 0) ? FETCH : FRAME;
                        if (!command[105]) begin
                            images[command[47:32]] <= {{place, command[31:0]}};
                            place <= place + 1;
                        end
                    end
                    8'd4: state <= PAUSE;
                    8'd5: state <= RECEIVE;
                    8'd6, 8'd7, 8'd8: begin
                        service <= {{service[31:8] + 24'd1, command[103:96]}};
                        state <= SERVICE;
                    end
                    8'd9: begin
                        rst <= 1'b1;
                        reset_count <= command[95:64];
                        answer_reset <= 1'b1;
                        pixels_valid <= 1'b0;
                        state <= RESET;
                    end
                    8'd10: state <= INTERRUPT;
                    8'd11: begin
                        $fdisplay(responses_file, "n %0d", now);
                        $fflush(responses_file);
                        state <= FETCH;
                    end
                    default: state <= DONE;
                endcase
            end
            WRITE: begin
                if (aw_left && !noise[3]) begin
                    awvalid <= 1'b1;
                    aw_left <= 1'b0;
                end
                if (w_left && !noise[6]) begin
                    wvalid <= 1'b1;
                    w_left <= 1'b0;
                end
                if (stalls) bready <= noise[9];
                if (bvalid && bready) begin
                    bready <= 1'b0;
                    $fdisplay(responses_file, "w %0d", bresp);
                    $fflush(responses_file);
                    state <= FETCH;
                end
            end
            READ: begin
                if (aw_left && !noise[3]) begin
                    arvalid <= 1'b1;
                    aw_left <= 1'b0;
                end
                if (stalls) rready <= noise[9];
                if (rvalid && rready) begin
                    rready <= 1'b0;
                    $fdisplay(responses_file, "r %0d %h", rresp, rdata);
                    $fflush(responses_file);
                    state <= FETCH;
                end
            end
            FRAME:
                if (!pixels_valid || pixels_ready) begin
                    if (words_left == 0) state <= FETCH;
                    else if (!(stalls && noise[12])) begin
                        got = $fread(pixel_word, commands_file);
                        pixels <= pixel_word;
                        pixels_tag <= b[15:0];
                        pixels_last <= words_left == 1 && !op[8];
                        pixels_valid <= got == LANES;
                        words_left <= words_left - 1;
                        if (got != LANES) state <= DONE;
                    end
                end
            PAUSE: begin
                waited <= waited + 1;
                idle <= 0;
                if (waited >= a) begin
                    $fdisplay(responses_file, "i");
                    $fflush(responses_file);
                    state <= FETCH;
                end
            end
            RECEIVE: begin
                if (!(result_valid && result_ready && result_last)) waited <= waited + 1;
                idle <= 0;
                if (available >= a || waited >= b) begin
                    $fdisplay(responses_file, "d %0d", available < a ? available : a);
                    $fflush(responses_file);
                    available = available < a ? 0 : available - a;
                    state <= FETCH;
                end
            end
            SERVICE: begin
                idle <= 0;
                if (service_done == service) begin
                    $fdisplay(responses_file, "%s", service[7:0] == 6 ? "l" : service[7:0] == 7 ? "t" : "c");
                    $fflush(responses_file);
                    state <= FETCH;
                end
            end
            INTERRUPT: begin
                waited <= waited + 1;
                idle <= 0;
                if (irq || waited >= a) begin
                    $fdisplay(responses_file, "q %0d", irq);
                    $fflush(responses_file);
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
        if (idle == HANG_CYCLES && state != DONE) begin
            $fdisplay(responses_file, "h");
            $fflush(responses_file);
            state <= DONE;
        end
    end
"""


def host_bench_text(
    parameters: NpuParameters,
    macro: Mapping[str, int],
    waves: str | None = None,
    *,
    chip: str = "spikeloom_axi_chip",
    unit: str = "chip.npu_axi.npu",
) -> str:
    """Verilog text of the bench, module `bench` with one port, `clk`.

    `macro` holds the chip's parameters (cycles of the array); every signal is dumped to the file `waves`. `chip` is the
    module with buses, `unit` the path of the unit inside the bench.
    """
    p = parameters
    layers = reversed(range(len(p.layers)))
    text = _HEAD.format(
        encoder_lanes=p.encoder_lanes,
        buffer_words=2 * frame_words(p),
        hang_cycles=100_000 + 4 * image_bound(p, macro["SETTLE_CYCLES"], macro["ADC_CYCLES"]),
        address_bits=ADDRESS_BITS,
        step_bits=p.step_bits,
        step_pad=32 - p.step_bits,
        parameters=",\n".join(f"        .{name}({value})" for name, value in macro.items()),
        chip=chip,
        unit=unit,
        commands=COMMANDS,
        responses=RESPONSES,
        record=RECORD,
        wake_bits=2 * len(p.layers) + 2,
        requests=", ".join(f"chip.macro_{index}.program_request, chip.macro_{index}.request" for index in layers),
        dump=f'        $dumpfile("{waves}");\n        $dumpvars;\n' if waves else "",
    )
    for index, layer in enumerate(p.layers):
        text += context_text(index, layer, unit) + recorder_text(index, layer, unit, "record && ")
    return text + "endmodule\n"


def visible_text() -> str:
    """Verilator control file: only what Python touches is visible to it; everything else may be optimised."""
    lines = ["`verilator_config"]
    for name in ("wake", "context_*", "clk", "service", "service_done", "place"):
        lines.append(f'public_flat_rw -module "bench" -var "{name}"')
    for name in ("latched", "answer", "program_word", "program_answer"):
        lines.append(f'public_flat_rw -module "crossbar_macro" -var "{name}"')
    return "\n".join(lines) + "\n"
