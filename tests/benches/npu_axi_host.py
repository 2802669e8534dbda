"""A host for the cocotb bench of `npu_axi`: cocotbext-axi's managers and streams, and a model of what the chip holds.

The chip is small, its macros are the ideal ones: pulses move a cell by exactly their amplitude, and cells stay through
resets. The model knows every register, every cell, and by plain integers what an image must give.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from spikeloom.hw.host.register_map import (
    MapEntry,
    bias_byte_address,
    build_id,
    host_map,
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.registers import Register
from spikeloom.hw.interfaces.streams import seed_words
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.models.network_model import GoldenLayer, Outcome, run_golden

COMMON: dict[str, Any] = {
    "adc_bits": 5,
    "max_gain_shift": 2,
    "max_theta": 63,
    "max_bias": 15,
    "tile_rows": 4,
    "tile_columns": 3,
    "max_steps": 12,
}
UNIT = NpuParameters(
    layers=(
        LayerParameters(inputs=7, outputs=4, lanes=3, **COMMON),
        LayerParameters(inputs=4, outputs=3, lanes=2, **COMMON),
    ),
    max_steps=12,
    encoder_lanes=3,
    pulse_cycles=2,
)
BUILD = build_id(UNIT)
ENTRIES = host_map(UNIT)
BY_NAME = {(entry.layer, entry.name): entry for entry in ENTRIES}
BIASES = [bias_byte_address(layer, n) for layer, p in enumerate(UNIT.layers) for n in range(p.outputs)]
TARGETS = [
    program_target_byte_address(layer, index)
    for layer, p in enumerate(UNIT.layers)
    for index in range(p.lanes * p.row_tiles)
]
RESULTS = [
    program_result_byte_address(layer, index)
    for layer, p in enumerate(UNIT.layers)
    for index in range(2 * p.lanes * p.row_tiles)
]
STARTS = [
    (layer, row, group)
    for layer, p in enumerate(UNIT.layers)
    for row in range(min(p.tile_rows, p.inputs))
    for group in range(p.groups)
]
"""All there is to program: layer, row in the tiles, column group."""
LASTING = ("npu_axi.axi_lite.", "npu_axi.results.o__")
"""Beginnings of those that a soft reset leaves alone: of the bus, and of a result word that waits."""
LIMIT_US = 100
"""Time after which an access, a result or a programmer counts as hung: 10,000 cycles."""
FRAME_WORDS = 1 + 1 + 3 * len(UNIT.layers)

Placement = tuple[int, int, int, int]
"""Layer, row, column, side of a cell."""


def errors(*names: str) -> int:
    """Flags of the register errors."""
    fields = {field.name: 1 << field.low for field in BY_NAME[None, "errors"].register.fields}  # type: ignore[union-attr]
    return sum(fields[name] for name in names)


def kept(entry: MapEntry, word: int) -> int:
    """What a register reads after `word` was written to it."""
    if isinstance(entry.register, Register):
        if entry.register.pulse:
            return 0
        word &= (1 << entry.bits) - 1
        return word - (entry.signed * (word >> (entry.bits - 1)) << entry.bits) & 0xFFFFFFFF
    return word & entry.register.mask


def cells_of(layer: int, row: int, group: int) -> dict[int, list[Placement]]:
    """Cells that a start programs: index of the target word -> the pair's places."""
    p = UNIT.layers[layer]
    found = {}
    for lane in range(p.lanes):
        for tile in range(p.row_tiles):
            place = tile * p.tile_rows + row, group * p.lanes + lane
            if place[0] < p.inputs and place[1] < p.outputs:
                found[lane * p.row_tiles + tile] = [(layer, *place, side) for side in range(2)]
    return found


