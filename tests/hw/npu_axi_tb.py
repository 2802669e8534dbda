"""The cocotb bench of `npu_axi`: cocotbext-axi's managers and streams on all its buses, with random stalls.

The crossbars are silent (every code 0), so that biases and thresholds alone decide. +stall=<percent> pauses every
channel at random, +resets=<n> is the number of random resets, +seed=<n> the random seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
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

from hw.host_registers import ADDRESS_BITS, MapEntry, bias_byte_address, host_map, unit_byte_address
from hw.params import LayerParameters, NpuParameters
from hw.registers import Register
from tests.hw.network_model import GoldenLayer, Outcome, run_golden

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
        LayerParameters(inputs=8, outputs=4, lanes=2, **COMMON),
        LayerParameters(inputs=4, outputs=3, lanes=3, **COMMON),
    ),
    max_steps=12,
    encoder_lanes=4,
    pulse_cycles=2,
)
ENTRIES = host_map(UNIT)
RUN_TIME = {(entry.layer, entry.name): entry for entry in ENTRIES}
BIASES = [bias_byte_address(layer, n) for layer, p in enumerate(UNIT.layers) for n in range(p.outputs)]
LIMIT_US = 50
"""Time after which an access or a result counts as hung: 5,000 cycles."""


def kept(entry: MapEntry, word: int) -> int:
    """What a register reads after `word` was written to it."""
    if isinstance(entry.register, Register):
        if entry.register.pulse:
            return 0
        word &= (1 << entry.bits) - 1
        return word - (entry.signed * (word >> (entry.bits - 1)) << entry.bits) & 0xFFFFFFFF
    return word & entry.register.mask


class Host:
    """Managers and streams on the unit's buses, and what its registers should hold."""

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
        self.weights = [[[0] * p.outputs for _ in range(p.inputs)] for p in UNIT.layers]
        self.bias = [[0] * p.outputs for p in UNIT.layers]
        writing, reading = self.master.write_if, self.master.read_if
        channels = [writing.aw_channel, writing.w_channel, writing.b_channel, reading.ar_channel, reading.r_channel]
        if self.stall:
            for channel in (*channels, self.pixels, self.results):
                channel.set_pause_generator(self._pauses(random.Random(self.rng.random())))

    def _pauses(self, rng: random.Random) -> Iterator[bool]:
        while True:
            yield rng.random() < self.stall

    async def start(self) -> None:
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def read(self, address: int, length: int = 4) -> tuple[int, int]:
        answer = await with_timeout(self.master.read(address, length), LIMIT_US, "us")
        return int(answer.resp), int.from_bytes(answer.data, "little")

    async def value(self, address: int) -> int:
        response, data = await self.read(address)
        assert response == AxiResp.OKAY, f"reading {address:#x}: {response}"
        return data

    async def write(self, address: int, data: int, length: int = 4) -> int:
        """Response of a write of the lowest `length` bytes from `address` on."""
        word = (data & (1 << 8 * length) - 1).to_bytes(length, "little")
        return int((await with_timeout(self.master.write(address, word), LIMIT_US, "us")).resp)

    async def put(self, address: int, data: int) -> None:
        assert await self.write(address, data) == AxiResp.OKAY, f"writing {address:#x}"

    async def strobed(self, address: int, data: int, strobe: int) -> int:
        """Response of a write with any strobes, straight on the channels."""
        writing = self.master.write_if
        request, word = writing.aw_channel._transaction_obj(), writing.w_channel._transaction_obj()
        request.awaddr, request.awprot, word.wdata, word.wstrb = address, 0, data, strobe
        await writing.aw_channel.send(request)
        await writing.w_channel.send(word)
        answer = await with_timeout(writing.b_channel.recv(), LIMIT_US, "us")
        return int(answer.bresp)

    async def configure(self) -> None:
        """Random decision and biases of the last layer, by the bus."""
        last = len(UNIT.layers) - 1
        settings = {(None, "t_max"): self.rng.randint(1, 6), (None, "rule"): self.rng.randrange(2)}
        settings |= {(None, "k"): self.rng.randint(1, 3), (last, "theta"): self.rng.randint(1, 20)}
        settings |= {(last, "v0"): self.rng.randint(-20, 20)}
        for key, value in settings.items():
            await self.put(RUN_TIME[key].address, value)
            self.model[RUN_TIME[key].address] = kept(RUN_TIME[key], value)
        for neuron in range(UNIT.layers[last].outputs):
            self.bias[last][neuron] = self.rng.randint(-5, 15)
            await self.put(bias_byte_address(last, neuron), self.bias[last][neuron])

    def expected(self) -> Outcome:
        """What any image gives with the registers as they are."""

        def held(layer: int | None, name: str) -> int:
            entry = RUN_TIME[layer, name]
            word = self.model[entry.address]
            return word - (1 << 32) if entry.signed and word >> 31 else word

        layers = [
            GoldenLayer(p, weights, bias, theta=held(index, "theta"), v0=held(index, "v0"))
            for index, (p, weights, bias) in enumerate(zip(UNIT.layers, self.weights, self.bias, strict=True))
        ]
        silent = [[0] * UNIT.inputs] * 12
        decision = {name: held(None, name) for name in ("rule", "k", "t_max")}
        return run_golden(UNIT, layers, silent, **decision)  # type: ignore[arg-type]

    def send(self, tag: int) -> None:
        self.pixels.send_nowait(AxiStreamFrame(self.rng.randbytes(UNIT.inputs), tuser=tag))

    async def result(self, tag: int) -> None:
        """The next result, which must be that of image `tag`."""
        frame = await with_timeout(self.results.recv(), LIMIT_US, "us")
        word, outcome = int.from_bytes(frame.tdata, "little"), self.expected()
        assert (frame.tuser if isinstance(frame.tuser, int) else frame.tuser[0]) == tag
        margin = word >> 32
        found = (word & 0x7FFF, word >> 16 & 0x7FFF, word >> 31 & 1, margin - (margin >> 31 << 32))
        assert found == (outcome.winner, outcome.steps, outcome.reason, outcome.margin)

    async def check_registers(self) -> None:
        for entry in ENTRIES:
            assert await self.value(entry.address) == self.model[entry.address], (entry.layer, entry.name)


