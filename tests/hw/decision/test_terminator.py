"""Terminator against sorting in plain Python, and the proof of its decision."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Const, Mux, Signal

from spikeloom.hw.decision.terminator import Terminator
from spikeloom.hw.params.decision_rules import built_rules, stable_count_bits
from spikeloom.hw.params.parameters import DecisionRule, LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, past
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import Harness, assert_fails, constant, in_turn, prove, reaches, reaches_stalls, stream_contract


def parameters(classes: int, max_steps: int = 3, **overrides) -> NpuParameters:
    """A unit with very narrow scores, for the proof."""
    layer = LayerParameters(
        **{
            "inputs": 1,
            "outputs": classes,
            "lanes": 1,
            "adc_bits": 1,
            "max_gain_shift": 0,
            "max_theta": 1,
            "max_bias": 0,
            "max_steps": max_steps,
            **overrides,
        }
    )
    return NpuParameters(layers=(layer,), max_steps=max_steps, encoder_lanes=1)


def golden(scores, rule, k, t_max, step):
    """Verdict of one step: the definition, without the single pass."""
    winner = scores.index(max(scores))
    others = scores[:winner] + scores[winner + 1 :]
    margin = scores[winner] - (max(others) if others else 0)
    decided = rule is DecisionRule.WINNER_K and margin >= k
    return {"stop": int(decided or step == t_max), "winner": winner, "margin": margin, "reason": int(decided)}


def spread(rng, bits):
    """Scores with many ties and with the extremes."""
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return rng.choice([lowest, highest, 0, 1, rng.randint(-3, 3), rng.randint(lowest, highest)])


@pytest.mark.parametrize("stalls", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize(("classes", "max_steps"), [(1, 20), (2, 20), (3, 20), (10, 20), (10, 300)])
def test_verdicts(classes, max_steps, stalls):
    wide = {"max_theta": 2**31 - 1, "max_bias": 2**31 - 1} if max_steps > 20 else {}
    unit = parameters(classes, max_steps=max_steps, adc_bits=4, **wide)
    dut = Terminator(parameters=unit)
    rng = random.Random(classes)
    for rule in built_rules():
        t_max, count = (12, 12) if max_steps == 20 else (rng.randint(200, 300), 40)
        bounds = [rng.choice([rng.randint(1, 5), rng.getrandbits(len(dut.k))]) for _ in range(count)]
        steps = [[spread(rng, unit.score_bits) for _ in range(classes)] for _ in range(count)]
        numbers = [*sorted(rng.sample(range(1, t_max), count - 1)), t_max]
        expected = [
            golden(scores, rule, k, t_max, step) for step, k, scores in zip(numbers, bounds, steps, strict=True)
        ]

        async def bench(ctx, rule=rule, bounds=bounds, t_max=t_max, steps=steps, numbers=numbers, expected=expected):
            ctx.set(dut.rule, int(rule))
            ctx.set(dut.t_max, t_max)
            for number, scores in enumerate(steps):
                ctx.set(dut.k, bounds[number])
                ctx.set(dut.step, numbers[number])
                payloads = [{"score": s, "last": i == classes - 1} for i, s in enumerate(scores)]
                await send(ctx, dut.i, payloads, rng, stalls[0])
                assert await collect(ctx, dut.o, 1, rng, stalls[1]) == [expected[number]]

        simulate(dut, bench)


def test_cycles():
    """One score per cycle; the verdict two cycles after the last; the next score one cycle after the verdict."""
    classes, steps = 4, 3
    dut = Terminator(parameters=parameters(classes))
    sent: list[int] = []
    taken: list[int] = []

    async def feed(ctx):
        payloads = [{"score": i, "last": i == classes - 1} for i in range(classes)] * steps
        await send(ctx, dut.i, payloads, random.Random(1), 0, sent)

    async def check(ctx):
        await collect(ctx, dut.o, steps, random.Random(2), 0, taken)

    simulate(dut, feed, check)
    start = sent[0]
    assert sent == [start + step * (classes + 2) + i for step in range(steps) for i in range(classes)]
    assert taken == [start + step * (classes + 2) + classes + 1 for step in range(steps)]


def fixed_during(m, busy, *values) -> None:
    """Assume that `values` do not change in a cycle with `busy`."""
    for value in values:
        before = past(m, value)
        with m.If(busy):
            m.d.comb += Assume(value == before)


class Order(Harness):
    """Under any stalls: one verdict per step, two cycles after its last score, with STABLE so many more, and both
    streams keep their contract.

    `inductive` adds what the terminator's state has to do with what has happened, for the induction.
    """

    def __init__(self, dut: Terminator, inductive: bool = False) -> None:
        super().__init__(dut, a=range(dut.parameters.classes + 1), b=range(dut.parameters.classes + 1))
        self.inner = inside(dut)
        self.inductive = inductive

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        last = dut.parameters.classes - 1
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)
        self.index, self.done, due = Signal(range(last + 2)), Signal(), Signal()
        self.late = Const(0)  # cycles more than two
        if DecisionRule.STABLE in dut.parameters.rules:
            self.late = Mux(dut.rule == int(DecisionRule.STABLE), stable_count_bits(dut.parameters) + 2, 0)
            fixed_during(m, self.done | (self.index != 0), dut.rule)
        self.since = Signal(range(stable_count_bits(dut.parameters) + 4))  # cycles since the one after the last score
        taken = dut.o.valid & dut.o.ready
        m.d.comb += Assume(dut.i.payload.last == (self.index == last))
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [self.index.eq(Mux(self.index == last, 0, self.index + 1)), self.done.eq(self.index == last)]
        with m.If(taken):
            m.d.sync += self.done.eq(0)
        m.d.comb += [due.eq(self.since == self.late + 1), Assert(dut.o.valid == due)]
        m.d.sync += self.since.eq(Mux(self.done & ~taken, Mux(due, self.since, self.since + 1), 0))
        waits = past(m, dut.i.valid & ~dut.i.ready) & dut.i.valid & ~dut.i.ready
        reaches(m, next_step_waits=waits & dut.o.valid & ~dut.o.ready, next_step=in_turn(m, taken, dut.o.valid))
        reaches_stalls(m, "verdict", dut.o)
        if self.inductive:
            reaches(m, **self.inner.states)
            m.d.comb += [
                Assert((self.since <= self.late + 1) & (self.done | (self.since == 0))),
                Assert(self.inner.any_state),
                Assert(self.inner.state("COMPARE") == ~self.done),
                Assert(self.inner.state("JUDGE") == (self.done & (self.since == 0))),
                Assert(self.inner.state("REPORT") == due),
                Assert((self.inner.index == self.index) & (self.index <= last)),
                Assert(~self.done | (self.index == 0)),
            ]
            if DecisionRule.STABLE in dut.parameters.rules:
                self._product(m)
        return m

    def _product(self, m) -> None:
        """The states of STABLE, and the mark behind the count's bits that are left."""
        left, stable = self.inner._weigh.left, self.dut.rule == int(DecisionRule.STABLE)
        m.d.comb += Assert(self.inner.state("AVERAGE") == (stable & (self.since == 1)))
        m.d.comb += Assert(self.inner.state("WEIGH") == (stable & (self.since == len(left) + 1)))
        for done in range(len(left)):
            with m.If(stable & (self.since == done + 2)):
                m.d.comb += Assert(left[: done + 1] == 1 << done)


