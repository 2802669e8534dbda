"""A self-checking example for the exported folder: a plain Verilog bench, images, and the results of the ideal chip.

The ideal macro has ideal cells, so the expected results are those of the reference with every device effect off.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.verilog import CHIP_NAME
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.params.cycles import image_bound
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.chip.image_seeds import image_seed
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import register_writes
from spikeloom.sim.chip.result import Result
from spikeloom.sim.devices.effects import ideal_device
from spikeloom.sim.reference.run import run_reference

__all__ = [
    "EXAMPLE_IMAGES", "example_files", "example_pixels", "hang_cycles", "ideal_result",
    "macro_settings",
]  # fmt: skip

EXAMPLE_IMAGES = 3
_FIELD_BITS = 64

_BENCH = """\
// Self-checking example: gives the images of example_images.hex to the chip with the ideal macro, the next one while
// one is being processed, and compares decisions{compared} with example_results.hex, what the integer
// reference computed for ideal cells. Inputs change on falling edges; a stream transfers on the rising edge of a cycle
// with valid and ready.
`timescale 1ns / 1ps

module example_tb;
    localparam IMAGES = {images};
    localparam WRITES = {writes};        // register writes of load.hex
    localparam LANES = {lanes};          // pixels of a word
    localparam WORDS = {words};          // words of an image
    localparam FIELDS = {fields};        // numbers of an expected result, 64 bits each
    localparam [63:0] HANG_CYCLES = 64'd{hang_cycles};

    reg clk = 1'b0;
    reg rst = 1'b1;
    reg [55:0] load_payload = 0;
    reg load_valid = 1'b0;
    wire load_ready;
    reg [8*LANES-1:0] pixels_payload = 0;
    reg pixels_valid = 1'b0;
    wire pixels_ready;
{seed_declared}    reg [15:0] tag = 0;
    wire [15:0] result_tag;
    wire [{result_bits}-1:0] result_payload;
    wire result_valid;
    reg result_ready = 1'b0;
    wire [31:0] cycles;
    wire [31:0] gap;
    wire [{layers}-1:0] overflow;
{declarations}

    {chip} #(
{parameters}
    ) chip (
        .clk(clk), .rst(rst),
        .load__payload(load_payload), .load__valid(load_valid), .load__ready(load_ready),
        .pixels__payload(pixels_payload), .pixels__valid(pixels_valid), .pixels__ready(pixels_ready),
        {seed}.tag(tag), .drop(1'b0),
        .result__payload(result_payload), .result__valid(result_valid), .result__ready(result_ready),
        .result_tag(result_tag), .cycles(cycles), .gap(gap), .overflow(overflow){connections}
    );

    reg [55:0] writes [0:WRITES-1];
    reg [{seed_bits}8*LANES*WORDS-1:0] images [0:IMAGES-1];{seed_note}
    reg [64*FIELDS-1:0] results [0:IMAGES-1];
    reg [{seed_bits}8*LANES*WORDS-1:0] image;

    // The fields of the result, lowest first, each as 64 bits.
    wire [63:0] winner = result_payload[{winner}];
    wire [63:0] steps = result_payload[{steps}];
    wire [63:0] margin = {{{{{margin_fill}{{result_payload[{margin_top}]}}}}, result_payload[{margin}]}};
    wire [63:0] reason = result_payload[{reason}];
    wire [64*FIELDS-1:0] found = {{winner, steps, margin, reason{found}}};
    reg [63:0] waited;
    integer i, sent, n, wrong;
    reg loaded = 1'b0;

    always #5 clk = !clk;

    initial begin
        $readmemh("load.hex", writes);
        $readmemh("example_images.hex", images);
        $readmemh("example_results.hex", results);
        repeat (4) @(negedge clk);
        rst = 1'b0;
        for (i = 0; i < WRITES; i = i + 1) begin
            load_payload = writes[i];
            load_valid = 1'b1;
            #1 while (!load_ready) @(negedge clk) #1;
            @(negedge clk);
        end
        load_valid = 1'b0;
        loaded = 1'b1;
        for (sent = 0; sent < IMAGES; sent = sent + 1) begin
            image = images[sent];
{seed_given}            tag = sent[15:0];
            for (i = 0; i < WORDS; i = i + 1) begin
                pixels_payload = image[8*LANES*i +: 8*LANES];
                pixels_valid = 1'b1;
                #1 while (!pixels_ready) @(negedge clk) #1;
                @(negedge clk);
            end
            pixels_valid = 1'b0;
        end
    end

    initial begin
        wrong = 0;
        wait (loaded);
        for (n = 0; n < IMAGES; n = n + 1) begin
            for (waited = 0; !result_valid; waited = waited + 1) begin
                if (waited == HANG_CYCLES) $fatal(1, "FAIL: image %0d has no result after %0d cycles", n, waited);
                @(negedge clk);
            end
            $display("image %0d: class %0d, %0d steps, margin %0d, reason %0d, %0d cycles, %0d after the one before",
                     result_tag, winner, steps, $signed(margin), reason, cycles, gap);
            if (found !== results[n] || result_tag !== n[15:0] || overflow !== 0) begin
                wrong = wrong + 1;
                $display("  found    %h, overflow %b", found, overflow);
                $display("  expected %h, overflow 0", results[n]);
            end
            result_ready = 1'b1;
            @(negedge clk);
            result_ready = 1'b0;
        end
        if (wrong != 0) $fatal(1, "FAIL: %0d of %0d images differ from the reference", wrong, IMAGES);
        $display("PASS: %0d images agree with the reference", IMAGES);
        $finish;
    end
endmodule
"""


def example_files(chip: ProgrammedChip) -> dict[str, str]:
    """File name -> text; the same for the same chip, on every machine."""
    pixels = example_pixels(chip.parameters.inputs)
    return {
        "example_tb.v": _bench(chip),
        "example_images.hex": _image_lines(chip, pixels),
        "example_results.hex": _result_lines(chip, pixels),
    }


def example_pixels(inputs: int) -> NDArray[np.uint8]:
    """Arbitrary images, uint8 [EXAMPLE_IMAGES, inputs]; about half of the pixels are black."""
    size = EXAMPLE_IMAGES * inputs
    drawn = np.frombuffer(hashlib.shake_256(b"SpikeLoom example images").digest(2 * size), np.uint8).reshape(2, -1)
    return np.where(drawn[1] < 128, drawn[0], 0).astype(np.uint8).reshape(EXAMPLE_IMAGES, inputs)


def ideal_result(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> Result:
    """What the reference computes for images, uint8 [images, inputs], with cells that hold their levels exactly."""
    return run_reference(replace(chip, device=ideal_device(chip.device), programming=Programming()), pixels)


def hang_cycles(chip: ProgrammedChip) -> int:
    """Clock cycles without any event after which a bench gives up."""
    return 100_000 + 4 * image_bound(chip.parameters, chip.settle_cycles, chip.adc_cycles)


def macro_settings(chip: ProgrammedChip) -> list[str]:
    """Parameters of the wrapper around unit and macros, as Verilog connects them."""
    settings = [f".SETTLE_CYCLES({chip.settle_cycles})", f".ADC_CYCLES({chip.adc_cycles})"]
    settings += [f".PROGRAM_CYCLES({chip.program_cycles})"]
    return settings + [f".GAIN_SHIFT_{index}({layer.gain_shift})" for index, layer in enumerate(chip.layers)]


def _image_lines(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> str:
    """A line per image: its seed, where the unit takes seeds, then its pixels, pixel 0 in the last two digits."""
    p = chip.parameters
    padded = np.zeros((len(pixels), p.pixel_words * p.encoder_lanes), np.uint8)
    padded[:, : p.inputs] = chip.coding.sent(pixels)
    lines = [row[::-1].tobytes().hex() + "\n" for row in padded]
    if not p.draws_seeds:
        return "".join(lines)
    seeds = [image_seed(chip.seed, number) if chip.coding.draws_seeds else 0 for number in range(len(pixels))]
    return "".join(f"{seed:032x}_{line}" for seed, line in zip(seeds, lines, strict=True))


def _result_lines(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> str:
    """A line per image: class, steps, margin, reason, and five counters per layer, if there are any, 16 digits each."""
    result = ideal_result(chip, pixels)
    counters = result.counters[:, :, : len(_counters(chip))]
    lines = []
    for row in range(len(result)):
        numbers = [result.classes[row], result.steps[row], result.margins[row], result.reasons[row]]
        numbers += counters[row].reshape(-1).tolist()
        lines.append("_".join(f"{int(number) & (1 << _FIELD_BITS) - 1:016x}" for number in numbers) + "\n")
    return "".join(lines)


_SEED = {
    "seed_bits": "128+",
    "seed_note": "  // the seed above the pixels",
    "seed": ".seed(seed), ",
    "seed_declared": "    reg [127:0] seed = 0;\n",
    "seed_given": "            seed = image[8*LANES*WORDS +: 128];\n",
}
"""What `_BENCH` has where the unit takes seeds."""


def _counters(chip: ProgrammedChip) -> tuple[str, ...]:
    """Counters of a layer."""
    return COUNTERS if chip.parameters.activity_counters else ()


def _bench(chip: ProgrammedChip) -> str:
    p = chip.parameters
    layers = range(len(p.layers))
    counters = [f"activity_{layer}__{name}" for layer in layers for name in _counters(chip)]
    steps = p.class_bits
    margin = steps + p.step_bits
    reason = margin + p.margin_bits
    return _BENCH.format(
        images=EXAMPLE_IMAGES,
        writes=len(register_writes(chip)),
        lanes=p.encoder_lanes,
        words=p.pixel_words,
        fields=4 + len(counters),
        result_bits=reason + 1,
        layers=len(p.layers),
        chip=CHIP_NAME,
        **{name: text if p.draws_seeds else "" for name, text in _SEED.items()},
        compared=" and activity counters" if counters else "",
        declarations="\n".join(f"    wire [31:0] {name};" for name in counters),
        parameters=",\n".join(f"        {setting}" for setting in macro_settings(chip)),
        hang_cycles=hang_cycles(chip),
        connections="".join(f",\n        .{name}({name})" for name in counters),
        winner=f"{steps - 1}:0",
        steps=f"{margin - 1}:{steps}",
        margin=f"{reason - 1}:{margin}",
        margin_top=reason - 1,
        margin_fill=_FIELD_BITS - p.margin_bits,
        reason=reason,
        found="".join(f",\n        32'd0, {name}" for name in counters),
    )
