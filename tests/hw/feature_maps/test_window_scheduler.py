# amaranth: UnusedElaboratable=no
"""WindowScheduler against loops over windows, and its cycles."""

from __future__ import annotations

import random

import pytest

from spikeloom.hw.feature_maps.window_scheduler import WindowScheduler
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.hw.params.plan import window_words
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.feature_maps.test_window_walk import CASES, SQUARE, words
from tests.models.map_model import gather


def layer_of(case: str, row_bits: int = 1, phases: int = 1) -> LayerParameters:
    windows, shapes = CASES[case]
    height, width = windows[0].outputs(shapes[0])
    rows = sum(window.rows(shape) for window, shape in zip(windows, shapes, strict=True))
    return LayerParameters(
        inputs=rows, outputs=1, positions=height * width, lanes=1, row_bits=row_bits, tile_rows=4, phases=phases
    )


def scheduler(case: str, row_bits: int = 1, phases: int = 1, buffered: bool | None = None) -> WindowScheduler:
    layer, (windows, shapes) = layer_of(case, row_bits, phases), CASES[case]
    return WindowScheduler(layer=layer, windows=windows, shapes=shapes, buffered=buffered)


async def memory(ctx, port, content: list[list[int]], bits: int, reads: list[int]) -> None:
    """A map's memory behind a port: words come a cycle after they are read."""
    while True:
        *_, enable, address = await ctx.tick().sample(port.enable, port.address)
        if enable:
            ctx.set(port.data, sum(value << bits * c for c, value in enumerate(content[address])))
            reads.append(address)


@pytest.mark.parametrize("buffered", [None, False])
@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("row_bits", [1, 8])
@pytest.mark.parametrize("case", CASES)
def test_vectors(case: str, row_bits: int, stall: float, buffered: bool | None) -> None:
    """Two steps: rows, their number, marks, positions; the words that are read are those of the walk."""
    dut, rng = scheduler(case, row_bits, phases=3, buffered=buffered), random.Random(1)
    windows, shapes = CASES[case]
    maps = [
        [[rng.choice([0, rng.randrange(1 << row_bits)]) for _ in range(s.channels)] for _ in range(s.positions)]
        for s in shapes
    ]
    height, width = windows[0].outputs(shapes[0])
    steps = [{"first": 1, "phase": 2}, {"first": 0, "phase": 1}]
    expected = []
    for step in steps:
        for position in range(height * width):
            y, x = divmod(position, width)
            codes = [c for w, s, m in zip(windows, shapes, maps, strict=True) for c in gather(w, s, m, y, x)]
            vector = {"rows": sum(code << row * row_bits for row, code in enumerate(codes))}
            vector |= {"count": sum(code > 0 for code in codes), "silent": int(not any(codes)), **step}
            expected.append(vector | ({"position": position} if height * width > 1 else {}))
    reads: list[list[int]] = [[] for _ in windows]

    async def feed(ctx):
        await send(ctx, dut.i, steps, random.Random(1), stall)

    async def check(ctx):
        assert await collect(ctx, dut.o, len(expected), random.Random(2), stall) == expected

    def behind(number: int):
        async def bench(ctx):
            await memory(ctx, getattr(dut, f"map_{number}"), maps[number], row_bits, reads[number])

        return bench

    simulate(dut, feed, check, background=[behind(number) for number in range(len(windows))])
    for number, found in enumerate(reads):
        inner = [word["address"] for word in words(windows, shapes) if word["window"] == number and word["inside"]]
        assert found == inner * 2


@pytest.mark.parametrize("buffered", [None, False])
@pytest.mark.parametrize("busy", [0, 1, 4, 30])
@pytest.mark.parametrize("case", CASES)
def test_cycles(case: str, busy: int, buffered: bool | None) -> None:
    """The formula of the docstring, with a layer that is not ready for `busy` cycles after it has taken a vector."""
    dut = scheduler(case, buffered=buffered)
    layer, (windows, shapes) = dut.layer, CASES[case]
    first, other = window_words(windows, shapes)
    width = windows[0].outputs(shapes[0])[1]
    numbers = [first if position % width == 0 else other for position in range(layer.positions)]
    started: list[int] = []
    offered: list[int] = []
    taken: list[int] = []
    released: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, [{"first": 1}], random.Random(1), 0, started)

    async def check(ctx):
        for cycle in range(10_000):
            ready = not taken or cycle > taken[-1] + busy
            ctx.set(dut.o.ready, ready)
            *_, valid, done = await ctx.tick().sample(dut.o.valid, dut.released)
            if valid and len(offered) == len(taken):
                offered.append(cycle)
            if valid and ready:
                taken.append(cycle)
            released.extend([cycle] * done)
            if len(taken) == layer.positions:
                break

    simulate(dut, feed, check)
    complete, offers, takes = started[0] + numbers[0] + 2, [], []
    read, accepted = complete - 2, complete - 1  # the last word of a position
    for position, number in enumerate(numbers):
        if position > 0:
            complete = complete if dut.buffered else takes[-1]  # passed on when it is taken
            read = accepted if number == 1 else complete + number - 2
            accepted = complete + number - 1
            complete = max(complete + number, takes[-1]) if dut.buffered else takes[-1] + number
        offers.append(complete + dut.buffered)
        takes.append(max(offers[-1], takes[-1] + busy + 1) if takes else offers[-1])
    assert (offered, taken, released) == (offers, takes, [read])


def test_layer_must_be_that_of_the_windows() -> None:
    layer = LayerParameters(inputs=9, outputs=1, positions=4, lanes=1)
    with pytest.raises(ValueError, match=r"^WindowScheduler's layer has 9 rows at 4 positions, its windows 9 at 9$"):
        WindowScheduler(layer=layer, windows=CASES["padded"][0], shapes=(SQUARE,))
