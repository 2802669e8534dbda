# amaranth: UnusedElaboratable=no
"""PoolUnit against plain integers over whole images, its cycles, and the proof of its spikes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Module, Mux, Signal, Value

from spikeloom.hw.feature_maps.pool_unit import PoolUnit
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from tests.benches.proof_bench import inside, mutant, past, with_junk
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, in_turn, prove, reaches, reaches_stalls, stream_contract
from tests.models.map_model import GoldenPool

MAX, AVERAGE = MaxPoolStage, AveragePoolStage


def unit(
    kind: type[PoolStage], shape: MapShape, kernel: tuple[int, int], start: int = 0, phases: int = 1, max_steps: int = 9
) -> NpuParameters:
    """The image pooled, then a dense layer."""
    pool = kind(window=Window(source=0, kernel=kernel, stride=kernel), start=start)
    height, width = pool.window.outputs(shape)
    pooled = MapShape(channels=shape.channels, height=height, width=width)
    plan = Plan(input=shape, stages=(pool, CrossbarStage(layer=0, windows=(Window.whole(1, pooled),))), channels=(1,))
    layer = LayerParameters(inputs=pooled.size, outputs=1, lanes=1, phases=phases, max_steps=max_steps)
    return NpuParameters(layers=(layer,), plan=plan, phases=phases, max_steps=max_steps, encoder_lanes=1)


def shape_of(channels: int, height: int, width: int) -> MapShape:
    return MapShape(channels=channels, height=height, width=width)


UNITS = [
    unit(MAX, shape_of(3, 4, 6), (2, 2)),
    unit(MAX, shape_of(2, 5, 7), (2, 3), phases=4),
    unit(MAX, shape_of(1, 3, 3), (1, 1)),
    unit(MAX, shape_of(2, 3, 3), (3, 3), phases=2),
    unit(AVERAGE, shape_of(3, 4, 6), (2, 2), start=2),
    unit(AVERAGE, shape_of(2, 5, 7), (2, 3), start=5, phases=4),
    unit(AVERAGE, shape_of(1, 3, 3), (1, 1), phases=3),
    unit(AVERAGE, shape_of(2, 3, 3), (3, 3), start=4, phases=2),
    unit(MAX, shape_of(5, 4, 6), (2, 2), max_steps=60),
]


@pytest.mark.parametrize("late", [0, 5])
@pytest.mark.parametrize("number", range(len(UNITS)))
def test_images(number: int, late: int) -> None:
    parameters, rng = UNITS[number], random.Random(number)
    dut, plan = PoolUnit(parameters=parameters, stage=0), parameters.plan
    golden = GoldenPool(plan.stages[0], plan.input, parameters.phases)
    positions, source = plan.maps[1].positions, plan.input
    words = positions * dut.size
    content: list[list[int]] = []
    written: list[tuple[int, int]] = []

    async def steps(ctx):
        started, offered = [], []
        for _ in range(4):  # images
            density, most = rng.choice([0.2, 0.5, 0.9]), parameters.max_steps
            for step in range(rng.randint(1, 9) if most == 9 else most):
                if most > 9 and step % 20 == 0:  # spikes in long bursts
                    density = rng.choice([0.0, 0.1, 0.5, 1.0])
                content[:] = [
                    [int(rng.random() < density) for _ in range(source.channels)] for _ in range(source.positions)
                ]
                mark = {"first": int(step == 0), "phase": step % parameters.phases}
                expected = golden.step(content, mark["phase"], step == 0)
                written.clear()
                await send(ctx, dut.i, [mark], rng, 0, started)
                ctx.set(dut.o.ready, 0)
                while not ctx.get(dut.o.valid):
                    await ctx.tick()
                for _ in range(rng.randint(0, late)):
                    await ctx.tick()
                assert await collect(ctx, dut.o, 1, rng, 0, offered) == [mark]
                assert written == [
                    (q, sum(spike << c for c, spike in enumerate(word))) for q, word in enumerate(expected)
                ]
                if not late:
                    assert offered[-1] - started[-1] == words + 2

    async def memory_bench(ctx):
        ports = (dut.map_0.enable, dut.map_0.address, dut.write.enable, dut.write.address, dut.write.data)
        async for *_, enable, address, write, place, data in ctx.tick().sample(*ports):
            if enable:
                ctx.set(dut.map_0.data, sum(spike << c for c, spike in enumerate(content[address])))
            if write:
                written.append((place, data))

    simulate(dut, steps, background=[memory_bench])


def test_only_pool_stages() -> None:
    with pytest.raises(TypeError, match=r"^Stage 1 must be a PoolStage to be pooled, not CrossbarStage"):
        PoolUnit(parameters=UNITS[0], stage=1)


def test_words_of_the_map_read_in_order() -> None:
    """What is left over on the right and below is not read; `released` comes with the last word."""
    dut, reads, released = PoolUnit(parameters=UNITS[1], stage=0), [], []

    async def bench(ctx):
        await send(ctx, dut.i, [{"first": 1}], random.Random(1), 0)
        while not ctx.get(dut.o.valid):
            *_, enable, address, done = await ctx.tick().sample(dut.map_0.enable, dut.map_0.address, dut.released)
            reads.extend([address] * enable)
            released.extend([len(reads)] * done)

    simulate(dut, bench)
    assert reads == [
        (2 * y + dy) * 7 + 3 * x + dx for y in range(2) for x in range(2) for dy in range(2) for dx in range(3)
    ]
    assert released == [24]


# The proof


class Pooled(Harness):
    """One channel: every output once, in order, with the spike of the definition, over all images of max_steps steps.

    The map's spikes are free, and stand still from the start of a step until `released`. The first step of all is an
    image's first.
    """

    def __init__(self, dut: PoolUnit, *, invariants: bool = False) -> None:
        self.source = dut.parameters.plan.input
        super().__init__(dut, content=self.source.positions)
        self.invariants = invariants
        kh, kw = dut.stage.window.kernel
        self.windows = [
            [(y * kh + dy) * self.source.width + x * kw + dx for dy in range(kh) for dx in range(kw)]
            for y in range(dut.shape.height)
            for x in range(dut.shape.width)
        ]

    def elaborate(self, platform: Any) -> Module:
        variables = inside(self.dut) if self.invariants else None
        m = super().elaborate(platform)
        dut, p = self.dut, self.dut.parameters
        largest = dut.stage.largest
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)
        order = [place for window in self.windows for place in window]
        sums = [Signal(dut.sum_bits + 1, name=f"sum_{n}") for n in range(len(order) if largest else len(self.windows))]
        before = [Signal.like(value, name=f"before_{n}") for n, value in enumerate(sums)]  # in the step before
        outputs = [Signal(name=f"output_{n}") for n in range(len(self.windows))]

        # The environment.
        begins = dut.i.valid & dut.i.ready
        mark, kept, steps = Signal.like(dut.i.payload), Signal(self.source.positions), Signal(range(p.max_steps + 1))
        data, read, due = Signal(), Signal(range(len(order) + 1)), Signal()  # words read; the step is due
        reading = due & (read < len(order))
        m.d.comb += [
            Assume(~dut.i.valid | (dut.i.payload.phase < p.phases)),
            Assume(~dut.i.valid | dut.i.payload.first | ((steps > 0) & (steps < p.max_steps))),
            Assume(~reading | (self.content == kept)),
            Assume(dut.map_0.data == data),
            Assert(dut.map_0.enable == reading),
            Assert(~reading | (dut.map_0.address == Array(order)[read])),
            Assert(dut.released == (reading & (read == len(order) - 1))),
        ]
        with m.If(reading):
            m.d.sync += [data.eq(self.content.bit_select(dut.map_0.address, 1)), read.eq(read + 1)]

        # The model: all of the step's outputs at once, when it begins.
        index = Signal(range(len(self.windows) + 1))
        shift = (p.phases - 1 - dut.i.payload.phase)[:2]
        with m.If(begins):
            m.d.sync += [mark.eq(dut.i.payload), kept.eq(self.content), read.eq(0), due.eq(1), index.eq(0)]
            m.d.sync += steps.eq(Mux(dut.i.payload.first, 1, steps + 1))
            number = 0
            for output, window in zip(outputs, self.windows, strict=True):
                spikes = [self.content[place] for place in window]
                if largest:
                    new = []
                    for spike in spikes:
                        new.append(Signal.like(sums[number], name=f"new_{number}"))
                        m.d.comb += new[-1].eq(Mux(dut.i.payload.first, 0, sums[number]) + (spike << shift))
                        m.d.sync += sums[number].eq(new[-1])
                        number += 1
                    best: Value = spikes[-1]  # from the last to the first, which wins among equals
                    most: Value = new[-1]
                    for spike, value in reversed(list(zip(spikes[:-1], new[:-1], strict=True))):
                        best, most = Mux(value >= most, spike, best), Mux(value >= most, value, most)
                    m.d.sync += output.eq(best)
                else:
                    total = Signal(dut.sum_bits + 1, name=f"total_{number}")
                    start = Mux(dut.i.payload.first, dut.stage.start, sums[number])
                    m.d.comb += total.eq(start + (sum(spikes) << shift))
                    m.d.sync += output.eq(total >= (dut.size << shift))
                    m.d.sync += sums[number].eq(total - Mux(total >= (dut.size << shift), dut.size << shift, 0))
                    number += 1
            m.d.sync += [old.eq(value) for old, value in zip(before, sums, strict=True)]
        taken = dut.o.valid & dut.o.ready
        m.d.comb += [
            Assert(~dut.write.enable | (due & (index < len(self.windows)))),
            Assert(~dut.o.valid | (due & (index == len(self.windows)) & (dut.o.payload == mark))),
            Assert(~begins | ~due),
        ]
        with m.If(dut.write.enable):
            m.d.comb += Assert((dut.write.address == index) & (dut.write.data == Array(outputs)[index]))
            m.d.sync += index.eq(index + 1)
        with m.If(taken):
            m.d.sync += due.eq(0)
        wrote = dut.write.enable & (index == len(self.windows) - 1)
        reaches(
            m,
            all_steps=taken & (steps == p.max_steps),
            next_image=in_turn(m, taken & (steps == p.max_steps), begins & dut.i.payload.first, wrote),
            last_output_spikes=wrote & dut.write.data,
            last_output_does_not=wrote & ~dut.write.data & kept.any(),
            lightest_phase=wrote & (mark.phase == p.phases - 1),
            step_waits=past(m, dut.o.valid & ~dut.o.ready) & dut.o.valid & ~dut.o.ready & dut.i.valid,
        )
        reaches_stalls(m, "step", dut.o)
        if variables is not None:
            self._invariants(m, variables, kept, mark, data, read, due, index, steps, sums, before)
            self._running(m, variables, kept, mark, read, due, sums, before, outputs)
        return m

    def _invariants(self, m, variables, kept, mark, data, read, due, index, steps, sums, before) -> None:
        """The walk and what has arrived are at word `read`; the memory holds the sums that have been written."""
        dut, p, size = self.dut, self.dut.parameters, self.dut.size
        largest = dut.stage.largest
        order = [place for window in self.windows for place in window]
        arrived, here, walk = variables.arrived, variables.here, variables.walk
        done = Signal(range(len(order) + 1))  # words that have been used
        m.d.comb += [
            done.eq(read - arrived),
            Assert(read <= len(order)),
            Assert(walk.o.valid == (due & (read < len(order)))),
            Assert(~arrived | (due & (read > 0))),
            Assert(~due | (index == Array(n // size for n in range(len(order) + 1))[done])),
            Assert(dut.o.valid == (due & (done == len(order)))),
            Assert(due | (read == len(order)) | (steps == 0)),
            Assert(due | (index == len(self.windows)) | (steps == 0)),
            Assert((steps == 0) | (variables.shift == p.phases - 1 - variables.marks.phase)),
            Assert((steps > 0) | (~due & (read == 0) & (index == 0))),
            Assert(steps <= p.max_steps),
            Assert(~due | ((variables.marks == mark) & (mark.phase < p.phases) & (steps > 0))),
        ]
        state, width, kw = inside(walk), dut.shape.width, dut.stage.window.kernel[1]

        def at(function, number: Value, shift: int = 0) -> Value:
            values = [0] * shift + [function(n) for n in range(len(order))] + [0]
            return Array(values)[number]

        places = {
            "position": lambda n: n // size,
            "row": lambda n: n % size // kw,
            "column": lambda n: n % size % kw,
            "x": lambda n: n // size % width,
            "y": lambda n: n // size // width,
        }
        started = due | (read == len(order))
        for name, function in places.items():
            m.d.comb += Assert(getattr(state, name) == Mux(started, at(function, read), 0))
        m.d.comb += Assert(state.window == 0)
        with m.If(arrived):
            m.d.comb += [
                Assert(here.position == at(places["position"], read, 1)),
                Assert(here.opens == at(lambda n: int(n % size == 0), read, 1)),
                Assert(here.closes == at(lambda n: int(n % size == size - 1), read, 1)),
                Assert(here.end == (read == len(order))),
                Assert(here.address == at(lambda n: order[n], read, 1)),
                Assert(data == at(lambda n: kept[order[n]], read, 1)),
            ]
        # The memory, and what was read from it.
        words = [Signal(dut.sum_bits, name=f"word_{n}") for n in range(self.source.positions)]
        for n, value in enumerate(words[: self.source.positions if largest else len(sums)]):
            port = variables.sums.read_port(domain="comb")
            m.d.comb += [port.addr.eq(n), value.eq(port.data)]
        limit = p.max_steps << (p.phases - 1) if largest else size << (p.phases - 1)
        passed = done // size if not largest else done
        for n, (value, old) in enumerate(zip(sums, before, strict=True)):
            word = words[order[n]] if largest else words[n]
            waits = due & (passed <= n)  # is not written yet in this step; before an image's first, it may be anything
            known = (steps != 0) & ~(waits & mark.first)
            m.d.comb += Assert(~known | (word == Mux(waits, old, value)))
            bound = (steps << (p.phases - 1)) if largest else limit
            m.d.comb += [Assert(value <= bound), Assert(~due | mark.first | (old <= bound))]
        read_before = variables.read.data
        for n, old in enumerate(before):
            arriving = (read == n + 1) if largest else (read == (n + 1) * size)
            m.d.comb += Assert(~(arrived & arriving & ~mark.first) | (read_before == old))

    def _running(self, m, variables, kept, mark, read, due, sums, before, outputs) -> None:
        """Sums and outputs follow from those before and the step's spikes; the current window, from its first words."""
        dut, p, size = self.dut, self.dut.parameters, self.dut.size
        order = [place for window in self.windows for place in window]
        shift = (p.phases - 1 - mark.phase)[:2]
        done = read - variables.arrived
        for number, output in enumerate(outputs):
            inputs = range(number * size, (number + 1) * size)
            spikes = [kept[order[n]] for n in inputs]
            if dut.stage.largest:
                first = [Mux(mark.first, 0, before[n]) for n in inputs]
                m.d.comb += [
                    Assert(~due | (sums[n] == old + (spike << shift)))
                    for n, old, spike in zip(inputs, first, spikes, strict=True)
                ]
                within = variables._largest
                best, most = spikes[0], sums[inputs[0]]
                for n, spike in zip(inputs, spikes, strict=True):
                    best, most = Mux(sums[n] > most, spike, best), Mux(sums[n] > most, sums[n], most)
                    seen = due & (done == n + 1)
                    m.d.comb += Assert(~seen | ((within.most == most) & (within.passed == best)))
                m.d.comb += Assert(~due | (output == best))
            else:
                total = Mux(mark.first, dut.stage.start, before[number]) + (sum(spikes) << shift)
                fires = total >= (size << shift)
                m.d.comb += Assert(~due | (output == fires))
                m.d.comb += Assert(~due | (sums[number] == total - Mux(fires, size << shift, 0)))
                for n, count in zip(inputs, range(1, size + 1), strict=True):
                    seen = due & (done == n + 1)
                    m.d.comb += Assert(~seen | (variables._average.before == sum(spikes[:count])))


