"""The random words of a read: known answers of Threefry-2x32-20, those of the model, and a proof of their time."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Assert, Cat, Mux, Signal

from spikeloom.hw.emulator.read_words import READY_CYCLE, ReadWords
from spikeloom.sim.common.threefry import threefry2x32
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches


async def draw(ctx: Any, dut: ReadWords, counter: tuple[int, int], key: tuple[int, int]) -> tuple[int, int]:
    """The words of a read, after as many cycles as documented; the counter is there in the first one only."""
    names = ("image", "read", "key_0", "key_1")
    for name, value in zip(names, (*counter, *key), strict=True):
        ctx.set(getattr(dut, name), value)
    ctx.set(dut.start, 1)
    for cycle in range(1, READY_CYCLE):
        await ctx.tick()
        ctx.set(dut.start, 0)
        for name in ("image", "read"):
            ctx.set(getattr(dut, name), random.getrandbits(32))
        assert ctx.get(dut.ready) == (cycle == READY_CYCLE - 1)
    return ctx.get(dut.word_0), ctx.get(dut.word_1)


KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
"""Of the Random123 library's test of Threefry-2x32 with 20 rounds."""


def test_known_answers_one_after_another() -> None:
    dut = ReadWords()

    async def bench(ctx: Any) -> None:
        assert not ctx.get(dut.ready)
        for counter, key, words in KNOWN:
            assert await draw(ctx, dut, counter, key) == words
            await ctx.tick().repeat(3)
            assert ctx.get(dut.ready) and (ctx.get(dut.word_0), ctx.get(dut.word_1)) == words

    simulate(dut, bench)


@pytest.mark.parametrize("seed", range(3))
def test_words_of_the_model_after_reads_that_are_broken_off(seed: int) -> None:
    dut, rng = ReadWords(), random.Random(seed)

    async def bench(ctx: Any) -> None:
        for _ in range(20):
            if rng.random() < 0.5:  # a read that is not waited for
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                await ctx.tick().repeat(rng.randrange(READY_CYCLE + 3))
            counter, key = ((rng.getrandbits(32), rng.getrandbits(32)) for _ in range(2))
            expected = tuple(int(word) for word in threefry2x32(*counter, *key))
            assert await draw(ctx, dut, counter, key) == expected

    simulate(dut, bench)


class Timed(Harness):
    """For reads at any distance: the words are ready from READY_CYCLE on, not before, and then stay until the next."""

    def __init__(self, dut: ReadWords, invariant: bool = True) -> None:
        super().__init__(dut)
        self.inner = inside(dut) if invariant else None

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, inner = self.dut, self.inner
        age = Signal(range(READY_CYCLE))  # cycles since `start`; 0 before the first one
        with m.If(dut.start):
            m.d.sync += age.eq(1)
        with m.Elif((age != 0) & (age != READY_CYCLE - 1)):
            m.d.sync += age.eq(age + 1)
        m.d.comb += Assert(dut.ready == (age == READY_CYCLE - 1))
        words = Cat(dut.word_0, dut.word_1)
        with m.If(past(m, dut.ready) & ~past(m, dut.start)):
            m.d.comb += Assert(words == past(m, words))
        if inner is not None:
            place = Mux(inner.count == 0, inner.turn == 2, 3 * inner.count - 1 + inner.turn)
            with m.If(inner.active):
                m.d.comb += [
                    Assert(age == place),
                    Assert(inner.turn < 3),
                    Assert(inner.count <= 5),
                    Assert((inner.count != 0) | (age == 1)),
                ]
            with m.Else():
                m.d.comb += Assert((age == 0) | (age == READY_CYCLE - 1))
        reaches(m, ready=dut.ready, again=dut.ready & dut.start)
        reaches(m, broken_off=in_turn(m, dut.start, ~dut.start & (age == 3), dut.start, dut.ready))
        return m


BROKEN = {
    "old_words_count": ("self.ready.eq(0),\n", ""),
    "goes_on_where_it_was": ("                count.eq(0),\n", ""),
    "one_turn_is_left_out": ("turn.eq(Mux(adds, 0, turn + 1))", "turn.eq(Mux(adds, 1, turn + 1))"),
    "one_addition_less": ("adds & (count == _INJECTIONS)):", "adds & (count == _INJECTIONS - 1)):"),
}


def test_words_are_ready_in_time() -> None:
    prove(Timed(ReadWords()), "read_words", depth=3, mode="prove", reach=2 * READY_CYCLE + 4)


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Timed(mutant(ReadWords, *BROKEN[name])(), invariant=False), f"read_words_{name}", depth=40)
