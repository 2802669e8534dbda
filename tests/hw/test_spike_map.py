# amaranth: UnusedElaboratable=no
"""SpikeMap against a list, and the sizes of its ports."""

from __future__ import annotations

import random

import pytest

from hw.geometry import MapShape
from hw.spike_map import SpikeMap, address_bits
from tests.hw.stream_bench import simulate


@pytest.mark.parametrize(("positions", "bits"), [(1, 1), (2, 1), (12, 1), (12, 8), (16, 1)])
def test_words(positions: int, bits: int) -> None:
    """Random writes and reads; a word that was read stays until the next read, whatever is written."""
    shape = MapShape(channels=3, height=1, width=positions)
    dut, rng = SpikeMap(shape=shape, value_bits=bits), random.Random(1)
    assert len(dut.write.data) == 3 * bits and len(dut.read.address) == address_bits(shape)
    words: dict[int, int] = {}
    shown: int | None = None

    async def bench(ctx):
        nonlocal shown
        for _ in range(300):
            write, read, word = rng.randrange(positions), rng.randrange(positions), rng.getrandbits(3 * bits)
            enables = rng.random() < 0.5, rng.random() < 0.5 and read != write
            ctx.set(dut.write.address, write)
            ctx.set(dut.write.data, word)
            ctx.set(dut.write.enable, enables[0])
            ctx.set(dut.read.address, read)
            ctx.set(dut.read.enable, enables[1])
            await ctx.tick()
            if enables[1]:
                shown = words.get(read)
            if enables[0]:
                words[write] = word
            assert shown is None or ctx.get(dut.read.data) == shown
        assert len(words) == positions

    simulate(dut, bench)


@pytest.mark.parametrize(("bits", "error"), [(0, ValueError), (True, TypeError), ("1", TypeError)])
def test_bits_of_a_value(bits: object, error: type) -> None:
    with pytest.raises(error, match=r"^SpikeMap value_bits must be"):
        SpikeMap(shape=MapShape(channels=1), value_bits=bits)