@cocotb.test()
async def registers(dut) -> None:
    """Every register is read and written, in words and in bytes; unmapped and misaligned accesses change nothing."""
    host = Host(dut)
    await host.start()
    await host.check_registers()
    for entry in ENTRIES:
        for strobe in (15, *(host.rng.randrange(15) for _ in range(2)), 15):
            word = host.rng.getrandbits(32)
            response = await host.strobed(entry.address, word, strobe)
            assert response == (AxiResp.SLVERR if entry.access == "ro" else AxiResp.OKAY), entry
            if entry.access == "rw":
                mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
                host.model[entry.address] = kept(entry, host.model[entry.address] & ~mask | word & mask)
            assert await host.value(entry.address) == host.model[entry.address], entry
    await host.check_registers()

    seeds = [unit_byte_address(f"seed_{i}") for i in range(4)]
    burst = host.rng.randbytes(16)  # four writes and four reads under way at once
    assert (await host.master.write(seeds[0], burst)).resp == AxiResp.OKAY
    assert (await host.master.read(seeds[0], 16)).data == burst
    for index, address in enumerate(seeds):
        host.model[address] = int.from_bytes(burst[4 * index : 4 * index + 4], "little")

    for address in BIASES:
        for strobe in range(16):
            good = strobe in (0, 15)
            assert await host.strobed(address, 0, strobe) == (AxiResp.OKAY if good else AxiResp.SLVERR)
        assert (await host.read(address))[0] == AxiResp.SLVERR
    mapped = {entry.address for entry in ENTRIES} | set(BIASES)
    near = [address + 4 for address in mapped] + [address - 4 for address in mapped if address]
    for _ in range(150):
        address = host.rng.choice([host.rng.choice(near), host.rng.randrange(1 << ADDRESS_BITS)]) & ~3
        if address not in mapped:
            assert await host.write(address, host.rng.getrandbits(32)) == AxiResp.SLVERR
            assert (await host.read(address))[0] == AxiResp.SLVERR
        off = host.rng.choice(sorted(mapped)) + host.rng.randint(1, 3)
        assert await host.write(off, 0xFF, 1) == AxiResp.SLVERR
        assert (await host.read(off, 1))[0] == AxiResp.SLVERR
    await host.check_registers()


@cocotb.test()
async def images(dut) -> None:
    """Images back to back, tagged: no result is lost, doubled or out of order. Writes while busy are refused."""
    host = Host(dut)
    await host.start()
    status, errors, done = unit_byte_address("status"), unit_byte_address("errors"), 0
    guarded = [entry.address for entry in ENTRIES if entry.idle_only] + BIASES
    for _ in range(6):
        await host.configure()
        host.results.pause = True
        for tag in range(4):
            host.send(tag)
        host.results.clear_pause_generator()
        host.results.pause = True  # the first image stays in work until the writes have been tried
        while not await host.value(status) & 1:
            pass
        for address in host.rng.sample(guarded, 8):
            assert await host.write(address, host.rng.getrandbits(32)) == AxiResp.SLVERR
        assert await host.value(errors) == 1
        await host.put(errors, 1)
        assert await host.value(errors) == 0
        host.results.pause = False
        if host.stall:
            host.results.set_pause_generator(host._pauses(random.Random(host.rng.random())))
        for tag in range(4):
            await host.result(tag)
        done += 4
        await ClockCycles(dut.clk, 100)
        assert host.results.empty() and await host.value(status) == 0
        assert await host.value(unit_byte_address("images")) == done
        assert await host.value(errors) == 0


@cocotb.test()
async def random_resets(dut) -> None:
    """A reset in the middle of anything leaves a unit as new: registers at their start values, images right."""
    host = Host(dut)
    await host.start()
    for number in range(int(cocotb.plusargs.get("resets", 20))):
        await host.configure()

        async def traffic() -> None:
            while True:
                address = host.rng.choice([entry.address for entry in ENTRIES] + BIASES)
                if host.rng.random() < 0.5:
                    await host.master.write(address, host.rng.randbytes(4))
                else:
                    await host.master.read(address, 4)

        tasks = [cocotb.start_soon(traffic()) for _ in range(2)]
        for tag in range(3):
            host.send(tag)
        await ClockCycles(dut.clk, host.rng.randint(1, 120))
        for task in tasks:
            task.cancel()
        dut.rst.value = 1
        await ClockCycles(dut.clk, host.rng.randint(2, 4))
        host.pixels.clear()
        host.results.clear()
        host.model = {entry.address: entry.init for entry in ENTRIES}
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        if number % 10 == 0:
            await host.check_registers()
        for entry in host.rng.sample(ENTRIES, 4):
            assert await host.value(entry.address) == host.model[entry.address], (entry.layer, entry.name)
        await host.configure()
        host.send(number & 0xFFFF)
        await host.result(number & 0xFFFF)
        assert host.results.empty() and await host.value(unit_byte_address("images")) == 1
        assert await host.value(unit_byte_address("errors")) == 0
