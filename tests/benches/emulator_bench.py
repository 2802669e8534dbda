"""Drives a crossbar emulator: its load bus, and the sides of its crossbar port, with random stalls."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from spikeloom.hw.emulator.cell_words import CELLS, GAIN, POINTER
from spikeloom.hw.emulator.crossbar_emulator import CrossbarEmulator
from spikeloom.hw.emulator.cycles import ReadCycles

__all__ = ["access", "load", "load_cells", "operate", "read"]


async def access(ctx: Any, dut: CrossbarEmulator, address: int, data: int | None = None) -> tuple[int, bool, int]:
    """A request on the load bus, a write if there is data: the answer, the error flag, and the cycles it took."""
    bus = dut.load
    ctx.set(bus.address, address)
    ctx.set(bus.data, data or 0)
    ctx.set(bus.write, data is not None)
    ctx.set(bus.read, data is None)
    for cycles in range(1, 1000):
        *_, done, answer, error = await ctx.tick().sample(bus.done, bus.answer, bus.error)
        if done:
            ctx.set(bus.write, 0)
            ctx.set(bus.read, 0)
            return answer, bool(error), cycles
    raise AssertionError("the emulator does not answer")


async def load(ctx: Any, dut: CrossbarEmulator, address: int, data: int) -> None:
    """A write that must be taken."""
    _, error, _ = await access(ctx, dut, address, data)
    assert not error


async def load_cells(ctx: Any, dut: CrossbarEmulator, words: Iterable[int], gain: int = 0) -> None:
    """All cells from the first one on, and the gain, where it is not fixed."""
    await load(ctx, dut, POINTER, 0)
    for word in words:
        await load(ctx, dut, CELLS, int(word))
    if dut.shape.gain is None:
        await load(ctx, dut, GAIN, gain)


async def _pause(ctx: Any, rng: random.Random, stall: float) -> None:
    while rng.random() < stall:
        await ctx.tick()


async def read(
    ctx: Any,
    dut: CrossbarEmulator,
    rows: np.ndarray,
    rng: random.Random,
    stall: float = 0.0,
    address: tuple[int, int] = (0, 1),
) -> tuple[np.ndarray, np.ndarray, ReadCycles]:
    """A read of row codes [inputs]: codes and over flags [row tiles, outputs], and the cycles it took.

    `stall` is the probability of a pause in each cycle in which the accelerator might go on, `address` are the image's
    tag and the number of the read, which noise asks for.
    """
    p, port = dut.shape.parameters, dut.crossbar
    number = sum(int(code) << row * p.row_bits for row, code in enumerate(rows))
    driven = {int(row) // p.tile_rows for row in np.flatnonzero(rows)}
    ctx.set(port.rows, number)
    ctx.set(port.tiles, sum(1 << tile for tile in driven))
    ctx.set(port.drive, 1)
    if dut.shape.noise:
        ctx.set(dut.image, address[0])
        ctx.set(dut.read, address[1])
    settle = 1
    while not ctx.get(port.sampled):
        await ctx.tick()
        settle += 1
        assert settle < 10_000
    await _pause(ctx, rng, stall)
    ctx.set(port.drive, 0)
    ctx.set(port.rows, rng.getrandbits(p.inputs * p.row_bits))
    await _pause(ctx, rng, stall)
    codes, over = np.zeros((p.row_tiles, p.outputs), int), np.zeros((p.row_tiles, p.outputs), bool)
    waits = []
    for group in range(p.groups):
        ctx.set(port.column, group)
        ctx.set(port.convert, 1)
        wait = 0
        while True:
            *_, done, found, flags = await ctx.tick().sample(port.done, port.codes, port.over)
            if done:
                break
            wait += 1
            assert wait < 10_000
        waits.append(wait)
        if stall:
            ctx.set(port.convert, 0)
            await _pause(ctx, rng, stall)
        for column in range(group * p.lanes, min(p.outputs, (group + 1) * p.lanes)):
            for tile in range(p.row_tiles):
                at = tile * p.lanes + column % p.lanes
                codes[tile, column], over[tile, column] = found[at], flags >> at & 1
    ctx.set(port.convert, 0)
    while ctx.get(port.sampled):
        await ctx.tick()
    return codes, over, ReadCycles(settle, tuple(waits))


async def operate(ctx: Any, dut: CrossbarEmulator, **asked: Any) -> tuple[list[int], int]:
    """A programming operation, given by the fields of `operation_layout`: the codes, and the cycles it took."""
    port = dut.crossbar
    for name, value in asked.items():
        ctx.set(getattr(port, f"program_{name}"), value)
    ctx.set(port.program_cell, 1)
    for cycles in range(1, 1000):
        *_, done, codes = await ctx.tick().sample(port.program_done, port.program_codes)
        if done:
            ctx.set(port.program_cell, 0)
            return [int(codes[tile]) for tile in range(dut.shape.parameters.row_tiles)], cycles
    raise AssertionError("the emulator does not finish an operation")
