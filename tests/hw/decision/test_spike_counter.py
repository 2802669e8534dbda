"""SpikeCounter against plain sums, and the proofs that its scores are exact and its stream keeps its contract."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal

from spikeloom.hw.decision.spike_counter import SpikeCounter
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Readout
from tests.benches.proof_bench import inside, mutant, with_junk
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches, reaches_stalls, stream_contract

SHAPES = [(1, 1), (2, 1), (3, 3), (10, 10), (10, 4), (10, 8), (9, 4)]


def unit(outputs: int, lanes: int, phases: int, max_steps: int = 12, cls=NpuParameters, **overrides) -> NpuParameters:
    layer = LayerParameters(inputs=1, outputs=outputs, lanes=lanes, phases=phases, max_steps=max_steps, **overrides)
    return cls(layers=(layer,), phases=phases, max_steps=max_steps, encoder_lanes=1)


def image(rng, parameters, skip=0):
    """Steps of an image: (spikes, membranes, first, phase) each; the first `skip` steps are not run."""
    layer = parameters.layers[-1]
    reach = 1 << (layer.membrane_bits - 1)
    density = rng.choice([0.1, 0.5, 1])
    return [
        (
            [int(rng.random() < density) for _ in range(layer.outputs)],
            [rng.choice([-reach, reach - 1, rng.randrange(-reach, reach)]) for _ in range(layer.outputs)],
            int(step == skip),
            step % parameters.phases,
        )
        for step in range(skip, parameters.max_steps)
    ]


def groups(layer, spikes, membranes, first, phase):
    """A step as it comes from the neurons."""
    for group in range(layer.groups):
        low, high = group * layer.lanes, min((group + 1) * layer.lanes, layer.outputs)
        yield {
            "group": group,
            "spikes": sum(spikes[i] << (i - low) for i in range(low, high)),
            "membranes": membranes[low:high] + [0] * (layer.lanes - (high - low)),
            "first": first,
            "phase": phase,
        }


def golden(parameters, steps, readout):
    """Scores in the order of steps and classes."""
    counts, scores = [0] * parameters.classes, []
    for spikes, membranes, first, phase in steps:
        if first:
            counts = [0] * parameters.classes
        counts = [c + (s << (parameters.phases - 1 - phase)) for c, s in zip(counts, spikes, strict=True)]
        shown = membranes if readout == Readout.MEMBRANE else counts
        scores += [{"score": s, "last": int(i == parameters.classes - 1)} for i, s in enumerate(shown)]
    return scores


@pytest.mark.parametrize("stalls", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_scores(outputs, lanes, stalls):
    phases = 1 + outputs % 3
    parameters = unit(outputs, lanes, phases)
    rng = random.Random(outputs)
    for readout in Readout:
        dut = SpikeCounter(parameters=parameters)
        steps = image(rng, parameters) + image(rng, parameters, skip=phases) + image(rng, parameters)
        offered = [group for step in steps for group in groups(parameters.layers[-1], *step)]
        expected = golden(parameters, steps, readout)

        async def feed(ctx, dut=dut, offered=offered, readout=readout):
            ctx.set(dut.readout, readout)
            await send(ctx, dut.i, offered, random.Random(1), stalls[0])

        async def check(ctx, dut=dut, expected=expected):
            assert await collect(ctx, dut.o, len(expected), random.Random(2), stalls[1]) == expected

        simulate(dut, feed, check)


@pytest.mark.parametrize(("outputs", "lanes", "phases"), [(10, 4, 8), (17, 8, 5)])
def test_counts_of_many_steps(outputs, lanes, phases):
    """Up to the largest count and back to 0 with the next image, of every class."""
    parameters = unit(outputs, lanes, phases, max_steps=255)
    rng, layer = random.Random(phases), parameters.layers[-1]
    always = [([1] * outputs, [0] * outputs, int(step == 0), step % phases) for step in range(255)]
    steps = always + image(rng, parameters)[:20] + always
    expected = golden(parameters, steps, Readout.SPIKES)
    dut = SpikeCounter(parameters=parameters)
    offered = [group for step in steps for group in groups(layer, *step)]

    async def feed(ctx):
        ctx.set(dut.readout, Readout.SPIKES)
        await send(ctx, dut.i, offered, rng, 0.0)

    async def check(ctx):
        assert await collect(ctx, dut.o, len(expected), rng, 0.0) == expected

    simulate(dut, feed, check)
    assert max(score["score"] for score in expected) == sum(1 << (phases - 1 - step % phases) for step in range(255))


@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_cycles(outputs, lanes):
    """One class per cycle from the one after the group's own on; a group is taken before its last class."""
    parameters = unit(outputs, lanes, 1, max_steps=4)
    layer = parameters.layers[-1]
    dut = SpikeCounter(parameters=parameters)
    steps = image(random.Random(1), parameters)
    sent: list[int] = []
    taken: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, [g for step in steps for g in groups(layer, *step)], random.Random(1), 0, sent)

    async def check(ctx):
        await collect(ctx, dut.o, 4 * outputs, random.Random(2), 0, taken)

    simulate(dut, feed, check)
    assert taken == list(range(taken[0], taken[0] + 4 * outputs))
    ends = [min((group + 1) * lanes, outputs) for group in range(layer.groups)]
    assert sent == [taken[0] + step * outputs + end - 2 for step in range(4) for end in ends]


