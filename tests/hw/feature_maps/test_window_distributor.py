# amaranth: UnusedElaboratable=no
"""WindowDistributor against dealing out lists, its cycles, and the proof that every vector reaches its replica once."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Module, Mux, Signal, Value

from spikeloom.hw.feature_maps.window_distributor import WindowDistributor, stage_layer
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract

SHAPES = [(2, 2), (5, 2), (4, 2), (3, 3), (7, 3), (9, 4)]
"""Positions and replicas."""


def replicas_of(positions: int, replicas: int) -> list[LayerParameters]:
    layer = LayerParameters(inputs=3, outputs=2, lanes=1, phases=3)
    return [replace(layer, positions=len(range(c, positions, replicas))) for c in range(replicas)]


def distributor(shape: tuple[int, int], component: Any = WindowDistributor) -> WindowDistributor:
    return component(replicas=replicas_of(*shape))


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_vectors(shape: tuple[int, int], stalls: tuple[float, float]) -> None:
    """Three steps dealt out: every replica has its vectors, in order, with its own positions."""
    (positions, replicas), rng, dut = shape, random.Random(1), distributor(shape)
    vectors: list[dict] = []
    expected: list[list[dict]] = [[] for _ in range(replicas)]
    for step in range(3):
        for position in range(positions):
            vector = {"rows": rng.getrandbits(3), "count": rng.randrange(4), "silent": rng.randrange(2)}
            vector |= {"first": int(step == 0), "phase": step}
            vectors.append({**vector, "position": position})
            own = {"position": position // replicas} if dut.replicas[position % replicas].positions > 1 else {}
            expected[position % replicas].append({**vector, **own})

    async def feed(ctx):
        await send(ctx, dut.i, vectors, random.Random(1), stalls[0])

    def taker(replica: int):
        async def bench(ctx):
            found = await collect(
                ctx, getattr(dut, f"o_{replica}"), len(expected[replica]), random.Random(replica), stalls[1]
            )
            assert found == expected[replica]

        return bench

    simulate(dut, feed, *(taker(replica) for replica in range(replicas)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_vector_a_cycle(shape: tuple[int, int]) -> None:
    """If every replica takes its vector within n cycles, the input never waits, and a vector is seen a cycle later."""
    (positions, replicas), dut = shape, distributor(shape)
    sent: list[int] = []
    seen: list[list[int]] = [[] for _ in range(replicas)]

    async def feed(ctx):
        vectors = [{"rows": p, "position": p} for p in range(positions)]
        await send(ctx, dut.i, [{**v, "rows": v["rows"] % 8} for v in vectors * 2], random.Random(1), 0, sent)

    def taker(replica: int):
        async def bench(ctx):
            number = 2 * dut.replicas[replica].positions
            await collect(ctx, getattr(dut, f"o_{replica}"), number, random.Random(1), 0, seen[replica])

        return bench

    simulate(dut, feed, *(taker(replica) for replica in range(replicas)))
    assert sent == list(range(sent[0], sent[0] + 2 * positions))
    for replica, cycles in enumerate(seen):
        assert cycles == [sent[n] + 1 for n in range(2 * positions) if n % positions % replicas == replica]


class Dealt(Harness):
    """Every vector goes to its replica, once, with its own position; nothing is lost, and it waits for its replica
    alone."""

    def __init__(self, dut: WindowDistributor, *, invariants: bool = False) -> None:
        super().__init__(dut)
        self.invariants = invariants

    def elaborate(self, platform: Any) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, vector = self.dut, self.dut.i.payload
        positions, replicas = dut.layer.positions, len(dut.replicas)
        stream_contract(m, dut.i, Assume)
        position, taken = Signal(range(positions + 1)), dut.i.valid & dut.i.ready
        m.d.comb += Assume(vector.position == position)
        with m.If(taken):
            m.d.sync += position.eq(Mux(position == positions - 1, 0, position + 1))
        replica = Array([p % replicas for p in range(positions)] + [0])[position]
        rooms: list[Value] = []
        for number, layer in enumerate(dut.replicas):
            o = getattr(dut, f"o_{number}")
            stream_contract(m, o, Assert)
            pending = Signal(name=f"pending_{number}")
            given, place = Signal(vector.shape(), name=f"given_{number}"), Signal.like(vector.position)
            with m.If(taken & (replica == number)):
                m.d.sync += [pending.eq(1), given.eq(vector), place.eq(position)]
            with m.Elif(o.ready):
                m.d.sync += pending.eq(0)
            rooms.append((replica == number) & (~pending | o.ready))
            m.d.comb += Assert(o.valid == pending)
            with m.If(pending):
                m.d.comb += [
                    Assert(getattr(o.payload, name) == getattr(given, name))
                    for name in ("rows", "count", "silent", "first", "phase")
                ]
                if layer.positions > 1:
                    m.d.comb += Assert(o.payload.position == Array([p // replicas for p in range(positions)])[place])
            if variables is not None:
                m.d.comb += Assert(place < positions)
        m.d.comb += Assert(dut.i.ready == Cat(rooms).any())
        end = taken & (position == positions - 1)
        outputs = [getattr(dut, f"o_{number}") for number in range(replicas)]
        reaches(
            m,
            step_after_step=in_turn(m, end, taken & (position == 0), taken & (position == 1)),
            all_copies_wait=Cat(o.valid & ~o.ready for o in outputs).all(),
            waits_for_its_copy=dut.i.valid & ~dut.i.ready & outputs[0].ready,
        )
        for number, o in enumerate(outputs):
            reaches_stalls(m, f"copy_{number}", o)
        if variables is not None:
            m.d.comb += [Assert(position < positions), Assert(variables.turn == replica)]
            m.d.comb += Assert(variables.own == Array([p // replicas for p in range(positions)] + [0])[position])
        return m


@pytest.mark.parametrize("shape", SHAPES)
def test_dealt(shape: tuple[int, int]) -> None:
    prove(Dealt(distributor(shape), invariants=True), "distributor", depth=2, mode="prove")


ROOM = "(turn == number) & (~o.valid | o.ready)"
TURN = "Mux(end | (turn == count - 1), 0, turn + 1)"
END = "with m.If(end):\n                m.d.sync += own.eq(0)"
OWN = "with m.Elif(turn == count - 1):\n                m.d.sync += own.eq(own + 1)"
PASS = "\n                pass"
BROKEN = {
    "overwrites_a_vector": (ROOM, "turn == number", (5, 2)),
    "gives_to_all": (ROOM, "~o.valid | o.ready", (5, 2)),
    "gives_twice": ("with m.Elif(o.ready):", "with m.Elif(0):", (5, 2)),
    "withdraws": ("with m.Elif(o.ready):", "with m.Elif(1):", (5, 2)),
    "waits_for_others": ("Cat(rooms).any()", "Cat(rooms).any() & self.o_0.ready", (5, 2)),
    "goes_on_where_the_step_ended": (TURN, "Mux(turn == count - 1, 0, turn + 1)", (5, 2)),
    "keeps_the_place": (END, "with m.If(end):" + PASS, (5, 2)),
    "stays_at_a_place": (OWN, "with m.Elif(0):" + PASS, (5, 2)),
    "forgets_the_marks": ("o.payload.phase.eq(vector.phase)", "o.payload.phase.eq(0)", (3, 3)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    old, new, shape = BROKEN[name]
    assert_fails(Dealt(distributor(shape, mutant(WindowDistributor, old, new))), f"distributor_{name}", depth=16)


def test_copies_that_are_none_of_a_stage() -> None:
    replicas = replicas_of(7, 3)
    assert stage_layer(replicas).positions == 7
    with pytest.raises(ValueError, match=r"^WindowDistributor needs at least two replicas, not 1$"):
        WindowDistributor(replicas=replicas[:1])
    with pytest.raises(ValueError, match=r"^WindowDistributor's replica 0 is none of a stage of"):
        WindowDistributor(replicas=replicas[::-1])
