"""The unit behind its buses: whole images through AXI4-Lite and AXI4-Stream against plain integers."""

from __future__ import annotations

import gc
import random
import struct
import zlib

import pytest

from spikeloom.hw.host.axi_lite import OKAY, SLVERR
from spikeloom.hw.host.register_map import (
    ADDRESS_BITS,
    bias_byte_address,
    build_id,
    host_map,
    layer_byte_address,
    program_result_byte_address,
    program_target_byte_address,
    unit_byte_address,
)
from spikeloom.hw.interfaces.registers import LAYER_REGISTERS, Register
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT, TAG_BITS
from spikeloom.hw.npu_axi import NpuAxi
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, NpuParameters
from tests.benches.axi_bench import Manager
from tests.benches.program_bench import (
    MAX_VERIFY_CODE,
    Cell,
    Cells,
    Programmed,
    Settings,
    golden_program,
    program_macro,
    target_words,
)
from tests.benches.stream_bench import CYCLE, simulate
from tests.hw.encoder.test_spike_encoder import vectors_of
from tests.hw.test_npu import unit, writes_of
from tests.models.network_model import ACTIVITY, IdealCrossbar, Outcome, random_delays, random_layer, run_golden

SETTINGS = {"coding": Coding.RATE, "rule": DecisionRule.WINNER_K, "k": 3, "t_max": 6}


class Bench:
    """A unit with golden layers in its macros, a bus manager, and a stream on each side."""

    def __init__(self, stall: float) -> None:
        self.parameters = unit()
        self.rng = random.Random(3)
        self.stall = stall
        self.dut = NpuAxi(parameters=self.parameters)
        self.host = Manager(self.dut, random.Random(4), stall, "s_axil_")
        self.layers = [random_layer(p, self.rng, theta=20, v0=-2) for p in self.parameters.layers]
        delays = random_delays(self.rng) if stall else (lambda: 3, lambda: 1)
        macros = [
            IdealCrossbar(getattr(self.dut, f"crossbar_{index}"), layer, self.rng, *delays)
            for index, layer in enumerate(self.layers)
        ]
        self.background = [bench for macro in macros for bench in (macro.drive_bench, macro.convert_bench)]

    async def read(self, ctx, address: int) -> int:
        response, data = await self.host.read(ctx, address)
        assert response == OKAY
        return data

    async def write(self, ctx, address: int, data: int) -> None:
        assert await self.host.write(ctx, address, data) == OKAY

    async def load(self, ctx) -> None:
        """A load session with the layers' registers and biases."""
        written = b""
        await self.write(ctx, unit_byte_address("load_begin"), build_id(self.parameters))
        for write in writes_of(self.layers, SETTINGS):
            address, data = 4 * write["address"], write["data"] & 0xFFFFFFFF
            await self.write(ctx, address, data)
            written += struct.pack("<II", address, data)
        await self.write(ctx, unit_byte_address("load_end"), zlib.crc32(written))

    def outcome(self, image: list[int], seed: int) -> Outcome:
        p = self.parameters
        encoded = [vector["rows"] for vector in vectors_of(p, image, Coding.RATE, SETTINGS["t_max"], seed, 0)]
        codes = [[rows >> row & 1 for row in range(p.inputs)] for rows in encoded]
        return run_golden(p, self.layers, codes, rule=DecisionRule.WINNER_K, k=3, t_max=6)

    async def send(self, ctx, image: list[int], tag: int) -> None:
        """Words of an image; `tuser` counts in the first one only."""
        lanes, dut = self.parameters.encoder_lanes, self.dut
        padded = image + [0] * (-len(image) % lanes)
        words = [padded[start : start + lanes] for start in range(0, len(padded), lanes)]
        for index, word in enumerate(words):
            while self.rng.random() < self.stall:
                ctx.set(dut.s_axis_pixels_tvalid, 0)
                await ctx.tick()
            ctx.set(dut.s_axis_pixels_tdata, sum(pixel << 8 * lane for lane, pixel in enumerate(word)))
            ctx.set(dut.s_axis_pixels_tuser, tag if index == 0 else self.rng.getrandbits(TAG_BITS))
            ctx.set(dut.s_axis_pixels_tlast, index == len(words) - 1)
            ctx.set(dut.s_axis_pixels_tvalid, 1)
            await ctx.tick().until(dut.s_axis_pixels_tready)
        ctx.set(dut.s_axis_pixels_tvalid, 0)

    async def receive(self, ctx) -> tuple[int, dict[str, int]]:
        """Tag and fields of a result; it must stand still until it is taken."""
        dut, offered = self.dut, None
        while True:
            ready = self.rng.random() >= self.stall
            ctx.set(dut.m_axis_result_tready, ready)
            ports = (dut.m_axis_result_tvalid, dut.m_axis_result_tlast, dut.m_axis_result_tuser)
            _, _, valid, last, tag, data = await ctx.tick().sample(*ports, dut.m_axis_result_tdata)
            now = (valid, last, tag, data)
            assert offered in (None, now)
            if valid and ready:
                ctx.set(dut.m_axis_result_tready, 0)
                assert last
                answer = RESULT_LAYOUT.const(RESULT_LAYOUT.from_bits(data))
                return tag, {str(name): answer[name] for name, _ in RESULT_LAYOUT}
            offered = now if valid else None


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_images_through_the_buses(stall: float) -> None:
    bench = Bench(stall)
    p, rng = bench.parameters, random.Random(9)
    images = [[rng.randrange(256) for _ in range(p.inputs)] for _ in range(3)]
    seeds = [rng.getrandbits(128) for _ in images]

    async def host(ctx):
        await bench.load(ctx)
        for number, (image, seed) in enumerate(zip(images, seeds, strict=True)):
            for part in range(4):
                await bench.write(ctx, unit_byte_address(f"seed_{part}"), seed >> 32 * part & 0xFFFFFFFF)
            await bench.send(ctx, image, tag=1000 + number)
            tag, result = await bench.receive(ctx)
            outcome = bench.outcome(image, seed)
            expected = {name: getattr(outcome, name) for name in ("winner", "steps", "margin", "reason")}
            assert (tag, result) == (1000 + number, {**expected, "overflow": 0})
            for index, activity in enumerate(outcome.activity):
                found = {name: await bench.read(ctx, layer_byte_address(index, name)) for name in ACTIVITY}
                assert found == activity
            assert await bench.read(ctx, unit_byte_address("images")) == number + 1
            assert await bench.read(ctx, unit_byte_address("cycles")) > 2 * p.pixel_words
        assert await bench.read(ctx, unit_byte_address("errors")) == 0

    simulate(bench.dut, host, background=bench.background)


