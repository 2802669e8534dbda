"""SpikeCollector against joining lists, and the proof of its stream's contract."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume

from hw.params import LayerParameters
from hw.spike_collector import SpikeCollector
from tests.formal import Harness, assert_fails, prove, stream_contract
from tests.hw.stream_bench import collect, send, simulate

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
    return {"rows": rows, "count": sum(spikes), "first": first, "phase": phase}


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
    """A group a cycle, without a gap between the steps; the vector one cycle after its last group."""
    layer = LayerParameters(inputs=3, outputs=outputs, lanes=lanes)
    dut = SpikeCollector(parameters=layer)
    sent: list[int] = []
    taken: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, fired(layer, [1] * outputs, 0, 0) * 3, random.Random(1), 0, sent)

    async def check(ctx):
        await collect(ctx, dut.o, 3, random.Random(2), 0, taken)

    simulate(dut, feed, check)
    assert sent == list(range(sent[0], sent[0] + 3 * layer.groups))
    assert taken == [sent[(step + 1) * layer.groups - 1] + 1 for step in range(3)]


class Contract(Harness):
    """The vector stays until it is taken, whatever comes in."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        stream_contract(m, self.dut.i, Assume)
        stream_contract(m, self.dut.o, Assert)
        return m


class Overwriting(SpikeCollector):
    """Broken on purpose: goes on taking groups while the vector waits."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)
        return m


SMALL = LayerParameters(inputs=1, outputs=3, lanes=2)


def test_contract():
    prove(Contract(SpikeCollector(parameters=SMALL)), "collector", depth=4, mode="prove")


def test_contract_bites():
    assert_fails(Contract(Overwriting(parameters=SMALL)), "collector", depth=8)