class Decision(Order):
    """Under any stalls: class, margin and stop are right, by their definition over all pairs of classes.

    Two classes a and b are picked freely and their scores remembered: what holds for them holds for every pair. That a
    margin is not too small needs a class that has it: `runner`, which is found while the scores pass.
    """

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, classes = self.dut, self.dut.parameters.classes
        self.keep_settings(m)

        # The environment: a step's number changes between two steps only; 1 <= step <= t_max.
        step = Signal.like(dut.step)
        m.d.comb += [Assume(dut.step >= 1), Assume(dut.step <= dut.t_max)]
        m.d.sync += step.eq(dut.step)
        with m.If(self.done | (self.index != 0)):
            m.d.comb += Assume(dut.step == step)

        constant(m, self.a, self.b)
        picked = [(number, Signal.like(dut.i.payload.score, name="kept")) for number in (self.a, self.b)]
        inner, runner, score = self.inner, Signal.like(self.index), dut.i.payload.score
        with m.If(dut.i.valid & dut.i.ready):
            for number, kept in picked:
                with m.If(self.index == number):
                    m.d.sync += kept.eq(score)
            with m.If(score > inner.best):
                m.d.sync += runner.eq(inner.winner)
            with m.Elif((self.index == 1) | (score > inner.second)):
                m.d.sync += runner.eq(self.index)

        verdict, ((a, score_a), (b, score_b)) = dut.o.payload, picked
        lasting = self.lasting(m)
        with m.If(dut.o.valid):
            rule = (dut.rule == int(DecisionRule.WINNER_K)) & (verdict.margin >= dut.k) | lasting
            m.d.comb += [Assert(verdict.reason == rule), Assert(verdict.stop == (rule | (dut.step == dut.t_max)))]
            m.d.comb += Assert(verdict.winner < classes)
            with m.If(verdict.winner == a):
                if classes == 1:
                    m.d.comb += Assert(verdict.margin == score_a)
                with m.If((b < classes) & (a != b)):
                    m.d.comb += Assert(Mux(b < a, score_b < score_a, score_b <= score_a))
                    m.d.comb += Assert(verdict.margin <= score_a - score_b)
            if classes > 1:
                m.d.comb += Assert((runner < classes) & (runner != verdict.winner))
                with m.If((verdict.winner == a) & (runner == b)):
                    m.d.comb += Assert(verdict.margin == score_a - score_b)
        said = dut.o.valid & dut.o.ready
        winner_k = dut.rule == int(DecisionRule.WINNER_K)
        reaches(
            m,
            stops_by_the_rule=said & verdict.reason & (dut.step != dut.t_max) & (dut.k != 0),
            stops_at_the_last_step=in_turn(m, said & ~verdict.stop, said & verdict.stop & ~verdict.reason & winner_k),
            goes_on_under_the_fixed_rule=in_turn(m, said & ~verdict.stop & ~winner_k, said & verdict.stop),
            last_class_wins=said & (verdict.winner == classes - 1) & (verdict.winner == a),
        )
        if classes > 1:
            tie = (a != b) & (score_a == score_b) & (b < classes)
            reaches(
                m,
                tie=said & (verdict.winner == a) & tie & (verdict.margin == 0),
                negative_scores=said & (verdict.winner == a) & (score_a < 0) & (score_b < score_a) & (b < classes),
                largest_margin=said & (verdict.winner == a) & (score_a > 0) & (score_b < 0) & (runner == b),
            )
        if self.inductive:
            self._invariants(m, picked, runner)
        return m

    def keep_settings(self, m) -> None:
        """Settings do not change."""
        constant(m, self.dut.rule, self.dut.k, self.dut.t_max)

    def lasting(self, m):
        """What else ends an image: in this unit no other rule."""
        return Const(0)

    def _invariants(self, m, picked, runner) -> None:
        """After `seen` scores of the step, `winner`, `best` and `second` are right for those."""
        inner, classes = self.inner, self.dut.parameters.classes
        seen = Signal(range(classes + 1))
        m.d.comb += seen.eq(Mux(self.done, classes, self.index))
        with m.If(seen != 0):
            m.d.comb += Assert(inner.winner < seen)
        with m.If(seen == 1):
            m.d.comb += Assert(inner.second == (-(1 << len(inner.second) - 1) if classes > 1 else 0))
        with m.If(seen > 1):
            m.d.comb += Assert((runner < seen) & (runner != inner.winner) & (inner.second <= inner.best))
        for number, score in picked:
            with m.If(number < seen):
                m.d.comb += Assert(Mux(number < inner.winner, score < inner.best, score <= inner.best))
                with m.If(number == inner.winner):
                    m.d.comb += Assert(score == inner.best)
                with m.Else():
                    m.d.comb += Assert(score <= inner.second)
                    with m.If(number == runner):
                        m.d.comb += Assert(score == inner.second)
        with m.If(self.dut.o.valid):
            verdict = self.dut.o.payload
            m.d.comb += Assert((verdict.winner == inner.winner) & (verdict.margin == inner.best - inner.second))