def test_writes_into_an_image_are_refused_and_change_nothing() -> None:
    bench = Bench(0.2)
    p, rng = bench.parameters, random.Random(2)
    image = [rng.randrange(256) for _ in range(p.inputs)]
    errors, control = unit_byte_address("errors"), unit_byte_address("control")
    names = ("t_max", "coding", "clear_flags", "seed_2", "program_tries")
    targets = [unit_byte_address(name) for name in names]
    targets += [layer_byte_address(1, r.name) for r in LAYER_REGISTERS] + [bias_byte_address(1, 0)]
    results = []

    async def host(ctx):
        await bench.load(ctx)
        for refused in (False, True):
            for tag in range(3):  # the first one's answer waits on the stream, and the second one's behind it
                await bench.send(ctx, image, tag=tag)
            await bench.write(ctx, control, 2)
            if refused:
                for target in targets:
                    assert await bench.host.write(ctx, target, 0x55) == SLVERR
                    assert await bench.read(ctx, errors) == 1 and ctx.get(bench.dut.irq)
                    await bench.write(ctx, errors, 0)
                    assert await bench.read(ctx, errors) == 1
                    await bench.write(ctx, errors, 1)
                    assert await bench.read(ctx, errors) == 0 and not ctx.get(bench.dut.irq)
            await bench.write(ctx, control, 1)
            while not ctx.get(bench.dut.irq):
                await ctx.tick()
            assert await bench.read(ctx, unit_byte_address("status")) == 0x23
            results.append([await bench.receive(ctx) for _ in range(3)])
        assert results[0] == results[1]
        assert await bench.read(ctx, layer_byte_address(1, "v0")) == (-2 & 0xFFFFFFFF)
        assert await bench.read(ctx, unit_byte_address("t_max")) == SETTINGS["t_max"]

    simulate(bench.dut, host, background=bench.background)