def proven(kind: type[PoolStage], component: Any = PoolUnit, **how: Any) -> PoolUnit:
    how = {"shape": shape_of(1, 2, 5), "kernel": (2, 2), "phases": 2, "max_steps": 3} | how
    return with_junk(component(parameters=unit(kind, **how), stage=0))


PROVEN = {
    "max": (MAX, {}),
    "max_of_rows": (MAX, {"shape": shape_of(1, 2, 3), "kernel": (1, 3), "phases": 1}),
    "max_of_one": (MAX, {"shape": shape_of(1, 1, 2), "kernel": (1, 1)}),
    "average": (AVERAGE, {"start": 2}),
    "average_of_all": (AVERAGE, {"shape": shape_of(1, 2, 3), "kernel": (2, 3), "start": 5, "phases": 3}),
    "average_of_one": (AVERAGE, {"shape": shape_of(1, 2, 1), "kernel": (1, 1)}),
}


@pytest.mark.parametrize("name", PROVEN)
def test_outputs(name: str) -> None:
    kind, how = PROVEN[name]
    spec = Pooled(proven(kind, **how), invariants=True)
    cycles = 4 * len(spec.windows) * spec.dut.size + 12
    prove(spec, f"pool_{name}", depth=2, mode="prove", reach=cycles, skip=cycles - 1)


