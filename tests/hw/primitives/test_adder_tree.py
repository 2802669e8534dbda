"""Adder tree: the sum of its values, as wide as it needs to be."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned

from spikeloom.hw.primitives.adder_tree import adder_tree
from tests.benches.stream_bench import simulate


@pytest.mark.parametrize("shape", [unsigned(1), signed(5)])
@pytest.mark.parametrize("size", [0, 1, 2, 5, 16, 19])
def test_sum(size: int, shape) -> None:
    values = [Signal(shape) for _ in range(size)]
    total = adder_tree(values)
    rng = random.Random(size)

    async def bench(ctx):
        for _ in range(20):
            for value in values:
                ctx.set(value, rng.choice([-16, 15, rng.randint(-16, 15)]) if shape.signed else rng.randint(0, 1))
            assert ctx.get(total) == sum(ctx.get(value) for value in values)
            await ctx.tick()

    m = Module()
    m.d.comb += Signal(16).eq(total)
    simulate(m, bench)


def test_width_grows_with_the_logarithm() -> None:
    assert len(adder_tree([Signal() for _ in range(16)])) == 5