def test_cycles_of_a_result_frame() -> None:
    """The first word comes one cycle after the unit's answer; images at hand follow at a gap of at most 3 cycles."""
    bench = Bench(0.0)
    p, rng = bench.parameters, random.Random(5)
    images = [[rng.randrange(256) for _ in range(p.inputs)] for _ in range(4)]
    frames: list[list[int]] = [[]]
    times, began = [], []

    async def host(ctx):
        await bench.load(ctx)
        await bench.write(ctx, unit_byte_address("control"), 16)
        for tag, image in enumerate(images):
            await bench.send(ctx, image, tag)

    async def receive(ctx):
        dut = bench.dut
        ctx.set(dut.m_axis_result_tready, 1)
        started = None
        while len(frames) <= len(images):
            ports = (dut.s_axis_pixels_tvalid, dut.s_axis_pixels_tready, dut.m_axis_result_tvalid)
            more = (dut.m_axis_result_tlast, dut.m_axis_result_tdata, CYCLE)
            *_, offered, ready, valid, last, word, now = await ctx.tick().sample(*ports, *more)
            if started is None and offered and ready:
                started = now
                began.append(now)
            if valid:
                if not frames[-1]:
                    times.append(now - started)
                frames[-1].append(word)
                if last:
                    frames.append([])

    simulate(bench.dut, host, receive, background=bench.background)
    for image, frame in zip(images, frames, strict=False):
        outcome = bench.outcome(image, 0)
        expected = [half for layer in outcome.activity for half in (*layer.values(), 0)]
        assert [half for word in frame[2:] for half in (word & 0xFFFFFFFF, word >> 32)] == expected
    cycles, gaps = [frame[1] & 0xFFFFFFFF for frame in frames[:-1]], [frame[1] >> 32 for frame in frames[:-1]]
    assert times == [sum(cycles[: number + 1]) + 1 for number in range(len(images))]
    assert all(gap <= 3 for gap in gaps[1:])
    assert gaps[0] == began[0] + 2 * p.pixel_words + 1  # since the reset, to the first vector of a lone image


def test_soft_reset_keeps_a_word_that_waits_and_nothing_else() -> None:
    """Only the bus and the word go on; crossbars see the reset for a cycle."""
    bench = Bench(0.0)
    image = [200] * bench.parameters.inputs
    resets = []

    async def watch(ctx):
        while True:
            *_, reset = await ctx.tick().sample(bench.dut.crossbar_reset)
            resets.append(reset)

    async def host(ctx):
        dut = bench.dut
        await bench.load(ctx)
        await bench.write(ctx, unit_byte_address("control"), 16 | 1)
        for tag in (7, 8):
            await bench.send(ctx, image, tag)
        await ctx.tick().repeat(1000)  # the second image has its answer too: these macros know no reset
        assert ctx.get(dut.irq)
        word = ctx.get(dut.m_axis_result_tdata)
        await bench.write(ctx, unit_byte_address("reset"), 0)
        assert not any(resets) and await bench.read(ctx, unit_byte_address("images")) == 1
        await bench.write(ctx, unit_byte_address("reset"), 1)
        assert await bench.read(ctx, unit_byte_address("status")) == 2
        for name in ("images", "errors", "control", "t_max", "load_checksum"):
            assert await bench.read(ctx, unit_byte_address(name)) == (1 if name == "t_max" else 0)
        assert (ctx.get(dut.m_axis_result_tdata), ctx.get(dut.m_axis_result_tuser)) == (word, 7)
        ctx.set(dut.m_axis_result_tready, 1)
        await ctx.tick()
        for _ in range(300):
            *_, valid = await ctx.tick().sample(dut.m_axis_result_tvalid)
            assert not valid
        ctx.set(dut.m_axis_result_tready, 0)
        await bench.load(ctx)
        await bench.send(ctx, image, 9)
        tag, result = await bench.receive(ctx)
        assert tag == 9 and result["winner"] == bench.outcome(image, 0).winner

    simulate(bench.dut, host, background=[*bench.background, watch])
    assert sum(resets) == 1


