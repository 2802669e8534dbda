# amaranth: UnusedElaboratable=no
"""StepJoin, and the map of a stage with replicas: collectors, banks and join together, proven complete."""

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


@pytest.mark.parametrize("replicas", [2, 5])
def test_steps(replicas: int) -> None:
    """Whoever comes last lets all go, together."""
    dut = StepJoin(layer=LAYER, replicas=replicas)
    steps = [{"first": int(n == 0), "phase": n % 3} for n in range(20)]
    taken: list[list[int]] = [[] for _ in range(replicas)]
    handed: list[int] = []

    def feed(replica: int):
        async def bench(ctx):
            await send(ctx, getattr(dut, f"i_{replica}"), steps, random.Random(replica), 0.6, taken[replica])

        return bench

    async def check(ctx):
        assert await collect(ctx, dut.o, len(steps), random.Random(99), 0.3) == steps

    async def watch(ctx):
        cycle = 0
        async for *_, valid, ready in ctx.tick().sample(dut.o.valid, dut.o.ready):
            handed.extend([cycle] * bool(valid and ready))
            cycle += 1

    simulate(dut, *(feed(replica) for replica in range(replicas)), check, background=[watch])
    assert len(handed) == 20 and all(len(cycles) == 20 for cycles in taken)
    assert all(cycles == taken[0] for cycles in taken)


class Parts(wiring.Component):
    """The collectors of a stage's replicas and their join, as `hw.feature_maps.stages` has them."""

    def __init__(self, *, replicas: list[LayerParameters], join: Any = StepJoin) -> None:
        self.replicas = replicas
        self.collectors = [MapCollector(layer=replica) for replica in replicas]
        self.join = join(layer=replicas[0], replicas=len(replicas))
        super().__init__(
            {
                **{f"i_{n}": In(stream.Signature(fired_layout(replica))) for n, replica in enumerate(replicas)},
                **{f"write_{n}": Out(part.write.signature) for n, part in enumerate(self.collectors)},
                "o": Out(stream.Signature(step_layout(replicas[0]))),
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
    """The step is passed on when every position of it has been written, each once, and not before."""

    def __init__(self, dut: Parts, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform: Any) -> Module:
        parts = [inside(collector) for collector in self.dut.collectors] if self.invariants else []
        m = super().elaborate(platform)
        dut, replicas = self.dut, len(self.dut.replicas)
        positions = sum(replica.positions for replica in dut.replicas)
        stream_contract(m, dut.o, Assert)
        handed = dut.o.valid & dut.o.ready

        # The environment: every replica's groups and positions in order, with the marks of one step; those of the next
        # step come when this one is passed on.
        first, phase = Signal(init=1), Signal.like(dut.o.payload.phase)
        written = Signal(positions)  # in this step
        dues = []
        for n, replica in enumerate(dut.replicas):
            i, write = getattr(dut, f"i_{n}"), getattr(dut, f"write_{n}")
            stream_contract(m, i, Assume)
            group, own = Signal(range(replica.groups + 1)), Signal(range(replica.positions + 1))
            due = own == replica.positions
            with m.If(i.valid):
                m.d.comb += [Assume(~due), Assume(i.payload.group == group)]
                m.d.comb += [Assume(i.payload.first == first), Assume(i.payload.phase == phase)]
                if replica.positions > 1:
                    m.d.comb += Assume(i.payload.position == own)
            with m.If(i.valid & i.ready):
                m.d.sync += group.eq(Mux(group == replica.groups - 1, 0, group + 1))
                with m.If(group == replica.groups - 1):
                    m.d.sync += own.eq(own + 1)
            dues.append(due)
            with m.If(handed):
                m.d.sync += own.eq(0)
            place = Array([min(p * replicas + n, positions - 1) for p in range(replica.positions)])[write.address]
            with m.If(write.enable):
                m.d.comb += [Assert(~written.bit_select(place, 1)), Assert(~due)]
                m.d.sync += written.bit_select(place, 1).eq(1)
            if parts:
                mine = Cat(written[p] for p in range(n, positions, replicas))
                m.d.comb += [
                    Assert(group < replica.groups),
                    Assert(own <= replica.positions),
                    Assert(~due | (group == 0)),
                    Assert(mine == Array((1 << p) - 1 for p in range(replica.positions + 1))[own]),
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
            last_copy_waits=ready[replicas - 1] & ~ready[0],
            all_written=written.all() & dut.o.valid,
            third_step=in_turn(m, handed, handed, dut.o.valid & (phase == 2) & ~first),
        )
        reaches_stalls(m, "step", dut.o)
        with m.If(handed):
            m.d.sync += [written.eq(0), first.eq(0), phase.eq(Mux(phase == 2, 0, phase + 1))]
        return m


def parts(positions: int, replicas: int, join: Any = StepJoin) -> Parts:
    layer = LayerParameters(inputs=1, outputs=3, lanes=2, phases=3)
    return Parts(
        replicas=[replace(layer, positions=len(range(c, positions, replicas))) for c in range(replicas)], join=join
    )


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
    with pytest.raises(ValueError, match=r"^StepJoin needs at least two replicas, not 1$"):
        StepJoin(layer=LAYER, replicas=1)
