"""Step controller: a step at a time, nothing after the decision; the contract is proven, with mutants."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from spikeloom.hw.control.controller import Controller
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import simulate
from tests.formal import assert_fails, in_turn, prove, reaches


def unit(layers: int = 2, phases: int = 2, max_steps: int = 12, max_theta: int = 1023) -> NpuParameters:
    layer = LayerParameters(inputs=4, outputs=4, lanes=2, phases=phases, max_steps=max_steps, max_theta=max_theta)
    return NpuParameters(layers=(layer,) * layers, phases=phases, max_steps=max_steps, encoder_lanes=2)


class Contract(wiring.Component):
    """One admission per step, no gate open outside of a step, none of the last layer in a skipped period; the answer is
    the verdict that said stop, with cycles and gap as the controller defines them.

    A model counts the image's steps, the cycles since its start and those since the answer before it, and keeps the
    verdict and both counts where they end.

    The environment promises little: `current` falls without a result only before the image's first vector, `skip` and
    `t_max` hold still during an image, the skipped periods end before t_max, the layers give the last one a vector only
    in answer to an admitted one, and the verdict of step t_max says stop. Verdicts may come at any time.

    `inductive` adds what the controller's state has to do with what has happened, for the induction.
    """

    def __init__(
        self, controller: type = Controller, layers: int = 2, phases: int = 2, inductive: bool = False
    ) -> None:
        self._layers = layers
        self._phases = phases
        self._inductive = inductive
        self._dut = controller(parameters=unit(layers, phases, max_steps=63))
        dut = self._dut
        super().__init__(
            {
                "current": In(1),
                "skip": In(len(dut.skip)),
                "t_max": In(len(dut.step)),
                "vector_valid": In(1),
                "admit_ready": In(1),
                "last_valid": In(1),
                "final_ready": In(1),
                "verdict": In(len(Value.cast(dut.verdict.payload))),
                "verdict_valid": In(1),
                "result_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._dut
        single = self._layers == 1
        m.d.comb += [
            dut.current.eq(self.current),
            dut.skip.eq(self.skip),
            dut.vector_valid.eq(self.vector_valid),
            dut.admit_ready.eq(dut.last_ready if single else self.admit_ready),
            dut.last_valid.eq(dut.admit_valid if single else self.last_valid),
            dut.final_ready.eq(self.final_ready),
            Value.cast(dut.verdict.payload).eq(self.verdict),
            dut.verdict.valid.eq(self.verdict_valid),
            dut.result.ready.eq(self.result_ready),
        ]
        running, decided = Signal(), Signal()  # an image is being processed; its verdict has said stop
        travelling, deciding = Signal(), Signal()  # the step's vector is admitted; the last layer has it
        admitted, steps = Signal(8), Signal(8)
        ran, offered = Signal(), Signal()  # the last layer has had a vector; the first layer has been offered one
        skipped = Signal()  # the current step lies in one of the first `skip` periods of K steps
        m.d.comb += skipped.eq(steps < self.skip * self._phases)
        said = {name: Signal.like(dut.result.p[name], name=f"said_{name}") for name in ("winner", "margin", "reason")}
        # Cycles since the image's start, and since the answer before it or the reset; what `cycles` and `gap` must be.
        age, since = Signal.like(dut.cycles), Signal.like(dut.gap)
        due_cycles, due_gap = Signal.like(dut.cycles), Signal.like(dut.gap)
        older = Signal.like(age)
        m.d.comb += older.eq(Mux(age.all(), age, age + 1))

        admission = dut.admit_valid & dut.admit_ready
        arrival = dut.last_valid & dut.last_ready
        handed = dut.final_valid & dut.final_ready
        verdict = dut.verdict.valid & dut.verdict.ready
        started = Signal()
        m.d.sync += started.eq(1)

        # What the environment promises.
        unborn = ~offered & ~self.vector_valid  # an image may still be dropped
        m.d.comb += Assume(self.current | ~running | dut.restart | unborn)
        with m.If(started):
            constant_registers = (self.skip == past(m, self.skip)) & (self.t_max == past(m, self.t_max))
            m.d.comb += Assume(dut.idle | constant_registers)
        m.d.comb += Assume(self.skip * self._phases < self.t_max)
        m.d.comb += Assume(~self.verdict_valid | dut.verdict.p.stop | (dut.step != self.t_max))
        if not single:
            m.d.comb += Assume(~self.last_valid | (travelling & ~deciding))

        # Gates.
        m.d.comb += Assert(dut.idle == ~running)
        with m.If(started):
            m.d.comb += Assert(dut.idle == ~past(m, self.current))
        with m.If(~running | decided):
            m.d.comb += Assert(~dut.admit_valid & ~dut.final_valid & ~dut.vector_ready & ~dut.last_ready)
        with m.If(travelling | deciding):
            m.d.comb += Assert(~dut.admit_valid & ~dut.vector_ready)
        with m.If(deciding):
            m.d.comb += Assert(~dut.final_valid & ~dut.last_ready)
        m.d.comb += Assert((dut.vector_valid & dut.vector_ready) == admission)
        m.d.comb += Assert(~dut.final_valid | dut.last_valid)
        with m.If(dut.final_valid):
            m.d.comb += Assert((dut.final_first == ~ran) & ~skipped)
        with m.If(arrival):
            m.d.comb += Assert(handed == ~skipped)
        with m.If(running):
            m.d.comb += Assert((admitted == steps + (travelling | deciding)) & (dut.step == steps + 1 - decided))
        with m.If(verdict):
            m.d.comb += Assert(deciding)

        # An open gate stays open until a vector passes.
        with m.If(started & past(m, dut.admit_valid & ~dut.admit_ready)):
            m.d.comb += Assert(dut.admit_valid | ~dut.vector_valid)
        with m.If(started & past(m, dut.final_valid & ~self.final_ready)):
            m.d.comb += Assert(dut.final_valid | ~dut.last_valid)

        # The answer.
        m.d.comb += Assert(dut.result.valid == decided)
        m.d.comb += Assert(dut.restart == (dut.result.valid & dut.result.ready))
        with m.If(dut.result.valid):
            m.d.comb += Assert(dut.result.p.steps == steps)
            m.d.comb += [Assert(dut.result.p[name] == value) for name, value in said.items()]
            m.d.comb += Assert((dut.cycles == due_cycles) & (dut.gap == due_gap))
            m.d.comb += Assert((steps != 0) & (steps <= self.t_max))
        with m.If(started & past(m, dut.result.valid & ~self.result_ready)):
            payload = Value.cast(dut.result.payload)
            m.d.comb += Assert(dut.result.valid & (payload == past(m, payload)))
            m.d.comb += Assert((dut.cycles == past(m, dut.cycles)) & (dut.gap == past(m, dut.gap)))

        # What has happened.
        m.d.sync += age.eq(older)
        with m.If(self.current & (~running | dut.restart)):
            m.d.sync += age.eq(1)
        with m.If(dut.restart):
            m.d.sync += since.eq(0)
        with m.Elif(~since.all()):
            m.d.sync += since.eq(since + 1)
        with m.If(dut.admit_valid):
            m.d.sync += offered.eq(1)
            with m.If(~offered):
                m.d.sync += due_gap.eq(since)
        with m.If(admission):
            m.d.sync += [admitted.eq(admitted + 1), travelling.eq(1)]
        with m.If(arrival):
            m.d.sync += travelling.eq(0)
            with m.If(handed):
                m.d.sync += [deciding.eq(1), ran.eq(1)]
            with m.Else():
                m.d.sync += steps.eq(steps + 1)
        with m.If(verdict):
            m.d.sync += [deciding.eq(0), steps.eq(steps + 1), due_cycles.eq(older)]
            m.d.sync += [value.eq(dut.verdict.p[name]) for name, value in said.items()]
            with m.If(dut.verdict.p.stop):
                m.d.sync += decided.eq(1)
        with m.If(~running | dut.restart | ~self.current):
            m.d.sync += [running.eq(self.current), decided.eq(0), admitted.eq(0), steps.eq(0), ran.eq(0), offered.eq(0)]

        answer = dut.result.valid & dut.result.ready
        skipping = arrival & ~handed
        waits = dut.result.valid & ~dut.result.ready
        reaches(
            m,
            answer_waits_and_is_taken=in_turn(m, past(m, waits) & waits, answer),
            stops_after_the_second_run_step=answer & (steps == 2) & (self.skip == 0),
            last_step=answer & (steps == self.t_max) & (steps > self._phases),
            skipped_period=in_turn(m, skipping, handed & dut.final_first, answer),
            next_image_at_once=in_turn(m, answer & self.current, past(m, answer) & dut.admit_valid & dut.vector_valid),
            late_after_an_answer=in_turn(m, answer, answer & (dut.gap > 1) & (dut.cycles > dut.gap)),
            idle_between_images=in_turn(m, answer, dut.idle, admission),
            dropped_before_its_first_vector=in_turn(m, running & ~self.current & ~dut.restart, admission, answer),
            vector_waits=past(m, dut.admit_valid & ~dut.admit_ready) & dut.admit_valid & ~dut.admit_ready,
            last_layer_waits=past(m, dut.final_valid & ~self.final_ready) & dut.final_valid & ~self.final_ready,
        )
        if self._inductive:
            controller = inside(dut)
            reaches(m, **controller.states)
            m.d.comb += [
                Assert(controller.any_state),
                Assert(controller.state("IDLE") == ~running),
                Assert(controller.state("DECIDE") == (running & deciding)),
                Assert(controller.state("RESULT") == (running & decided)),
                Assert(~(travelling | deciding) | (running & ~decided)),
                Assert(~(travelling & deciding)),
                Assert(travelling == (0 if single else controller.state("TRAVEL"))),
                Assert(controller.last_has_run == (running & ran)),
                Assert(~ran | (admitted != 0)),
                Assert(offered | (admitted == 0)),
                Assert(controller.offered == (running & offered)),
                Assert(controller.phase < self._phases),
                Assert(dut.gap == Mux(running & offered, due_gap, since)),
                Assert(controller.begun == (running & (age == 1))),  # and then `cycles` is not set yet
                Assert(~running | controller.begun | (dut.cycles == Mux(decided, due_cycles, age))),
            ]
            with m.If(running):
                m.d.comb += Assert(dut.step == controller.period * self._phases + controller.phase + 1)
                m.d.comb += Assert(dut.step <= self.t_max)
            with m.Else():
                m.d.comb += Assert(Cat(dut.step, controller.period, controller.phase) == 0)
        return m


@pytest.mark.parametrize(("layers", "phases"), [(1, 2), (2, 1), (2, 2), (2, 3)])
def test_proof_contract(layers: int, phases: int) -> None:
    spec = Contract(layers=layers, phases=phases, inductive=True)
    prove(spec, f"controller_{layers}_{phases}", depth=3, mode="prove")


BROKEN = {
    "admits_while_deciding": (
        "m.d.comb += self.verdict.ready.eq(1)",
        "m.d.comb += [self.verdict.ready.eq(1), admit_open.eq(1)]",
    ),
    "opens_the_gate_for_an_answer": (
        "m.d.comb += self.result.valid.eq(1)",
        "m.d.comb += [self.result.valid.eq(1), admit_open.eq(1)]",
    ),
    "goes_on_after_stop": (
        "with m.If(self.verdict.p.stop):",
        "with m.If(self.verdict.p.stop & self.verdict.p.reason):",
    ),
    "forgets_first": ("last_has_run.eq(0), offered.eq(0)", "offered.eq(0)"),
    "goes_idle_with_an_image_at_hand": (
        'with m.If(self.current):\n                        m.next = "ADMIT"',
        'with m.If(0):\n                        m.next = "ADMIT"',
    ),
    "waits_for_a_dropped_image": ("with m.If(~self.current):", "with m.If(0):"),
    "starts_the_next_image_at_the_step_of_the_last": ("with m.If(start):", "with m.If(start & self.idle):"),
    "counts_cycles_while_the_result_waits": ("~self.idle & ~self.result.valid &", "~self.idle &"),
    "runs_the_last_layer_in_skipped_periods": ("final_open & ~skipped)", "final_open)"),
    "loses_the_margin": ("self.result.p.margin.eq(self.verdict.p.margin)", "self.result.p.margin.eq(0)"),
    "turns_the_reason": (
        "self.result.p.reason.eq(self.verdict.p.reason)",
        "self.result.p.reason.eq(~self.verdict.p.reason)",
    ),
    "skips_a_period_too_few": ("skipped.eq(period < self.skip)", "skipped.eq(period + 1 < self.skip)"),
    "skips_only_phase_0": ("skipped.eq(period < self.skip)", "skipped.eq((period < self.skip) & (phase == 0))"),
    "counts_cycles_by_two": ("self.cycles.eq(self.cycles + 1)", "self.cycles.eq(self.cycles + 2)"),
    "starts_at_1_a_cycle_late": ("self.cycles.eq(2)", "self.cycles.eq(1)"),
    "never_counts_the_gap": ("self.gap.eq(self.gap + 1)", "self.gap.eq(self.gap)"),
    "does_not_count_a_dropped_step": (
        "with m.If(skipped):\n                m.d.comb += advance.eq(1)",
        "with m.If(skipped):",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_mutants_fail_the_proof(name: str) -> None:
    assert_fails(Contract(mutant(Controller, *BROKEN[name])), f"controller_{name}", depth=12)


@pytest.mark.parametrize("at_hand", [False, True])
def test_cycles_and_steps(at_hand: bool) -> None:
    """Two skipped steps and two run steps, cycle by cycle, of images one by one, or at hand when their turn comes."""
    dut = Controller(parameters=unit(phases=2))
    layout = dut.verdict.payload.shape()
    word = random.Random(1).getrandbits(layout.size)

    async def bench(ctx):
        nonlocal word
        ctx.set(dut.skip, 1)
        ctx.set(dut.current, 0)
        await ctx.tick().repeat(2)
        gap = 3  # cycles since the reset, the one of the start included
        for image in range(3):
            if image == 0 or not at_hand:
                assert ctx.get(dut.idle) and ctx.get(dut.step) == 0
                ctx.set(dut.current, 1)
                await ctx.tick()
            ctx.set(dut.admit_ready, 1)
            ctx.set(dut.final_ready, 1)
            for _ in range(image):  # the first vector is late
                assert not ctx.get(dut.idle) and ctx.get(dut.step) == 1
                await ctx.tick()
            for step in range(1, 5):
                assert ctx.get(dut.step) == step
                ctx.set(dut.vector_valid, 1)
                assert ctx.get(dut.admit_valid) and ctx.get(dut.vector_ready)
                await ctx.tick()
                assert not ctx.get(dut.admit_valid)
                ctx.set(dut.last_valid, 1)
                assert ctx.get(dut.last_ready)
                assert ctx.get(dut.final_valid) == (step > 2)
                assert ctx.get(dut.final_first) == (step <= 3)
                await ctx.tick()
                ctx.set(dut.last_valid, 0)
                if step > 2:
                    assert ctx.get(dut.verdict.ready)
                    word = (word ^ ((1 << layout.size) - 1)) & ~1 | (step == 4)  # every bit rises and falls
                    ctx.set(dut.verdict.payload, layout.from_bits(word))
                    ctx.set(dut.verdict.valid, 1)
                    await ctx.tick()
                    ctx.set(dut.verdict.valid, 0)
            ctx.set(dut.vector_valid, 0)
            for _ in range(image):
                assert ctx.get(dut.result.valid)
                await ctx.tick()
            assert ctx.get(dut.cycles) == 11 + image
            assert ctx.get(dut.gap) == gap + image
            assert not ctx.get(dut.admit_valid)
            result, verdict = ctx.get(dut.result.payload), layout.from_bits(word)
            assert result.steps == 4
            assert all(result[name] == verdict[name] for name in ("winner", "margin", "reason"))
            ctx.set(dut.result.ready, 1)
            ctx.set(dut.current, at_hand)
            assert ctx.get(dut.restart)
            await ctx.tick()
            ctx.set(dut.result.ready, 0)
            gap = 0 if at_hand else 1

    simulate(dut, bench)


class Driven:
    """A controller and its neighbours with random stalls, and the cycles that have gone by."""

    def __init__(self, ctx: Any, dut: Controller, rng: random.Random) -> None:
        self.ctx, self.dut, self.rng, self.cycle = ctx, dut, rng, 0

    async def wait(self, cycles: int) -> None:
        for _ in range(cycles):
            await self.ctx.tick()
        self.cycle += cycles

    async def pass_on(self, valid: Signal, taken: Signal, ready: Signal, final: tuple[int, int] | None = None) -> int:
        """Offer a vector until it is taken; returns the cycle of the offer. `final` is what the last layer gets."""
        self.ctx.set(ready, 0)
        await self.wait(self.rng.choice((1, 1, 3)))
        self.ctx.set(valid, 1)
        offered = self.cycle
        if final is not None:
            assert self.ctx.get(self.dut.final_valid) == final[0]
            assert not final[0] or self.ctx.get(self.dut.final_first) == final[1]
        while True:
            self.ctx.set(ready, self.rng.random() < 0.5)
            done = self.ctx.get(taken)
            await self.wait(1)
            if done:
                self.ctx.set(valid, 0)
                return offered

    async def image(self, skip: int, steps: int, pause: int) -> tuple[int, Any]:
        """An image of some steps, which is there; returns the cycle of its first offer, and the verdict."""
        ctx, dut = self.ctx, self.dut
        layout, first, word = dut.verdict.payload.shape(), 0, None
        phases = dut.parameters.phases
        for step in range(1, steps + 1):
            assert ctx.get(dut.step) == step
            offered = await self.pass_on(dut.vector_valid, dut.vector_ready, dut.admit_ready)
            first = offered if step == 1 else first
            runs = (step - 1) // phases >= skip
            final = int(runs), int(step == skip * phases + 1)
            await self.pass_on(dut.last_valid, dut.last_ready, dut.final_ready, final)
            if runs:
                await self.wait(pause if step == steps else 2)
                word = layout.from_bits(self.rng.getrandbits(layout.size) & ~1 | (step == steps))
                ctx.set(dut.verdict.payload, word)
                ctx.set(dut.verdict.valid, 1)
                await self.wait(1)
                ctx.set(dut.verdict.valid, 0)
        return first, word


@pytest.mark.parametrize(("phases", "max_theta"), [(1, 1023), (3, 1023), (2, 2**31 - 1)])
def test_random_images(phases: int, max_theta: int) -> None:
    """Any number of steps and skipped periods, with stalls; two images last long, or come late."""
    dut, rng = Controller(parameters=unit(phases=phases, max_steps=60, max_theta=max_theta)), random.Random(phases)
    long = 20_000 if phases == 1 else 20

    async def bench(ctx):
        driven, since, at_hand = Driven(ctx, dut, rng), 0, False
        for number in range(24):
            steps = rng.choice((rng.randrange(1, 61), 60))
            skip = rng.randrange((steps - 1) // phases + 1)
            ctx.set(dut.skip, skip)
            if not at_hand:
                await driven.wait(long if number == 5 else rng.randrange(4))
                ctx.set(dut.current, 1)
                await driven.wait(1)
            started = driven.cycle - 1
            first, verdict = await driven.image(skip, steps, long if number == 10 else 2)
            assert ctx.get(dut.result.valid)
            assert (ctx.get(dut.cycles), ctx.get(dut.gap)) == (driven.cycle - started, first - since)
            result = ctx.get(dut.result.payload)
            assert result.steps == steps
            assert all(result[name] == verdict[name] for name in ("winner", "margin", "reason"))
            at_hand = number != 4 and rng.random() < 0.5
            ctx.set(dut.current, at_hand)
            ctx.set(dut.result.ready, 1)
            await driven.wait(1)
            ctx.set(dut.result.ready, 0)
            since = driven.cycle

    simulate(dut, bench)


def test_a_dropped_image_leaves_nothing_but_time() -> None:
    """Of an image that goes before its first vector comes, only `gap` knows."""
    dut = Controller(parameters=unit(layers=1, phases=1))

    async def bench(ctx):
        for _ in range(3):
            ctx.set(dut.current, 1)
            await ctx.tick().repeat(4)
            assert not ctx.get(dut.idle) and ctx.get(dut.step) == 1
            ctx.set(dut.current, 0)
            await ctx.tick()
            assert ctx.get(dut.idle) and ctx.get(dut.step) == 0
        ctx.set(dut.current, 1)
        await ctx.tick()
        ctx.set(dut.vector_valid, 1)
        ctx.set(dut.last_valid, 1)
        ctx.set(dut.admit_ready, 1)
        ctx.set(dut.final_ready, 1)
        await ctx.tick()
        ctx.set(dut.verdict.payload, {"stop": 1})
        ctx.set(dut.verdict.valid, 1)
        await ctx.tick()
        assert (ctx.get(dut.result.valid), ctx.get(dut.cycles), ctx.get(dut.gap)) == (1, 3, 16)

    simulate(dut, bench)


@pytest.mark.parametrize("counter", ["cycles", "gap"])
def test_counters_stop_at_their_largest_value(counter: str) -> None:
    dut = Controller(parameters=unit())
    largest = (1 << 32) - 1

    async def bench(ctx):
        ctx.set(dut.current, 1)
        await ctx.tick().repeat(2)
        ctx.set(getattr(dut, counter), largest - 2)
        await ctx.tick().repeat(5)
        assert ctx.get(getattr(dut, counter)) == largest

    simulate(dut, bench)
