"""Numbers of all widths through the host block: every bit of what it keeps and shows rises and falls, and is read."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ValueLike

from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.register_map import (
    ADDRESS_BITS,
    bias_byte_address,
    build_id,
    host_map,
    program_result_byte_address,
    program_target_byte_address,
)
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.interfaces.registers import Register
from tests.benches.stream_bench import simulate
from tests.hw.test_npu import unit

PARAMETERS = unit(sizes=(11, 7, 5, 4, 6, 5, 3))
ENTRIES = {(entry.layer, entry.name): entry for entry in host_map(PARAMETERS)}
COUNTS = ("pulses", "verify_reads", "failed_cells")


def pairs(rng: random.Random, count: int, bits: int = 32) -> list[int]:
    """Random numbers, each with its complement behind it."""
    numbers = (rng.getrandbits(bits) for _ in range(count))
    return [value for number in numbers for value in (number, number ^ ((1 << bits) - 1))]


class Bus:
    """Accesses of the register bus, one cycle each."""

    def __init__(self, ctx: Any, dut: HostBlock) -> None:
        self.ctx, self.dut, self.bus = ctx, dut, dut.bus

    async def at(self, address: int) -> int | None:
        """The word, or None for an error."""
        self.ctx.set(self.bus.read_address, address)
        self.ctx.set(self.bus.read_enable, 1)
        *_, error, word = await self.ctx.tick().sample(self.bus.read_error, self.bus.read_data)
        self.ctx.set(self.bus.read_enable, 0)
        return None if error else word

    async def read(self, name: str, layer: int | None = None) -> int | None:
        return await self.at(ENTRIES[layer, name].address)

    async def write(self, address: int, word: int, strobe: int = 15, seen: Sequence[ValueLike] = ()) -> list[int]:
        """What is `seen` in the cycle of a write; the last is whether it is an error."""
        for port, value in ((self.bus.write_address, address), (self.bus.write_data, word)):
            self.ctx.set(port, value)
        self.ctx.set(self.bus.write_strobe, strobe)
        await self.ctx.tick()  # it is decoded in the cycle before
        self.ctx.set(self.bus.write_enable, 1)
        _, _, *values = await self.ctx.tick().sample(*seen, self.bus.write_error)
        self.ctx.set(self.bus.write_enable, 0)
        return values

    async def put(self, name: str, word: int, layer: int | None = None, strobe: int = 15) -> None:
        assert await self.write(ENTRIES[layer, name].address, word, strobe) == [0], (layer, name)


def test_counters_and_flags_of_all_values() -> None:
    """Counters of an answer are kept and read whole, those of the programmers read as they are; flags one by one."""
    dut, rng = HostBlock(parameters=PARAMETERS), random.Random(11)
    layers = range(len(PARAMETERS.layers))

    async def bench(ctx):
        bus, answers = Bus(ctx, dut), 0
        numbers = [pairs(rng, 3) for _ in range(2 + 9 * len(layers))]
        for now in zip(*numbers, strict=True):
            values, shown = iter(now), {}
            for name in ("cycles", "gap"):
                shown[None, name] = next(values)
                ctx.set(getattr(dut, name), shown[None, name])
            for layer in layers:
                programmer = getattr(dut, f"programmer_{layer}")
                for ports, names in ((getattr(dut, f"activity_{layer}"), COUNTERS), (programmer, COUNTS)):
                    for name in names:
                        shown[layer, name] = next(values)
                        ctx.set(getattr(ports, name), shown[layer, name])
                result = next(values)
                ctx.set(programmer.result, result)
                p = PARAMETERS.layers[layer]
                for index in range(2 * p.lanes * p.row_tiles):
                    assert await bus.at(program_result_byte_address(layer, index)) == result
                    assert ctx.get(programmer.result_index) == index
            ctx.set(dut.result_taken, 1)
            await ctx.tick()
            ctx.set(dut.result_taken, 0)
            answers += 1
            for name in ("cycles", "gap"):
                ctx.set(getattr(dut, name), rng.getrandbits(32))  # those of the answer are kept
            for layer in layers:
                for name in COUNTERS:
                    ctx.set(getattr(getattr(dut, f"activity_{layer}"), name), rng.getrandbits(32))
            for (layer, name), value in shown.items():
                assert await bus.read(name, layer) == value, (layer, name)
            assert await bus.read("images") == answers
            halves = [shown[None, "cycles"], shown[None, "gap"]]
            halves += [half for layer in layers for half in (*(shown[layer, name] for name in COUNTERS), 0)]
            assert ctx.get(dut.counters) == sum(half << 32 * place for place, half in enumerate(halves))
        for word in pairs(rng, 8, 2 + 2 * len(layers)):
            busy, waits = word & 1, word >> 1 & 1
            over, programs = word >> 2 & (1 << len(layers)) - 1, word >> 2 + len(layers)
            ctx.set(dut.busy, busy)
            ctx.set(dut.result_waits, waits)
            ctx.set(dut.overflow, over)
            for layer in layers:
                ctx.set(getattr(dut, f"programmer_{layer}").busy, programs >> layer & 1)
            assert await bus.read("status") == busy | waits << 1 | (over > 0) << 3 | (programs > 0) << 6
            for layer in layers:
                assert await bus.read("flags", layer) == over >> layer & 1
                assert await bus.read("program_status", layer) == programs >> layer & 1
        for port in (dut.busy, dut.result_waits, *(getattr(dut, f"programmer_{layer}").busy for layer in layers)):
            ctx.set(port, 0)
        await ctx.tick()
        assert await bus.read("events") == 1  # a programmer has finished
        await bus.put("control", 4)
        assert ctx.get(dut.irq)
        await bus.put("events", 1)
        assert await bus.read("events") == 0 and not ctx.get(dut.irq)
        await bus.put("control", 2)
        for flag, port in ((1, dut.wrong_frame), (4, dut.frame_timed_out), (5, dut.unloaded)):
            ctx.set(port, 1)
            await ctx.tick()
            ctx.set(port, 0)
            assert ctx.get(dut.irq) and await bus.read("errors") == 1 << flag
            assert (await bus.read("status") or 0) & 4
            await bus.put("errors", 0x3F ^ 1 << flag)
            assert await bus.read("errors") == 1 << flag
            await bus.put("errors", 1 << flag)
            assert await bus.read("errors") == 0 and not ctx.get(dut.irq)

    simulate(dut, bench)


def test_registers_of_all_values() -> None:
    """Every register that is written and read, any bytes of it; a load session with targets, starts and biases."""
    dut, rng = HostBlock(parameters=PARAMETERS), random.Random(12)
    kept = {
        key: entry
        for key, entry in ENTRIES.items()
        if entry.access == "rw"
        and not entry.whole
        and not (isinstance(entry.register, Register) and entry.register.pulse)
    }

    def shown(entry: Any, word: int) -> int:
        word &= (1 << entry.bits) - 1
        return (word - (entry.signed * (word >> (entry.bits - 1)) << entry.bits)) & 0xFFFFFFFF

    async def bench(ctx):
        bus, payload = Bus(ctx, dut), dut.load.payload
        model = {key: entry.init & 0xFFFFFFFF for key, entry in kept.items()}
        for key, entry in kept.items():
            for word in pairs(rng, 3):
                strobe = rng.choice([15, 15, rng.getrandbits(4)])
                mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
                merged = (word & mask) | (model[key] & ~mask)
                valid, address, data, error = await bus.write(
                    entry.address, word, strobe, [dut.load.valid, payload.address, payload.data]
                )
                assert (valid, error) == (isinstance(entry.register, Register), 0), key
                assert not valid or (address, data & 0xFFFFFFFF) == (entry.address // 4, merged), key
                model[key] = shown(entry, merged)
                assert await bus.read(*reversed(key)) == model[key], key
        assert {key: await bus.read(*reversed(key)) for key in kept} == model
        assert ctx.get(dut.seed) == sum(model[None, f"seed_{part}"] << 32 * part for part in range(4))
        assert ctx.get(dut.timeout) == model[None, "timeout"]
        await bus.put("timeout", 0)

        assert await bus.write(ENTRIES[None, "load_begin"].address, build_id(PARAMETERS)) == [0]
        written = b""
        for layer, p in enumerate(PARAMETERS.layers):
            programmer = getattr(dut, f"programmer_{layer}")
            for index in range(p.lanes * p.row_tiles):
                port = programmer.target_write
                for word in pairs(rng, 1):
                    place = program_target_byte_address(layer, index)
                    assert await bus.write(place, word, 15, [port.enable, port.index, port.value]) == [
                        1,
                        index,
                        word,
                        0,
                    ]
                    written += struct.pack("<II", place, word)
            for word in pairs(rng, 2):
                place = ENTRIES[layer, "program_start"].address
                ports = [programmer.start, programmer.start_row, programmer.start_group]
                assert await bus.write(place, word, 15, ports) == [1, word & 0xFFFF, word >> 16, 0]
                assert await bus.read("program_start", layer) == word
                written += struct.pack("<II", place, word)
            for neuron in range(p.outputs):
                (word, _) = pairs(rng, 1)
                place = bias_byte_address(layer, neuron)
                valid, address, data, error = await bus.write(
                    place, word, 15, [dut.load.valid, payload.address, payload.data]
                )
                assert (valid, address, data & 0xFFFFFFFF, error) == (1, place // 4, word, 0)
                written += struct.pack("<II", place, word)
        assert await bus.read("load_checksum") == zlib.crc32(written)
        assert await bus.read("status") == 1 << 4 | ((await bus.read("errors") or 0) > 0) << 2
        assert await bus.write(ENTRIES[None, "load_end"].address, zlib.crc32(written)) == [0]
        assert ctx.get(dut.open)

        # Another build's number, another checksum, and a session that is given up.
        assert await bus.write(ENTRIES[None, "load_begin"].address, build_id(PARAMETERS) ^ 1 << 31) == [1]
        assert not ctx.get(dut.open) and await bus.read("errors") == 4
        await bus.put("load_begin", build_id(PARAMETERS))
        assert await bus.write(ENTRIES[None, "load_end"].address, 1) == [1]
        assert await bus.read("errors") == 4 | 8
        assert await bus.write(ENTRIES[None, "load_end"].address, 0) == [1]  # there is no session any more
        assert await bus.read("errors") == 1 | 4 | 8
        await bus.put("timeout", 3)
        await bus.put("load_begin", build_id(PARAMETERS))
        await ctx.tick().repeat(5)
        assert await bus.read("errors") == 1 | 4 | 8 | 16
        assert await bus.write(ENTRIES[None, "reset"].address, 0xFFFFFFFE) == [0]
        assert not ctx.get(dut.reset)
        await bus.put("reset", 1)
        assert ctx.get(dut.reset)
        await ctx.tick()
        assert not ctx.get(dut.reset)

    simulate(dut, bench)


def test_addresses_of_all_values() -> None:
    """Where nothing is, reads and writes are errors, however near a register is; nothing goes to the unit."""
    dut, rng = HostBlock(parameters=PARAMETERS), random.Random(13)
    real = {entry.address for entry in ENTRIES.values()}
    for layer, p in enumerate(PARAMETERS.layers):
        real |= {program_target_byte_address(layer, index) for index in range(p.lanes * p.row_tiles)}
        real |= {program_result_byte_address(layer, index) for index in range(2 * p.lanes * p.row_tiles)}
        real |= {bias_byte_address(layer, neuron) for neuron in range(p.outputs)}
    near = {address ^ 1 << bit for address in rng.sample(sorted(real), 8) for bit in range(ADDRESS_BITS)}
    places = sorted((near | set(pairs(rng, 20, ADDRESS_BITS))) - real)

    async def bench(ctx):
        bus = Bus(ctx, dut)
        for place in places:
            assert await bus.at(place) is None, hex(place)
            assert await bus.write(place, rng.getrandbits(32), 15, [dut.load.valid]) == [0, 1], hex(place)
        assert await bus.read("errors") == 0

    simulate(dut, bench)
