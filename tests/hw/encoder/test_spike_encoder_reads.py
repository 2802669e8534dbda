"""The encoder's memories are read in the cycles whose data are used, and rest in all others."""

from __future__ import annotations

import random

import pytest

from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.params.parameters import Coding
from tests.benches.proof_bench import inside
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.encoder.test_spike_encoder import random_image, restart, unit, words_of


@pytest.mark.parametrize(("inputs", "lanes"), [(11, 4), (8, 4), (4, 4)])
def test_memories_rest(inputs: int, lanes: int) -> None:
    """One read per word and step, and two before the first step, the first of them with the image's last word."""
    parameters = unit(inputs=inputs, lanes=lanes)
    dut, rng = SpikeEncoder(parameters=parameters), random.Random(1)
    inner = inside(dut)
    words, steps, waiting, read = parameters.pixel_words, 5, 7, []

    async def watch(ctx):
        async for _, _, pixels, sums in ctx.tick().sample(inner.read.en, inner.sums_read.en):
            assert pixels == sums
            read.append(pixels)

    async def bench(ctx):
        ctx.set(dut.coding, int(Coding.EVEN))
        await ctx.tick().repeat(9)
        for _ in range(2):
            await send(ctx, dut.pixels, words_of(parameters, random_image(parameters, rng), rng), rng, 0)
            assert sum(read) == read[-1]  # nothing while an image comes, but with its last word, or none is there
            await collect(ctx, dut.o, steps, rng, 0)
            made = sum(read)
            assert made == 2 + words * steps
            await ctx.tick().repeat(words + waiting)
            assert sum(read) - made == words
            await restart(ctx, dut)
            await ctx.tick().repeat(9)
            read.clear()

    simulate(dut, bench, background=[watch])
