"""Terminator against sorting in plain Python, and the proof of its decision."""

from __future__ import annotations

import random

import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from hw.params import LayerParameters, NpuParameters, Rule
from hw.terminator import Terminator
from tests.formal import Harness, assert_fails, constant, prove, stream_contract
from tests.hw.proof_bench import inside
from tests.hw.stream_bench import collect, send, simulate


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
    decided = rule == Rule.WINNER_K and margin >= k
    return {"stop": int(decided or step == t_max), "winner": winner, "margin": margin, "reason": int(decided)}


def spread(rng, bits):
    """Scores with many ties and with the extremes."""
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return rng.choice([lowest, highest, 0, 1, rng.randint(-3, 3), rng.randint(lowest, highest)])


@pytest.mark.parametrize("stalls", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_verdicts(classes, stalls):
    unit = parameters(classes, max_steps=20, adc_bits=4)
    dut = Terminator(parameters=unit)
    rng = random.Random(classes)
    for rule in Rule:
        k, t_max, count = rng.randint(1, 5), 12, 12
        steps = [[spread(rng, unit.score_bits) for _ in range(classes)] for _ in range(count)]
        expected = [golden(scores, rule, k, t_max, step) for step, scores in enumerate(steps, 1)]

        async def bench(ctx, rule=rule, k=k, t_max=t_max, steps=steps, expected=expected):
            ctx.set(dut.rule, rule)
            ctx.set(dut.k, k)
            ctx.set(dut.t_max, t_max)
            for step, scores in enumerate(steps, 1):
                ctx.set(dut.step, step)
                payloads = [{"score": s, "last": i == classes - 1} for i, s in enumerate(scores)]
                await send(ctx, dut.i, payloads, rng, stalls[0])
                assert await collect(ctx, dut.o, 1, rng, stalls[1]) == [expected[step - 1]]

        simulate(dut, bench)


def test_cycles():
    """A score a cycle; the verdict two cycles after the last; the next score one cycle after the verdict."""
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


class Order(Harness):
    """Under any stalls: one verdict a step, two cycles after its last score, and both streams keep their contract.

    `inductive` adds what the terminator's state has to do with what has happened, for the induction.
    """

    def __init__(self, dut: Terminator, inductive: bool = False) -> None:
        super().__init__(dut)
        self.terminator = inside(dut) if inductive else None

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        last = dut.parameters.classes - 1
        stream_contract(m, dut.i, Assume)
        stream_contract(m, dut.o, Assert)
        self.index, self.done, due = Signal(range(last + 2)), Signal(), Signal()
        taken = dut.o.valid & dut.o.ready
        m.d.comb += Assume(dut.i.payload.last == (self.index == last))
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += [self.index.eq(Mux(self.index == last, 0, self.index + 1)), self.done.eq(self.index == last)]
        with m.If(taken):
            m.d.sync += self.done.eq(0)
        m.d.sync += due.eq(self.done & ~taken)
        m.d.comb += Assert(dut.o.valid == due)
        if self.terminator:
            m.d.comb += [
                Assert(self.terminator.any_state),
                Assert(self.terminator.state("COMPARE") == ~self.done),
                Assert(self.terminator.state("REPORT") == due),
                Assert((self.terminator.index == self.index) & (self.index <= last)),
                Assert(~self.done | (self.index == 0)),
            ]
        return m


class Decision(Order):
    """Under any stalls: class, margin and stop equal a naive model over all remembered scores."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, classes = self.dut, self.dut.parameters.classes
        constant(m, dut.rule, dut.k, dut.t_max)

        # The environment: a step's number changes between two steps only; 1 <= step <= t_max.
        scores = [Signal.like(dut.i.payload.score) for _ in range(classes)]
        step = Signal.like(dut.step)
        m.d.comb += [Assume(dut.step >= 1), Assume(dut.step <= dut.t_max)]
        m.d.sync += step.eq(dut.step)
        with m.If(self.done | (self.index != 0)):
            m.d.comb += Assume(dut.step == step)
        with m.If(dut.i.valid & dut.i.ready):
            with m.Switch(self.index):
                for number in range(classes):
                    with m.Case(number):
                        m.d.sync += scores[number].eq(dut.i.payload.score)

        verdict = dut.o.payload
        for number in range(classes):
            lower = [scores[number] > scores[j] for j in range(number)]
            higher = [scores[number] >= scores[j] for j in range(number + 1, classes)]
            with m.If(dut.o.valid & Cat(*lower, *higher, 1).all()):
                others = scores[:number] + scores[number + 1 :]
                margins = [scores[number] - other for other in others] or [scores[number]]
                m.d.comb += Assert(verdict.winner == number)
                m.d.comb += Assert(Cat(verdict.margin == margin for margin in margins).any())
                m.d.comb += Assert(Cat(verdict.margin <= margin for margin in margins).all())
        with m.If(dut.o.valid):
            rule = (dut.rule == Rule.WINNER_K) & (verdict.margin >= dut.k)
            m.d.comb += [Assert(verdict.reason == rule), Assert(verdict.stop == (rule | (dut.step == dut.t_max)))]
        if self.terminator:
            self._invariants(m, scores)
        return m

    def _invariants(self, m, scores) -> None:
        """After n scores of the step, `winner`, `best` and `second` are right for those n."""
        inner, classes = self.terminator, len(scores)
        lowest = -(1 << (self.dut.parameters.score_bits - 1))
        for seen in range(1, classes + 1):
            with m.If(self.done if seen == classes else self.index == seen):
                m.d.comb += Assert(inner.winner < seen)
                for number in range(seen):
                    lower = [scores[number] > scores[j] for j in range(number)]
                    higher = [scores[number] >= scores[j] for j in range(number + 1, seen)]
                    others = scores[:number] + scores[number + 1 : seen]
                    with m.If(inner.winner == number):
                        m.d.comb += [Assert(inner.best == scores[number]), Assert(Cat(*lower, *higher, 1).all())]
                        if others:
                            m.d.comb += Assert(Cat(inner.second == other for other in others).any())
                            m.d.comb += Assert(Cat(inner.second >= other for other in others).all())
                        else:
                            m.d.comb += Assert(inner.second == (lowest if classes > 1 else 0))


class LastWins(Terminator):
    """Broken on purpose: a tie goes to the highest index."""

    def _better(self, score, best):
        return score >= best


class StopsLate(Terminator):
    """Broken on purpose: one step too many."""

    def _out_of_steps(self):
        return self.step > self.t_max


class StopsEarly(Terminator):
    """Broken on purpose: content with a margin of k - 1."""

    def _clear(self, margin):
        return margin + 1 >= self.k


class Forgetful(Terminator):
    """Broken on purpose: withdraws a verdict that is not taken."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        waited = Signal()
        m.d.sync += waited.eq(self.o.valid & ~self.o.ready)
        with m.If(waited):
            m.d.comb += self.o.valid.eq(0)
        return m


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_order_proof(classes):
    prove(Order(Terminator(parameters=parameters(classes)), inductive=True), "order", depth=3, mode="prove")


def test_order_proof_bites():
    assert_fails(Order(Forgetful(parameters=parameters(1))), "order", depth=8)


@pytest.mark.parametrize("classes, adc_bits", [(1, 1), (2, 1), (3, 8), (4, 1), (10, 8)])
def test_decision_proof(classes, adc_bits):
    unit = parameters(classes, 32, adc_bits=adc_bits)
    prove(Decision(Terminator(parameters=unit), inductive=True), "decision", depth=3, mode="prove")


@pytest.mark.parametrize("broken", [LastWins, StopsLate, StopsEarly])
def test_decision_proof_bites(broken):
    assert_fails(Decision(broken(parameters=parameters(3, 2))), "decision", depth=8)