class Host:
    """Managers and streams on the unit's buses, and what is behind them."""

    cells: dict[Placement, int | None]
    """Conductances in 1/8 of a level, None where a reset came into programming; they outlive resets, so tests too."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        plusargs = cocotb.plusargs
        self.rng = random.Random(int(plusargs.get("seed", 1)))
        self.stall = int(plusargs.get("stall", 0)) / 100
        Clock(dut.clk, 10, unit="ns").start()
        dut.rst.value = 1
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.pixels = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_pixels"), dut.clk, dut.rst)
        self.results = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_result"), dut.clk, dut.rst)
        self.model = {entry.address: entry.init for entry in ENTRIES}
        self.bias = [[0] * p.outputs for p in UNIT.layers]
        self.written = b""  # of the load session
        self.stale = False  # a frame that a soft reset cut off may come before the next one
        if not hasattr(Host, "cells"):
            Host.cells = {
                (layer, row, column, side): 0  # what the level files of the macros say
                for layer, p in enumerate(UNIT.layers)
                for row in range(p.inputs)
                for column in range(p.outputs)
                for side in range(2)
            }
        self.pace()
        cocotb.start_soon(self._watch_resets())

    async def _watch_resets(self) -> None:
        """After an edge with a reset every register has the value that it should have; fails the test otherwise."""
        hard = soft = False
        registers = json.loads(Path("registers.json").read_text())
        lasting = sum(1 << i for i, path in enumerate(registers) if path.startswith(LASTING))
        await RisingEdge(self.dut.clk)  # the clock starts together with the reset: that edge may come first
        while True:
            await RisingEdge(self.dut.clk)
            if hard or soft:
                left = int(self.dut.unreset.value) & ~(0 if hard else lasting)
                names = [path for i, path in enumerate(registers) if left >> i & 1]
                assert not names, f"a {'hard' if hard else 'soft'} reset leaves {', '.join(names)}"
            if hard:
                for name in ("s_axil_bvalid", "s_axil_rvalid", "m_axis_result_tvalid", "irq"):
                    assert getattr(self.dut, name).value == 0, name
            hard, soft = bool(self.dut.rst.value), self.dut.soft_reset.value == 1

    def pace(self) -> None:
        """Random pauses on every channel, as far as the test wants them; ends any other pause."""
        writing, reading = self.master.write_if, self.master.read_if
        channels = [writing.aw_channel, writing.w_channel, writing.b_channel, reading.ar_channel, reading.r_channel]
        for channel in (*channels, self.pixels, self.results):
            channel.clear_pause_generator()
            channel.pause = False
            if self.stall:
                channel.set_pause_generator(self._pauses(random.Random(self.rng.random())))

    def _pauses(self, rng: random.Random) -> Iterator[bool]:
        while True:
            yield rng.random() < self.stall

    def hold(self, channel: Any) -> None:
        """Pause a stream until `pace`."""
        channel.clear_pause_generator()
        channel.pause = True

    async def start(self) -> None:
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    # Accesses.

    async def read(self, address: int, length: int = 4) -> tuple[int, int]:
        answer = await with_timeout(self.master.read(address, length), LIMIT_US, "us")
        return int(answer.resp), int.from_bytes(answer.data, "little")

    async def value(self, address: int | str) -> int:
        address = unit_byte_address(address) if isinstance(address, str) else address
        response, data = await self.read(address)
        assert response == AxiResp.OKAY, f"reading {address:#x}: {response}"
        return data

    async def write(self, address: int, data: int, length: int = 4) -> int:
        """Response of a write of the lowest `length` bytes from `address` on."""
        word = (data & (1 << 8 * length) - 1).to_bytes(length, "little")
        return int((await with_timeout(self.master.write(address, word), LIMIT_US, "us")).resp)

    async def put(self, address: int | str, data: int, counted: bool = False) -> None:
        """A write that must be right; `counted`: the checksum covers it."""
        address = unit_byte_address(address) if isinstance(address, str) else address
        if counted:
            self.written += struct.pack("<II", address, data & 0xFFFFFFFF)
        assert await self.write(address, data) == AxiResp.OKAY, f"writing {address:#x}"
        entry = next((entry for entry in ENTRIES if entry.address == address), None)
        if entry is not None and entry.access == "rw":
            self.model[address] = kept(entry, data)

    async def refused(self, address: int | str, data: int, *flags: str) -> None:
        """A write that must be an error, with these flags and no other, which are cleared."""
        address = unit_byte_address(address) if isinstance(address, str) else address
        assert await self.write(address, data) == AxiResp.SLVERR, f"writing {address:#x}"
        await self.flagged(*flags)

    async def flagged(self, *flags: str) -> None:
        """These error flags are up and no other; they are cleared."""
        assert await self.value("errors") == errors(*flags), flags
        await self.put("errors", errors(*flags))
        assert await self.value("errors") == 0

    async def strobed(self, address: int, data: int, strobe: int) -> int:
        """Response of a write with any strobes, straight on the channels."""
        writing = self.master.write_if
        request, word = writing.aw_channel._transaction_obj(), writing.w_channel._transaction_obj()
        request.awaddr, request.awprot, word.wdata, word.wstrb = address, 0, data, strobe
        await writing.aw_channel.send(request)
        await writing.w_channel.send(word)
        answer = await with_timeout(writing.b_channel.recv(), LIMIT_US, "us")
        return int(answer.bresp)

    async def state(self) -> str:
        word = await self.value("status")
        return "loading" if word >> 4 & 1 else "loaded" if word >> 5 & 1 else "empty"

    async def check_registers(self) -> None:
        for entry in ENTRIES:
            assert await self.value(entry.address) == self.model[entry.address], (entry.layer, entry.name)

    # Load session.

    async def begin(self) -> None:
        await self.put("load_begin", BUILD)
        self.written = b""

    async def end(self) -> None:
        assert await self.value("load_checksum") == zlib.crc32(self.written)
        await self.put("load_end", zlib.crc32(self.written))
        assert await self.state() == "loaded"

    async def configure(self) -> None:
        """Random coding, decision, thresholds and biases, inside of a session."""
        rng = self.rng
        settings: dict[tuple[int | None, str], int] = {
            (None, "coding"): rng.choice([Coding.PHASE, Coding.RATE, Coding.EVEN]),
            (None, "even_start"): rng.randrange(255),
            (None, "t_max"): rng.randint(1, 6),
            (None, "rule"): rng.randrange(2),
            (None, "k"): rng.randint(1, 3),
        }
        for layer in range(len(UNIT.layers)):
            settings |= {(layer, "theta"): rng.randint(1, 12), (layer, "v0"): rng.randint(-10, 10)}
        for key, value in settings.items():
            await self.put(BY_NAME[key].address, int(value), counted=True)
        for layer, p in enumerate(UNIT.layers):
            for neuron in rng.sample(range(p.outputs), rng.randint(0, p.outputs)):  # the others stay
                self.bias[layer][neuron] = rng.randint(-5, 10)
                await self.put(bias_byte_address(layer, neuron), self.bias[layer][neuron], counted=True)

    async def settings(self, window: int = 2, tries: int = 20, smallest: int = 1, largest: int = 9) -> None:
        """Settings of the programmers."""
        names = ("window", "tries", "amplitude_min", "amplitude_max")
        for name, value in zip(names, (window, tries, smallest, largest), strict=True):
            await self.put(f"program_{name}", value, counted=True)

    async def program(self, layer: int, row: int, group: int) -> None:
        """Random targets for one start, inside of a session; the results must be the model's."""
        window, tries, smallest, largest = (
            self.model[unit_byte_address(f"program_{name}")]
            for name in ("window", "tries", "amplitude_min", "amplitude_max")
        )
        targets = {}
        for index, pair in cells_of(layer, row, group).items():
            p, n = self.rng.randrange(25), self.rng.randrange(25)
            await self.put(program_target_byte_address(layer, index), n << 16 | p, counted=True)
            targets |= dict(zip(pair, (p, n), strict=True))
        before = {place: Host.cells[place] for place in targets}
        Host.cells |= dict.fromkeys(targets)  # until the results are read
        await self.put(layer_byte_address(layer, "program_start"), group << 16 | row, counted=True)
        for _ in range(1000):
            if not await self.value(layer_byte_address(layer, "program_status")):
                break
        else:
            raise AssertionError("the programmer hangs")
        for index, pair in cells_of(layer, row, group).items():
            for side, place in enumerate(pair):
                word = await self.value(program_result_byte_address(layer, 2 * index + side))
                code, pulses, failed = word & 1023, word >> 16 & 255, word >> 31
                expected = before[place]
                if expected is None:
                    assert failed == (abs(code - targets[place]) > window) and pulses <= tries
                else:
                    assert word == model_result(expected, targets[place], window, tries, smallest, largest), place
                Host.cells[place] = code

    async def load(self, share: float = 0.0) -> None:
        """A whole session: all cells that are not known, and a share of the others, are programmed."""
        await self.begin()
        await self.settings()
        for start in STARTS:
            places = [place for pair in cells_of(*start).values() for place in pair]
            if any(Host.cells[place] is None for place in places) or self.rng.random() < share:
                await self.program(*start)
        await self.configure()
        await self.end()

    # Images.

    def image(self) -> bytes:
        """Random pixels, as many as words hold."""
        return self.rng.randbytes(UNIT.encoder_lanes * UNIT.pixel_words)

    def send(self, image: bytes, tag: int, seed: int | None = None) -> None:
        """Send an image frame; with a seed, if frames begin with one."""
        head = (
            b""
            if seed is None
            else seed.to_bytes(16, "little") + self.rng.randbytes(seed_words(UNIT) * UNIT.encoder_lanes - 16)
        )
        self.pixels.send_nowait(AxiStreamFrame(head + image, tuser=tag))

    def expected(self, image: bytes, seed: int = 0) -> Outcome:
        """What an image gives with the registers and cells as they are."""

        def held(layer: int | None, name: str) -> int:
            entry = BY_NAME[layer, name]
            word = self.model[entry.address]
            return word - (1 << 32) if entry.signed and word >> 31 else word

        layers = []
        for index, p in enumerate(UNIT.layers):
            weights: list[list[Any]] = [[Fraction(0)] * p.outputs for _ in range(p.inputs)]
            for (layer, row, column, side), code in Host.cells.items():
                if layer == index:
                    assert code is not None
                    weights[row][column] += Fraction(-code if side else code, 8)
            layers.append(GoldenLayer(p, weights, self.bias[index], theta=held(index, "theta"), v0=held(index, "v0")))
        pixels, t_max = list(image[: UNIT.inputs]), held(None, "t_max")
        coding = CODINGS[held(None, "coding")]
        rows = [vector["rows"] for vector in vectors_of(UNIT, pixels, coding, t_max, seed, held(None, "even_start"))]
        codes = [[row >> index & 1 for index in range(UNIT.inputs)] for row in rows]
        decision = {name: held(None, name) for name in ("rule", "k", "t_max")}
        return run_golden(UNIT, layers, codes, **decision)  # type: ignore[arg-type]

    async def result(self, image: bytes, tag: int, seed: int = 0, activity: bool = False) -> list[int]:
        """The next result frame, which must be that image's; returns its words."""
        frame = await with_timeout(self.results.recv(compact=False), LIMIT_US, "us")
        words = [int.from_bytes(frame.tdata[i : i + 8], "little") for i in range(0, len(frame.tdata), 8)]
        tags = list(frame.tuser)[::8] if isinstance(frame.tuser, list | tuple) else [frame.tuser] * len(words)
        length = FRAME_WORDS if activity else 1
        if self.stale:  # what is left of a frame that was cut off comes first
            assert len(words) < length + FRAME_WORDS
            words, tags = words[-length:], tags[-length:]
            self.stale = False
        outcome = self.expected(image, seed)
        assert len(words) == length and set(tags) == {tag}, (len(words), tags, tag)
        margin = words[0] >> 32
        found = (words[0] & 0x7FFF, words[0] >> 16 & 0x7FFF, words[0] >> 31 & 1, margin - (margin >> 31 << 32))
        assert found == (outcome.winner, outcome.steps, outcome.reason, outcome.margin)
        for layer, counts in enumerate(outcome.activity if activity else ()):
            halves = [half for word in words[2 + 3 * layer :][:3] for half in (word & 0xFFFFFFFF, word >> 32)]
            assert halves == [*(counts[name] for name in COUNTERS), 0], (layer, halves, counts)
        return words


def model_result(code: int, target: int, window: int, tries: int, smallest: int, largest: int) -> int:
    """Result word of a cell that starts at `code`."""
    pulses = 0
    while abs(code - target) > window and pulses < tries:
        amplitude = min(max(abs(code - target), smallest), largest)
        code = max(0, code + amplitude if code < target else code - amplitude)
        pulses += 1
    return (abs(code - target) > window) << 31 | pulses << 16 | code