def test_registers_and_programming_over_the_bus() -> None:
    """Registers of all values come back over the bus; cells of any conductance are programmed as the model says."""
    bench, rng = Bench(0.0), random.Random(21)
    entries = {(entry.layer, entry.name): entry for entry in host_map(bench.parameters)}
    settings = Settings(window=3, tries=131, amplitude_min=4, amplitude_max=255)
    cells, golden, operations = [], [], [[] for _ in bench.layers]  # type: ignore[var-annotated]
    for index, p in enumerate(bench.parameters.layers):
        places = [Cell(row, i, side) for row in range(p.inputs) for i in range(p.outputs) for side in range(2)]
        values = {place: rng.randrange(MAX_VERIFY_CODE + 1) for place in places}
        cells.append(Cells(seed=7 + index, spread=0.4, stuck=0.04, values=dict(values)))
        golden.append(Cells(seed=7 + index, spread=0.4, stuck=0.04, values=dict(values)))
        port = getattr(bench.dut, f"crossbar_{index}")
        bench.background.append(program_macro(port, p, cells[-1], operations[index], lambda _: 1, rng))

    async def registers(ctx) -> None:
        for (layer, name), entry in entries.items():
            register = entry.register
            if entry.access != "rw" or entry.whole or (isinstance(register, Register) and register.pulse):
                continue
            word = rng.getrandbits(32)
            for value in (word, word ^ 0xFFFFFFFF):
                await bench.write(ctx, entry.address, value)
                kept = value & (1 << entry.bits) - 1
                kept -= entry.signed * (kept >> (entry.bits - 1)) << entry.bits
                assert await bench.read(ctx, entry.address) == kept & 0xFFFFFFFF, (layer, name)
            await bench.write(ctx, entry.address, entry.init)
        for _ in range(20):
            word = rng.getrandbits(ADDRESS_BITS) | 1  # no register is there
            for address in (word, word ^ (1 << ADDRESS_BITS) - 2):
                for name in ("awprot", "arprot"):
                    ctx.set(bench.host.port(name), rng.getrandbits(3))
                assert await bench.host.write(ctx, address, rng.getrandbits(32), rng.getrandbits(4)) == SLVERR
                assert await bench.host.read(ctx, address) == (SLVERR, 0)

    async def program(ctx, layer: int, row: int, group: int) -> Programmed:
        p = bench.parameters.layers[layer]
        targets = [
            (rng.randrange(MAX_VERIFY_CODE + 1), rng.randrange(MAX_VERIFY_CODE + 1))
            for _ in range(p.lanes * p.row_tiles)
        ]
        for index, word in enumerate(target_words(targets)):
            await bench.write(ctx, program_target_byte_address(layer, index), word)
        await bench.write(ctx, layer_byte_address(layer, "program_start"), group << 16 | row)
        while await bench.read(ctx, layer_byte_address(layer, "program_status")):
            await ctx.tick().repeat(50)
        done = golden_program(p, golden[layer], targets, settings, row, group)
        assert operations[layer] == done.operations
        operations[layer].clear()
        for index, word in done.results.items():
            assert await bench.read(ctx, program_result_byte_address(layer, index)) == word
        return done

    async def host(ctx):
        await registers(ctx)
        await bench.write(ctx, unit_byte_address("load_begin"), build_id(bench.parameters))
        for name, value in vars(settings).items():
            await bench.write(ctx, unit_byte_address(f"program_{name}"), value)
        for layer, p in enumerate(bench.parameters.layers):
            done = [await program(ctx, layer, *start) for start in ((0, 0), (3, p.groups - 1))]
            for name in ("pulses", "verify_reads", "failed_cells"):
                total = sum(getattr(one, name) for one in done)
                assert await bench.read(ctx, layer_byte_address(layer, name)) == total > 0, (layer, name)
        assert cells == golden
        assert await bench.read(ctx, unit_byte_address("events")) == 1

    simulate(bench.dut, host, background=bench.background)


@pytest.mark.filterwarnings("ignore:.*created but never used")
def test_result_must_fit_the_stream() -> None:
    layer = LayerParameters(inputs=1, outputs=1, lanes=1, max_steps=1 << 15)
    with pytest.raises(ValueError, match=r"^Result field steps must have at most 15 bits to fit the stream, not 16$"):
        NpuAxi(parameters=NpuParameters(layers=(layer,), max_steps=1 << 15, encoder_lanes=1))
    gc.collect()  # the half-built component warns when it goes, which must happen under this test's filter
