"""Spike encoder: all codings against a golden model, cycles, and `restart` at any moment."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.encoder.random_source import start_state, taps, xorshift128
from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.interfaces.streams import pixels_layout
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past, with_junk
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import assert_fails, in_turn, prove, reaches, reaches_stalls
from tests.hw.encoder.words_at_hand import words_at_hand


def unit(row_bits: int = 1, inputs: int = 11, lanes: int = 4, phases: int = 1) -> NpuParameters:
    layer = LayerParameters(inputs=inputs, outputs=2, row_bits=row_bits, lanes=1, phases=phases)
    return NpuParameters(layers=(layer,), phases=phases, encoder_lanes=lanes)


def spikes_of(
    parameters: NpuParameters, image: list[int], coding: Coding, steps: int, seed: int, even_start: int
) -> list[list[int]]:
    """Golden model: spikes (or ANALOG codes) of every pixel, step by step."""
    lanes, table, state = parameters.encoder_lanes, taps(parameters.encoder_lanes), start_state(seed)
    sums = [even_start] * len(image)
    result = []
    for step in range(steps):
        codes = []
        for word in range(parameters.pixel_words):
            for lane, triples in enumerate(table):
                pixel = word * lanes + lane
                if pixel >= len(image):
                    break
                x = image[pixel]
                if coding == Coding.PHASE:
                    phase = step % parameters.phases
                    codes.append(x >> 7 - phase & 1 if phase < 8 else 0)
                elif coding == Coding.RATE:
                    draw = 0
                    for bit, triple in enumerate(triples):
                        draw |= sum(state[tap // 32] >> tap % 32 & 1 for tap in triple) % 2 << bit
                    codes.append(int(draw < x + (x >> 7)))
                elif coding == Coding.EVEN:
                    sums[pixel] += x
                    codes.append(int(sums[pixel] >= 255))
                    sums[pixel] -= 255 * codes[-1]
                else:
                    codes.append(x)
            state = xorshift128(state)
        result.append(codes)
    return result


def vectors_of(
    parameters: NpuParameters, image: list[int], coding: Coding, steps: int, seed: int = 0, even_start: int = 0
) -> list[dict]:
    row_bits = parameters.layers[0].row_bits
    vectors = []
    for step, spikes in enumerate(spikes_of(parameters, image, coding, steps, seed, even_start)):
        if coding == Coding.ANALOG:
            codes = spikes if row_bits == 8 else [0] * len(spikes)
        else:
            codes = [spike * ((1 << row_bits) - 1) for spike in spikes]
        vectors.append(
            {
                "rows": sum(code << row * row_bits for row, code in enumerate(codes)),
                "count": sum(code > 0 for code in codes),
                "silent": int(not any(codes)),
                "first": int(step == 0),
                "phase": step % parameters.phases,
            }
        )
    return vectors


def words_of(parameters: NpuParameters, image: list[int], rng: random.Random) -> list[dict]:
    """Words of an image; the lanes past the last pixel carry junk."""
    lanes = parameters.encoder_lanes
    padded = image + [rng.randint(1, 255) for _ in range(parameters.pixel_words * lanes - len(image))]
    return [{"pixels": padded[start : start + lanes]} for start in range(0, len(padded), lanes)]


def random_image(parameters: NpuParameters, rng: random.Random) -> list[int]:
    return [rng.choice([0, 1, 127, 128, 254, 255, rng.randint(0, 255)]) for _ in range(parameters.inputs)]


async def restart(ctx, dut: SpikeEncoder) -> None:
    ctx.set(dut.restart, 1)
    await ctx.tick()
    ctx.set(dut.restart, 0)


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("coding", list(CODINGS))
@pytest.mark.parametrize(
    "parameters",
    [unit(), unit(row_bits=8, inputs=12), unit(phases=3), unit(lanes=3, inputs=3), unit(phases=10), unit(8, 5, 1, 8)],
    ids=lambda p: f"{p.inputs}x{p.layers[0].row_bits}-{p.encoder_lanes}lanes-{p.phases}phases",
)
def test_codes_are_the_models(parameters: NpuParameters, coding: Coding, stall: float) -> None:
    rng = random.Random(parameters.inputs)
    dut = SpikeEncoder(parameters=parameters)
    junk = random.Random(4)

    async def bench(ctx):
        ctx.set(dut.coding, int(coding))
        for image_index, (even_start, steps) in enumerate([(0, 25), (254, 1), (rng.randint(0, 254), 9)]):
            image = random_image(parameters, rng)
            seed = [rng.getrandbits(128), 0, 1 << 127][image_index]
            ctx.set(dut.even_start, even_start)
            words = words_of(parameters, image, rng)
            if dut.parameters.draws_seeds:
                ctx.set(dut.seed, seed)
            await send(ctx, dut.pixels, words[:1], rng, stall)
            if dut.parameters.draws_seeds:
                ctx.set(dut.seed, junk.getrandbits(128))
            await send(ctx, dut.pixels, words[1:], rng, stall)
            taken = await collect(ctx, dut.o, steps, rng, stall)
            assert taken == vectors_of(parameters, image, coding, steps, seed, even_start), f"image {image_index}"
            for _ in range(rng.randint(0, 2 * parameters.pixel_words)):
                await ctx.tick()
            await restart(ctx, dut)
            assert not ctx.get(dut.o.valid)

    simulate(dut, bench)


@pytest.mark.parametrize("coding", [Coding.EVEN, Coding.RATE])
def test_long_run_follows_the_pixel(coding: Coding) -> None:
    """Of 255 steps, EVEN spikes x times; RATE about (x + (x >> 7)) / 256 of the time, never for 0, always for 255."""
    parameters = unit()
    dut = SpikeEncoder(parameters=parameters)
    image = [0, 1, 2, 50, 100, 127, 128, 200, 253, 254, 255]
    rng = random.Random(1)
    totals = [0] * len(image)

    async def bench(ctx):
        ctx.set(dut.coding, int(coding))
        if dut.parameters.draws_seeds:
            ctx.set(dut.seed, rng.getrandbits(128))
        await send(ctx, dut.pixels, words_of(parameters, image, rng), rng, 0)
        for vector in await collect(ctx, dut.o, 255, rng, 0):
            for pixel in range(len(image)):
                totals[pixel] += vector["rows"] >> pixel & 1

    simulate(dut, bench)
    if coding == Coding.EVEN:
        assert totals == image
    else:
        assert totals[0] == 0 and totals[-1] == 255
        assert all(abs(total - x) < 40 for total, x in zip(totals, image, strict=True))


@pytest.mark.parametrize("parameters", [unit(), unit(lanes=3, inputs=3), unit(lanes=1, inputs=7)])
def test_cycles(parameters: NpuParameters) -> None:
    dut = SpikeEncoder(parameters=parameters)
    words = parameters.pixel_words
    rng = random.Random(1)
    accepted: list[int] = []
    taken: list[int] = []

    async def bench(ctx):
        image = random_image(parameters, rng)
        await send(ctx, dut.pixels, words_of(parameters, image, rng), rng, 0, accepted)
        await collect(ctx, dut.o, 4, rng, 0, taken)

    simulate(dut, bench)
    assert accepted == list(range(words))
    start = accepted[-1] + words + 2
    assert taken == [start + step * (words + 1) for step in range(4)]


@pytest.mark.parametrize("coding", [Coding.RATE, Coding.EVEN])
@pytest.mark.parametrize("moment", range(16))
def test_restart_at_any_moment(moment: int, coding: Coding) -> None:
    """Restart in the `moment`-th cycle of an image leaves nothing of it behind."""
    parameters = unit(phases=3)
    dut = SpikeEncoder(parameters=parameters)
    rng = random.Random(moment)
    old, new = random_image(parameters, rng), random_image(parameters, rng)
    seed = rng.getrandbits(128)

    async def feed(ctx):
        ctx.set(dut.coding, int(coding))
        ctx.set(dut.even_start, 200)
        if dut.parameters.draws_seeds:
            ctx.set(dut.seed, rng.getrandbits(128))
        old_words = words_of(parameters, old, rng)
        ctx.set(dut.pixels.valid, 1)
        for cycle in range(moment):
            ctx.set(dut.pixels.payload, old_words[min(cycle, 2)])
            ctx.set(dut.o.ready, cycle % 7 == 6)
            await ctx.tick()
        ctx.set(dut.o.ready, 0)
        ctx.set(dut.restart, 1)
        assert not ctx.get(dut.pixels.ready)
        await ctx.tick()
        ctx.set(dut.restart, 0)
        assert ctx.get(dut.pixels.ready) and not ctx.get(dut.o.valid)
        if dut.parameters.draws_seeds:
            ctx.set(dut.seed, seed)
        await send(ctx, dut.pixels, words_of(parameters, new, rng), rng, 0)
        taken = await collect(ctx, dut.o, 4, rng, 0.3)
        assert taken == vectors_of(parameters, new, coding, 4, seed, 200)

    simulate(dut, feed)


def test_next_image_waits_for_restart() -> None:
    parameters = unit()
    dut = SpikeEncoder(parameters=parameters)
    rng = random.Random(1)

    async def bench(ctx):
        await send(ctx, dut.pixels, words_of(parameters, random_image(parameters, rng), rng), rng, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(20):
            assert not ctx.get(dut.pixels.ready)
            await ctx.tick()
        await restart(ctx, dut)
        assert ctx.get(dut.pixels.ready)

    simulate(dut, bench)


class Contract(wiring.Component):
    """A vector stays as it is until it is taken or dropped by `restart`; its count is that of its rows.

    `inductive` adds what the encoder's registers and memories have to do with what has happened, for the induction.
    """

    def __init__(self, encoder: type = SpikeEncoder, inductive: bool = False) -> None:
        self._inductive = inductive
        layer = LayerParameters(inputs=3, outputs=2, lanes=1, phases=2)
        self._parameters = NpuParameters(layers=(layer,), phases=2, encoder_lanes=2)
        self._dut = with_junk(encoder(parameters=self._parameters))
        super().__init__(
            {
                "word": In(pixels_layout(self._parameters)),
                "valid": In(1),
                "ready": In(1),
                "restart": In(1),
                "seed": In(128),
                "coding": In(2),
                "even_start": In(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        m.d.comb += [
            dut.pixels.payload.eq(self.word),
            dut.pixels.valid.eq(self.valid),
            dut.o.ready.eq(self.ready),
            dut.restart.eq(self.restart),
            dut.seed.eq(self.seed),
            dut.coding.eq(self.coding),
            dut.even_start.eq(self.even_start),
        ]
        started = Signal()
        m.d.sync += started.eq(1)

        m.d.comb += Assume(self.even_start < 255)
        words = Signal(2)  # of the image so far
        taken = Signal()  # a vector, since the image
        phase = Signal()  # of the next vector
        with m.If(self.valid & dut.pixels.ready):
            m.d.sync += [words.eq(words + 1), taken.eq(0), phase.eq(0)]
            m.d.comb += Assert(words < 2)
        with m.If(dut.o.valid & self.ready):
            m.d.sync += [taken.eq(1), phase.eq(~phase)]
        with m.If(self.restart):
            m.d.sync += words.eq(0)

        with m.If(started & past(m, dut.o.valid & ~self.ready & ~self.restart)):
            m.d.comb += Assert(dut.o.valid)
            m.d.comb += Assert(Value.cast(dut.o.payload) == past(m, dut.o.payload))
        with m.If(started & past(m, self.restart)):
            m.d.comb += Assert(~dut.o.valid & (dut.pixels.ready ^ self.restart))
        with m.If(dut.o.valid):
            rows = dut.o.payload.rows
            m.d.comb += Assert(words == 2)
            m.d.comb += Assert(dut.o.payload.count == rows[0] + rows[1] + rows[2])
            m.d.comb += Assert(dut.o.payload.silent == ~rows.any())
            m.d.comb += Assert(dut.o.payload.first == ~taken)
            m.d.comb += Assert(dut.o.payload.phase == phase)

        taken_now, begins = dut.o.valid & self.ready, self.valid & dut.pixels.ready
        full = dut.o.payload.count == 3
        reaches(
            m,
            third_vector=in_turn(m, taken_now, taken_now & phase, taken_now & ~dut.o.payload.first & ~phase),
            next_image=in_turn(m, taken_now, self.restart, begins, taken_now & full),
            dropped_while_it_waits=in_turn(m, dut.o.valid & ~self.ready & self.restart, taken_now),
            dropped_half_way=in_turn(m, begins & ~dut.last, self.restart & dut.last, begins & ~dut.last, taken_now),
            word_waits_for_restart=self.valid & ~dut.pixels.ready & ~self.restart,
            **{
                f"spikes_of_coding_{int(coding)}": taken_now & full & (self.coding == int(coding))
                for coding in list(CODINGS)[:3]
            },
        )
        reaches_stalls(m, "vector", dut.o)
        if self._inductive:
            encoder = inside(dut)
            reaches(m, **{f"state_{number}": encoder.state == number for number in range(4)})
            padding = slice(8, 16)  # lane 1 of word 1 has no pixel: it must never spike
            pixels, sums = (store.read_port(domain="comb") for store in (encoder.image, encoder.sums))
            m.d.comb += [
                pixels.addr.eq(1),
                sums.addr.eq(1),
                Assert(encoder.word < 2),
            ]
            with m.If(encoder.loading):
                m.d.comb += Assert(words == encoder.word)
            with m.Else():
                m.d.comb += Assert((words == 2) & (encoder.first == ~taken) & (encoder.phase == phase))
                m.d.comb += Assert(encoder.encoding | (encoder.word == 0))
                m.d.comb += Assert((pixels.data[padding] == 0) & (sums.data[padding] != 255))
            with m.If(encoder.encoding & (encoder.word == 1)):
                m.d.comb += Assert(encoder.count == encoder.rows[-1][0] + encoder.rows[-1][1])
                m.d.comb += Assert(encoder.silent == ~encoder.rows[-1].any())
            encoded, shown = words_at_hand(m, encoder, 2)[1]
            m.d.comb += [
                Assert(~encoded | ((encoder.pixel_word[padding] == 0) & (encoder.sums_word[padding] != 255))),
                Assert(~shown | ((encoder.read.data[padding] == 0) & (encoder.sums_read.data[padding] != 255))),
            ]
        return m


def test_proof_contract() -> None:
    prove(Contract(inductive=True), "spike_encoder", depth=3, mode="prove")


BROKEN = {
    "encodes_while_offered": ("encoding.eq(state == _State.ENCODE)", "encoding.eq(state != _State.LOAD)"),
    "withdraws_a_vector": ("with m.If(self.o.ready):", "with m.If(1):"),
    "ignores_restart_while_loading": ("with m.If(self.restart):", "with m.If(self.restart & (state != _State.LOAD)):"),
    "counts_on": ("Mux(word == 0, 0, count)", "count"),
    "counts_the_padding": ("return pixels & padding", "return pixels"),
    "takes_a_second_image": ("self.pixels.ready.eq(loading &", "self.pixels.ready.eq("),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Contract(mutant(SpikeEncoder, *BROKEN[name])), name, depth=16)
