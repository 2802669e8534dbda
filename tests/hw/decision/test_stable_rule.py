"""The rule STABLE of the terminator against its definition in plain Python, and its proof."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal, signed

from spikeloom.hw.decision.terminator import Terminator
from spikeloom.hw.params.decision_rules import DECISION_RULES, FRACTION_BITS, stable_count_bits, verdict_cycles
from spikeloom.hw.params.parameters import DecisionRule, NpuParameters
from tests.benches.proof_bench import mutant
from tests.benches.stream_bench import collect, send, simulate
from tests.formal import assert_fails, in_turn, prove, reaches
from tests.hw.decision.test_terminator import Decision, Order, fixed_during, golden, parameters, spread
from tests.models.stable import StableModel

STABLE = int(DecisionRule.STABLE)


def built(classes: int, max_steps: int, **layer) -> NpuParameters:
    """A unit with very narrow scores and all rules."""
    return replace(parameters(classes, max_steps, **layer), rules=DECISION_RULES.unit)


def lasting_scores(rng, bits, classes, before):
    """Scores of a step: often those of the step before, so that a class stays."""
    if before is not None and rng.random() < 0.6:
        return [score if rng.random() < 0.8 else spread(rng, bits) for score in before]
    return [spread(rng, bits) for _ in range(classes)]


@pytest.mark.parametrize("stalls", [(0, 0), (0.6, 0), (0, 0.6), (0.4, 0.4)])
@pytest.mark.parametrize(("classes", "max_steps"), [(1, 20), (2, 2), (3, 20), (10, 300), (4, 1)])
def test_verdicts(classes, max_steps, stalls):
    """Images one after another, each with a rule, a threshold and a last step of its own."""
    wide = {"max_theta": 2**31 - 1, "max_bias": 2**31 - 1} if max_steps > 20 else {}
    unit = built(classes, max_steps, adc_bits=4, **wide)
    dut, rng = Terminator(parameters=unit), random.Random(classes)
    ended = []

    async def bench(ctx):
        for _ in range(40):
            rule = rng.choice([DecisionRule.STABLE] * 4 + [DecisionRule.WINNER_K, DecisionRule.FIXED])
            t_max, k = min(max_steps, rng.randint(1, 12)), rng.randint(1, 5)
            bits = rng.randint(1, len(dut.stable_theta))
            theta = max(1, rng.getrandbits(bits))
            model, scores = StableModel(theta), None
            for port, value in (("rule", rule), ("t_max", t_max), ("k", k), ("stable_theta", theta)):
                ctx.set(getattr(dut, port), int(value))
            for step in range(1, t_max + 1):
                scores = lasting_scores(rng, unit.score_bits, classes, scores)
                expected = golden(scores, rule, k, t_max, step)
                if rule is DecisionRule.STABLE and model.after(expected["winner"], expected["margin"]):
                    expected |= {"stop": 1, "reason": 1}
                    ended.append(step)
                ctx.set(dut.step, step)
                payloads = [{"score": s, "last": i == classes - 1} for i, s in enumerate(scores)]
                await send(ctx, dut.i, payloads, rng, stalls[0])
                assert await collect(ctx, dut.o, 1, rng, stalls[1]) == [expected]
                if expected["stop"]:
                    break

    simulate(dut, bench)
    assert (len(ended) > 2) == (max_steps > 1)


@pytest.mark.parametrize("max_steps", [1, 2, 3, 20])
def test_cycles(max_steps):
    """The verdict comes two cycles after the last score, and `verdict_cycles` later with the rule."""
    unit = built(4, max_steps)
    for rule in DECISION_RULES.unit:
        dut, sent, taken = Terminator(parameters=unit), [], []

        async def feed(ctx, dut=dut, rule=rule, sent=sent):
            ctx.set(dut.rule, int(rule))
            await send(ctx, dut.i, [{"score": i, "last": i == 3} for i in range(4)] * 3, random.Random(1), 0, sent)

        async def check(ctx, dut=dut, taken=taken):
            await collect(ctx, dut.o, 3, random.Random(2), 0, taken)

        simulate(dut, feed, check)
        late = verdict_cycles(rule, unit)
        assert late == (2 + max(1, (max_steps - 1).bit_length()) if rule is DecisionRule.STABLE else 0)
        assert taken == [sent[0] + step * (6 + late) + 5 + late for step in range(3)]


class History(Decision):
    """The rule's definition, written with a multiplication, beside the terminator: images one after another, each with
    a rule and thresholds of its own.

    `inductive` adds what the terminator's registers have to do with those of the definition, state by state. Without
    `stalls` there are none: to find a counterexample of a mutant, and for that alone.
    """

    def __init__(self, dut, inductive=False, stalls=True) -> None:
        super().__init__(dut, inductive)
        self.stalls = stalls

    def elaborate(self, platform):
        p = self.dut.parameters
        self.begun = Signal(name="image_begun")
        self.before = Signal(p.class_bits, name="class_before")
        self.count = Signal(stable_count_bits(p), name="count_before")
        self.average = Signal(signed(p.margin_bits + FRACTION_BITS), name="average_before")
        m = super().elaborate(platform)
        verdict, taken = self.dut.o.payload, self.dut.o.valid & self.dut.o.ready
        stable = self.dut.rule == STABLE
        with m.If(taken):
            m.d.sync += [self.begun.eq(~verdict.stop), self.before.eq(verdict.winner)]
            with m.If(verdict.stop | ~stable):
                m.d.sync += [self.count.eq(0), self.average.eq(0)]
            with m.Else():
                m.d.sync += [self.count.eq(self.count_now), self.average.eq(self.average_now)]
        steps = Signal(range(p.max_steps + 1))  # of the image that have had a verdict
        with m.If(taken):
            m.d.sync += steps.eq(Mux(verdict.stop, 0, steps + 1))
        m.d.comb += Assume(self.dut.step == steps + 1)
        if not self.stalls:
            m.d.comb += [Assume(self.dut.i.valid), Assume(self.dut.o.ready)]
        if self.inductive:
            m.d.comb += [Assert((steps < p.max_steps) & (self.begun == (steps != 0))), Assert(steps < self.dut.t_max)]
            m.d.comb += Assert(Mux(self.begun, self.count < steps, self.count == 0))
            with m.If(~self.begun):
                m.d.comb += Assert(self.average == 0)
            self._follow(m, stable)
        by_rule = taken & stable & verdict.reason
        reaches(
            m,
            stops_because_it_lasts=in_turn(m, taken & ~verdict.stop, by_rule & (self.count_now == 1)),
            an_image_after_one_that_lasted=in_turn(m, by_rule, taken & stable & ~verdict.stop),
            goes_on_although_it_lasts=taken & stable & ~verdict.stop & self.same & (self.average_now > 0),
            other_rule_after_it=in_turn(m, by_rule, taken & ~stable & ~verdict.stop, taken & ~stable),
        )
        if p.classes > 1:
            reaches(m, changes_class=taken & stable & self.begun & ~self.same)
        if p.max_steps > 2:
            reaches(m, lasts_two_steps=by_rule & (self.count_now == 2))
        return m

    def keep_settings(self, m) -> None:
        """They change between images only; the smallest threshold is 1."""
        dut = self.dut
        busy = self.begun | self.done | (self.index != 0)
        fixed_during(m, busy, dut.rule, dut.k, dut.stable_theta, dut.t_max)
        m.d.comb += [Assume(dut.stable_theta >= 1), Assume(dut.t_max <= dut.parameters.max_steps)]

    def lasting(self, m):
        """The definition, from the verdict and what came before it."""
        verdict = self.dut.o.payload
        self.same = Signal(name="same")
        self.average_now = Signal.like(self.average, name="average_now")
        self.count_now = Signal.like(self.count, name="count_now")
        margin, winner = (
            (verdict.margin, verdict.winner)
            if not self.inductive
            else (self.inner.best - self.inner.second, self.inner.winner)
        )
        m.d.comb += [
            self.same.eq(self.begun & (winner == self.before)),
            self.count_now.eq(Mux(self.same, self.count + 1, 0)),
            self.average_now.eq(((margin << FRACTION_BITS) + self.average) >> 1),
        ]
        product = self.count_now * self.average_now
        return (self.dut.rule == STABLE) & self.same & (product >= self.dut.stable_theta)

    def _follow(self, m, stable) -> None:
        """What the registers hold in each state."""
        inner, verdict, since = self.inner, self.dut.o.payload, self.since
        image, product, left = inner.image, inner._weigh.product, inner._weigh.left
        bits = len(image.count)
        judged = Signal()
        m.d.comb += [judged.eq(since != 0), Assert(image.begun == self.begun)]
        with m.If(~judged):
            with m.If(self.begun):
                m.d.comb += Assert(verdict.winner == self.before)
                with m.If(stable):
                    m.d.comb += Assert(image.count == self.count)
            m.d.comb += Assert(image.average == self.average)
        with m.If(judged):
            m.d.comb += [Assert(verdict.winner == inner.winner), Assert(verdict.margin == inner.best - inner.second)]
        with m.If(judged & ~self.dut.o.valid):
            m.d.comb += [Assert(~verdict.reason), Assert(verdict.stop == (self.dut.step == self.dut.t_max))]
        with m.If(judged & stable):
            m.d.comb += Assert(image.count == self.count_now)
            m.d.comb += Assert(image.average == Mux(since == 1, self.average, self.average_now))
        with m.If(~stable):
            m.d.comb += Assert((image.average == 0) & (self.average == 0))
        partial, marked = Const(0), Cat(1, image.count)
        for done in range(bits + 1):
            with m.If(stable & (since == done + 2)):
                m.d.comb += [Assert(product == partial), Assert(left == (marked << done)[: bits + 1])]
            if done < bits:
                partial = (partial << 1) + Mux(image.count[bits - 1 - done], image.average, 0)


class Above(Terminator):
    """Deliberately faulty: goes on at exactly theta."""

    def _lasting(self, product):
        return product > self.stable_theta


BROKEN = {
    "keeps the count": ("m.d.sync += image.count.eq(0)", "pass"),
    "keeps the average": ("m.d.sync += image.average.eq(0)", "pass"),
    "keeps the class": ("image.begun.eq(~self.o.payload.stop)", "image.begun.eq(1)"),
    "compares no class": ("image.begun & (winner == self.o.payload.winner)", "image.begun"),
    "counts the first step": ("image.begun & (winner == self.o.payload.winner)", "winner == self.o.payload.winner"),
    "halves before it adds": ("(self.o.payload.margin << FRACTION_BITS) + image.average) >> 1",
                              "(self.o.payload.margin << FRACTION_BITS)) + (image.average >> 1)"),
    "has no fractions": ("self.o.payload.margin << FRACTION_BITS", "self.o.payload.margin"),
    "keeps the product": ("product.eq(0),", ""),
    "loses the lowest bit": ("left.eq(Cat(1, image.count))", "left.eq(Cat(1, 0, image.count[1:]))"),
    "does not shift": ("(product << 1) + Mux", "product + Mux"),
    "stops without the rule": ("self.o.payload.stop.eq(1), ", ""),
    "gives no reason": (", self.o.payload.reason.eq(1)", ""),
    "lasts with other rules": ("with m.If(self.rule == int(DecisionRule.STABLE)):", "with m.If(1):"),
}  # fmt: skip
LATE = {"ends the product early": ("== 1 << (bits - 1)", "== 1 << (bits - 2)")}
NEGATIVE = {"knows no sign": ("Mux(left[-1], image.average, 0)", "Mux(left[-1], image.average.as_unsigned(), 0)")}


@pytest.mark.parametrize(("classes", "max_steps"), [(1, 2), (3, 5), (2, 20)])
def test_order_proof(classes, max_steps):
    spec = Order(Terminator(parameters=built(classes, max_steps)), inductive=True)
    prove(spec, "order", depth=3, mode="prove", reach=3 * (classes + stable_count_bits(spec.dut.parameters)) + 18)


@pytest.mark.parametrize(
    ("classes", "max_steps"),
    [(1, 3), (2, 3), pytest.param(3, 5, marks=pytest.mark.slow), pytest.param(4, 20, marks=pytest.mark.slow)],
)
def test_history_proof(classes, max_steps):
    spec = History(Terminator(parameters=built(classes, max_steps)), inductive=True)
    step = classes + 4 + stable_count_bits(spec.dut.parameters)
    prove(spec, "history", depth=3, mode="prove", reach=4 * step + 4, skip=4 * step + 2, timeout=400)


def test_mutants_fail_the_order_proof():
    broken = mutant(Terminator, *LATE["ends the product early"])
    assert_fails(Order(broken(parameters=built(1, 3))), "order", depth=10)


@pytest.mark.parametrize("name", ["above", *BROKEN])
def test_mutants_fail_the_history_proof(name):
    """Three steps, of one image or of two."""
    broken = Above if name == "above" else mutant(Terminator, *BROKEN[name])
    classes = 2 if "class" in name or "count" in name else 1
    assert_fails(History(broken(parameters=built(classes, 3)), stalls=False), "history", depth=26)


@pytest.mark.parametrize("name", NEGATIVE)
def test_mutants_fail_the_history_proof_of_a_single_class(name):
    broken = mutant(Terminator, *NEGATIVE[name])
    assert_fails(History(broken(parameters=built(1, 3)), stalls=False), "history", depth=20)