BROKEN = {
    "passes_the_last_of_equals": (MAX, "(total > most)", "(total >= most)"),
    "passes_the_first": (MAX, "better.eq(now.opens | (total > most))", "better.eq(now.opens)"),
    "forgets_this_step": (
        MAX,
        "with m.If(better):\n                m.d.sync += most.eq(total)",
        "m.d.sync += most.eq(now.before)",
    ),
    "keeps_the_window_before": (MAX, "better.eq(now.opens | (total > most))", "better.eq(total > most)"),
    "keeps_the_image_before": (MAX, "Mux(now.first, 0, now.before)", "now.before"),
    "weighs_all_alike": (MAX, "(now.spike << now.shift)", "now.spike"),
    "reads_the_wrong_sums": (MAX, "write.addr.eq(here.address if largest", "write.addr.eq(here.position if largest"),
    "writes_every_word": (MAX, "self.write.enable.eq(arrived & here.closes)", "self.write.enable.eq(arrived)"),
    "offers_early": (MAX, "with m.If(arrived & here.end):", "with m.If(arrived & here.closes):"),
    "releases_early": (MAX, "self.released.eq(fetched & word.end)", "self.released.eq(fetched & word.closes)"),
    "starts_by_itself": (MAX, "walk.start.eq(self.i.valid & self.i.ready)", "walk.start.eq(self.i.ready)"),
    "fires_above_only": (AVERAGE, "output.eq(total >= threshold)", "output.eq(total > threshold)"),
    "starts_at_zero": (AVERAGE, "Mux(now.first, self._stage.start, now.before)", "Mux(now.first, 0, now.before)"),
    "loses_the_rest": (AVERAGE, "after.eq(total - Mux(output, threshold, 0))", "after.eq(Mux(output, 0, total))"),
    "counts_the_window_before": (AVERAGE, "Mux(now.opens, 0, before)", "before"),
    "does_not_lower_the_threshold": (AVERAGE, "threshold = self.size << now.shift", "threshold = self.size"),
}


@pytest.mark.halved
@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    kind, old, new = BROKEN[name]
    dut = proven(kind, mutant(PoolUnit, old, new), start=0 if kind == MAX else 2)
    assert_fails(Pooled(dut), f"pool_{name}", depth=24)
