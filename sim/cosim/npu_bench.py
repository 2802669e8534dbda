"""Text of the Verilog test bench around a generated chip: it sends images and register writes, and records the run.

The bench works from files in the folder it runs in, so that Python is needed for the analog array only:

- `loads.bin`: register writes, 8 bytes each: address, data (big-endian)
- `images.bin`: per image, 4 bytes image number, 16 bytes seed, then words of `encoder_lanes` pixels, lane 0 last
- `record.txt`, written: `s image step layer spikes` and `m image step layer membranes` (hexadecimal, neuron 0 lowest;
  for a layer with several positions one line per position, which is the last field),
  `r image result cycles overflow` then the five activity counters of every layer, if there are any, `hang image` where
  nothing happened for far longer than a step can take

The bench sends the next image while one is being processed. It tags each with its place in the stream, and knows the
current image, for the record and for the device model, by the tag that the chip shows for it.
"""

from __future__ import annotations

from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.layouts import layout_fields
from spikeloom.hw.interfaces.streams import fired_layout, result_layout, vector_layout
from spikeloom.hw.params.cycles import step_bound
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["bench_text", "context_name", "context_text", "recorder_text"]
"""Counters of a layer, in the order of the record."""

_HEAD = """\
// Generated test bench of one chip: feeds register writes and images from files, records spikes and results.
`timescale 1ns / 1ps

module bench (input wire clk);
    localparam LANES = {encoder_lanes};
    localparam WORDS = {words};
    localparam [63:0] HANG_CYCLES = 64'd{hang_cycles};
    localparam LOAD = 3'd0, IMAGE = 3'd1, PIXELS = 3'd2, FED = 3'd3, DONE = 3'd4;

    reg rst = 1'b1;
    reg [3:0] reset_count = 4'd8;
    reg [2:0] state = LOAD;
    reg finished = 1'b0;
    reg stalls = 1'b0;
    reg record_membranes = 1'b0;
    reg [63:0] idle = 0;
    reg [31:0] fed = 0;  // images taken from the file
    reg [31:0] position = 0;  // of the current image in the stream
    reg [31:0] numbers [0:3];  // of images, by tag: two in the chip, and one that waits
    reg [31:0] word_count = 0;
    reg [31:0] noise = 32'h1234_5678;
    integer loads_file, images_file, record_file, got;
    reg [63:0] load_word;
    reg [159:0] image_word;
    reg [8*LANES-1:0] pixel_word;

    reg load_valid = 1'b0;
    reg [55:0] load_payload = 0;
    wire load_ready;
    reg pixels_valid = 1'b0;
    reg [8*LANES-1:0] pixels_payload = 0;
    wire pixels_ready;
    reg [127:0] seed = 0;
    reg [15:0] tag = 0;
    wire [15:0] result_tag;
    wire [31:0] image = numbers[result_tag[1:0]];  // the current one
    wire result_valid;
    wire [{result_bits}-1:0] result_payload;
    wire result_ready = !(stalls && noise[0]);
    wire [31:0] cycles;
{declarations}
    wire [{step_bits}-1:0] step = chip.npu.controller.step;
    reg [{step_bits}-1:0] step_before = 0;
    wire moved = (load_valid && load_ready) || (pixels_valid && pixels_ready) || result_valid || step != step_before;
    // What the device model needs to address its random draws; read once per layer read.
    wire [95:0] context_word = {{position, image, {{{step_pad}'b0, step}}}};

    spikeloom_chip #(
{parameters}
    ) chip (
        .clk(clk), .rst(rst),
        .load__valid(load_valid), .load__payload(load_payload), .load__ready(load_ready),
        .pixels__valid(pixels_valid), .pixels__payload(pixels_payload), .pixels__ready(pixels_ready),
        {seed}.tag(tag), .drop(1'b0),
{connections}
        .result_tag(result_tag), .cycles(cycles),
        .overflow(overflow),
        .result__valid(result_valid), .result__payload(result_payload), .result__ready(result_ready)
    );

    initial begin
        stalls = $test$plusargs("stalls") != 0;
        record_membranes = $test$plusargs("membranes") != 0;
        loads_file = $fopen("loads.bin", "rb");
        images_file = $fopen("images.bin", "rb");
        record_file = $fopen("record.txt", "w");
{dump}    end

    always @(posedge clk) begin
        noise <= {{noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]}};
        if (reset_count != 0) begin
            reset_count <= reset_count - 1;
            rst <= reset_count != 1;
        end else begin
            case (state)
                LOAD:
                    if (!load_valid || load_ready) begin
                        got = $fread(load_word, loads_file);
                        load_valid <= got == 8;
                        load_payload <= {{load_word[31:0], load_word[55:32]}};
                        if (got != 8) state <= IMAGE;
                    end
                IMAGE: begin
                    got = $fread(image_word, images_file);
                    state <= (got == 20) ? PIXELS : FED;
                    if (got == 20) begin
                        numbers[fed[1:0]] <= image_word[159:128];
                        seed <= image_word[127:0];
                        tag <= fed[15:0];
                        fed <= fed + 1;
                        word_count <= 0;
                    end
                end
                PIXELS:
                    if (!pixels_valid || pixels_ready) begin
                        if (word_count == WORDS) begin
                            pixels_valid <= 1'b0;
                            state <= IMAGE;
                        end else if (stalls && noise[3]) begin
                            pixels_valid <= 1'b0;
                        end else begin
                            got = $fread(pixel_word, images_file);
                            pixels_payload <= pixel_word;
                            pixels_valid <= 1'b1;
                            word_count <= word_count + 1;
                        end
                    end
                FED: if (position == fed) state <= DONE;
                default: begin
                    if (!finished) $fclose(record_file);
                    finished <= 1'b1;
                end
            endcase
            if (result_valid && result_ready) begin
                $fdisplay(record_file, "{result_format}", image{result_values});
                position <= position + 1;
            end
            step_before <= step;
            idle <= (moved || state == DONE) ? 0 : idle + 1;
            if (idle == HANG_CYCLES) begin
                $fdisplay(record_file, "hang %0d", image);
                state <= DONE;
            end
        end
    end
"""

