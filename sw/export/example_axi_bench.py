"""A self-checking example for the exported folder with buses: a plain Verilog bench that acts as the host.

It loads the chip over AXI4-Lite with the writes of a load session, sends images over AXI4-Stream, and compares every
word of the result frames with the reference, but for `cycles` and `gap`, which the reference does not know. Images,
macro and cells are those of the example of the chip without buses (`sw.export.example_bench`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.axi_verilog import AXI_CHIP_NAME
from spikeloom.hw.host.register_map import ADDRESS_BITS, IDENTIFICATION, build_id, unit_byte_address
from spikeloom.hw.interfaces.streams import frame_words
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sw.export.example_bench import (
    EXAMPLE_IMAGES,
    example_pixels,
    hang_cycles,
    ideal_result,
    macro_settings,
)
from spikeloom.sw.export.firmware import load_checksum, load_writes
from spikeloom.sw.host.frames import image_frames
from spikeloom.sw.host.registers import bit

__all__ = ["axi_example_files", "result_words"]

_BENCH = """\
// Self-checking example: a host of the chip with its buses, with the ideal macro. Loads the chip over AXI4-Lite by the
// writes of load.hex, sends the images of example_images.hex over AXI4-Stream, the next one while one is being
// processed, and compares the result frames with example_results.hex, what the integer reference computed for ideal
// cells. Inputs change on falling edges; a channel transfers on the rising edge of a cycle with valid and ready.
`timescale 1ns / 1ps

module example_tb;
    localparam IMAGES = {images};
    localparam WRITES = {writes};        // of load.hex
    localparam LANES = {lanes};          // bytes of a word of an image frame
    localparam WORDS = {words};          // words of an image frame{seed_note}
    localparam LAYERS = {layers};
    localparam CHECKED = 1 + {words_of_a_layer} * LAYERS;  // words of a result frame but cycles and gap
    localparam [31:0] BUILD = 32'h{build:08x};     // number of this build
    localparam [31:0] CHECKSUM = 32'h{checksum:08x};  // CRC-32 of the writes of load.hex
    localparam [63:0] HANG_CYCLES = 64'd{hang_cycles};

    // Registers, see registers.rdl.
{registers}

    reg clk = 1'b0;
    reg rst = 1'b1;
    reg [{address_top}:0] awaddr = 0, araddr = 0;
    reg awvalid = 1'b0, wvalid = 1'b0, bready = 1'b0, arvalid = 1'b0, rready = 1'b0;
    reg [31:0] wdata = 0;
    wire awready, wready, bvalid, arready, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;
    reg [8*LANES-1:0] pixels = 0;
    reg [15:0] pixels_tag = 0;
    reg pixels_valid = 1'b0, pixels_last = 1'b0;
    wire pixels_ready;
    wire [63:0] result;
    wire [15:0] result_tag;
    wire result_valid, result_last;
    reg result_ready = 1'b0;
    wire irq;

    {chip} #(
{parameters}
    ) chip (
        .clk(clk), .rst(rst),
        .s_axil_awaddr(awaddr), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(4'hf), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
        .s_axil_araddr(araddr), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready),
        .s_axis_pixels_tdata(pixels), .s_axis_pixels_tlast(pixels_last), .s_axis_pixels_tuser(pixels_tag),
        .s_axis_pixels_tvalid(pixels_valid), .s_axis_pixels_tready(pixels_ready),
        .m_axis_result_tdata(result), .m_axis_result_tlast(result_last), .m_axis_result_tuser(result_tag),
        .m_axis_result_tvalid(result_valid), .m_axis_result_tready(result_ready),
        .irq(irq)
    );

    reg [63:0] writes [0:WRITES-1];               // address above data, 32 bits each
    reg [8*LANES*WORDS-1:0] images [0:IMAGES-1];  // word 0 lowest
    reg [64*CHECKED-1:0] results [0:IMAGES-1];    // word 0 lowest
    reg [8*LANES*WORDS-1:0] frame;
    reg [64*CHECKED-1:0] answer;
    reg [63:0] counted;  // gap above cycles
    reg [31:0] data;     // what axil_read has read
    reg aw_taken, w_taken, framed;
    integer i, sent, n, k, wrong;
    reg loaded = 1'b0;

    always #5 clk = !clk;

    // Ends a run in which nothing moves any more.
    reg [63:0] idle = 0;
    always @(posedge clk) begin
        idle <= (bvalid && bready || rvalid && rready || pixels_valid && pixels_ready || result_valid) ? 0 : idle + 1;
        if (idle == HANG_CYCLES) $fatal(1, "FAIL: nothing has moved for %0d cycles", HANG_CYCLES);
    end

    task axil_write(input [31:0] address, input [31:0] value);
        begin
            if (address >> {address_bits} !== 0) $fatal(1, "FAIL: no address of the bus: %h", address);
            awaddr = address[{address_top}:0];
            wdata = value;
            awvalid = 1'b1;
            wvalid = 1'b1;
            bready = 1'b1;
            while (awvalid || wvalid) begin
                #1 aw_taken = awready;
                w_taken = wready;
                @(negedge clk);
                if (aw_taken) awvalid = 1'b0;
                if (w_taken) wvalid = 1'b0;
            end
            while (!bvalid) @(negedge clk);
            if (bresp !== 2'd0) $fatal(1, "FAIL: the chip refuses %h at address %h", value, address);
            @(negedge clk);
            bready = 1'b0;
        end
    endtask

    task axil_read(input [31:0] address);
        begin
            araddr = address[{address_top}:0];
            arvalid = 1'b1;
            rready = 1'b1;
            while (arvalid) begin
                #1 aw_taken = arready;
                @(negedge clk);
                if (aw_taken) arvalid = 1'b0;
            end
            while (!rvalid) @(negedge clk);
            if (rresp !== 2'd0) $fatal(1, "FAIL: the chip does not tell what is at address %h", address);
            data = rdata;
            @(negedge clk);
            rready = 1'b0;
        end
    endtask

    task expect_register(input [31:0] address, input [31:0] value);
        begin
            axil_read(address);
            if (data !== value) $fatal(1, "FAIL: %h at address %h, expected %h", data, address, value);
        end
    endtask

    // Loads the chip, then sends the images.
    initial begin
        $readmemh("load.hex", writes);
        $readmemh("example_images.hex", images);
        $readmemh("example_results.hex", results);
        repeat (4) @(negedge clk);
        rst = 1'b0;
        @(negedge clk);
        expect_register(ID, 32'h{identification:08x});
        expect_register(BUILD_NUMBER, BUILD);
        axil_write(CONTROL, 32'h{control:x});  // {control_note}
        axil_write(LOAD_BEGIN, BUILD);
        for (i = 0; i < WRITES; i = i + 1) axil_write(writes[i][63:32], writes[i][31:0]);
        expect_register(LOAD_CHECKSUM, CHECKSUM);
        axil_write(LOAD_END, CHECKSUM);
        expect_register(STATUS, 32'h{loaded:x});  // loaded, and nothing else
        loaded = 1'b1;
        for (sent = 0; sent < IMAGES; sent = sent + 1) begin
            frame = images[sent];
            pixels_tag = sent[15:0];
            for (i = 0; i < WORDS; i = i + 1) begin
                pixels = frame[8*LANES*i +: 8*LANES];
                pixels_last = i == WORDS - 1;
                pixels_valid = 1'b1;
                #1 while (!pixels_ready) @(negedge clk) #1;
                @(negedge clk);
            end
            pixels_valid = 1'b0;
        end
    end

    // Takes the results and compares.
    initial begin
        wrong = 0;
        wait (loaded);
        for (n = 0; n < IMAGES; n = n + 1) begin
            framed = 1'b1;
            for (k = 0; k <= CHECKED; k = k + 1) begin
                while (!result_valid) @(negedge clk);
                if (k == 0) answer[63:0] = result;
                else if (k == 1) counted = result;
                else answer[64*(k-1) +: 64] = result;
                if (result_tag !== n[15:0] || result_last !== (k == CHECKED)) framed = 1'b0;
                result_ready = 1'b1;
                @(negedge clk);
                result_ready = 1'b0;
            end
            $display("image %0d: class %0d, %0d steps, margin %0d, reason %0d, %0d cycles, %0d after the one before",
                     n, answer[14:0], answer[30:16], $signed(answer[63:32]), answer[31],
                     counted[31:0], counted[63:32]);
            if (answer !== results[n] || !framed) begin
                wrong = wrong + 1;
                $display("  found    %h%s", answer, framed ? "" : ", with a wrong tag or tlast");
                $display("  expected %h", results[n]);
            end
        end
        expect_register(ERRORS, 0);
        expect_register(ANSWERED, IMAGES);
        if (wrong != 0) $fatal(1, "FAIL: %0d of %0d images differ from the reference", wrong, IMAGES);
        $display("PASS: %0d images agree with the reference", IMAGES);
        $finish;
    end
endmodule
"""

_REGISTERS = {
    "ID": "id",
    "BUILD_NUMBER": "build",
    "CONTROL": "control",
    "STATUS": "status",
    "ERRORS": "errors",
    "LOAD_BEGIN": "load_begin",
    "LOAD_CHECKSUM": "load_checksum",
    "LOAD_END": "load_end",
    "ANSWERED": "images",
}


def axi_example_files(chip: ProgrammedChip) -> dict[str, str]:
    """File name -> text: the bench, the writes of a load session, images, results; the same for the same chip."""
    pixels = example_pixels(chip.parameters.inputs)
    writes = load_writes(chip)
    frames = image_frames(chip, pixels, np.arange(len(pixels)), 0).words
    return {
        "load.hex": "".join(f"{address:08x}_{data:08x}\n" for address, data in writes),
        "example_tb.v": _bench(chip, len(writes), load_checksum(writes), frames.shape[1]),
        "example_images.hex": "".join(row.reshape(-1)[::-1].tobytes().hex() + "\n" for row in frames),
        "example_results.hex": "".join(
            "_".join(f"{word:016x}" for word in reversed(row)) + "\n"
            for row in result_words(_result(chip, pixels)).tolist()
        ),
    }


def _result(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> Result:
    """What the ideal chip gives, without counts where the chip has no counters."""
    result = ideal_result(chip, pixels)
    return result if chip.parameters.activity_counters else replace(result, counts_from=None)


def result_words(result: Result) -> NDArray[np.uint64]:
    """Words of the result frames of images, uint64 [images, 1 + 3 layers], without that of `cycles` and `gap`; 1 of a
    result that nobody has counted.
    """
    numbers = [values.astype(np.uint64) for values in (result.classes, result.steps, result.reasons)]
    margins = (result.margins.astype(np.int64) & 0xFFFFFFFF).astype(np.uint64)
    answer = numbers[0] | numbers[1] << np.uint64(16) | numbers[2] << np.uint64(31) | margins << np.uint64(32)
    if result.counts_from is None:
        return np.asarray(answer[:, None], np.uint64)
    counters = result.counters.astype(np.uint64)  # images, layers, fields
    row_pulses, tile_reads, conversions, saturations, spikes = np.moveaxis(counters, 2, 0)
    high = np.uint64(32)
    layers = np.stack([row_pulses | tile_reads << high, conversions | saturations << high, spikes], axis=2)
    return np.concatenate([answer[:, None], layers.reshape(len(result), -1)], axis=1)


def _bench(chip: ProgrammedChip, writes: int, checksum: int, words: int) -> str:
    p = chip.parameters
    seeds = chip.coding.draws_seeds
    words_of_a_layer = (frame_words(p) - 2) // len(p.layers)
    control = ["activity"] + ["seeds"] * seeds
    return _BENCH.format(
        images=EXAMPLE_IMAGES,
        writes=writes,
        lanes=p.encoder_lanes,
        words=words,
        seed_note=", the seed's before the image's" if seeds else "",
        layers=len(p.layers),
        words_of_a_layer=words_of_a_layer,
        build=build_id(p),
        checksum=checksum,
        hang_cycles=hang_cycles(chip),
        registers="\n".join(
            f"    localparam [31:0] {label} = 32'h{unit_byte_address(name):x};" for label, name in _REGISTERS.items()
        ),
        address_bits=ADDRESS_BITS,
        address_top=ADDRESS_BITS - 1,
        chip=AXI_CHIP_NAME,
        parameters=",\n".join(f"        {setting}" for setting in macro_settings(chip)),
        identification=IDENTIFICATION,
        control=bit("control", *control),
        control_note=f"result frames with {'counters' if words_of_a_layer else 'cycles and gap'}"
        + (", image frames with seeds" if seeds else ""),
        loaded=bit("status", "loaded"),
    )
