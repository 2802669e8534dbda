# amaranth: UnusedElaboratable=no
"""StepJoin, and the map of a stage with copies: collectors, banks and join together, proven complete."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.feature_maps.map_collector import MapCollector
from spikeloom.hw.feature_maps.step_join import StepJoin
from spikeloom.hw.interfaces.streams import fired_layout, step_layout
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract

LAYER = LayerParameters(inputs=1, outputs=1, lanes=1, phases=3)


@pytest.mark.parametrize("copies", [2, 5])
def test_steps(copies: int) -> None:
    """Whoever comes last lets all go, together."""
    dut = StepJoin(layer=LAYER, copies=copies)
    steps = [{"first": int(n == 0), "phase": n % 3} for n in range(20)]
    taken: list[list[int]] = [[] for _ in range(copies)]
    handed: list[int] = []

    def feed(copy: int):
        async def bench(ctx):
            await send(ctx, getattr(dut, f"i_{copy}"), steps, random.Random(copy), 0.6, taken[copy])

        return bench

    async def check(ctx):
        assert await collect(ctx, dut.o, len(steps), random.Random(99), 0.3) == steps

    async def watch(ctx):
        cycle = 0
        async for *_, valid, ready in ctx.tick().sample(dut.o.valid, dut.o.ready):
            handed.extend([cycle] * bool(valid and ready))
            cycle += 1

    simulate(dut, *(feed(copy) for copy in range(copies)), check, background=[watch])
    assert len(handed) == 20 and all(len(cycles) == 20 for cycles in taken)
    assert all(cycles == taken[0] for cycles in taken)


class Parts(wiring.Component):
    """The collectors of a stage's copies and their join, as `hw.feature_maps.stages` has them."""

    def __init__(self, *, copies: list[LayerParameters], join: Any = StepJoin) -> None:
        self.copies = copies
        self.collectors = [MapCollector(layer=copy) for copy in copies]
        self.join = join(layer=copies[0], copies=len(copies))
        super().__init__(
            {
                **{f"i_{n}": In(stream.Signature(fired_layout(copy))) for n, copy in enumerate(copies)},
                **{f"write_{n}": Out(part.write.signature) for n, part in enumerate(self.collectors)},
                "o": Out(stream.Signature(step_layout(copies[0]))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.join = join = self.join
        for n, collector in enumerate(self.collectors):
            m.submodules[f"collector_{n}"] = collector
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{n}")), collector.i)
            wiring.connect(m, collector.write, wiring.flipped(getattr(self, f"write_{n}")))
            wiring.connect(m, collector.o, getattr(join, f"i_{n}"))
        wiring.connect(m, join.o, wiring.flipped(self.o))
        return m


class Complete(Harness):
    """The step is handed on when every position of it has been written, each once, and not before."""

    def __init__(self, dut: Parts, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform: Any) -> Module:
        parts = [inside(collector) for collector in self.dut.collectors] if self.invariants else []
        m = super().elaborate(platform)
        dut, copies = self.dut, len(self.dut.copies)
        positions = sum(copy.positions for copy in dut.copies)
        stream_contract(m, dut.o, Assert)
        handed = dut.o.valid & dut.o.ready

        # The environment: every copy's groups and positions in order, with the marks of one step; those of the next
        # step come when this one is handed on.
        first, phase = Signal(init=1), Signal.like(dut.o.payload.phase)
        written = Signal(positions)  # in this step
        dues = []
        for n, copy in enumerate(dut.copies):
            i, write = getattr(dut, f"i_{n}"), getattr(dut, f"write_{n}")
            stream_contract(m, i, Assume)
            group, own = Signal(range(copy.groups + 1)), Signal(range(copy.positions + 1))
            due = own == copy.positions
            with m.If(i.valid):
                m.d.comb += [Assume(~due), Assume(i.payload.group == group)]
                m.d.comb += [Assume(i.payload.first == first), Assume(i.payload.phase == phase)]
                if copy.positions > 1:
                    m.d.comb += Assume(i.payload.position == own)
            with m.If(i.valid & i.ready):
                m.d.sync += group.eq(Mux(group == copy.groups - 1, 0, group + 1))
                with m.If(group == copy.groups - 1):
                    m.d.sync += own.eq(own + 1)
            dues.append(due)
            with m.If(handed):
                m.d.sync += own.eq(0)
            place = Array([min(p * copies + n, positions - 1) for p in range(copy.positions)])[write.address]
            with m.If(write.enable):
                m.d.comb += [Assert(~written.bit_select(place, 1)), Assert(~due)]
                m.d.sync += written.bit_select(place, 1).eq(1)
            if parts:
                mine = Cat(written[p] for p in range(n, positions, copies))
                m.d.comb += [
                    Assert(group < copy.groups),
                    Assert(own <= copy.positions),
                    Assert(~due | (group == 0)),
                    Assert(mine == Array((1 << p) - 1 for p in range(copy.positions + 1))[own]),
                    Assert(dut.collectors[n].o.valid == due),
                ]
                with m.If(due):
                    m.d.comb += Assert(dut.collectors[n].o.payload.first == first)
                    m.d.comb += Assert(dut.collectors[n].o.payload.phase == phase)
        m.d.comb += [Assert(dut.o.valid == Cat(dues).all()), Assert(~dut.o.valid | written.all())]
        with m.If(dut.o.valid):
            m.d.comb += [Assert(dut.o.payload.first == first), Assert(dut.o.payload.phase == phase)]
        ready = Cat(collector.o.valid for collector in dut.collectors)
        reaches(
            m,
            first_copy_waits=ready[0] & ~ready[1],
            last_copy_waits=ready[copies - 1] & ~ready[0],
            all_written=written.all() & dut.o.valid,
            third_step=in_turn(m, handed, handed, dut.o.valid & (phase == 2) & ~first),
        )
        reaches_stalls(m, "step", dut.o)
        with m.If(handed):
            m.d.sync += [written.eq(0), first.eq(0), phase.eq(Mux(phase == 2, 0, phase + 1))]
        return m


def parts(positions: int, copies: int, join: Any = StepJoin) -> Parts:
    layer = LayerParameters(inputs=1, outputs=3, lanes=2, phases=3)
    return Parts(copies=[replace(layer, positions=len(range(c, positions, copies))) for c in range(copies)], join=join)


@pytest.mark.parametrize("shape", [(2, 2), (5, 2), (7, 3), (6, 4)])
def test_complete(shape: tuple[int, int]) -> None:
    prove(Complete(parts(*shape), invariants=True), "step_join", depth=2, mode="prove", reach=24)


ALL = "self.o.valid.eq(Cat(i.valid for i in inputs).all())"
BROKEN = {
    "hands_on_with_one": (ALL, "self.o.valid.eq(inputs[0].valid)"),
    "hands_on_with_any": (ALL, "self.o.valid.eq(Cat(i.valid for i in inputs).any())"),
    "lets_go_at_once": ("i.ready.eq(self.o.valid & self.o.ready)", "i.ready.eq(self.o.ready)"),
    "lets_go_before_it_is_taken": ("i.ready.eq(self.o.valid & self.o.ready)", "i.ready.eq(self.o.valid)"),
    "forgets_the_marks": ("self.o.payload.eq(inputs[0].payload)", "self.o.payload.eq(0)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    dut = parts(3, 2, mutant(StepJoin, *BROKEN[name]))
    assert_fails(Complete(dut), f"step_join_{name}", depth=14)


def test_a_join_of_one() -> None:
    with pytest.raises(ValueError, match=r"^StepJoin needs at least two copies, not 1$"):
        StepJoin(layer=LAYER, copies=1)
