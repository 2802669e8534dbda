"""Every register of the host's address map in the host block: written, read back, and nothing else changed by it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from spikeloom.hw.host.host_block import HostBlock
from spikeloom.hw.host.register_map import host_map, layer_byte_address
from spikeloom.hw.interfaces.registers import Register
from tests.benches.stream_bench import simulate
from tests.hw.test_npu import LEAN, unit


@pytest.mark.parametrize("features", [{}, LEAN], ids=["all features", "subtracts only"])
def test_every_register_is_read_back(features: dict[str, Any]) -> None:
    """No image in progress, no load session: what can be written holds the bits that it has, all else its old value;
    what is not there answers with errors.
    """
    parameters, rng = unit(sizes=(11, 7, 5, 4, 6, 5, 3), **features), random.Random(1)
    dut = HostBlock(parameters=parameters)
    entries = host_map(parameters)
    pulses = [e for e in entries if isinstance(e.register, Register) and e.register.pulse]
    kept = [e for e in entries if e.access == "rw" and e not in pulses and e.name != "program_start"]
    assert len(kept) > 20

    async def host(ctx):
        async def read(entry) -> int:
            ctx.set(dut.bus.read_address, entry.address)
            ctx.set(dut.bus.read_enable, 1)
            await ctx.delay(1e-9)
            assert not ctx.get(dut.bus.read_error), entry.name
            value = ctx.get(dut.bus.read_data)
            await ctx.tick()
            ctx.set(dut.bus.read_enable, 0)
            return value

        async def write(entry, value: int) -> bool:
            ctx.set(dut.bus.write_address, entry.address)
            ctx.set(dut.bus.write_data, value)
            ctx.set(dut.bus.write_strobe, 15)
            await ctx.tick()  # it is decoded in the cycle before
            ctx.set(dut.bus.write_enable, 1)
            await ctx.delay(1e-9)
            error = ctx.get(dut.bus.write_error)
            await ctx.tick()
            ctx.set(dut.bus.write_enable, 0)
            await ctx.tick()
            return bool(error)

        for entry in entries:
            before = await read(entry)
            value = rng.getrandbits(32)
            if entry in kept:
                assert not await write(entry, value), entry.name
                mask = (1 << entry.bits) - 1
                expected = value & mask
                if entry.signed and expected >> (entry.bits - 1):
                    expected |= ~mask & 0xFFFFFFFF
                assert await read(entry) == expected, entry.name
            elif entry.access == "ro" or entry.name == "program_start":  # the latter wants a load session
                assert await write(entry, value), entry.name
                assert await read(entry) == before, entry.name
        names = {(entry.layer, entry.name) for entry in entries}
        missing = [name for name in ("leak", "clip", "reset") if (2, name) not in names]
        assert missing == (["leak", "clip", "reset"] if features else [])
        for address in (0x3FFFFFC, *(layer_byte_address(2, name) for name in missing)):
            ctx.set(dut.bus.read_address, address)
            ctx.set(dut.bus.write_address, address)
            await ctx.tick()
            ctx.set(dut.bus.write_enable, 1)
            await ctx.delay(1e-9)
            assert ctx.get(dut.bus.read_error) and ctx.get(dut.bus.write_error)

    simulate(dut, host)
