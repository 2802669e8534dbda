"""Random numbers of the RATE coding: generator, taps, and that the logic is the integers."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.encoder.random_source import (
    MAX_LANES,
    RANDOM_BITS,
    advance,
    random_lanes,
    start_state,
    taps,
    xorshift128,
)
from tests.benches.stream_bench import simulate


def test_xorshift128_is_marsaglias() -> None:
    """First outputs for the start state of the paper's listing."""
    state = (123456789, 362436069, 521288629, 88675123)
    outputs = []
    for _ in range(4):
        state = xorshift128(state)
        outputs.append(state[3])
    assert outputs == [3701687786, 458299110, 2500872618, 3633119408]


def test_start_state() -> None:
    assert start_state(0x4444_4444_3333_3333_2222_2222_1111_1111) == (
        0x1111_1111,
        0x2222_2222,
        0x3333_3333,
        0x4444_4444,
    )
    assert start_state(0) == (1, 0, 0, 0)
    for seed in (-1, 1 << 128):
        with pytest.raises(ValueError, match=r"^Image seed must be in 0 \.\. 2\^128 - 1, not "):
            start_state(seed)


@pytest.mark.parametrize("lanes", [1, 16, 300])
def test_taps_are_distinct_also_when_moved_by_words(lanes: int) -> None:
    table = taps(lanes)
    assert [len(lane) for lane in table] == [RANDOM_BITS] * lanes
    sets = [frozenset(triple) for lane in table for triple in lane]
    assert all(len(triple) == 3 and max(triple) < 128 for triple in sets)
    moved = {frozenset((tap + 32 * words) % 128 for tap in triple) for triple in sets for words in range(4)}
    assert len(moved) == 4 * len(sets)


def test_bits_of_a_lane_are_independent() -> None:
    for lane in taps(64):
        assert len({tap for triple in lane for tap in triple}) == 3 * RANDOM_BITS


def test_taps_do_not_change() -> None:
    """The random numbers are part of the number contract: the same for every version, machine and number of lanes."""
    assert taps(1)[0][:3] == ((65, 53, 90), (112, 104, 101), (83, 91, 18))
    assert taps(64)[:16] == taps(16)


def test_draws_are_uniform() -> None:
    """Chi-squared of each lane's 8-bit numbers over 4,096 steps: below the 1 - 1e-6 quantile of 255 degrees."""
    lanes, steps = 4, 4096
    state = start_state(0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210)
    counts = [[0] * 256 for _ in range(lanes)]
    for _ in range(steps):
        bits = sum(word << 32 * index for index, word in enumerate(state))
        for lane, triples in enumerate(taps(lanes)):
            draw = sum((bits >> a ^ bits >> b ^ bits >> c) % 2 << bit for bit, (a, b, c) in enumerate(triples))
            counts[lane][draw] += 1
        state = xorshift128(state)
    expected = steps / 256
    for lane in range(lanes):
        assert sum((count - expected) ** 2 / expected for count in counts[lane]) < 373


@pytest.mark.parametrize("lanes", [0, -1, MAX_LANES + 1])
def test_number_of_lanes_is_bounded(lanes: int) -> None:
    with pytest.raises(ValueError, match=rf"^Phase shifter lanes must be in 1 \.\. {MAX_LANES}, not {lanes}$"):
        taps(lanes)


@pytest.mark.parametrize("lanes", [2.0, "3"])
def test_number_of_lanes_is_an_integer(lanes: object) -> None:
    with pytest.raises(TypeError, match=r"^Phase shifter lanes must be an integer, not "):
        taps(lanes)  # type: ignore[arg-type]


class Logic(wiring.Component):
    """`advance` and `random_lanes` for three lanes."""

    def __init__(self) -> None:
        super().__init__({"state": In(128), "following": Out(128), "draws": Out(3 * RANDOM_BITS)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.following.eq(advance(self.state)), self.draws.eq(Cat(random_lanes(self.state, 3)))]
        m.d.sync += Signal().eq(1)
        return m


def test_logic_is_the_integers() -> None:
    rng = random.Random(3)
    dut = Logic()

    async def bench(ctx):
        for _ in range(200):
            bits = rng.choice([rng.getrandbits(128), 1 << rng.randrange(128)])
            ctx.set(dut.state, bits)
            following = xorshift128(start_state(bits))
            assert ctx.get(dut.following) == sum(word << 32 * index for index, word in enumerate(following))
            draws = ctx.get(dut.draws)
            for lane, triples in enumerate(taps(3)):
                for bit, triple in enumerate(triples):
                    assert draws >> 8 * lane + bit & 1 == sum(bits >> tap for tap in triple) % 2
            await ctx.tick()

    simulate(dut, bench)
