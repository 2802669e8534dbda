"""Result frames: words are right, in order, and stay until taken, whatever is cleared meanwhile; proven for any use."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal, Value

from spikeloom.hw.host.result_stream import ResultStream
from spikeloom.hw.interfaces.streams import RESULT_LAYOUT, TAG_BITS
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import collect, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract

FURTHER = 2


class Frames(Harness):
    """For any answers, any receiver, and `clear` in any cycle; counters change only where the contract lets them.

    An offered word is stable until accepted, through `clear` too. Every answer gives one frame, in order: its word, and
    the further words if they were asked for, each once, the last marked, all with its tag; a word in every cycle. After
    `clear` nothing more of a frame comes than the word that waited. An answer is taken as soon as the frame before is
    sent, and never during `clear`.
    """

    def __init__(self, dut: ResultStream, inductive: bool = False) -> None:
        super().__init__(dut)
        self.inner = inside(dut)
        self.inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        stream_contract(m, dut.o, Assert)
        answered, sent = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
        before, may_change = past(m, dut.counters), past(m, answered | dut.clear)
        started = past(m, 1)
        m.d.comb += Assume((dut.counters == before) | may_change | ~started)

        active = Signal()  # a frame is on its way
        cut = Signal()  # it ends with the word that waits
        number = Signal(range(FURTHER + 2))  # of the word that is offered
        word, tag, more = Signal(64), Signal(16), Signal()
        final = Mux(more, number == FURTHER, 1)
        m.d.comb += [
            Assert(dut.o.valid == active),
            Assert(dut.i.ready == (~dut.clear & (~active | (dut.o.ready & (final | cut))))),
        ]
        with m.If(dut.o.valid):
            m.d.comb += Assert(dut.o.payload.tag == tag)
            with m.If(~cut):
                expected = Mux(number == 0, word, dut.counters.word_select((number - 1)[:2], 64))
                m.d.comb += [Assert(dut.o.payload.data == expected), Assert(dut.o.payload.last == final)]
        with m.If(sent):
            m.d.sync += [number.eq(number + 1), active.eq(~final & ~cut)]
        with m.If(dut.clear):
            m.d.sync += [active.eq(active & ~dut.o.ready), cut.eq(active & ~dut.o.ready)]
        with m.Elif(sent):
            m.d.sync += cut.eq(0)
        with m.If(answered):
            m.d.sync += [
                active.eq(1),
                cut.eq(0),
                number.eq(0),
                word.eq(Value.cast(dut.i.payload.word)),
                tag.eq(dut.i.payload.tag),
                more.eq(dut.more),
            ]
        reaches(
            m,
            short_frame=in_turn(m, sent & final & ~more, answered),
            long_frame=in_turn(m, sent & final & more & ~cut, answered & ~dut.more, sent & final),
            next_answer_at_once=answered & sent & final,
            cut_while_it_waits=in_turn(m, past(m, cut) & cut & ~dut.o.ready & (number == 1), sent & cut, answered),
            cleared_as_it_is_sent=in_turn(m, dut.clear & sent & ~final, ~active, sent),
            answer_waits_for_clear=dut.i.valid & dut.clear & ~active,
        )
        reaches_stalls(m, "word", dut.o)
        if self.inductive:
            inner = self.inner
            m.d.comb += [
                Assert(~active | (number <= FURTHER)),
                Assert(~cut | active),
                Assert(inner.sending == (active & ~cut & ~final)),
            ]
            with m.If(inner.sending):
                m.d.comb += Assert(inner.number == number)
        return m


def test_proof() -> None:
    prove(Frames(ResultStream(further=FURTHER), inductive=True), "result_stream", depth=3, mode="prove")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("is_free & ~sending & ~self.clear", "is_free & ~self.clear"),
        ("is_free & ~sending & ~self.clear", "~self.o.valid & ~sending & ~self.clear"),
        ("is_free & ~sending & ~self.clear", "is_free & ~sending"),
        ("with m.If(is_free):", "with m.If(is_free | self.clear):"),
        ("(self.i.valid | sending) & ~self.clear", "self.i.valid | sending"),
        ("word.last.eq(~self.more)", "word.last.eq(1)"),
        ("word.last.eq(number == self._further - 1)", "word.last.eq(0)"),
        ("sending.eq(number != self._further - 1)", "sending.eq(number != self._further)"),
        ("with m.Elif(is_free & sending & ~self.clear):", "with m.Elif(sending & ~self.clear):"),
        ("with m.If(self.clear):", "with m.If(0):"),
        ("                word.tag.eq(self.i.payload.tag),\n", ""),
        ("                number.eq(0),\n", ""),
    ],
    ids=[
        "frames mixed",
        "a cycle lost",
        "answer lost in clear",
        "word withdrawn",
        "word after clear",
        "last too early",
        "never last",
        "one word too many",
        "word overwritten",
        "goes on after clear",
        "old tag",
        "old position",
    ],
)
def test_mutants_fail(old: str, new: str) -> None:
    assert_fails(Frames(mutant(ResultStream, old, new)(further=FURTHER)), "result_stream_twin", depth=9)


def test_cycles() -> None:
    """An answer taken in cycle c is offered from c + 1 on, one word per cycle."""
    dut = ResultStream(further=3)
    seen = []

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.more, 1)
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.counters, 1 | 2 << 64 | 3 << 128)
        for _ in range(9):
            *_, ready, valid, word = await ctx.tick().sample(dut.i.ready, dut.o.valid, dut.o.payload)
            seen.append((ready, valid, word.data & 3, word.last) if valid else (ready, valid))

    simulate(dut, bench)
    frame = [(0, 1, 0, 0), (0, 1, 1, 0), (0, 1, 2, 0), (1, 1, 3, 1)]
    assert seen == [(1, 0), *frame, *frame]


def test_frames_of_all_values() -> None:
    """Every bit of an answer, its tag and its counters comes out as it went in, high and low, under stalls."""
    further, rng = 3, random.Random(7)
    dut = ResultStream(further=further)
    answers: list[dict[str, int]] = []
    for _ in range(20):
        word, tag, counters = rng.getrandbits(64), rng.getrandbits(TAG_BITS), rng.getrandbits(64 * further)
        more = rng.randrange(2)
        answers.append({"word": word, "tag": tag, "counters": counters, "more": more})
        answers.append({"word": ~word & (1 << 64) - 1, "tag": tag ^ 0xFFFF, "counters": ~counters, "more": 1})

    async def answer(ctx):
        for one in answers:
            ctx.set(dut.i.payload, {"word": RESULT_LAYOUT.from_bits(one["word"]), "tag": one["tag"]})
            ctx.set(dut.more, one["more"])
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.counters, one["counters"] & (1 << 64 * further) - 1)

    async def host(ctx):
        for one in answers:
            words = [one["word"], *(one["counters"] >> 64 * number & (1 << 64) - 1 for number in range(further))]
            words = words if one["more"] else words[:1]
            frame = await collect(ctx, dut.o, len(words), rng, 0.3)
            last = len(words) - 1
            expected = [{"data": w, "last": int(i == last), "tag": one["tag"]} for i, w in enumerate(words)]
            assert frame == expected

    simulate(dut, answer, host)
