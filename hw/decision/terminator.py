"""Decision rule: the class of an image, and whether to stop. WINNER-K, a stable class, or a fixed number of steps."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import score_layout, verdict_layout
from spikeloom.hw.params.decision_rules import FRACTION_BITS, DecisionRule, rule_bits, stable_count_bits
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["Terminator"]


class _Image(NamedTuple):
    """What the rule STABLE keeps of an image: it has had a verdict; steps for which its class has stayed, if it has;
    average.
    """

    begun: Signal
    count: Signal
    average: Signal


class Terminator(wiring.Component):
    """Finds the best and the second best score in one pass, and decides whether the image is done.

    Source: WINNER-K early decision [WK 4.1]. With S(1) the largest score and S(2) the second largest,
    margin = S(1) - S(2); equal scores give margin 0 and the lowest index wins. For a single class S(2) = 0. The image
    stops if `rule` is WINNER_K and margin >= k (reason 1), else if step >= t_max (reason 0). While the image continues,
    reason is 0.

    Source of the rule STABLE: early decision [WS Alg. 1]. It is there only if `parameters.rules` has it. E(t) = (margin
    * 2^F + E(t-1)) >> 1 is the average margin with F fraction bits; `count` grows by 1 in a step with the class of the
    step before, else it is 0. The image stops (reason 1) in a step with the class of the step before, if count * E(t)
    >= theta. An image's first step has no step before, and E = 0 before it: the first step after a reset, and after
    each verdict that says stop.

    Cycles: takes a score per cycle; the verdict is valid two cycles after the last score was taken, and with STABLE
    `DecisionRule.cycles` later. The next step's scores are taken from the cycle after the verdict on. `rule`, `k`,
    `stable_theta`, `t_max` and `step` are looked at from the cycle after the last score on, until the verdict.

    The product is added up bit by bit of `count`, its highest first: an adder, and no path longer than those that there
    are. In one cycle it would be 4 cycles faster with 20 steps, and slower in look-up tables: placed alone, with 10
    classes of 17 bits, this rule costs an iCE40 HX8K 149 LUTs and no clock (96 MHz; 93 .. 107 without it, by seed), and
    with a product in a cycle 353 LUTs and a clock of 87 .. 94 MHz. An ECP5 has multipliers, and the clock of both
    (102 .. 108 MHz; 108 .. 109 without the rule).

    Parameters
    ----------
    parameters : the unit's parameters

    Members
    -------
    i : In(stream of score_layout), the classes' scores in index order
    o : Out(stream of verdict_layout), one per step
    rule : In(1), see `hw.params.decision_rules`
    k : In(margin_bits - 1), smallest margin that stops
    stable_theta : In, product of `count` and the average that stops, 2^F to a unit of the scores; only with STABLE
    t_max : In(step_bits), step that stops in any case
    step : In(step_bits), the current step, 1 .. t_max
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(parameters))),
                "o": Out(stream.Signature(verdict_layout(parameters))),
                "rule": In(rule_bits(parameters.rules)),
                **{own.name: In(own.bits(parameters)) for rule in parameters.rules for own in rule.registers},
                "t_max": In(parameters.step_bits),
                "step": In(parameters.step_bits),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    # The comparisons on which the decision rests; the tests replace them one by one with wrong ones.

    def _better(self, score: Value, best: Value) -> Value:
        return score > best

    def _clear(self, margin: Value) -> Value:
        return margin >= self.k

    def _lasting(self, product: Value) -> Value:
        return product >= self.stable_theta

    def _out_of_steps(self) -> Value:
        return self.step >= self.t_max

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        parameters = self._parameters
        lowest = -(1 << (parameters.score_bits - 1))
        m = Module()

        index = Signal(parameters.class_bits)
        winner = Signal(parameters.class_bits)
        best = Signal(signed(parameters.score_bits))
        second = Signal(signed(parameters.score_bits))
        score = self.i.payload.score

        def compare() -> None:
            with m.If(index == 0):
                m.d.sync += [winner.eq(0), best.eq(score), second.eq(lowest if parameters.classes > 1 else 0)]
            with m.Elif(self._better(score, best)):
                m.d.sync += [winner.eq(index), best.eq(score), second.eq(best)]
            with m.Elif(score > second):
                m.d.sync += second.eq(score)

        def judge() -> None:
            margin = Signal(signed(parameters.margin_bits))
            decided = Signal()
            m.d.comb += [
                margin.eq(best - second),
                decided.eq((self.rule == int(DecisionRule.WINNER_K)) & self._clear(margin)),
            ]
            m.d.sync += [
                self.o.payload.stop.eq(decided | self._out_of_steps()),
                self.o.payload.winner.eq(winner),
                self.o.payload.margin.eq(margin),
                self.o.payload.reason.eq(decided),
            ]

        image = self._image() if DecisionRule.STABLE in parameters.rules else None
        with m.FSM():
            with m.State("COMPARE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    compare()
                    m.d.sync += index.eq(index + 1)
                    with m.If(self.i.payload.last):
                        m.d.sync += index.eq(0)
                        m.next = "JUDGE"
            with m.State("JUDGE"):
                judge()
                m.next = "REPORT"
                if image is not None:
                    self._stay(m, winner, image)
            with m.State("REPORT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "COMPARE"
                    if image is not None:
                        self._keep(m, image)
            if image is not None:
                self._weigh(m, image)
        return m

    def _image(self) -> _Image:
        """Registers of an image."""
        average = Signal(signed(self._parameters.margin_bits + FRACTION_BITS), name="average")
        return _Image(Signal(name="begun"), Signal(stable_count_bits(self._parameters), name="count"), average)

    def _stay(self, m: Module, winner: Signal, image: _Image) -> None:
        """Whether the class is still that of the verdict before, which is still there; its margin comes now."""
        with m.If(self.rule == int(DecisionRule.STABLE)):
            with m.If(image.begun & (winner == self.o.payload.winner)):
                m.d.sync += image.count.eq(image.count + 1)
            with m.Else():
                m.d.sync += image.count.eq(0)
            m.next = "AVERAGE"

    def _keep(self, m: Module, image: _Image) -> None:
        """The verdict is taken: no average is kept of an image that ends, and its class is not compared with."""
        m.d.sync += image.begun.eq(~self.o.payload.stop)
        with m.If(self.o.payload.stop):
            m.d.sync += image.average.eq(0)

    def _weigh(self, m: Module, image: _Image) -> None:
        """States between the margin and the verdict: average, product with the count, comparison."""
        bits = len(image.count)
        product = Signal(signed(len(image.average) + bits))
        left = Signal(bits + 1)  # bits of the count that are not multiplied yet, highest first, then a 1
        with m.State("AVERAGE"):
            m.d.sync += [
                image.average.eq(((self.o.payload.margin << FRACTION_BITS) + image.average) >> 1),
                product.eq(0),
                left.eq(Cat(1, image.count)),
            ]
            m.next = "MULTIPLY"
        with m.State("MULTIPLY"):
            m.d.sync += [product.eq((product << 1) + Mux(left[-1], image.average, 0)), left.eq(left << 1)]
            with m.If(left[:-1] == 1 << (bits - 1)):
                m.next = "WEIGH"
        with m.State("WEIGH"):
            with m.If(self._lasting(product)):
                m.d.sync += [self.o.payload.stop.eq(1), self.o.payload.reason.eq(1)]
            m.next = "REPORT"
