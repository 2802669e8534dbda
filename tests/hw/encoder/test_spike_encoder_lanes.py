"""SpikeEncoder with many lanes, in every coding: the model's vectors; of rate and even codes every pixel has some."""

from __future__ import annotations

import random

import pytest

from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding
from tests.benches.stream_bench import collect, send, simulate
from tests.hw.encoder.test_spike_encoder import restart, unit, vectors_of, words_of


@pytest.mark.parametrize("lanes", [5, 6, 8, 11, 16])
def test_every_lane_has_every_coding(lanes: int) -> None:
    """One pixel more than lanes, in one image per coding of 25 steps."""
    parameters, rng = unit(inputs=lanes + 1, lanes=lanes, phases=3), random.Random(lanes)
    dut = SpikeEncoder(parameters=parameters)

    async def bench(ctx):
        for coding in CODINGS:
            ctx.set(dut.coding, int(coding))
            image, seed = [rng.randint(60, 190) for _ in range(lanes + 1)], rng.getrandbits(128)
            ctx.set(dut.even_start, 127)
            if dut.parameters.draws_seeds:
                ctx.set(dut.seed, seed)
            await send(ctx, dut.pixels, words_of(parameters, image, rng), rng, 0.0)
            taken = await collect(ctx, dut.o, 25, rng, 0.0)
            assert taken == vectors_of(parameters, image, coding, 25, seed, 127)
            if coding in (Coding.RATE, Coding.EVEN):
                rows = [vector["rows"] for vector in taken]
                assert all(0 < sum(row >> pixel & 1 for row in rows) < 25 for pixel in range(lanes + 1))
            await restart(ctx, dut)

    simulate(dut, bench)
