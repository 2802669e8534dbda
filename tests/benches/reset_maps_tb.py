"""The cocotb bench of a small unit with maps that is reset, hard and soft, in the middle of images.

The unit has replicas of a convolution, pooling of both kinds and a residual addition; its cells keep the weights of
`network`. `registers.json` in the folder names the registers of `unreset`. +resets=<n> is the number of random resets,
+seed=<n> the random seed, +compare=0 leaves the registers to what the images show of them.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout

from spikeloom.hw.host.register_map import bias_byte_address, build_id, unit_byte_address
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import Coding
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from tests.benches.npu_axi_host import LASTING, LIMIT_US
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.feature_maps.test_stages import unit_of
from tests.hw.test_npu import writes_of
from tests.models.map_model import run_golden_maps
from tests.models.network_model import GoldenLayer, Outcome, random_layer

STAGES = (
    CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
    MaxPoolStage(window=Window(source=1, kernel=(2, 2), stride=(2, 2))),
    AveragePoolStage(window=Window(source=0, kernel=(2, 2), stride=(2, 2)), start=2),
    CrossbarStage(layer=1, windows=tuple(Window(source=n, kernel=(2, 2)) for n in (2, 3))),
)
PLAN = Plan(input=MapShape(channels=1, height=4, width=4), stages=STAGES, channels=(2, 3))
UNIT = replace(unit_of(PLAN.with_replicas((2, 1)), phases=2), rules=DECISION_RULES.unit)
"""1 x 4 x 4 -> two replicas of a 3x3 convolution -> max pooling, joined with the image's average -> 3 classes."""
FRAME_WORDS = 1 + 1 + 3 * len(UNIT.layers)


def network() -> list[GoldenLayer]:
    """Layers with the weights that the cells keep; their biases and thresholds are each load's own."""
    rng = random.Random(11)
    layers = [random_layer(p, rng) for p in UNIT.layers]
    for placement, layer in zip(UNIT.plan.placements, layers, strict=True):
        layer.weights = layers[placement.stage.layer].weights
    return layers


