# amaranth: UnusedElaboratable=no
"""Row driver: what is driven, for how long, and never while the crossbar is being programmed."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.interfaces.streams import vector_layout
from spikeloom.hw.layer.dac_driver import DacDriver
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import CYCLE, collect, send, simulate
from tests.formal import assert_fails, in_turn, prove, reaches, reaches_stalls


def layer(row_bits: int = 1) -> LayerParameters:
    return LayerParameters(inputs=21, outputs=6, row_bits=row_bits, tile_rows=8, lanes=2, phases=3)


def random_vector(parameters: LayerParameters, rng: random.Random) -> dict:
    """Vector whose row tiles are silent half of the time."""
    rows, count = 0, 0
    top = (1 << parameters.row_bits) - 1
    busy = [rng.random() < 0.5 for _ in range(parameters.row_tiles)]
    for row in range(parameters.inputs):
        code = rng.choice([0, 0, 1, top, rng.randint(0, top)]) if busy[row // parameters.tile_rows] else 0
        rows |= code << row * parameters.row_bits
        count += code > 0
    marks = {"first": rng.randint(0, 1), "phase": rng.randrange(parameters.phases)}
    return {"rows": rows, "count": count, "silent": int(count == 0), **marks}


def active_tiles(parameters: LayerParameters, rows: int) -> int:
    """Golden model: a tile is read if one of its rows has a code other than 0."""
    tiles = 0
    for row in range(parameters.inputs):
        if rows >> row * parameters.row_bits & (1 << parameters.row_bits) - 1:
            tiles |= 1 << row // parameters.tile_rows
    return tiles


def request_of(parameters: LayerParameters, vector: dict) -> dict:
    return {"tiles": active_tiles(parameters, vector["rows"]), "first": vector["first"], "phase": vector["phase"]}


def macro(dut: DacDriver, drives: list, settle, release):
    """Row side of a crossbar: `sampled` is up in the settle()-th cycle of the drive, and falls release() after it.

    Appends (rows, tiles, first cycle, last cycle) of each drive; raises if rows or tiles change.
    """

    async def bench(ctx):
        while True:
            ctx.set(dut.xbar.sampled, 0)
            while not ctx.get(dut.xbar.drive):
                await ctx.tick()
            start, rows, tiles = ctx.get(CYCLE), ctx.get(dut.xbar.rows), ctx.get(dut.xbar.tiles)
            wait = settle() - 1
            while ctx.get(dut.xbar.drive):
                ctx.set(dut.xbar.sampled, wait <= 0)
                wait -= 1
                assert (ctx.get(dut.xbar.rows), ctx.get(dut.xbar.tiles)) == (rows, tiles)
                await ctx.tick()
            drives.append((rows, tiles, start, ctx.get(CYCLE) - 1))
            for _ in range(release()):
                assert not ctx.get(dut.xbar.drive)
                await ctx.tick()

    return bench


def event_monitor(dut: DacDriver, events: list):
    async def bench(ctx):
        while True:
            *_, event, count, tiles = await ctx.tick().sample(dut.pulse_event, dut.pulse_count, dut.tiles_read)
            if event:
                events.append((count, tiles))
            else:
                assert (count, tiles) == (0, 0)

    return bench


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("row_bits", [1, 8])
@pytest.mark.parametrize("pulse_cycles", [1, 4])
def test_drives_what_the_model_says(row_bits: int, pulse_cycles: int, stall: float) -> None:
    rng = random.Random(row_bits * 10 + pulse_cycles)
    parameters = layer(row_bits)
    dut = DacDriver(parameters=parameters, pulse_cycles=pulse_cycles)
    vectors = [random_vector(parameters, rng) for _ in range(60)]
    driven = [vector for vector in vectors if vector["count"]]
    drives: list = []
    events: list = []

    async def feed(ctx):
        await send(ctx, dut.i, vectors, random.Random(1), stall)

    async def check(ctx):
        requests = await collect(ctx, dut.o, len(vectors), random.Random(2), stall)
        assert requests == [request_of(parameters, vector) for vector in vectors]

    background = [
        macro(dut, drives, lambda: rng.randint(1, 7), lambda: rng.randint(0, 3)),
        event_monitor(dut, events),
    ]
    simulate(dut, feed, check, background=background)
    assert 0 < len(driven) < len(vectors)
    assert [(rows, tiles) for rows, tiles, _, _ in drives] == [
        (vector["rows"], active_tiles(parameters, vector["rows"])) for vector in driven
    ]
    assert all(end - start + 1 >= pulse_cycles for _, _, start, end in drives)
    assert events == [(vector["count"], active_tiles(parameters, vector["rows"]).bit_count()) for vector in driven]


@pytest.mark.parametrize(("pulse_cycles", "settle"), [(1, 1), (4, 1), (4, 4), (3, 9)])
def test_cycles(pulse_cycles: int, settle: int) -> None:
    parameters = layer()
    dut = DacDriver(parameters=parameters, pulse_cycles=pulse_cycles)
    drive_cycles = max(pulse_cycles, settle)
    vector = {"rows": 1 << 9, "count": 1, "silent": 0, "first": 1, "phase": 2}
    silent = {"rows": 0, "count": 0, "silent": 1, "first": 0, "phase": 0}
    drives: list = []
    taken: list[int] = []
    offered: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, [vector, vector, silent, vector], random.Random(1), 0, taken)

    async def check(ctx):
        await collect(ctx, dut.o, 4, random.Random(2), 0, offered)

    simulate(dut, feed, check, background=[macro(dut, drives, lambda: settle, lambda: 0)])
    seen = [0, drive_cycles + 2, 2 * drive_cycles + 4, 2 * drive_cycles + 6]
    assert [(start, end) for _, _, start, end in drives] == [
        (seen[index] + 1, seen[index] + drive_cycles) for index in (0, 1, 3)
    ]
    assert taken == [seen[0] + drive_cycles, seen[1] + drive_cycles, seen[2], seen[3] + drive_cycles]
    assert offered == [seen[0] + drive_cycles + 1, seen[1] + drive_cycles + 1, seen[2] + 1, seen[3] + drive_cycles + 1]


def test_programming_between_vectors() -> None:
    rng = random.Random(5)
    parameters = layer()
    dut = DacDriver(parameters=parameters, pulse_cycles=2)
    vectors = [random_vector(parameters, rng) for _ in range(40)]
    drives: list = []
    grants = 0

    async def feed(ctx):
        await send(ctx, dut.i, vectors, random.Random(1), 0.2)

    async def check(ctx):
        requests = await collect(ctx, dut.o, len(vectors), random.Random(2), 0.2)
        assert requests == [request_of(parameters, vector) for vector in vectors]

    async def programmer(ctx):
        nonlocal grants
        while True:
            for _ in range(rng.randint(0, 20)):
                assert not ctx.get(dut.program_grant)
                await ctx.tick()
            ctx.set(dut.program_request, 1)
            while not ctx.get(dut.program_grant):
                await ctx.tick()
            grants += 1
            for _ in range(rng.randint(0, 9)):
                assert ctx.get(dut.program_grant)
                assert not ctx.get(dut.xbar.drive) and not ctx.get(dut.xbar.sampled) and not ctx.get(dut.o.valid)
                await ctx.tick()
            ctx.set(dut.program_request, 0)
            await ctx.tick()

    background = [macro(dut, drives, lambda: rng.randint(1, 4), lambda: rng.randint(0, 5)), programmer]
    simulate(dut, feed, check, background=background)
    assert grants > 10


@pytest.mark.parametrize("value", [0, -3])
def test_pulse_cycles_must_be_positive(value: int) -> None:
    with pytest.raises(ValueError, match=rf"^DacDriver pulse_cycles must be a positive integer, not {value}$"):
        DacDriver(parameters=layer(), pulse_cycles=value)


@pytest.mark.parametrize("value", [1.5, "4", True])
def test_pulse_cycles_must_be_an_integer(value: object) -> None:
    with pytest.raises(TypeError, match=r"^DacDriver pulse_cycles must be an integer, not "):
        DacDriver(parameters=layer(), pulse_cycles=value)  # type: ignore[arg-type]


class Contract(wiring.Component):
    """What the driver promises the macro, the programmer and its neighbours, if they keep their side.

    `inductive` adds what the driver's state machine and registers have to do with each other, for the induction.
    """

    def __init__(
        self, driver: type = DacDriver, pulse_cycles: int = 2, inductive: bool = False, programmer: bool = True
    ) -> None:
        self._parameters = LayerParameters(inputs=3, outputs=2, tile_rows=2, lanes=1, programmer=programmer)
        self._pulse_cycles = pulse_cycles
        self._inductive = inductive
        self._dut = driver(parameters=self._parameters, pulse_cycles=pulse_cycles)
        super().__init__(
            {
                "vector": In(vector_layout(self._parameters)),
                "valid": In(1),
                "ready": In(1),
                "sampled": In(1),
                **({"program_request": In(1)} if programmer else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        rows, tiles, drive, sampled = dut.xbar.rows, dut.xbar.tiles, dut.xbar.drive, self.sampled
        m.d.comb += [
            dut.i.payload.eq(self.vector),
            dut.i.valid.eq(self.valid),
            dut.o.ready.eq(self.ready),
            dut.xbar.sampled.eq(sampled),
        ]
        grant, requested = Const(0), Const(0)
        if self._parameters.programmer:
            grant, requested = dut.program_grant, self.program_request
            m.d.comb += dut.program_request.eq(requested)
        started = Signal()
        m.d.sync += started.eq(1)

        vector, request = Value.cast(self.vector), Value.cast(dut.o.payload)
        past_drive, past_sampled = past(m, drive), past(m, sampled)
        on = Signal(4)
        m.d.sync += on.eq(Mux(drive, Mux(on == 15, on, on + 1), 0))

        # The macro: sampled rises only while the rows are driven. The vector stays until it is taken, and its count is
        # that of its rows.
        m.d.comb += Assume(~self.valid | (self.vector.count == sum(self.vector.rows)))
        m.d.comb += Assume(~self.valid | (self.vector.silent == ~self.vector.rows.any()))
        m.d.comb += Assume(~sampled | past_sampled | drive)
        with m.If(past(m, self.valid & ~dut.i.ready)):
            m.d.comb += Assume(self.valid & (vector == past(m, vector)))

        # The interlock.
        m.d.comb += Assert(~(grant & drive))
        m.d.comb += Assert(~(grant & sampled))
        # The drive: at least pulse_cycles, until sampled, of what does not change and has something to drive.
        with m.If(started & past_drive & drive):
            m.d.comb += Assert((rows == past(m, rows)) & (tiles == past(m, tiles)))
        with m.If(started & past_drive & ~drive):
            m.d.comb += Assert(past_sampled & (on >= self._pulse_cycles))
        with m.If(started & ~past_drive & drive):
            m.d.comb += Assert(~past_sampled)
        with m.If(drive):
            m.d.comb += Assert(self.valid & (tiles == Cat(rows[0:2].any(), rows[2])) & tiles.any())
        # The samples are safe until the request is taken, and the request stays until then.
        with m.If(dut.o.valid):
            m.d.comb += Assert(~drive & ~grant)
        with m.If(started & past(m, dut.o.valid & ~self.ready)):
            m.d.comb += Assert(dut.o.valid & (request == past(m, request)))
        reaches(
            m,
            longest_drive=past_sampled & past_drive & ~drive & (on > self._pulse_cycles),
            shortest_drive=past_drive & ~drive & (on == self._pulse_cycles),
            silent_vector=in_turn(m, drive, dut.o.valid & ~drive & (request == 0)),
        )
        if self._parameters.programmer:
            reaches(
                m,
                grant_between_drives=in_turn(m, drive, grant, drive),
                program_waits_for_sampled=requested & sampled & ~drive & ~grant,
                both_wait=in_turn(m, requested & drive, grant & self.valid, drive),
            )
        reaches_stalls(m, "request", dut.o)
        if self._inductive:
            self._invariants(m, on)
        return m

    def _invariants(self, m: Module, on: Signal) -> None:
        driver = inside(self._dut)
        most = self._pulse_cycles - 1
        m.d.comb += [
            Assert(driver.drive == driver.state("DRIVE")),
            Assert(driver.offered == driver.state("OFFER")),
            Assert(driver.timer <= most),
        ]
        if self._parameters.programmer:
            m.d.comb += Assert(driver.grant == driver.state("PROGRAM"))
        reaches(m, **driver.states)
        with m.If(driver.drive):
            m.d.comb += Assert(Mux(driver.timer == 0, on >= most, on == most - driver.timer))
        with m.Elif(~driver.offered):
            m.d.comb += Assert(on == 0)


@pytest.mark.parametrize("pulse_cycles", [1, 2, 5])
@pytest.mark.parametrize("programmer", [True, False], ids=["programmer", "no programmer"])
def test_proof_contract(pulse_cycles: int, programmer: bool) -> None:
    contract = Contract(pulse_cycles=pulse_cycles, inductive=True, programmer=programmer)
    prove(contract, "dac_driver", depth=4, mode="prove")


BROKEN = {
    "drives_while_programming": ("with_vector = m.Elif", "with_vector = m.If"),
    "grants_while_sampled": ("with m.If(~self.xbar.sampled):", "with m.If(1):"),
    "drives_while_sampled": ("with m.Elif(~self.xbar.sampled):", "with m.Else():"),
    "does_not_wait_for_sampled": ("with m.Elif(self.xbar.sampled):", "with m.Else():"),
    "pulse_too_short": ("with m.If(timer != 0):", "with m.If(0):"),
    "takes_the_vector_early": (
        "                        start_drive()\n",
        "                        start_drive()\n                        m.d.comb += self.i.ready.eq(1)\n",
    ),
    "withdraws_the_request": ("with m.If(self.o.ready):", "with m.If(1):"),
}


OF_THE_PROGRAMMER = ("drives_while_programming", "grants_while_sampled")
"""Broken twins of what a driver without a programmer does not have."""


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Contract(mutant(DacDriver, *BROKEN[name])), name, depth=14)


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in OF_THE_PROGRAMMER])
def test_mutants_without_a_programmer_fail_the_proof(name: str) -> None:
    assert_fails(Contract(mutant(DacDriver, *BROKEN[name]), programmer=False), f"lean_{name}", depth=14)
