"""The noise of the lanes' conversions: the model's, for every tile and group, one after another."""

from __future__ import annotations

import random
from typing import Any

import pytest

from spikeloom.hw.emulator.lane_noise import NOISE_CYCLES, LaneNoise, times_power
from spikeloom.hw.emulator.shape import LARGEST_NOISE, EmulatorShape
from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.common.threefry import threefry2x32
from spikeloom.sim.crossbar.conversion_noise import conversion_noise
from tests.benches.stream_bench import simulate

KEY = (7, 8 << 16 | 1)


@pytest.mark.parametrize(("inputs", "outputs", "lanes", "tile_rows"), [(9, 7, 2, 4), (4, 1, 1, 4), (70, 40, 37, 5)])
def test_noise_of_the_model(inputs: int, outputs: int, lanes: int, tile_rows: int) -> None:
    p = LayerParameters(inputs=inputs, outputs=outputs, lanes=lanes, tile_rows=tile_rows, programmer=False)
    dut, rng = LaneNoise(shape=EmulatorShape(parameters=p, noise=3)), random.Random(lanes)
    seen: set[int] = set()

    async def bench(ctx: Any) -> None:
        for read in range(1, 13):
            image = rng.getrandbits(32)
            expected = conversion_noise(KEY, image, read, p.row_tiles, p.groups, p.lanes)
            expected = expected.reshape(p.row_tiles, p.groups, p.lanes)
            words = threefry2x32(image, read, *KEY)
            ctx.set(dut.word_0, int(words[0]))
            ctx.set(dut.word_1, int(words[1]))
            places = [(rng.randrange(p.row_tiles), rng.randrange(p.groups)) for _ in range(20)]
            for cycle in range(len(places) + NOISE_CYCLES):
                if cycle >= NOISE_CYCLES:
                    found = [ctx.get(dut.noise[lane]) for lane in range(p.lanes)]
                    assert found == expected[places[cycle - NOISE_CYCLES]].tolist()
                    seen.update(found)
                tile, group = places[min(cycle, len(places) - 1)]
                ctx.set(dut.tile, tile)
                ctx.set(dut.group, group)
                await ctx.tick()

    simulate(dut, bench)
    assert min(seen) < -20 and max(seen) > 20 and max(map(abs, seen)) <= LARGEST_NOISE


def test_the_polynomial_is_primitive() -> None:
    """x has the order 2^32 - 1, and no smaller one, by the prime factors of that: factors of conversions differ."""

    def product(left: int, right: int) -> int:
        bits, total = [left >> place & 1 for place in range(32)], 0
        for place in range(32):
            if right >> place & 1:
                total ^= sum(bit << at for at, bit in enumerate(times_power(bits, place)))
        return total

    def power(exponent: int) -> int:
        result, square = 1, 2
        while exponent:
            result = product(result, square) if exponent & 1 else result
            square, exponent = product(square, square), exponent >> 1
        return result

    order = (1 << 32) - 1
    assert power(order) == 1
    assert all(power(order // prime) != 1 for prime in (3, 5, 17, 257, 65537))