class Host:
    """Writes registers, sends image frames and collects result frames."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rng = random.Random(int(cocotb.plusargs.get("seed", 1)))
        self.names: list[str] = json.loads(Path("registers.json").read_text())
        self.frames: list[list[tuple[int, int]]] = []  # word and tag
        self.begun: list[tuple[int, int]] = []
        self.layers: list[GoldenLayer] = []
        self.settings: dict[str, int] = {}
        self.streams = False
        Clock(dut.clk, 10, unit="ns").start()
        for name in ("awvalid", "awprot", "wvalid", "arvalid", "arprot", "araddr"):
            getattr(dut, f"s_axil_{name}").value = 0
        dut.s_axil_bready.value = dut.s_axil_rready.value = dut.m_axis_result_tready.value = 1
        dut.s_axis_pixels_tvalid.value = 0

    async def hard(self) -> None:
        """Reset by `rst`, two edges long; every register must have its value after the first."""
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        await FallingEdge(self.dut.clk)
        self._compare("hard", 0)
        await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def soft(self) -> None:
        """Reset by the register; all but those of the bus and of a waiting result word must have their values after."""
        write = cocotb.start_soon(self.write(unit_byte_address("reset"), 1))
        for _ in range(100):
            if self.dut.soft_reset.value == 1:
                break
            await FallingEdge(self.dut.clk)
        assert self.dut.soft_reset.value == 1  # the edge that comes is the reset's
        await FallingEdge(self.dut.clk)
        self._compare("soft", sum(1 << i for i, path in enumerate(self.names) if path.startswith(LASTING)))
        await write

    def _compare(self, kind: str, lasting: int) -> None:
        left = int(self.dut.unreset.value) & ~lasting
        names = [path for i, path in enumerate(self.names) if left >> i & 1]
        if int(cocotb.plusargs.get("compare", 1)):
            assert not names, f"a {kind} reset leaves {', '.join(names)}"

    async def write(self, address: int, data: int) -> None:
        dut = self.dut
        dut.s_axil_awaddr.value, dut.s_axil_awvalid.value = address, 1
        dut.s_axil_wdata.value, dut.s_axil_wstrb.value, dut.s_axil_wvalid.value = data & 0xFFFFFFFF, 15, 1
        waiting = {"aw", "w"}
        while waiting:  # signals change at the falling edge, so what is seen there is what the next rising edge takes
            taken = {name for name in waiting if getattr(dut, f"s_axil_{name}ready").value == 1}
            await FallingEdge(dut.clk)
            for name in taken:
                getattr(dut, f"s_axil_{name}valid").value = 0
            waiting -= taken
        for _ in range(100):
            if dut.s_axil_bvalid.value == 1:
                break
            await FallingEdge(dut.clk)
        assert dut.s_axil_bvalid.value == 1 and dut.s_axil_bresp.value == 0, f"writing {address:#x}"
        await FallingEdge(dut.clk)

    async def send(self, image: list[int], tag: int) -> None:
        """Send an image frame."""
        dut, lanes = self.dut, UNIT.encoder_lanes
        padded = bytes(image).ljust(lanes * UNIT.pixel_words, b"\0")
        for index in range(UNIT.pixel_words):
            dut.s_axis_pixels_tdata.value = int.from_bytes(padded[lanes * index : lanes * (index + 1)], "little")
            dut.s_axis_pixels_tlast.value = index == UNIT.pixel_words - 1
            dut.s_axis_pixels_tuser.value, dut.s_axis_pixels_tvalid.value = tag, 1
            taken = False
            while not taken:
                taken = dut.s_axis_pixels_tready.value == 1
                await FallingEdge(dut.clk)
        dut.s_axis_pixels_tvalid.value = 0

    async def stream(self) -> None:
        """Send random images until `streams` is down."""
        self.streams = True
        while self.streams:
            await self.send(self.image(), 0xFFFF)

    async def collect(self) -> None:
        """Result frames, for ever."""
        dut = self.dut
        while True:
            if dut.m_axis_result_tvalid.value != 1:
                await RisingEdge(dut.m_axis_result_tvalid)
                await FallingEdge(dut.clk)
                continue
            self.begun.append((int(dut.m_axis_result_tdata.value), int(dut.m_axis_result_tuser.value)))
            if dut.m_axis_result_tlast.value:
                self.frames.append(self.begun)
                self.begun = []
            await FallingEdge(dut.clk)

    async def load(self) -> None:
        """A load session of random coding, decision, thresholds and start values, and of some of the biases."""
        rng = self.rng
        self.settings = {"coding": rng.choice([Coding.EVEN, Coding.RATE, Coding.PHASE]), "t_max": rng.randint(2, 6)}
        self.settings |= {"rule": rng.choice(list(DECISION_RULES)), "k": rng.randint(1, 3)}
        self.settings["stable_theta"] = rng.randint(1, 200)
        self.layers = network()
        left = set()
        for index, layer in enumerate(self.layers):
            layer.theta, layer.v0 = rng.randint(3, 14), rng.randint(-3, 5)
            for neuron in range(len(layer.bias)):
                if rng.random() < 0.5:  # not written, so 0 whatever the memory holds
                    layer.bias[neuron] = 0
                    left.add(bias_byte_address(index, neuron))
        writes = [
            (4 * entry["address"], entry["data"] & 0xFFFFFFFF)
            for entry in writes_of(self.layers, {name: int(value) for name, value in self.settings.items()})
            if 4 * entry["address"] not in left
        ]
        await self.write(unit_byte_address("control"), 16)  # counters with every answer
        await self.write(unit_byte_address("load_begin"), build_id(UNIT))
        for address, data in writes:
            await self.write(address, data)
        checksum = zlib.crc32(b"".join(struct.pack("<II", *pair) for pair in writes))
        await self.write(unit_byte_address("load_end"), checksum)

    def image(self) -> list[int]:
        return [self.rng.choice([0, 255, self.rng.randrange(256)]) for _ in range(UNIT.inputs)]

    def expected(self, image: list[int]) -> Outcome:
        """What an image gives with what is loaded; the seed is that of the registers after a reset."""
        coding, t_max = CODINGS[int(self.settings["coding"])], self.settings["t_max"]
        vectors = vectors_of(UNIT, image, coding, t_max, 0)
        encoded = [[v["rows"] >> row & 1 for row in range(UNIT.inputs)] for v in vectors]
        layers = [GoldenLayer(x.parameters, x.weights, x.bias, theta=x.theta, v0=x.v0) for x in self.layers]
        decision = {name: self.settings[name] for name in ("rule", "k", "stable_theta", "t_max")}
        return run_golden_maps(UNIT, layers, encoded, **decision)

    async def whole(self, image: list[int], tag: int) -> int:
        """The next result frame must be that image's, in every word; returns its clock cycles."""

        async def come() -> None:
            while not self.frames:
                await FallingEdge(self.dut.clk)

        await with_timeout(come(), LIMIT_US, "us")
        frame, outcome = self.frames.pop(0), self.expected(image)
        words = [word for word, _ in frame]
        assert len(words) == FRAME_WORDS and {found for _, found in frame} == {tag}, (words, frame[0][1], tag)
        margin = words[0] >> 32
        found = (words[0] & 0x7FFF, words[0] >> 16 & 0x7FFF, words[0] >> 31 & 1, margin - (margin >> 31 << 32))
        assert found == (outcome.winner, outcome.steps, outcome.reason, outcome.margin), f"the answer of image {tag}"
        for layer, counts in enumerate(outcome.activity):
            halves = [half for word in words[2 + 3 * layer :][:3] for half in (word & 0xFFFFFFFF, word >> 32)]
            assert halves == [*(counts[name] for name in COUNTERS), 0], f"counters of layer {layer}, image {tag}"
        return words[1] & 0xFFFFFFFF


@cocotb.test()
async def resets_in_images(dut) -> None:
    """Images after every reset are right, in answer and counters; the reset comes in any cycle of the images before."""
    host = Host(dut)
    dut.rst.value = 0
    await FallingEdge(dut.clk)
    await host.hard()
    collector = cocotb.start_soon(host.collect())
    longest = 100
    for number in range(int(cocotb.plusargs.get("resets", 8))):
        await host.load()
        batch = [(host.image(), 8 * number + tag) for tag in range(2)]
        for image, tag in batch:
            await host.send(image, tag)
        for image, tag in batch:
            longest = max(longest, await host.whole(image, tag))

        stream = cocotb.start_soon(host.stream())  # so that an image is always at work
        await ClockCycles(dut.clk, host.rng.randrange(1, 2 * longest))
        await FallingEdge(dut.clk)
        if number % 2:
            await host.soft()
            host.streams = False
            await stream  # the rest of what the stream had begun is no image any more
        else:
            stream.cancel()
            dut.s_axis_pixels_tvalid.value = 0
            await host.hard()
        await ClockCycles(dut.clk, 5)
        await FallingEdge(dut.clk)
        host.frames.clear()
        host.begun.clear()
        await host.write(unit_byte_address("errors"), 0xFFFFFFFF)
    collector.cancel()
