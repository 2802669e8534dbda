"""Decision rule: the class of an image, and whether to stop. WINNER-K, or a fixed number of steps."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import score_layout, verdict_layout
from spikeloom.hw.params.decision_rules import DECISION_RULES, DecisionRule
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["Terminator"]


class Terminator(wiring.Component):
    """Finds the best and the second best score in one pass, and decides whether the image is done.

    Source: WINNER-K early decision [WK 4.1]. With S(1) the largest score and S(2) the second largest,
    margin = S(1) - S(2); equal scores give margin 0 and the lowest index wins. For a single class S(2) = 0. The image
    stops if `rule` is WINNER_K and margin >= k (reason 1), else if step >= t_max (reason 0). While the image continues,
    reason is 0.

    Cycles: takes a score per cycle; the verdict is valid two cycles after the last score was taken. The next step's
    scores are taken from the cycle after the verdict on. `rule`, `k`, `t_max` and `step` are looked at in the cycle
    after the last score.

    Parameters
    ----------
    parameters : the unit's parameters

    Members
    -------
    i : In(stream of score_layout), the classes' scores in index order
    o : Out(stream of verdict_layout), one per step
    rule : In(1), see `hw.params.decision_rules`
    k : In(margin_bits - 1), smallest margin that stops
    t_max : In(step_bits), step that stops in any case
    step : In(step_bits), the current step, 1 .. t_max
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(parameters))),
                "o": Out(stream.Signature(verdict_layout(parameters))),
                "rule": In(DECISION_RULES.bits),
                **{own.name: In(own.bits(parameters)) for own in DECISION_RULES.registers},
                "t_max": In(parameters.step_bits),
                "step": In(parameters.step_bits),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    # The three comparisons on which the decision rests; the tests replace them one by one with wrong ones.

    def _better(self, score: Value, best: Value) -> Value:
        return score > best

    def _clear(self, margin: Value) -> Value:
        return margin >= self.k

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
            with m.State("REPORT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "COMPARE"
        return m