_LAYER = """
    // Layer {l}: collect the groups of one step, then write one line.
    reg [{padded}-1:0] fired_spikes_{l} = 0;
    reg [{padded}*{mb}-1:0] fired_membranes_{l} = 0;
    wire [{fired_bits}-1:0] fired_{l} = {unit}.layer_{l}.neuron_array.o__payload;
    wire [{gb}-1:0] group_{l} = fired_{l}[{gb}-1:0];
    always @(posedge clk)
        if ({when}{unit}.layer_{l}.neuron_array.o__valid && {unit}.layer_{l}.neuron_array.o__ready) begin
            fired_spikes_{l}[group_{l}*{lanes} +: {lanes}] = fired_{l}[{spikes} +: {lanes}];
            if (record_membranes)
                fired_membranes_{l}[group_{l}*{lanes}*{mb} +: {lanes}*{mb}] = fired_{l}[{membranes} +: {lanes}*{mb}];
            if (group_{l} == {last_group}) begin
                $fdisplay(record_file, "s %0d %0d {l} %h{format}", image, step, fired_spikes_{l}{place});
                if (record_membranes)
                    $fdisplay(record_file, "m %0d %0d {l} %h{format}", image, step, fired_membranes_{l}{place});
            end
        end
"""

_CONTEXT = """
    // Layer {l}: the number of the read that its rows are driven for. Taken in the drive's first cycle, at its middle.
    reg [{bits}-1:0] driven_{l} = 0;
    always @(negedge clk) driven_{l} <= {unit}.layer_{l}.i__payload[{start} +: {bits}];
    wire [95:0] context_{l} = {{context_word[95:32], context_word[31:0] * 32'd{positions} + {{{pad}'b0, driven_{l}}}}};
"""


def bench_text(parameters: NpuParameters, macro: dict[str, int], waves: str | None = None) -> str:
    """Verilog text of the bench, module `bench` with one port, `clk`.

    `macro` holds the chip's parameters (settling and conversion cycles); every signal is dumped to the file `waves`.
    """
    p = parameters
    declarations: list[str] = []
    connections: list[str] = []
    values: list[str] = []
    for index in range(len(p.layers)):
        for name in COUNTERS if p.activity_counters else ():
            declarations.append(f"    wire [31:0] {name}_{index};")
            connections.append(f"        .activity_{index}__{name}({name}_{index}),")
            values.append(f"{name}_{index}")
    declarations.append(f"    wire [{len(p.layers) - 1}:0] overflow;")
    fields = ["result_payload", "cycles", "overflow"]
    text = _HEAD.format(
        encoder_lanes=p.encoder_lanes,
        words=p.pixel_words,
        result_bits=result_layout(p).size,
        step_bits=p.step_bits,
        hang_cycles=1_000_000 + 4 * step_bound(p, macro["SETTLE_CYCLES"], macro["ADC_CYCLES"]),
        step_pad=32 - p.step_bits,
        seed=".seed(seed), " if p.draws_seeds else "",
        declarations="\n".join(declarations),
        connections="\n".join(connections),
        parameters=",\n".join(f"        .{name}({value})" for name, value in macro.items()),
        dump=f'        $dumpfile("{waves}");\n        $dumpvars;\n' if waves else "",
        result_format="r %0d %h %0d %0d" + " %0d" * len(values),
        result_values="".join(f", {name}" for name in (*fields, *values)),
    )
    for index, layer in enumerate(p.layers):
        text += context_text(index, layer, "chip.npu") + recorder_text(index, layer, "chip.npu")
    return text + "endmodule\n"


def recorder_text(index: int, layer: LayerParameters, unit: str, when: str = "") -> str:
    """Verilog that writes spikes, and membranes if `record_membranes`, of layer `index` into `record_file`.

    `unit` is the way to the unit inside the bench, `when` a condition in front, with its `&&`.
    """
    layout = fired_layout(layer)
    fields = layout_fields(layout)
    position = fields.get("position")
    return _LAYER.format(
        l=index,
        unit=unit,
        when=when,
        padded=layer.groups * layer.lanes,
        mb=layer.membrane_bits,
        gb=layer.group_bits,
        spikes=fields["spikes"].low,
        membranes=fields["membranes"].low,
        lanes=layer.lanes,
        fired_bits=layout.size,
        format="" if position is None else " %0d",
        place="" if position is None else f", fired_{index}[{position.low} +: {position.width}]",
        last_group=layer.groups - 1,
    )


def context_name(index: int, layer: LayerParameters) -> str:
    """The bench's signal that addresses the random draws of a layer's read: 96 bits, place in the stream, image number,
    and number of the read.
    """
    return "context_word" if layer.positions == 1 else f"context_{index}"


def context_text(index: int, layer: LayerParameters, unit: str) -> str:
    """Verilog of `context_name`'s signal where reads are not simply the steps; see `sim.common.random_numbers`."""
    if layer.positions == 1:
        return ""
    return _CONTEXT.format(
        l=index,
        unit=unit,
        bits=layer.position_bits,
        start=layout_fields(vector_layout(layer))["position"].low,
        positions=layer.positions,
        pad=32 - layer.position_bits,
    )
