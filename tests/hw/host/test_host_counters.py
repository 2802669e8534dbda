"""Counters of the last answer stand still between answers, and their words are those of a result frame."""

from __future__ import annotations

import random

import pytest

from spikeloom.hw.host.host_counters import HostCounters
from spikeloom.hw.interfaces.activity import COUNTERS
from tests.benches.stream_bench import simulate


@pytest.mark.parametrize("layers", [2, 6])
def test_last_answer_is_kept(layers: int) -> None:
    dut, rng = HostCounters(layers=layers), random.Random(4)
    kept = [0] * (2 + 6 * layers)

    async def bench(ctx):
        images = 0
        for _ in range(40):
            now = [rng.getrandbits(32) for _ in range(2 + 5 * layers)]
            ctx.set(dut.cycles, now[0])
            ctx.set(dut.gap, now[1])
            for layer in range(layers):
                for index, name in enumerate(COUNTERS):
                    ctx.set(getattr(getattr(dut, f"activity_{layer}"), name), now[2 + 5 * layer + index])
            taken = rng.random() < 0.3
            ctx.set(dut.taken, taken)
            await ctx.tick()
            if taken:
                images += 1
                kept[:] = now[:2]
                for layer in range(layers):
                    kept.extend([*now[2 + 5 * layer :][:5], 0])
            words = ctx.get(dut.words)
            assert [words >> 32 * index & 0xFFFFFFFF for index in range(len(kept))] == kept
            assert (ctx.get(dut.images), ctx.get(dut.kept_cycles), ctx.get(dut.kept_gap)) == (images, *kept[:2])
            assert ctx.get(dut.kept_1.spikes) == kept[12]  # the last of its five

    simulate(dut, bench)
