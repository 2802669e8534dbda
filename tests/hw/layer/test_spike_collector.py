"""SpikeCollector against joining lists, and the proof of its vectors and its stream's contract."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from spikeloom.hw.layer.spike_collector import SpikeCollector
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import mutant, past
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract

SHAPES = [(1, 1), (5, 5), (8, 4), (10, 4), (33, 8), (7, 1)]


def fired(layer: LayerParameters, spikes: list[int], first: int, phase: int) -> list[dict]:
    """The groups of one step."""
    padded = spikes + [0] * (layer.groups * layer.lanes - layer.outputs)
    return [
        {
            "group": group,
            "spikes": sum(padded[group * layer.lanes + lane] << lane for lane in range(layer.lanes)),
            "membranes": [0] * layer.lanes,
            "first": first,
            "phase": phase,
        }
        for group in range(layer.groups)
    ]


def golden(spikes: list[int], first: int, phase: int) -> dict:
    rows = sum(spike << row for row, spike in enumerate(spikes))
    return {"rows": rows, "count": sum(spikes), "silent": int(not any(spikes)), "first": first, "phase": phase}


@pytest.mark.parametrize("stalls", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_vectors(outputs, lanes, stalls):
    layer = LayerParameters(inputs=3, outputs=outputs, lanes=lanes, phases=5)
    dut = SpikeCollector(parameters=layer)
    rng = random.Random(outputs)
    steps = []
    for step in range(20):
        density = rng.choice([0, 0.2, 0.5, 1])
        spikes = [int(rng.random() < density) for _ in range(outputs)]
        steps.append((spikes, int(step % 7 == 0), rng.randrange(5)))

    async def feed(ctx):
        await send(ctx, dut.i, [group for step in steps for group in fired(layer, *step)], random.Random(1), stalls[0])

    async def check(ctx):
        taken = await collect(ctx, dut.o, len(steps), random.Random(2), stalls[1])
        assert taken == [golden(*step) for step in steps]

    simulate(dut, feed, check)


@pytest.mark.parametrize("outputs, lanes", SHAPES)
def test_cycles(outputs, lanes):
    """One group per cycle, but none beside a vector; the vector one cycle after its last group."""
    layer = LayerParameters(inputs=3, outputs=outputs, lanes=lanes)
    dut = SpikeCollector(parameters=layer)
    sent: list[int] = []
    taken: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, fired(layer, [1] * outputs, 0, 0) * 3, random.Random(1), 0, sent)

    async def check(ctx):
        await collect(ctx, dut.o, 3, random.Random(2), 0, taken)

    simulate(dut, feed, check)
    assert sent == [sent[0] + step * (layer.groups + 1) + group for step in range(3) for group in range(layer.groups)]
    assert taken == [sent[(step + 1) * layer.groups - 1] + 1 for step in range(3)]


class Contract(Harness):
    """One vector per step: the spikes of its groups side by side, and how many; it stays until it is taken."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        layer, fired, vector = self.dut.parameters, self.dut.i.payload, self.dut.o.payload
        stream_contract(m, self.dut.i, Assume)
        stream_contract(m, self.dut.o, Assert)
        taken = self.dut.i.valid & self.dut.i.ready

        # The environment: groups in order, one `first` and phase per step, no spike past the last output.
        group, first, phase = Signal(range(layer.groups + 1)), Signal(), Signal.like(fired.phase)
        last = group == layer.groups - 1
        real = layer.outputs - (layer.groups - 1) * layer.lanes
        m.d.comb += [Assume(fired.group == group), Assume(~last | (fired.spikes[real:] == 0))]
        m.d.comb += Assume((group == 0) | ((fired.first == first) & (fired.phase == phase)))
        with m.If(taken):
            m.d.sync += [group.eq(Mux(last, 0, group + 1)), first.eq(fired.first), phase.eq(fired.phase)]

        # The model: what was taken since the step's first group; `due` once the last one was.
        rows, due = Signal(layer.groups * layer.lanes), Signal()
        with m.If(taken):
            m.d.sync += [rows.eq(Cat(Mux(group == 0, 0, rows), 0)), due.eq(last)]
            m.d.sync += rows.word_select(group, layer.lanes).eq(fired.spikes)
        with m.Elif(self.dut.o.ready):
            m.d.sync += due.eq(0)
        m.d.comb += [Assert(self.dut.o.valid == due), Assert(self.dut.i.ready == ~due)]
        with m.If(due):
            m.d.comb += Assert((vector.rows == rows) & (vector.first == first) & (vector.phase == phase))

        # For the induction: the groups so far are right too.
        m.d.comb += [Assert(group < layer.groups), Assert(~due | (group == 0))]
        for number in range(layer.groups):
            part = slice(number * layer.lanes, min((number + 1) * layer.lanes, layer.outputs))
            with m.If(group > number):
                m.d.comb += Assert(vector.rows[part] == rows[part])
            with m.Elif(~due):
                m.d.comb += Assert((group == 0) | (rows[number * layer.lanes : (number + 1) * layer.lanes] == 0))
        m.d.comb += Assert(rows[layer.outputs :] == 0)
        with m.If((group != 0) | due):
            m.d.comb += Assert((vector.count == sum(rows)) & (vector.silent == (sum(rows) == 0)))
        reaches(
            m,
            all_spike=due & rows[: layer.outputs].all(),
            none_spikes=due & ~rows.any(),
            first_waits_for_the_vector=past(m, due & ~self.dut.o.ready) & due & self.dut.i.valid,
            step_after_step=in_turn(m, due & first, due & ~first & rows.any()),
            last_phase=due & (phase == layer.phases - 1) & (layer.phases > 1) | (due & (layer.phases == 1)),
        )
        reaches_stalls(m, "vector", self.dut.o)
        return m


class Overwriting(SpikeCollector):
    """Deliberately faulty: keeps taking groups while the vector waits."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)
        return m


SMALL = LayerParameters(inputs=1, outputs=3, lanes=2)


@pytest.mark.parametrize(("outputs", "lanes"), [(3, 2), (4, 4), (10, 4)])
def test_contract(outputs, lanes):
    layer = LayerParameters(inputs=1, outputs=outputs, lanes=lanes, phases=2)
    prove(Contract(SpikeCollector(parameters=layer)), "collector", depth=3, mode="prove")


def test_mutants_that_overwrite_fail_the_contract():
    assert_fails(Contract(Overwriting(parameters=SMALL)), "collector", depth=8)


BROKEN = {
    "counts_on": ("Mux(group == 0, 0, vector.count)", "vector.count"),
    "counts_the_group_only": ("Mux(group == 0, 0, vector.count) + active", "active"),
    "offers_early": ("self.o.valid.eq(group == parameters.groups - 1)", "self.o.valid.eq(1)"),
    "turns_the_groups_around": ("with m.Case(index):", "with m.Case(parameters.groups - 1 - index):"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_contract(name):
    assert_fails(Contract(mutant(SpikeCollector, *BROKEN[name])(parameters=SMALL)), f"collector_{name}", depth=8)
