"""Two encoders that take turns: images in order, none lost, mixed or doubled, whatever is dropped or restarted when."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import *
from amaranth.lib import data

from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.interfaces.streams import TAG_BITS
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past, with_junk
from tests.benches.stream_bench import CYCLE, collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls
from tests.hw.encoder.test_spike_encoder import random_image, unit, vectors_of, words_of
from tests.hw.encoder.words_at_hand import words_at_hand


class Pair(Harness):
    """The pair is compared with a queue of two images, cycle by cycle, with analog codes: a vector is the image's
    pixels.

    The queue knows when words are accepted and when a vector is valid (the cycles of the docstring), and what the
    vectors say: pixels, number of active rows, first step, phase, tag. `restart` and `drop` are free in every cycle.

    `inductive` adds what the registers and memories inside have to do with the queue, for the induction.
    """

    made_ahead = True
    """The next image's first vector is made while the current image is processed."""

    def __init__(self, pair: type = EncoderPair, inputs: int = 3, inductive: bool = False) -> None:
        layer = LayerParameters(inputs=inputs, outputs=2, lanes=1, row_bits=8, phases=2)
        self.parameters = NpuParameters(layers=(layer,), phases=2, encoder_lanes=2)
        self.inductive = inductive
        super().__init__(pair(parameters=self.parameters))

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, words = self.dut, self.parameters.pixel_words
        m.d.comb += Assume(dut.coding == int(Coding.ANALOG))

        image = data.StructLayout({"pixels": data.ArrayLayout(16, words), "tag": TAG_BITS, "wait": 4})
        count = Signal(2)  # of whole images
        part = Signal(4)  # words of the one that is coming
        queue = [Signal(image, name=f"queue_{place}") for place in range(2)]
        coming = Signal(image)
        first, phase = Signal(init=1), Signal()  # of the next vector

        mask = (1 << 8 * (self.parameters.inputs - 2 * (words - 1))) - 1  # lanes past the last pixel do not count
        whole = Signal(image)
        m.d.comb += [whole.eq(coming), whole.wait.eq(words + 1)]
        word = Value.cast(dut.pixels.payload)
        for index in range(words):
            with m.If(part == index):
                m.d.comb += whole.pixels[index].eq(word & mask if index == words - 1 else word)
        with m.If(part == 0):
            m.d.comb += whole.tag.eq(dut.tag)

        # What is seen from outside.
        accepted, taken = dut.pixels.valid & dut.pixels.ready, dut.o.valid & dut.o.ready
        m.d.comb += Assert(dut.pixels.ready == ((count != 2) & ~dut.drop & ~(dut.restart & (count == 0))))
        m.d.comb += Assert(dut.o.valid == ((count != 0) & (queue[0].wait == 0)))
        m.d.comb += Assert(dut.empty == ((count == 0) & (part == 0)))
        started = Signal()
        m.d.sync += started.eq(1)
        with m.If(started):
            m.d.comb += Assert(dut.empty == ~past(m, dut.current))
        with m.If(dut.o.valid):
            rows = dut.o.payload.rows
            active = sum(rows.word_select(row, 8).any() for row in range(self.parameters.inputs))
            m.d.comb += Assert(rows == Cat(queue[0].pixels[index] for index in range(words))[: len(rows)])
            m.d.comb += Assert(dut.o.payload.silent == (active == 0))
            m.d.comb += Assert((dut.o.payload.count == active) & (dut.o.payload.first == first))
            m.d.comb += Assert((dut.o.payload.phase == phase) & (dut.o_tag == queue[0].tag))
        with m.If(count != 0):
            m.d.comb += Assert(dut.o_tag == queue[0].tag)
        with m.Elif(part != 0):
            m.d.comb += Assert(dut.o_tag == coming.tag)

        # The queue.
        left = Signal(2)
        m.d.comb += left.eq(count - (dut.restart & (count != 0)))
        for entry in queue if self.made_ahead else queue[:1]:
            with m.If(entry.wait != 0):
                m.d.sync += entry.wait.eq(entry.wait - 1)
        with m.If(taken):
            m.d.sync += [queue[0].wait.eq(words), first.eq(0), phase.eq(~phase)]
        with m.If(dut.restart):
            m.d.sync += [queue[0].eq(queue[1]), first.eq(1), phase.eq(0)]
            m.d.sync += queue[0].wait.eq(queue[1].wait - (queue[1].wait != 0) if self.made_ahead else words + 1)
        m.d.sync += count.eq(left)
        with m.If(accepted):
            m.d.sync += [part.eq(part + 1), coming.eq(whole)]
            with m.If(part == words - 1):
                m.d.sync += [part.eq(0), count.eq(left + 1)]
                for place, entry in enumerate(queue):
                    with m.If(left == place):
                        m.d.sync += entry.eq(whole)
        with m.If(dut.drop | (dut.restart & (count == 0))):
            m.d.sync += part.eq(0)

        image_taken = taken & first
        reaches(
            m,
            two_images=in_turn(m, image_taken, dut.restart & (count == 2), image_taken),
            third_image=in_turn(m, dut.restart & (count == 2), dut.restart & (count != 0), image_taken),
            third_waits=(count == 2) & dut.pixels.valid & past(m, dut.pixels.valid & ~dut.pixels.ready),
            drop_of_nothing=in_turn(m, dut.drop & (count == 2) & (part == 0), taken),
            later_phases=taken & ~first & ~phase,
            tags_differ=(count == 2) & (queue[0].tag != queue[1].tag) & dut.o.valid,
        )
        if words > 1:
            reaches(
                m,
                dropped_beside_a_whole_one=in_turn(m, dut.drop & (count == 1) & (part != 0), accepted, count == 2),
                restart_of_a_part=in_turn(m, dut.restart & (count == 0) & (part != 0), taken),
            )
        reaches_stalls(m, "vector", dut.o)
        if self.inductive:
            self._invariants(m, count, part, queue, coming, first, phase)
        return m

    def _invariants(
        self,
        m: Module,
        count: Signal,
        part: Signal,
        queue: list[Any],
        coming: Any,
        first: Signal,
        phase: Signal,
    ) -> None:
        words = self.parameters.pixel_words
        pair = inside(self.dut)
        m.d.comb += Assert((count <= 2) & (part < words) & (pair.part == (part != 0)))
        m.d.comb += Assert((pair.full[0] + pair.full[1] == count) & (pair.fed == (pair.working ^ count[0])))
        for number, encoder in enumerate(pair.pair):
            state = inside(with_junk(encoder))
            holds = [state.image.read_port(domain="comb") for _ in range(words)]
            m.d.comb += [port.addr.eq(index) for index, port in enumerate(holds)]
            mine = Signal(name=f"mine_{number}")
            m.d.comb += mine.eq(pair.working == number)
            entry = Signal(queue[0].shape(), name=f"entry_{number}")
            m.d.comb += entry.eq(Mux(mine, queue[0], queue[1]))
            with m.If(pair.full[number]):
                m.d.comb += Assert((count == 2) | mine)
                m.d.comb += Assert(pair.tags[number] == entry.tag)
                m.d.comb += [Assert(port.data == entry.pixels[index]) for index, port in enumerate(holds)]
                self._work(m, state, entry, words)
                with m.If(mine):
                    m.d.comb += Assert((state.first == first) & (state.phase == phase))
                with m.Else():
                    m.d.comb += Assert(state.first & (state.phase == 0))
                with m.If(state.state == 1):
                    m.d.comb += Assert(state.first & (state.phase == 0))
            with m.Else():
                m.d.comb += Assert(state.loading & (state.word == Mux(pair.fed == number, part, 0)))
                with m.If((pair.fed == number) & (part != 0)):
                    m.d.comb += Assert(pair.tags[number] == coming.tag)
                    for index, port in enumerate(holds):
                        with m.If(index < part):
                            m.d.comb += Assert(port.data == coming.pixels[index])
        with m.If(count == 0):
            m.d.comb += Assert(first & ~phase)
        with m.If(count == 2):
            m.d.comb += Assert(part == 0)

    def _work(self, m: Module, state: Any, entry: Any, words: int) -> None:
        """An encoder that holds the image `entry`: where it is, and what it has made so far."""
        inputs = self.parameters.inputs
        pixels = [Value.cast(entry.pixels).word_select(row, 8) for row in range(2 * words)]
        m.d.comb += [Assert(pixel == 0) for pixel in pixels[inputs:]]
        done = Mux(state.offered, words, state.word)
        m.d.comb += Assert(~state.loading & (state.state < 4))
        with m.If(state.offered):
            m.d.comb += Assert((entry.wait == 0) & (state.word == 0))
        with m.Elif(state.encoding):
            m.d.comb += Assert((entry.wait == words - state.word) & (state.word < words))
        with m.Else():
            m.d.comb += Assert((entry.wait == words + 1) & (state.word == 0))
        for index, (encoded, shown) in enumerate(words_at_hand(m, state, words)):
            m.d.comb += Assert(~encoded | (state.pixel_word == entry.pixels[index]))
            m.d.comb += Assert(~shown | (state.read.data == entry.pixels[index]))
        active = 0
        for index in range(words):
            with m.If((state.encoding | state.offered) & (index < done)):
                m.d.comb += Assert(Mux(done == index + 1, state.rows[-1], state.rows[index]) == entry.pixels[index])
        for row in range(inputs):
            active += pixels[row].any() & (row // 2 < done)
        with m.If(state.offered | (state.encoding & (state.word != 0))):
            m.d.comb += Assert((state.count == active) & (state.silent == (active == 0)))


UNITS = {"3 words": unit(phases=3), "1 word": unit(row_bits=8, inputs=3, lanes=3)}


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("coding", list(CODINGS))
@pytest.mark.parametrize("parameters", UNITS.values(), ids=UNITS)
def test_vectors_are_the_models(parameters: NpuParameters, coding: Coding, stall: float) -> None:
    check_vectors(EncoderPair(parameters=parameters), coding, stall)


@pytest.mark.parametrize("coding", list(CODINGS))
def test_vectors_of_the_only_coding(coding: Coding) -> None:
    dut = EncoderPair(parameters=replace(UNITS["1 word" if coding == Coding.ANALOG else "3 words"], codings=(coding,)))
    assert ("coding" in dut.signature.members, "even_start" in dut.signature.members) == (False, coding == Coding.EVEN)
    check_vectors(dut, coding, 0.5)


def check_vectors(dut: Any, coding: Coding, stall: float) -> None:
    """Images with seeds and tags of their own; some are dropped with some of their words still to come."""
    rng = random.Random(int(coding))
    parameters = dut.parameters
    words = parameters.pixel_words
    seeds = [rng.getrandbits(128) * rng.choice([0, 1, 1]) for _ in range(20)]
    script = [(random_image(parameters, rng), seed, rng.getrandbits(16)) for seed in seeds]
    sent = [rng.choice([0, rng.randrange(words), words, words]) for _ in script]  # words before the drop, if any
    kept = [image for image, count in zip(script, sent, strict=True) if count == words]
    assert 4 < len(kept) < 18

    async def feed(ctx):
        for (image, seed, tag), count in zip(script, sent, strict=True):
            for index, word in enumerate(words_of(parameters, image, rng)[:count]):
                if dut.parameters.draws_seeds:
                    ctx.set(dut.seed, rng.getrandbits(128) if index else seed)
                ctx.set(dut.tag, rng.getrandbits(16) if index else tag)
                await send(ctx, dut.pixels, [word], rng, stall)
            if count < words or rng.random() < 0.5:  # after a whole image it has no effect
                ctx.set(dut.pixels.valid, rng.getrandbits(1))
                ctx.set(dut.drop, 1)
                assert not ctx.get(dut.pixels.ready)
                await ctx.tick()
                ctx.set(dut.drop, 0)
                ctx.set(dut.pixels.valid, 0)

    async def work(ctx):
        for name, value in (("coding", int(coding)), ("even_start", 77)):
            if name in dut.signature.members:
                ctx.set(getattr(dut, name), value)
        for image, seed, tag in kept:
            steps = rng.choice([1, 1, 2, 5])
            taken = await collect(ctx, dut.o, steps, rng, stall)
            assert taken == vectors_of(parameters, image, coding, steps, seed, 77)
            assert ctx.get(dut.o_tag) == tag and not ctx.get(dut.empty)
            for _ in range(rng.choice([0, 0, 3, 12])):
                await ctx.tick()
            ctx.set(dut.restart, 1)
            await ctx.tick()
            ctx.set(dut.restart, 0)
        for _ in range(3 * words + 3):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()

    simulate(dut, feed, work)


@pytest.mark.parametrize("parameters", [unit(), unit(lanes=3, inputs=3), unit(lanes=1, inputs=7)])
@pytest.mark.parametrize("late", [0, 1, 30])
def test_cycles(parameters: NpuParameters, late: int) -> None:
    check_cycles(EncoderPair(parameters=parameters), late, after_restart=1)


def check_cycles(dut: Any, late: int, after_restart: int) -> None:
    """Three images at hand: two are stored without a gap, the third when the first is done, `late` cycles later. A
    first vector is valid `after_restart` cycles after the restart of the image before, at the earliest.
    """
    parameters = dut.parameters
    words, steps = parameters.pixel_words, 3
    rng = random.Random(1)
    accepted: list[int] = []
    taken: list[list[int]] = [[], [], []]
    restarts: list[int] = []

    async def feed(ctx):
        for _ in range(3):
            await send(ctx, dut.pixels, words_of(parameters, random_image(parameters, rng), rng), rng, 0, accepted)

    async def work(ctx):
        for times in taken:
            await collect(ctx, dut.o, steps, rng, 0, times)
            for _ in range(late):
                await ctx.tick()
            ctx.set(dut.restart, 1)
            restarts.append(ctx.get(CYCLE))
            await ctx.tick()
            ctx.set(dut.restart, 0)

    simulate(dut, feed, work)
    assert accepted == [*range(2 * words), *range(restarts[0] + 1, restarts[0] + 1 + words)]
    before = -after_restart
    for index, times in enumerate(taken):
        first = max(accepted[(index + 1) * words - 1] + words + 2, before + after_restart)
        assert times == [first + step * (words + 1) for step in range(steps)]
        before = restarts[index]


def test_empty_is_only_without_any_part_of_an_image() -> None:
    check_empty(EncoderPair(parameters=unit()))


def check_empty(dut: Any) -> None:
    parameters = dut.parameters
    rng = random.Random(1)

    async def bench(ctx):
        for _ in range(2):
            assert ctx.get(dut.empty) and not ctx.get(dut.current)
            await send(ctx, dut.pixels, words_of(parameters, random_image(parameters, rng), rng)[:1], rng, 0)
            assert not ctx.get(dut.empty) and ctx.get(dut.current)
            ctx.set(dut.drop, 1)
            assert not ctx.get(dut.current)
            await ctx.tick()
            ctx.set(dut.drop, 0)
        assert ctx.get(dut.empty)

    simulate(dut, bench)


@pytest.mark.parametrize("inputs", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_proof_contract(inputs: int) -> None:
    prove(Pair(inputs=inputs, inductive=True), f"encoder_pair_{inputs}", depth=2, mode="prove")


BROKEN = {
    "mixes_the_tags": ("Mux(working, tags[1], tags[0])", "Mux(fed, tags[1], tags[0])"),
    "takes_every_words_tag": ("with m.If(mine & taken & ~part):", "with m.If(mine & taken):"),
    "gives_the_next_images_vectors": (
        "self.o.payload.eq(Mux(working, odd.o.payload, even.o.payload))",
        "self.o.payload.eq(Mux(fed, odd.o.payload, even.o.payload))",
    ),
    "takes_from_both": ("encoder.o.ready.eq(self.o.ready & works)", "encoder.o.ready.eq(self.o.ready)"),
    "feeds_both": ("encoder.pixels.valid.eq(self.pixels.valid & mine)", "encoder.pixels.valid.eq(self.pixels.valid)"),
    "never_turns": ("with m.If(finished):\n            m.d.sync += fed.eq(~fed)", "with m.If(0):\n            pass"),
    "restarts_both": ("(self.restart & works)", "self.restart"),
    "turns_at_a_part": ("with m.If(self.restart & whole):", "with m.If(self.restart):"),
    "stays_at_the_finished_image": ("m.d.sync += working.eq(~working)", "pass"),
    "forgets_that_an_image_is_whole": ("with m.If(works & self.restart):", "with m.If(self.restart):"),
    "drops_a_whole_image": ("self.drop & mine & ~full[number]", "self.drop & mine"),
    "drops_no_part": ("(self.drop & mine & ~full[number])", "0"),
    "keeps_a_dropped_part": (
        "with m.If(dropped):\n            m.d.sync += part.eq(0)",
        "with m.If(0):\n            pass",
    ),
    "takes_a_whole_image_for_a_part": ("m.d.sync += part.eq(~finished)", "m.d.sync += part.eq(1)"),
    "says_current_for_a_dropped_part": ("(part & ~dropped)", "part"),
    "overlooks_the_other_image": ("| other |", "|"),
}


@pytest.mark.halved
@pytest.mark.parametrize("name", BROKEN)
def test_proof_bites(name: str) -> None:
    inputs = 2 if name == "takes_from_both" else 3  # a word per image: a shorter way to the fault
    assert_fails(Pair(mutant(EncoderPair, *BROKEN[name]), inputs), name, depth=14)
