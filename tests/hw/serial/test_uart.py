# amaranth: UnusedElaboratable=no
"""The serial line: bytes in both directions, at baud rates that are not quite equal, and what is no byte."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.serial.uart import UartReceiver, UartTransmitter
from tests.benches.stream_bench import simulate

CLOCK = 1e-6


def received(clocks: int, line, seconds: float = 0.0) -> tuple[list[int], int]:
    """Bytes and errors that a receiver finds; `line(ctx, rx)` moves the wire in time of its own."""
    dut, found, errors = UartReceiver(clocks_per_bit=clocks), [], []
    m = Module()
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(CLOCK)

    async def watch(ctx):
        while True:
            *_, valid, error, byte = await ctx.tick().sample(dut.valid, dut.error, dut.data)
            found.extend([byte] * valid)
            errors.extend([1] * error)

    async def drive(ctx):
        ctx.set(dut.rx, 1)
        await ctx.delay(10 * CLOCK)
        await line(ctx, dut.rx)
        await ctx.delay(14 * clocks * CLOCK)
        assert ctx.get(dut.idle)

    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(drive)
    simulator.run()
    return found, len(errors)


async def send(ctx, rx, data: bytes, bit: float, pause=lambda: 0.0) -> None:
    for byte in data:
        for level in [0, *(byte >> k & 1 for k in range(8)), 1]:
            ctx.set(rx, level)
            await ctx.delay(bit)
        await ctx.delay(pause() * bit)


@pytest.mark.parametrize("clocks", range(4, 18))
@pytest.mark.parametrize("offset", [-0.02, 0.0, 0.02])
def test_bytes_of_another_clock(clocks: int, offset: float) -> None:
    rng = random.Random(clocks)
    data = bytes([0, 0xFF, 0x55, 0xAA, *rng.randbytes(12)])
    bit = clocks * (1 + offset) * CLOCK

    async def line(ctx, rx):
        await ctx.delay(rng.random() * CLOCK)  # not with the clock's edges
        await send(ctx, rx, data, bit)  # without a pause: errors would add up
        await send(ctx, rx, data, bit, pause=rng.random)

    assert received(clocks, line) == (list(data) * 2, 0)


def test_wrong_baud_rate_is_found() -> None:
    async def line(ctx, rx):
        await send(ctx, rx, bytes(4), 24 * CLOCK)

    assert received(16, line)[1] > 0


def test_a_short_pulse_and_a_break_are_no_bytes() -> None:
    async def line(ctx, rx):
        ctx.set(rx, 0)
        await ctx.delay(3 * CLOCK)
        ctx.set(rx, 1)
        await ctx.delay(30 * CLOCK)
        await send(ctx, rx, b"a", 8 * CLOCK)
        ctx.set(rx, 0)
        await ctx.delay(300 * CLOCK)  # one error, not one for every ten bits
        ctx.set(rx, 1)
        await ctx.delay(20 * CLOCK)
        await send(ctx, rx, b"b", 8 * CLOCK)

    assert received(8, line) == ([*b"ab"], 1)


@pytest.mark.parametrize("clocks", [4, 5, 16])
def test_transmitter_cycle_by_cycle(clocks: int) -> None:
    dut, data, levels = UartTransmitter(clocks_per_bit=clocks), bytes([0xA5, 0x00, 0xFF]), []

    async def feed(ctx):
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(10 * clocks + 2)
        assert ctx.get(dut.idle)

    async def watch(ctx):
        while True:
            *_, level = await ctx.tick().sample(dut.tx)
            levels.append(level)

    simulate(dut, feed, background=[watch])
    expected = [1]
    for byte in data:
        bits = [0, *(byte >> k & 1 for k in range(8)), 1]
        expected += [level for level in bits for _ in range(clocks)] + [1]
    assert levels[: len(expected)] == expected and set(levels[len(expected) :]) <= {1}


def test_a_receiver_hears_a_transmitter() -> None:
    """At 4 cycles per bit, without pauses."""
    m, data, found = Module(), random.Random(1).randbytes(64), []
    m.submodules.tx = tx = UartTransmitter(clocks_per_bit=4)
    m.submodules.rx = rx = UartReceiver(clocks_per_bit=4)
    m.d.comb += rx.rx.eq(tx.tx)

    async def feed(ctx):
        for byte in data:
            ctx.set(tx.i.payload, byte)
            ctx.set(tx.i.valid, 1)
            await ctx.tick().until(tx.i.ready)
        ctx.set(tx.i.valid, 0)
        await ctx.tick().repeat(60)

    async def watch(ctx):
        while True:
            *_, valid, error, byte = await ctx.tick().sample(rx.valid, rx.error, rx.data)
            assert not error
            found.extend([byte] * valid)

    simulate(m, feed, background=[watch])
    assert bytes(found) == data


@pytest.mark.parametrize("clocks", [3, 65536, True, 4.0, "8"])
def test_clocks_out_of_range_are_errors(clocks: object) -> None:
    for kind in (UartReceiver, UartTransmitter):
        with pytest.raises(SpikeLoomError, match=r"^clocks_per_bit must be "):
            kind(clocks_per_bit=clocks)
