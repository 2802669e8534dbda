"""MapLoader against slices of the image, `restart` at any moment, cycles, and the proof of its words."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal

from spikeloom.hw.feature_maps.map_loader import MapLoader
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract
from tests.models.map_model import image_map

SHAPES = [(1, 1, 1), (1, 3, 4), (3, 2, 2), (4, 1, 1), (2, 1, 5)]


def unit(shape: tuple[int, int, int], row_bits: int = 1, phases: int = 3) -> NpuParameters:
    """A dense layer on an image of (channels, height, width), and one more, so that it is no plain chain."""
    image = MapShape(channels=shape[0], height=shape[1], width=shape[2])
    stages = (
        CrossbarStage(layer=0, windows=(Window.whole(0, image), Window.whole(0, image))),
        CrossbarStage(layer=1, windows=(Window(source=1),)),
    )
    layers = tuple(
        LayerParameters(inputs=inputs, outputs=2, lanes=1, row_bits=bits, phases=phases)
        for inputs, bits in ((2 * image.size, row_bits), (2, 1))
    )
    plan = Plan(input=image, stages=stages, channels=(2, 2))
    return NpuParameters(layers=layers, plan=plan, phases=phases, encoder_lanes=1)


@pytest.mark.parametrize("row_bits", [1, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_maps(shape: tuple[int, int, int], row_bits: int) -> None:
    """Whole maps, word by word, while no one reads; `restart` at random takes back whatever there is."""
    parameters, rng = unit(shape, row_bits), random.Random(2)
    dut, image, positions = MapLoader(parameters=parameters), parameters.plan.input, shape[1] * shape[2]
    sent: list[int] = []
    vectors = []
    for step in range(30):
        codes = [rng.choice([0, rng.randrange(1 << row_bits)]) for _ in range(image.size)]
        rows = sum(code << row_bits * index for index, code in enumerate(codes))
        words = [sum(v << row_bits * c for c, v in enumerate(word)) for word in image_map(image, codes)]
        vectors.append(({"rows": rows, "count": 0, "first": step % 4 == 0, "phase": step % 3}, words))

    async def feed(ctx):
        await send(ctx, dut.i, [payload for payload, _ in vectors], random.Random(1), 0.0, sent)

    async def check(ctx):
        cycle, step = 0, 0
        ports = (dut.i.ready, dut.write.enable, dut.write.address, dut.write.data, dut.o.valid, dut.o.payload)

        async def tick(**inputs: int) -> tuple:
            nonlocal cycle
            for name, port in (("ready", dut.o.ready), ("released", dut.released), ("restart", dut.restart)):
                ctx.set(port, inputs.get(name, 0))
            *_, ready, enable, address, data, valid, payload = await ctx.tick().sample(*ports)
            cycle += 1
            return ready, enable, address, data, valid, (payload.first, payload.phase)

        while step < len(vectors):
            ready, enable, *_, valid, _ = await tick()
            assert (ready, enable, valid) == (1, 0, 0)
            given, words = vectors[step]
            step += 1
            stop = rng.choice([None, None, rng.randrange(positions)])
            for place, word in enumerate(words):
                found = await tick(restart=place == stop)
                assert found[:5] == (0, 1, place, word, 0)
                if place == stop:
                    break
            if stop is not None:
                continue
            for wait in range(rng.randrange(4), -1, -1):
                found = await tick(ready=wait == 0)
                assert found[:2] == (0, 0) and found[4:] == (1, (given["first"], given["phase"]))
            for wait in range(rng.randrange(4), -1, -1):
                ready, enable, *_, valid, _ = await tick(released=wait == 0)
                assert (ready, enable, valid) == (0, 0, 0)

    simulate(dut, feed, check)


class Words(Harness):
    """Every vector is written once, position by position, before the step is on offer; nothing while it may be read."""

    def __init__(self, dut: MapLoader, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform: Any) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, shape, bits = self.dut, self.dut.parameters.plan.input, self.dut.parameters.encoded.row_bits
        stream_contract(m, dut.i, Assume)
        held, first, phase = Signal.like(dut.i.payload.rows), Signal(), Signal.like(dut.i.payload.phase)
        writing, offered, reading = Signal(), Signal(), Signal()
        place = Signal(range(shape.positions + 1))
        m.d.comb += [
            Assert(dut.i.ready == ~(writing | offered | reading)),
            Assert(dut.write.enable == writing),
            Assert(dut.o.valid == offered),
            Assume(~dut.released | reading),
        ]
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [held.eq(dut.i.payload.rows), first.eq(dut.i.payload.first), phase.eq(dut.i.payload.phase)]
            m.d.sync += [writing.eq(1), place.eq(0)]
        with m.If(writing):
            words = [
                Cat(held.word_select(c * shape.positions + p, bits) for c in range(shape.channels))
                for p in range(shape.positions)
            ]
            m.d.comb += Assert((dut.write.address == place) & (dut.write.data == Array(words)[place]))
            m.d.sync += [place.eq(place + 1), writing.eq(place < shape.positions - 1)]
            m.d.sync += offered.eq(place == shape.positions - 1)
        with m.If(offered):
            m.d.comb += Assert((dut.o.payload.first == first) & (dut.o.payload.phase == phase))
            m.d.sync += [offered.eq(~dut.o.ready), reading.eq(dut.o.ready)]
        with m.If(dut.released):
            m.d.sync += reading.eq(0)
        with m.If(dut.restart):
            m.d.sync += [writing.eq(0), offered.eq(0), reading.eq(0)]
        begins = dut.i.valid & dut.i.ready
        reaches(
            m,
            vector_after_vector=in_turn(m, dut.o.valid & dut.o.ready, dut.released, begins, dut.o.valid & ~first),
            restart_while_it_waits=in_turn(m, offered & dut.restart, begins, dut.o.valid),
            restart_while_it_is_read=in_turn(m, reading & dut.restart, begins, dut.o.valid),
            restart_as_it_is_released=dut.released & dut.restart,
            restart_as_it_writes=in_turn(m, writing & dut.restart, begins),
        )
        reaches_stalls(m, "step", dut.o)
        if variables is not None:
            m.d.comb += [Assert(writing + offered + reading <= 1), Assert(place <= shape.positions)]
            m.d.comb += Assert(~writing | (place < shape.positions))
            m.d.comb += Assert(variables.state == Mux(writing, 1, Mux(offered, 2, Mux(reading, 3, 0))))
            with m.If(writing | offered | reading):
                m.d.comb += Assert((dut.o.payload.first == first) & (dut.o.payload.phase == phase))
            with m.If(writing):
                m.d.comb += Assert(variables.position == place)
                for channel, plane in enumerate(variables.planes):
                    whole = held.word_select(channel, shape.positions * bits)
                    m.d.comb += Assert(plane == Array(whole >> p * bits for p in range(shape.positions + 1))[place])
        return m


LONG_PROOF = (1, 3, 4)
"""Takes twice as long as the others together: in `make test-all` only."""


@pytest.mark.parametrize("shape", [pytest.param(s, marks=pytest.mark.slow) if s == LONG_PROOF else s for s in SHAPES])
def test_words(shape: tuple[int, int, int]) -> None:
    cycles = 2 * shape[1] * shape[2] + 8
    prove(
        Words(MapLoader(parameters=unit(shape)), invariants=True),
        "map_loader",
        depth=2,
        mode="prove",
        reach=cycles,
        skip=cycles - 1,
    )


BROKEN = {
    "offers_early": ("with m.If(position == shape.positions - 1):", "with m.If(position == shape.positions - 2):"),
    "shifts_too_far": ("plane.eq(plane[bits:])", "plane.eq(plane[bits + 1 :])"),
    "turns_the_channels": ("for plane in planes)", "for plane in reversed(planes))"),
    "writes_while_it_is_read": ("with m.If(self.released):", "with m.If(1):"),
    "offers_the_step_twice": ("m.d.sync += state.eq(_State.READ)", "m.d.sync += state.eq(_State.OFFER)"),
    "does_not_forget": ("with m.If(self.restart):", "with m.If(0):"),
    "takes_two_vectors": ("self.i.ready.eq(state == _State.EMPTY)", "self.i.ready.eq(state != _State.WRITE)"),
    "begins_anywhere": ("[position.eq(0), state.eq(_State.WRITE)]", "[state.eq(_State.WRITE)]"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    dut = mutant(MapLoader, *BROKEN[name])(parameters=unit((2, 1, 3)))
    assert_fails(Words(dut), f"map_loader_{name}", depth=14)
