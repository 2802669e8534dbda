"""Step controller: admits one vector per step to the first layer, and none after the decision."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import CYCLE_BITS, result_layout, verdict_layout
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["Controller"]


class Controller(wiring.Component):
    """Sequence of an image: admit a vector, wait for the step's end, continue or answer; then the next image.

    Two gates stand in the vectors' way; a gate joins the handshakes around it and leaves the payload alone. `admit`
    lies before layer 0 and opens for one vector per step; the vector of step t + 1 passes only after step t has ended.
    `final` lies before the last layer (behind `admit` if the unit has a single layer): in the first `skip` periods it
    drops the vector, and the step ends there; later it passes the vector, and the step ends with the verdict.
    No gate opens between a verdict that says stop and the next image, so no layer reads: no speculation.

    States: IDLE -> ADMIT -> TRAVEL -> DECIDE -> ADMIT | RESULT -> ADMIT | IDLE. A step costs the controller one cycle:
    from the cycle of the verdict (or the drop) to the cycle of the next admission. So does an image that is at hand:
    from the cycle in which the result before it is taken to the cycle of its first admission.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    current : In(1), in the next cycle there is an image, or a part of one, besides the one whose result is taken in
        this cycle; falls without a result only while the image's first vector is not there yet (`EncoderPair.drop`)
    skip : In(step_bits), periods in which the last layer is not run; stable while not `idle`
    vector_valid, vector_ready : In, Out; handshake of the encoder's vector
    admit_valid, admit_ready : Out, In; the same behind the admission gate
    last_valid, last_ready : In, Out; handshake of the last layer's input vector
    final_valid, final_ready : Out, In; the same behind the final gate
    final_first : Out(1), the vector is the first of this image that the last layer gets
    verdict : In(stream of verdict_layout)
    step : Out(step_bits), number of the current step, 1 .. T_max; 0 while idle
    result : Out(stream of result_layout)
    idle : Out(1), no image in progress, nor a part of one
    restart : Out(1), the result is taken in this cycle: forget the image, clear the activity counters
    cycles : Out(32), clock cycles from the image's start to the first cycle of `result.valid` (start in cycle c, result
        in cycle c + n: n); saturates; stable while `result.valid`. An image starts when its first pixel word is
        transferred, or when the result before it is, whichever is later: in a cycle in which `current` is up and the
        controller is idle or its result is taken
    gap : Out(32), clock cycles between the transfer of the result before (or reset) and the first cycle in which the
        image's first vector is offered behind the admission gate (0 if one follows the other); saturates; stable from
        then on until the image's result is taken

    Source: [WK 4.1] for the stop, [WS 5.1] for the skipped periods.
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "current": In(1),
                "skip": In(parameters.step_bits),
                "vector_valid": In(1),
                "vector_ready": Out(1),
                "admit_valid": Out(1),
                "admit_ready": In(1),
                "last_valid": In(1),
                "last_ready": Out(1),
                "final_valid": Out(1),
                "final_ready": In(1),
                "final_first": Out(1),
                "verdict": In(stream.Signature(verdict_layout(parameters))),
                "step": Out(parameters.step_bits),
                "result": Out(stream.Signature(result_layout(parameters))),
                "idle": Out(1),
                "restart": Out(1),
                "cycles": Out(CYCLE_BITS),
                "gap": Out(CYCLE_BITS),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        parameters = self._parameters
        apart = len(parameters.layers) > 1 or not parameters.plan.is_dense_chain
        admit_open = Signal()
        final_open = Signal()
        phase = Signal(parameters.phase_bits, name="phase") if parameters.phases > 1 else Const(0)
        period = Signal(parameters.step_bits)
        skipped = Signal()
        last_has_run = Signal()
        advance = Signal()
        start = Signal()
        begun = Signal()  # `start` was up in the cycle before
        offered = Signal()  # the image's first vector is, or was

        m.d.comb += [
            self.admit_valid.eq(self.vector_valid & admit_open),
            self.vector_ready.eq(self.admit_ready & admit_open),
            skipped.eq(period < self.skip),
            self.final_valid.eq(self.last_valid & final_open & ~skipped),
            self.last_ready.eq(final_open & (self.final_ready | skipped)),
            self.final_first.eq(~last_has_run),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.idle.eq(1), start.eq(self.current)]
                with m.If(self.current):
                    m.next = "ADMIT"
            with m.State("ADMIT"):
                m.d.comb += admit_open.eq(1)
                if not apart:
                    self._final_gate(m, final_open, skipped, last_has_run, advance)
                else:
                    with m.If(self.admit_valid & self.admit_ready):
                        m.next = "TRAVEL"
                with m.If(~self.current):
                    m.d.sync += self.step.eq(0)
                    m.next = "IDLE"
            if apart:
                with m.State("TRAVEL"):
                    self._final_gate(m, final_open, skipped, last_has_run, advance)
            with m.State("DECIDE"):
                m.d.comb += self.verdict.ready.eq(1)
                with m.If(self.verdict.valid):
                    m.d.sync += [
                        self.result.p.winner.eq(self.verdict.p.winner),
                        self.result.p.margin.eq(self.verdict.p.margin),
                        self.result.p.reason.eq(self.verdict.p.reason),
                        self.result.p.steps.eq(self.step),
                    ]
                    with m.If(self.verdict.p.stop):
                        m.next = "RESULT"
                    with m.Else():
                        m.d.comb += advance.eq(1)
                        m.next = "ADMIT"
            with m.State("RESULT"):
                m.d.comb += self.result.valid.eq(1)
                with m.If(self.result.ready):
                    m.d.comb += [self.restart.eq(1), start.eq(self.current)]
                    with m.If(self.current):
                        m.next = "ADMIT"
                    with m.Else():
                        m.next = "IDLE"

        self._count(m, phase, period, last_has_run, offered, advance, start)
        m.d.sync += begun.eq(start)
        with m.If(begun):  # a cycle after the start, so that what starts an image has a short way
            m.d.sync += self.cycles.eq(2)
        return m

    def _count(
        self,
        m: Module,
        phase: Value,
        period: Signal,
        last_has_run: Signal,
        offered: Signal,
        advance: Signal,
        start: Signal,
    ) -> None:
        """Steps, phases and periods of the image, and its clock cycles; all start over with the next image."""
        with m.If(advance):
            m.d.sync += self.step.eq(self.step + 1)
            if self._parameters.phases == 1:
                m.d.sync += period.eq(period + 1)
            else:
                with m.If(phase == self._parameters.phases - 1):
                    m.d.sync += [phase.eq(0), period.eq(period + 1)]
                with m.Else():
                    m.d.sync += phase.eq(phase + 1)
        with m.If(~self.idle & ~self.result.valid & ~self.cycles.all()):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(self.admit_valid):
            m.d.sync += offered.eq(1)
        with m.Elif(~offered & ~self.gap.all()):
            m.d.sync += self.gap.eq(self.gap + 1)
        with m.If(self.restart):
            m.d.sync += [self.step.eq(0), period.eq(0), last_has_run.eq(0), offered.eq(0), self.gap.eq(0)]
            if self._parameters.phases > 1:
                m.d.sync += phase.eq(0)
        with m.If(start):
            m.d.sync += self.step.eq(1)

    def _final_gate(
        self, m: Module, final_open: Signal, skipped: Signal, last_has_run: Signal, advance: Signal
    ) -> None:
        """Gate of the last layer: a vector is dropped in a skipped period, otherwise it passes once."""
        m.d.comb += final_open.eq(1)
        with m.If(self.last_valid & self.last_ready):
            with m.If(skipped):
                m.d.comb += advance.eq(1)
                m.next = "ADMIT"
            with m.Else():
                m.d.sync += last_has_run.eq(1)
                m.next = "DECIDE"
