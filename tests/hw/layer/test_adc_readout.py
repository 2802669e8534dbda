"""Column readout: every group once and in order, the right sums, and what it counts."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.interfaces.streams import request_layout
from spikeloom.hw.layer.adc_readout import ColumnReadout
from spikeloom.hw.params.parameters import LayerParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import assert_fails, in_turn, prove, reaches, reaches_stalls


def layer(adc_bits: int = 8, outputs: int = 10, lanes: int = 4, max_gain_shift: int = 7) -> LayerParameters:
    return LayerParameters(
        inputs=20,
        outputs=outputs,
        tile_rows=8,
        lanes=lanes,
        adc_bits=adc_bits,
        max_gain_shift=max_gain_shift,
        phases=3,
    )


def random_request(parameters: LayerParameters, rng: random.Random) -> dict:
    tiles = rng.choice([0, (1 << parameters.row_tiles) - 1, rng.getrandbits(parameters.row_tiles)])
    return {"tiles": tiles, "first": rng.randint(0, 1), "phase": rng.randrange(parameters.phases)}


class Macro:
    """Column side of a crossbar with random codes: remembers what it gave in each conversion."""

    def __init__(self, dut: ColumnReadout, rng: random.Random, wait) -> None:
        self.dut, self.rng, self.wait = dut, rng, wait
        self.groups: list[int] = []
        self.codes: list[list[int]] = []
        self.over: list[int] = []

    def _junk(self) -> tuple[list[int], int]:
        parameters = self.dut.parameters
        lowest, highest = parameters.code_min, parameters.code_max
        size = parameters.row_tiles * parameters.lanes
        pick = self.rng.choice
        codes = [pick([lowest, highest, self.rng.randint(lowest, highest)]) for _ in range(size)]
        return codes, self.rng.getrandbits(size)

    async def bench(self, ctx):
        xbar = self.dut.xbar
        while True:
            while not ctx.get(xbar.convert):
                ctx.set(xbar.done, 0)
                await ctx.tick()
            column = ctx.get(xbar.column)
            for _ in range(self.wait()):
                ctx.set(xbar.done, 0)
                codes, over = self._junk()
                ctx.set(xbar.codes, codes)
                ctx.set(xbar.over, over)
                await ctx.tick()
                assert ctx.get(xbar.convert), "convert fell before done"
                assert ctx.get(xbar.column) == column, "column moved before done"
            codes, over = self._junk()
            ctx.set(xbar.codes, codes)
            ctx.set(xbar.over, over)
            ctx.set(xbar.done, 1)
            self.groups.append(column)
            self.codes.append(codes)
            self.over.append(over)
            await ctx.tick()
            ctx.set(xbar.done, 0)


def model(parameters: LayerParameters, requests: list[dict], macro: Macro, gain: int) -> tuple[list, list, list]:
    """Golden model: deliveries, (converted, saturated) of each conversion, and the groups to convert."""
    given = iter(zip(macro.codes, macro.over, strict=True))
    deliveries, counts, groups = [], [], []
    for request in requests:
        driven = [tile for tile in range(parameters.row_tiles) if request["tiles"] >> tile & 1]
        for group in range(parameters.groups):
            columns = range(group * parameters.lanes, min((group + 1) * parameters.lanes, parameters.outputs))
            sums = [0] * parameters.lanes
            if driven:
                codes, over = next(given)
                groups.append(group)
                flags = 0
                for lane in range(len(columns)):
                    indices = [tile * parameters.lanes + lane for tile in driven]
                    sums[lane] = sum(codes[index] for index in indices) << gain
                    flags += sum(over >> index & 1 for index in indices)
                counts.append((len(driven) * len(columns), flags))
            deliveries.append({"group": group, "sums": sums, "first": request["first"], "phase": request["phase"]})
    return deliveries, counts, groups


def count_monitor(dut: ColumnReadout, counts: list):
    async def bench(ctx):
        while True:
            *_, converted, saturated = await ctx.tick().sample(dut.converted, dut.saturated)
            if converted:
                counts.append((converted, saturated))
            else:
                assert saturated == 0

    return bench


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(
    ("parameters", "gain"),
    [
        (layer(), 0),
        (layer(), 7),
        (layer(adc_bits=1, outputs=8), 3),
        (layer(outputs=5, lanes=5, max_gain_shift=0), 0),
        (layer(adc_bits=4, outputs=5, lanes=1, max_gain_shift=2), 2),
    ],
)
def test_sums_are_the_models(parameters: LayerParameters, gain: int, stall: float) -> None:
    rng = random.Random(gain + parameters.lanes)
    dut = ColumnReadout(parameters=parameters)
    requests = [random_request(parameters, rng) for _ in range(40)]
    macro = Macro(dut, rng, lambda: rng.choice([0, 0, 1, 5]))
    counts: list = []
    deliveries: list = []

    async def feed(ctx):
        ctx.set(dut.gain, gain)
        await send(ctx, dut.i, requests, random.Random(1), stall)

    async def check(ctx):
        deliveries.extend(await collect(ctx, dut.o, len(requests) * parameters.groups, random.Random(2), stall))

    simulate(dut, feed, check, background=[macro.bench, count_monitor(dut, counts)])
    expected, expected_counts, expected_groups = model(parameters, requests, macro, gain)
    assert deliveries == expected
    assert counts == expected_counts
    assert macro.groups == expected_groups


@pytest.mark.parametrize("wait", [0, 1, 4])
def test_cycles(wait: int) -> None:
    parameters = layer()
    dut = ColumnReadout(parameters=parameters)
    groups = parameters.groups
    requests = [{"tiles": tiles, "first": 0, "phase": 0} for tiles in (5, 0, 1)]
    macro = Macro(dut, random.Random(1), lambda: wait)
    taken: list[int] = []
    delivered: list[int] = []

    async def feed(ctx):
        await send(ctx, dut.i, requests, random.Random(1), 0, taken)

    async def check(ctx):
        await collect(ctx, dut.o, 3 * groups, random.Random(2), 0, delivered)

    simulate(dut, feed, check, background=[macro.bench])
    seen = 0
    for index, cycles in enumerate((wait + 1, 1, wait + 1)):
        assert delivered[index * groups : (index + 1) * groups] == [seen + (j + 1) * cycles for j in range(groups)]
        assert taken[index] == seen + groups * cycles
        seen = taken[index] + 1


class Contract(wiring.Component):
    """Each group of a request is converted once, delivered once, in order, with its own codes; then it is taken.

    `inductive` adds what the readout's registers have to do with the numbers of groups so far, for the induction.
    """

    def __init__(self, readout: type = ColumnReadout, inductive: bool = False) -> None:
        self._inductive = inductive
        self._parameters = LayerParameters(inputs=4, outputs=5, tile_rows=2, lanes=2, adc_bits=2, max_gain_shift=1)
        self._dut = readout(parameters=self._parameters)
        super().__init__(
            {
                "request": In(request_layout(self._parameters)),
                "valid": In(1),
                "ready": In(1),
                "done": In(1),
                "codes": In(self._dut.xbar.signature.members["codes"].shape),
                "over": In(4),
                "gain": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        xbar, groups = dut.xbar, self._parameters.groups
        m.d.comb += [
            dut.i.payload.eq(self.request),
            dut.i.valid.eq(self.valid),
            dut.o.ready.eq(self.ready),
            xbar.done.eq(self.done),
            xbar.codes.eq(self.codes),
            xbar.over.eq(self.over),
            dut.gain.eq(self.gain),
        ]
        started = Signal()
        m.d.sync += started.eq(1)

        request, sums = Value.cast(self.request), Value.cast(dut.o.payload)
        with m.If(past(m, self.valid & ~dut.i.ready)):
            m.d.comb += Assume(self.valid & (request == past(m, request)))
        with m.If(started):
            m.d.comb += Assume(self.gain == past(m, self.gain))

        converted, delivered = Signal(3), Signal(3)  # groups of the request so far
        kept = [Signal(signed(8), name=f"kept_{lane}") for lane in range(2)]  # sums of the group converted last
        conversion = xbar.convert & self.done
        delivery = dut.o.valid & self.ready
        tiles = self.request.tiles

        # Conversions: in order, held until done, none without a tile.
        with m.If(xbar.convert):
            m.d.comb += Assert(self.valid & tiles.any() & (xbar.column == converted) & (converted < groups))
        with m.If(started & past(m, xbar.convert & ~self.done)):
            m.d.comb += Assert(xbar.convert & (xbar.column == past(m, xbar.column)))
        with m.If(conversion):
            m.d.sync += converted.eq(converted + 1)
            for lane in range(2):
                total = Mux(tiles[0], self.codes[lane], 0) + Mux(tiles[1], self.codes[2 + lane], 0)
                padding = (lane == 1) & (converted == groups - 1)
                m.d.sync += kept[lane].eq(Mux(padding, 0, total << self.gain))

        # Deliveries: in order, the right sum, stable until taken.
        with m.If(dut.o.valid):
            m.d.comb += Assert(self.valid & (dut.o.payload.group == delivered) & (delivered < groups))
            for lane in range(2):
                m.d.comb += Assert(dut.o.payload.sums[lane] == Mux(tiles.any(), kept[lane], 0))
        with m.If(started & past(m, dut.o.valid & ~self.ready)):
            m.d.comb += Assert(dut.o.valid & (sums == past(m, sums)))
        with m.If(delivery):
            m.d.sync += delivered.eq(delivered + 1)

        # Counts, in the cycle after a conversion.
        columns = [Const(1), converted != groups - 1]  # a lane has one
        used = [tiles[n // 2] & columns[n % 2] for n in range(4)]
        over = [flag & mask for flag, mask in zip(self.over, used, strict=True)]
        with m.If(started):
            m.d.comb += [
                Assert(dut.converted == past(m, Mux(conversion, sum(used), 0))),
                Assert(dut.saturated == past(m, Mux(conversion, sum(over), 0))),
            ]

        # The request is taken with its last group.
        taken = self.valid & dut.i.ready
        with m.If(taken):
            m.d.comb += Assert(delivery & (delivered == groups - 1))
            m.d.comb += Assert(converted == Mux(tiles.any(), groups, 0))
            m.d.sync += [converted.eq(0), delivered.eq(0)]
        with m.Else():
            m.d.comb += Assert(~(delivery & (delivered == groups - 1)))

        waits = xbar.convert & ~self.done
        reaches(
            m,
            conversion_takes_two_more_cycles=past(m, waits) & in_turn(m, waits, waits, conversion),
            last_group_delivered=delivery & (delivered == groups - 1) & tiles.all(),
            second_request=in_turn(m, taken & tiles.any(), conversion),
            nothing_driven=in_turn(m, taken, taken & ~tiles.any(), conversion),
            gain=delivery & (self.gain == 1) & (dut.o.payload.sums[0] < 0),
            largest_sum=delivery & (dut.o.payload.sums[1] == -4),
            back_pressure_stops_the_conversions=dut.o.valid
            & ~self.ready
            & tiles.any()
            & (converted == 2)
            & ~xbar.convert,
        )
        reaches_stalls(m, "sums", dut.o)
        if self._inductive:
            readout = inside(dut)
            made = Mux(readout.all_taken, groups, readout.group)  # groups of the request, on offer or delivered
            m.d.comb += [
                Assert(readout.group < groups),
                Assert(~readout.all_taken | (readout.offered & (readout.group == 0))),
                Assert(made == delivered + readout.offered),
                Assert(converted == Mux(tiles.any(), made, 0)),
                Assert(self.valid | (made == 0)),
            ]
        return m


def test_proof_contract() -> None:
    prove(Contract(inductive=True), "column_readout", depth=4, mode="prove")


BROKEN = {
    "skips_a_group": ("Mux(last, 0, group + 1)", "Mux(last, 0, group + 1 + self.xbar.over[0])"),
    "forgets_back_pressure": ("& (~offered | self.o.ready)", ""),
    "takes_the_request_early": ("all_taken & self.o.ready", "self.xbar.done & last & self.o.ready"),
    "withdraws_the_sums": ("with m.Elif(self.o.ready):", "with m.Else():"),
    "does_not_mask_tiles": ("Mux(mask, code, 0) for", "code for"),
    "converts_without_tiles": ("free & tiles.any()", "free"),
    "counts_the_padding": ("Mux(all_taken, last_lanes, lanes)", "lanes"),
    "counts_the_group_to_come": ("Mux(all_taken, last_lanes, lanes)", "Mux(last, last_lanes, lanes)"),
    "counts_while_it_converts": ("counting.eq(converting)", "counting.eq(self.xbar.convert)"),
    "counts_what_nothing_clipped": ("Mux(converting, adder_tree(flags), 0)", "adder_tree(flags)"),
    "sums_up_the_padding": ("(1 << last_lanes) - 1", "(2 << last_lanes) - 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Contract(mutant(ColumnReadout, *BROKEN[name])), name, depth=12)
