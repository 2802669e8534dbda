"""Shared helpers of the Amaranth testbenches: stream source and sink with random stalls, and a simulation run.

async def feed(ctx):
    await send(ctx, dut.i, vectors, random.Random(1), 0.3)

async def check(ctx):
    assert await collect(ctx, dut.o, 5, random.Random(2), 0.3) == expected

simulate(dut, feed, check)
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal, Value
from amaranth.lib import data
from amaranth.sim import Simulator

__all__ = ["CYCLE", "Bench", "collect", "plain", "send", "simulate"]

Bench = Callable[[Any], Awaitable[None]]

CYCLE = Signal(32)
"""Number of clock edges of the running simulation: `ctx.get(CYCLE)` is 0 before the first tick."""


def plain(value: Any) -> Any:
    """A payload as plain Python: a struct becomes a dict, an array a list, anything else stays what it is."""
    if not isinstance(value, data.Const):
        return value
    layout = value.shape()
    if isinstance(layout, data.ArrayLayout):
        return [plain(value[index]) for index in range(layout.length)]
    if isinstance(layout, data.StructLayout):
        return {name: plain(value[name]) for name in layout.members}
    raise TypeError(f"A payload to unpack must be a struct or an array, not {layout!r}")


async def send(
    ctx: Any, stream: Any, payloads: Iterable[Any], rng: random.Random, stall: float, times: list[int] | None = None
) -> None:
    """Put `payloads` on a stream in order.

    Parameters
    ----------
    stream : the component's input stream
    payloads : ints, or dicts and lists in the payload's shape
    rng, stall : probability of idling a cycle, 0 .. 1 (less than 1); an idle cycle shows random junk as the payload
    times : gets the number of each transfer's cycle, if given
    """
    bits = Value.cast(stream.payload)
    for payload in payloads:
        while rng.random() < stall:
            ctx.set(stream.valid, 0)
            ctx.set(bits, rng.getrandbits(len(bits)))
            await ctx.tick()
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        while True:
            *_, ready, now = await ctx.tick().sample(stream.ready, CYCLE)
            if ready:
                break
        if times is not None:
            times.append(now)
    ctx.set(stream.valid, 0)


async def collect(
    ctx: Any, stream: Any, count: int, rng: random.Random, stall: float, times: list[int] | None = None
) -> list[Any]:
    """Take `count` payloads from a stream, as plain Python (see `plain`).

    Checks the stream's contract on the way: once valid, it stays valid with the same payload until it is taken.

    Parameters
    ----------
    stream : the component's output stream
    rng, stall : probability of not being ready in a cycle, 0 .. 1 (less than 1)
    times : gets the number of each transfer's cycle, if given

    Raises
    ------
    AssertionError : the stream withdrew or changed a payload that was not taken
    """
    bits = Value.cast(stream.payload)
    taken: list[Any] = []
    pending: int | None = None
    while len(taken) < count:
        ready = rng.random() >= stall
        ctx.set(stream.ready, ready)
        *_, valid, payload, raw, now = await ctx.tick().sample(stream.valid, stream.payload, bits, CYCLE)
        if pending is not None:
            assert valid, f"stream withdrew a payload in cycle {now} that was not taken"
            assert raw == pending, f"stream changed its payload in cycle {now}: {pending:#x} became {raw:#x}"
        pending = raw if valid and not ready else None
        if valid and ready:
            taken.append(plain(payload))
            if times is not None:
                times.append(now)
    ctx.set(stream.ready, 0)
    return taken


def simulate(dut: Elaboratable, *benches: Bench, background: Iterable[Bench] = (), limit: int = 100_000) -> None:
    """Run a component until all of `benches` have returned.

    Parameters
    ----------
    benches : testbenches that the run waits for
    background : testbenches that run forever, such as a model of the analog array or a monitor
    limit : cycles after which the run counts as hung

    Raises
    ------
    AssertionError : from a testbench, or after `limit` cycles
    """

    async def watchdog(ctx: Any) -> None:
        for _ in range(limit):
            await ctx.tick()
        raise AssertionError(f"testbenches still running after {limit} cycles")

    m = Module()
    m.submodules.dut = dut
    m.d.sync += CYCLE.eq(CYCLE + 1)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    for bench in (*background, watchdog):
        simulator.add_testbench(bench, background=True)
    simulator.run()