class LastWins(Terminator):
    """Deliberately faulty: a tie goes to the highest index."""

    def _better(self, score, best):
        return score >= best


class StopsLate(Terminator):
    """Deliberately faulty: one step too many."""

    def _out_of_steps(self):
        return self.step > self.t_max


class StopsEarly(Terminator):
    """Deliberately faulty: content with a margin of k - 1."""

    def _clear(self, margin):
        return margin + 1 >= self.k


class Forgetful(Terminator):
    """Deliberately faulty: withdraws a verdict that is not taken."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        waited = Signal()
        m.d.sync += waited.eq(self.o.valid & ~self.o.ready)
        with m.If(waited):
            m.d.comb += self.o.valid.eq(0)
        return m


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_order_proof(classes):
    prove(
        Order(Terminator(parameters=parameters(classes)), inductive=True),
        "order",
        depth=3,
        mode="prove",
        reach=3 * classes + 12,
    )


def test_mutants_fail_the_order_proof():
    assert_fails(Order(Forgetful(parameters=parameters(1))), "order", depth=8)


@pytest.mark.parametrize(
    "classes, adc_bits", [(1, 1), (2, 1), (3, 8), (4, 1), pytest.param(10, 8, marks=pytest.mark.slow)]
)
def test_decision_proof(classes, adc_bits):
    unit = parameters(classes, 32, adc_bits=adc_bits)
    prove(
        Decision(Terminator(parameters=unit), inductive=True), "decision", depth=3, mode="prove", reach=3 * classes + 12
    )


@pytest.mark.parametrize("broken", [LastWins, StopsLate, StopsEarly])
def test_mutants_fail_the_decision_proof(broken):
    assert_fails(Decision(broken(parameters=parameters(3, 2))), "decision", depth=8)


def test_mutants_fail_the_decision_proof_of_small_margins():
    forgetful = mutant(Terminator, "with m.Elif(score > second):", "with m.Elif(0):")
    assert_fails(Decision(forgetful(parameters=parameters(3, 2))), "margin", depth=8)
