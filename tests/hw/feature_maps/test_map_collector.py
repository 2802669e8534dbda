"""MapCollector against joining lists, its cycles, and the proof of its words."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Assert, Assume, Cat, Module, Mux, Signal

from spikeloom.hw.feature_maps.map_collector import MapCollector
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract

SHAPES = [(1, 1, 1), (5, 5, 3), (8, 4, 4), (10, 4, 2), (7, 1, 5), (10, 4, 1)]


def layer_of(outputs: int, lanes: int, positions: int) -> LayerParameters:
    return LayerParameters(inputs=1, outputs=outputs, lanes=lanes, positions=positions, phases=3)


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0.5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_maps(shape: tuple[int, int, int], stalls: tuple[float, float]) -> None:
    layer, rng = layer_of(*shape), random.Random(1)
    dut = MapCollector(layer=layer)
    groups: list[dict] = []
    expected: list[tuple[int, int]] = []
    marks = [{"first": int(step == 0), "phase": step % 3} for step in range(5)]
    for mark in marks:
        for position in range(layer.positions):
            word = rng.getrandbits(layer.outputs)
            expected.append((position, word))
            for group in range(layer.groups):
                spikes = word >> group * layer.lanes & (1 << layer.lanes) - 1
                payload = {"group": group, "spikes": spikes, "membranes": [0] * layer.lanes, **mark}
                groups.append(payload | ({"position": position} if layer.positions > 1 else {}))
    written: list[tuple[int, int]] = []
    sent: list[int] = []
    offered: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, groups, random.Random(1), stalls[0], sent)

    async def check(ctx):
        assert await collect(ctx, dut.o, len(marks), random.Random(2), stalls[1], offered) == marks

    async def watch(ctx):
        ports = (dut.write.enable, dut.write.address, dut.write.data, dut.o.valid)
        async for *_, enable, address, data, valid in ctx.tick().sample(*ports):
            if enable:
                written.append((address, data))
            assert not (enable and valid)
            assert not valid or len(written) % layer.positions == 0

    simulate(dut, feed, check, background=[watch])
    assert written == expected
    if stalls == (0, 0):
        a_step = layer.positions * layer.groups
        assert sent == [step * (a_step + 1) + place + sent[0] for step in range(5) for place in range(a_step)]
        assert offered == [sent[(step + 1) * a_step - 1] + 1 for step in range(5)]


class Words(Harness):
    """Every position once, in order, with the spikes of its groups; then the step, until it is taken."""

    def __init__(self, dut: MapCollector, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform: Any) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, layer, fired = self.dut, self.dut.layer, self.dut.i.payload
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)
        taken = dut.i.valid & dut.i.ready

        # The environment: groups and positions in order, marks that stay in a step, no spike past the last output.
        group, position = Signal(range(layer.groups + 1)), Signal(range(layer.positions + 1))
        first, phase = Signal(), Signal.like(fired.phase)
        last, end = group == layer.groups - 1, Signal()
        real = layer.outputs - (layer.groups - 1) * layer.lanes
        m.d.comb += [Assume(fired.group == group), Assume(~last | (fired.spikes[real:] == 0))]
        m.d.comb += Assume(((group == 0) & (position == 0)) | ((fired.first == first) & (fired.phase == phase)))
        m.d.comb += end.eq(last & (position == layer.positions - 1))
        if layer.positions > 1:
            m.d.comb += Assume(fired.position == position)
        rows, due = Signal(layer.groups * layer.lanes), Signal()
        with m.If(taken):
            m.d.sync += [group.eq(Mux(last, 0, group + 1)), first.eq(fired.first), phase.eq(fired.phase)]
            m.d.sync += [rows.word_select(group, layer.lanes).eq(fired.spikes), due.eq(end)]
            with m.If(last):
                m.d.sync += position.eq(Mux(end, 0, position + 1))
        with m.Elif(dut.o.ready):
            m.d.sync += due.eq(0)

        m.d.comb += [Assert(dut.write.enable == (taken & last)), Assert(dut.o.valid == due), Assert(~(taken & due))]
        with m.If(dut.write.enable):
            before = rows[: (layer.groups - 1) * layer.lanes]
            m.d.comb += Assert(dut.write.data == Cat(before, fired.spikes)[: layer.outputs])
            m.d.comb += Assert(dut.write.address == position)
        with m.If(due):
            m.d.comb += Assert((dut.o.payload.first == first) & (dut.o.payload.phase == phase))
        reaches(
            m,
            every_spike=dut.write.enable & dut.write.data.all(),
            last_position=dut.write.enable & (position == layer.positions - 1),
            next_group_waits=due & dut.i.valid & ~dut.o.ready,
            step_after_step=in_turn(m, due & first, due & ~first),
        )
        reaches_stalls(m, "step", dut.o)
        if variables is not None:
            m.d.comb += [Assert(group < layer.groups), Assert(position < layer.positions)]
            m.d.comb += Assert(~due | ((group == 0) & (position == 0)))
            for number in range(layer.groups - 1):
                bits = slice(number * layer.lanes, (number + 1) * layer.lanes)
                m.d.comb += Assert((group <= number) | (variables.before[bits] == rows[bits]))
        return m


LONG_PROOF = (7, 1, 5)
"""Takes as long as the others together: in `make test-all` only."""


@pytest.mark.parametrize("shape", [pytest.param(s, marks=pytest.mark.slow) if s == LONG_PROOF else s for s in SHAPES])
def test_words(shape: tuple[int, int, int]) -> None:
    spec = Words(MapCollector(layer=layer_of(*shape)), invariants=True)
    cycles = 2 * spec.dut.layer.groups * spec.dut.layer.positions + 10
    prove(spec, "map_collector", depth=2, mode="prove", reach=cycles, skip=cycles - 1)


BROKEN = {
    "writes_every_group": (
        "self.write.enable.eq(taken & (fired.group == layer.groups - 1))",
        "self.write.enable.eq(taken)",
    ),
    "turns_the_groups": ("Cat(before, fired.spikes)", "Cat(fired.spikes, before)"),
    "says_complete_early": ("(fired.position == layer.positions - 1)", "(fired.position == layer.positions - 2)"),
    "goes_on_while_it_waits": ("self.i.ready.eq(~self.o.valid)", "self.i.ready.eq(1)"),
    "forgets_the_position": ("self.write.address.eq(fired.position)", "self.write.address.eq(0)"),
    "withdraws": ("with m.Elif(self.o.ready):", "with m.Elif(1):"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    dut = mutant(MapCollector, *BROKEN[name])(layer=layer_of(3, 2, 3))
    assert_fails(Words(dut), f"map_collector_{name}", depth=14)