class Exact(Harness):
    """At most max_steps steps after a `first`: every score is the exact sum, in a model too wide to wrap, or with
    readout of membranes the membrane of its class in this step.

    `inductive` adds the bounds of the sums so far, and that the memory holds them, for the induction.
    """

    def __init__(self, dut: SpikeCounter, inductive: bool = False) -> None:
        super().__init__(dut)
        self._inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, parameters = self.dut, self.dut.parameters
        layer = parameters.layers[-1]
        fired = dut.i.payload
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)
        constant(m, dut.readout)

        # The environment: groups in order, one `first` and phase per step, at most max_steps steps per image.
        group, steps = Signal(range(layer.groups + 1)), Signal(range(parameters.max_steps + 1))
        first, phase = Signal(), Signal.like(fired.phase)
        last_group = group == layer.groups - 1
        m.d.comb += [
            Assume(fired.group == group),
            Assume(fired.phase < parameters.phases),
            Assume(fired.first | (steps != 0)),
            Assume(fired.first | (steps != parameters.max_steps)),
        ]
        with m.If(group != 0):
            m.d.comb += [Assume(fired.first == first), Assume(fired.phase == phase)]
        m.d.sync += [first.eq(fired.first), phase.eq(fired.phase)]
        with m.If(~dut.i.valid):
            m.d.sync += [first.eq(first), phase.eq(phase)]
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += group.eq(Mux(last_group, 0, group + 1))
            with m.If(last_group):
                m.d.sync += steps.eq(Mux(fired.first, 1, steps + 1))

        # The model: a wide sum per class, and the score on offer.
        number = Signal(range(parameters.classes + 1))
        offered, score, last = Signal(), Signal.like(dut.o.payload.score), Signal()
        puts = dut.i.valid & (~offered | dut.o.ready)
        totals = []
        with m.If(dut.o.ready):
            m.d.sync += offered.eq(0)
        for index in range(parameters.classes):
            total, exact = Signal(16, name=f"total_{index}"), Signal(16, name=f"exact_{index}")
            spike = fired.spikes[index % layer.lanes]
            m.d.comb += exact.eq(Mux(fired.first, 0, total) + (spike << (parameters.phases - 1 - fired.phase)[:4]))
            with m.If(puts & (number == index)):
                membrane = fired.membranes[index % layer.lanes]
                m.d.sync += [
                    offered.eq(1),
                    score.eq(Mux(dut.readout == Readout.MEMBRANE, membrane, exact)),
                    last.eq(index == parameters.classes - 1),
                    total.eq(exact),
                    number.eq((index + 1) % parameters.classes),
                ]
                ends = index % layer.lanes == layer.lanes - 1 or index == parameters.classes - 1
                m.d.comb += [Assert(group == index // layer.lanes), Assert(dut.i.ready == ends)]
            totals.append(total)
        m.d.comb += [Assert(dut.o.valid == offered), Assert(puts | ~dut.i.ready)]
        with m.If(offered):
            m.d.comb += [Assert(dut.o.payload.score == score), Assert(dut.o.payload.last == last)]
        self._covers(m, puts, number, totals)
        if self._inductive:
            self._invariants(m, group, steps, first, phase, number, totals)
        return m

    def _covers(self, m, puts, number, totals) -> None:
        dut, parameters = self.dut, self.dut.parameters
        layer, fired, score = parameters.layers[-1], dut.i.payload, dut.o.payload.score
        taken, last = dut.o.valid & dut.o.ready, dut.o.payload.last
        counts = dut.readout == Readout.SPIKES
        ends = puts & (number == parameters.classes - 1)
        again = fired.first if parameters.max_steps == 1 else ~fired.first
        reaches(
            m,
            last_class_in_the_second_step=in_turn(m, ends, ends & again & counts, taken & last & (score != 0)),
            next_image=in_turn(m, ends & again, ends & fired.first, taken & last),
            every_step_counts=counts & taken & (score == 2 << (parameters.phases - 1)),
            last_membrane_below_0=~counts & in_turn(m, ends, ends & again, taken & last & (score < 0)),
            largest_membrane=~counts & taken & (score == (1 << (layer.membrane_bits - 1)) - 1),
            last_phase=puts & (fired.phase == parameters.phases - 1),
            a_score_per_cycle=puts & taken,
        )
        if parameters.max_steps * parameters.classes <= 12:  # within sight
            reaches(m, largest_score=counts & taken & last & (score == parameters.max_count))
        reaches_stalls(m, "score", dut.o)

    def _invariants(self, m, group, steps, first, phase, number, totals) -> None:
        dut, parameters = self.dut, self.dut.parameters
        lanes, heaviest = parameters.layers[-1].lanes, 1 << (parameters.phases - 1)
        counter, fired = inside(dut), dut.i.payload
        m.d.comb += [
            Assert(number < parameters.classes),
            Assert(steps <= parameters.max_steps),
            Assert((counter.index == number) & (counter.lane + group * lanes == number) & (counter.lane < lanes)),
            Assert(dut.i.valid | (counter.lane == 0)),
        ]
        with m.If(number != 0):
            m.d.comb += Assert(~dut.i.valid | ((fired.first == first) & (fired.phase == phase)))
            m.d.comb += Assert(first | ((steps != 0) & (steps < parameters.max_steps)))
        for index, total in enumerate(totals):
            stored = counter.counts.read_port(domain="comb")
            m.d.comb += stored.addr.eq(index)
            with m.If((steps != 0) | (number > index)):  # the memory starts with anything
                m.d.comb += Assert(stored.data == total)
            counted = Mux(number > index, Mux(first, 1, steps + 1), steps)
            m.d.comb += Assert(total <= counted * heaviest)
            with m.If((number == index) & (steps != 0)):
                m.d.comb += Assert(counter.read.data == total)


class Narrow(NpuParameters):
    """Deliberately faulty: one bit too few for the largest count."""

    @property
    def count_bits(self) -> int:
        return super().count_bits - 1


class Skipping(SpikeCounter):
    """Deliberately faulty: shows the membrane of lane 0 as long as nothing takes the score, then the right one."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += self.o.payload.score.eq(self.i.payload.membranes[0])
        return m


TINY = {"adc_bits": 1, "max_gain_shift": 0, "max_theta": 1, "max_bias": 0}


@pytest.mark.parametrize(
    "outputs, lanes, phases, max_steps",
    [(1, 1, 1, 3), (2, 2, 2, 2), (3, 2, 1, 32), (4, 3, 3, 100), pytest.param(10, 4, 8, 255, marks=pytest.mark.slow)],
)
def test_scores_are_exact(outputs, lanes, phases, max_steps):
    parameters = unit(outputs, lanes, phases, max_steps, **TINY)
    prove(
        Exact(with_junk(SpikeCounter(parameters=parameters)), inductive=True),
        "counter",
        depth=3,
        mode="prove",
        reach=3 * outputs + 10,
        skip=3 * outputs + 9,
    )


@pytest.mark.parametrize("outputs, lanes, phases, max_steps", [(1, 1, 1, 4), (2, 2, 2, 2)])
def test_counts_that_wrap_are_seen(outputs, lanes, phases, max_steps):
    parameters = unit(outputs, lanes, phases, max_steps, cls=Narrow, **TINY)
    assert_fails(Exact(SpikeCounter(parameters=parameters)), "counter_narrow", depth=outputs * max_steps + 2)


def test_mutants_fail_the_contract():
    parameters = unit(2, 2, 1, 2, **TINY)
    assert_fails(Exact(Skipping(parameters=parameters)), "counter_skipping", depth=6)


BROKEN = {
    "membrane_0": ("fired.membranes[lane], count", "0, count"),
    "membrane_of_the_first_lane": ("fired.membranes[lane], count", "fired.membranes[0], count"),
    "counts_of_the_image_before": ("Mux(fired.first, 0, read.data)", "read.data"),
    "takes_over_a_score": ("put.eq(self.i.valid & (~self.o.valid | self.o.ready))", "put.eq(self.i.valid)"),
    "a_score_in_two_cycles": (
        "put.eq(self.i.valid & (~self.o.valid | self.o.ready))",
        "put.eq(self.i.valid & ~self.o.valid)",
    ),
    "readouts_swapped": ("self.readout == Readout.MEMBRANE", "self.readout == Readout.SPIKES"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name):
    broken = mutant(SpikeCounter, *BROKEN[name])
    spec = Exact(with_junk(broken(parameters=unit(2, 2, 1, 2, **TINY))))
    assert_fails(spec, f"counter_{name}", depth=8)
