"""Image frames: exactly the well-formed ones become images, in order, with their own seed and tag; for any frames."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Const, Mux, Signal, Value

from spikeloom.hw.host.pixel_stream import PixelStream
from spikeloom.hw.interfaces.streams import seed_words
from spikeloom.hw.params.codings import CODINGS, Coding
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import simulate
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches, stream_contract


def unit(inputs: int, lanes: int, codings: tuple[Coding, ...] = CODINGS.unit) -> NpuParameters:
    layer = LayerParameters(inputs=inputs, outputs=1, lanes=1, max_steps=3)
    return NpuParameters(layers=(layer,), max_steps=3, encoder_lanes=lanes, codings=codings)


SEEDLESS = unit(17, 8, (Coding.EVEN,))


class Frames(Harness):
    """For any frames, any timeout and any pace of the unit behind.

    A receiver beside the stream collects words until it has an image's number, and forgets those it has on `drop`. It
    completes an image exactly in the cycle in which the last word of a well-formed frame is taken, and has nothing
    outside of frames that may become images. Words are passed on in the cycle in which they are taken, unchanged; one
    of the seed's bytes (any) and the tag are those of the frame. Flags come exactly with their cause, once per frame.
    No word waits but for the unit behind. Without rate coding no frame begins with a seed.
    """

    def __init__(self, dut: PixelStream, inductive: bool = False) -> None:
        super().__init__(dut, byte=range(16))
        self.inner = inside(dut)
        self.inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, p = self.dut, self.dut.parameters
        stream_contract(m, dut.i, Assume)
        constant(m, self.byte)
        before, words, lanes = seed_words(p) * p.draws_seeds, p.pixel_words, p.encoder_lanes

        # The frame, as the input shows it.
        taken = dut.i.valid & dut.i.ready
        last, data = dut.i.payload.last, dut.i.payload.data
        begun = Signal()
        number = Signal(range(before + words + 1))  # of the word that is offered; stops past the last
        held_good, held_seeds, tag, seed = Signal(), Signal(), Signal.like(dut.i.payload.tag), Signal(8)
        good = Mux(begun, held_good, dut.open)  # so far
        seeds = Mux(begun, held_seeds, dut.seeds) if p.draws_seeds else Const(0)
        skipped = Mux(seeds, before, 0)
        final = number == skipped + words - 1
        whole = taken & good & final & last
        broken = taken & good & (last != final)
        pause = Signal(32)
        expires = begun & ~dut.i.valid & (dut.timeout != 0) & (pause >= dut.timeout - 1)
        with m.If(taken):
            m.d.sync += [begun.eq(~last), held_good.eq(good & ~broken), held_seeds.eq(seeds)]
            m.d.sync += number.eq(Mux(last | broken | ~good, 0, number + 1))
            with m.If(~begun):
                m.d.sync += tag.eq(dut.i.payload.tag)
            with m.If(number == self.byte // lanes):
                m.d.sync += seed.eq(data.word_select(self.byte % lanes, 8))
        with m.If(expires):
            m.d.sync += [begun.eq(0), number.eq(0)]
        m.d.sync += pause.eq(Mux(begun & ~dut.i.valid, pause + 1, 0))

        # The unit behind.
        passed = dut.pixels.valid & dut.pixels.ready
        held = Signal(range(words))  # words of an image
        with m.If(dut.drop):
            m.d.sync += held.eq(0)
        with m.Elif(passed):
            m.d.sync += held.eq(Mux(held == words - 1, 0, held + 1))
        m.d.comb += [
            Assert((passed & (held == words - 1)) == whole),
            Assert(held == Mux(begun & good & (number > skipped), number - skipped, 0)),
            Assert(~passed | taken),
            Assert(~passed | (Value.cast(dut.pixels.payload) == data)),
            Assert(~(passed & dut.drop)),
            Assert(dut.i.ready | ~dut.i.valid | (dut.pixels.valid & ~dut.pixels.ready)),
            Assert(~dut.drop | broken | expires),
            Assert(dut.begun == (begun & good)),
            Assert(dut.wrong_frame == broken),
            Assert(dut.unloaded == (taken & ~begun & ~dut.open)),
            Assert(dut.timed_out == expires),
        ]
        with m.If(passed & (held == 0)):
            m.d.comb += Assert(dut.tag == Mux(begun, tag, dut.i.payload.tag))
            if p.draws_seeds:
                expected = Mux(seeds, seed, dut.default_seed.word_select(self.byte, 8))
                m.d.comb += Assert(dut.seed.word_select(self.byte, 8) == expected)
        waits = dut.i.valid & ~dut.i.ready
        reaches(
            m,
            image=whole & ~seeds,
            image_after_image=in_turn(m, whole & (seeds if p.draws_seeds else 1), whole & ~seeds),
            image_after_a_short_frame=in_turn(m, broken & last, whole),
            image_after_a_long_frame=in_turn(m, broken & ~last, taken & last, whole),
            image_after_a_timeout=in_turn(m, expires & (dut.timeout == 2) & dut.drop, whole),
            image_after_an_unloaded_frame=in_turn(m, dut.unloaded, taken & last & ~good, whole),
            waits_for_the_unit=in_turn(m, past(m, waits) & waits, whole),
            timeout_of_a_frame_that_is_dropped=expires & ~dut.drop,
        )
        if p.draws_seeds:
            reaches(m, image_with_a_seed=whole & seeds & (held == words - 1))
        if self.inductive:
            inner = self.inner
            m.d.comb += [
                Assert(inner.inside == begun),
                Assert(inner.position == number),
                Assert(number < before + words),
                Assert(~begun | (inner.skip_held == ~held_good)),
                Assert(~begun | (inner.tag_held == tag)),
                Assert(~begun | (inner.quiet == pause)),
                Assert(begun | (number == 0)),
                Assert(~(begun & held_good) | (number != 0)),
                Assert(~(begun & held_good & ~held_seeds) | (number < words)),
                Assert(~begun | held_good | (number == 0)),
            ]
            if p.draws_seeds:
                m.d.comb += Assert(~begun | (inner._seeds.seeds_held == held_seeds))
                with m.If(begun & held_good & held_seeds & (number > self.byte // lanes)):
                    m.d.comb += Assert(inner._seeds.seed.word_select(self.byte, 8) == seed)
        return m


@pytest.mark.parametrize(("inputs", "lanes"), [(17, 8), (3, 3), (20, 20)])
def test_proof(inputs: int, lanes: int) -> None:
    spec = Frames(PixelStream(parameters=unit(inputs, lanes)), inductive=True)
    prove(spec, "pixel_stream", depth=2, mode="prove")


def test_proof_without_seeds() -> None:
    prove(Frames(PixelStream(parameters=SEEDLESS), inductive=True), "pixel_stream_seedless", depth=2, mode="prove")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("~skip & (self.i.payload.last != is_last)", "~skip & self.i.payload.last & ~is_last"),
        ("end: ValueLike = p.pixel_words - 1", "end: ValueLike = p.pixel_words"),
        ("skip.eq(Mux(inside, skip_held, ~self.open))", "skip.eq(~self.open)"),
        ("kept, passed = skip | wrong, self.i.valid & ~skip & ~wrong", "kept, passed = skip, self.i.valid & ~skip"),
        ("m.d.sync += [inside.eq(0), position.eq(0)]", "m.d.sync += inside.eq(0)"),
    ],
    ids=["too long", "a word more", "opens inside", "wrong word passed", "position kept"],
)
def test_mutants_without_seeds_fail(old: str, new: str) -> None:
    assert_fails(Frames(mutant(PixelStream, old, new)(parameters=SEEDLESS)), "pixel_stream_seedless_twin", depth=9)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("~skip & (self.i.payload.last != is_last)", "~skip & self.i.payload.last & ~is_last"),
        ("~skip & (self.i.payload.last != is_last)", "~skip & ~self.i.payload.last & is_last"),
        ("skip.eq(Mux(inside, skip_held, ~self.open))", "skip.eq(~self.open)"),
        ("skip.eq(Mux(inside, skip_held, ~self.open))", "skip.eq(Mux(inside, skip_held, 0))"),
        ("skip_held.eq(skip | wrong)", "skip_held.eq(skip)"),
        ("seeds.eq(Mux(inside, seeds_held, self.seeds))", "seeds.eq(self.seeds)"),
        ("is_seed.eq(seeds & (position < before))", "is_seed.eq(0)"),
        ("self.drop.eq(wrong | (self.timed_out & ~skip_held))", "self.drop.eq(wrong)"),
        ("self.drop.eq(wrong | (self.timed_out & ~skip_held))", "self.drop.eq(self.timed_out & ~skip_held)"),
        ("self.i.ready.eq(kept | self.pixels.ready)", "self.i.ready.eq(self.pixels.ready)"),
        ("self.i.ready.eq(kept | self.pixels.ready)", "self.i.ready.eq(1)"),
        ("Mux(inside, tag_held, self.i.payload.tag)", "self.i.payload.tag"),
        ("self.seed.eq(Mux(seeds, seed, self.default_seed))", "self.seed.eq(seed)"),
        ("m.d.sync += [inside.eq(0), position.eq(0)]", "m.d.sync += inside.eq(0)"),
        ("with m.If(self.i.valid | ~inside):", "with m.If(~inside):"),
        ("self.unloaded.eq(taken & ~inside & ~self.open)", "self.unloaded.eq(taken & ~self.open)"),
    ],
    ids=[
        "too long",
        "too short",
        "opens inside",
        "never loaded",
        "rest is a frame",
        "seeds change inside",
        "seed is an image",
        "timeout keeps",
        "wrong frame keeps",
        "waits for nothing",
        "word lost",
        "last word's tag",
        "old seed",
        "position kept",
        "pauses add up",
        "flagged again",
    ],
)
def test_mutants_fail(old: str, new: str) -> None:
    spec = Frames(mutant(PixelStream, old, new)(parameters=unit(17, 8)))
    assert_fails(spec, "pixel_stream_twin", depth=9)


@pytest.mark.parametrize("seeds", [False, True])
@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(("inputs", "lanes"), [(3, 2), (5, 5), (16, 16), (24, 20)])
def test_images_of_random_frames(inputs: int, lanes: int, stall: float, seeds: bool) -> None:
    """Whole images with seed and tag, of frames of which every third has a wrong length."""
    p = unit(inputs, lanes)
    dut, rng = PixelStream(parameters=p), random.Random(3)
    length = p.pixel_words + seeds * seed_words(p)
    expected, words, wrong, found, flagged = [], [], 0, [], []
    default_seed, timeouts = rng.getrandbits(128), [0, (1 << 32) - 1, rng.getrandbits(32) | 1 << 20]
    for tag in rng.sample(range(1 << 16), 40):
        count = length if rng.random() < 0.7 else rng.randint(1, 2 * length)
        frame = [rng.randbytes(lanes) for _ in range(count)]
        words += [(word, index == count - 1, tag if index == 0 else tag ^ 0xFFFF) for index, word in enumerate(frame)]
        if count == length:
            seed = int.from_bytes(b"".join(frame)[:16], "little") if seeds else default_seed
            expected.append((tag, seed, frame[seeds * seed_words(p) :]))
        else:
            wrong += 1

    async def source(ctx):
        ctx.set(dut.open, 1)
        ctx.set(dut.seeds, seeds)
        ctx.set(dut.default_seed, default_seed)
        for word, last, tag in words:
            while rng.random() < stall:
                ctx.set(dut.i.valid, 0)
                await ctx.tick()
            ctx.set(dut.i.payload, {"data": int.from_bytes(word, "little"), "last": last, "tag": tag})
            ctx.set(dut.timeout, rng.choice(timeouts))  # far away, or off
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        await ctx.tick()

    async def receiver(ctx):
        image, first = [], None
        while True:
            ctx.set(dut.pixels.ready, rng.random() >= stall)
            ports = (dut.pixels.valid, dut.pixels.ready, dut.pixels.payload, dut.drop, dut.tag, dut.seed)
            *_, valid, ready, payload, drop, tag, seed, bad = await ctx.tick().sample(*ports, dut.wrong_frame)
            flagged.extend([1] * bad)
            if drop:
                image = []
            elif valid and ready:
                first = first if image else (tag, seed)
                image.append(payload.as_bits().to_bytes(lanes, "little"))
                if len(image) == p.pixel_words:
                    found.append((*first, image))
                    image = []

    simulate(dut, source, background=[receiver])
    assert found == expected and len(flagged) == wrong > 2


def test_timeout_in_cycles() -> None:
    """A part of a frame is given up in the `timeout`-th cycle without a word; words that wait are no pause."""
    dut = PixelStream(parameters=unit(3, 1))
    found = []

    async def bench(ctx):
        ctx.set(dut.open, 1)
        ctx.set(dut.timeout, 4)
        for ready in (1, 0):  # the word waits; then it is taken, and no other comes
            ctx.set(dut.pixels.ready, ready)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().repeat(1 if ready else 10)
        ctx.set(dut.pixels.ready, 1)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        for _ in range(8):
            *_, expired, drop, begun = await ctx.tick().sample(dut.timed_out, dut.drop, dut.begun)
            found.append((expired, drop, begun))

    simulate(dut, bench)
    assert found == [(0, 0, 1)] * 3 + [(1, 1, 1)] + [(0, 0, 0)] * 4
