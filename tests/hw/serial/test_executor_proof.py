"""The executor, for any requests: one answer each, and nothing is done for what is broken, bad or a repetition."""

from __future__ import annotations

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal

from spikeloom.hw.serial.executor import Executor
from spikeloom.hw.serial.protocol import NO_SEQUENCE, Hello, Operation, Status
from tests.benches.proof_bench import inside, mutant, past
from tests.formal import Harness, assert_fails, in_turn, prove, reaches

HELLO = Hello(0, 1, 128, 1, 4, 1, 1)


class Requests(Harness):
    """For requests of any bytes, one after another, broken frames in between, and any pace of all that is behind.

    A request is held until it is freed. No more is assumed about its bytes: not even that they are the same when they
    are read again.

    - A request is freed in the cycle in which its answer starts, and in no other. An answer to a broken frame starts
      only where there was one since the last, and no broken frame is left without. Answers wait for each other.
    - Nothing is done (access, word of an image, word of a result, reset) but for a request that is held, is an EXECUTE,
      and has been read once up to its end; so nothing for a broken frame, and nothing while a request is checked.
    - A request with the number of the one before in its session is answered without anything done or written, with
      status and length of the answer before.
    """

    def __init__(self, dut: Executor) -> None:
        super().__init__(dut)
        self.inner = inside(dut)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut, state = self.dut, self.inner.state
        held, freed, length = past(m, dut.whole), past(m, dut.free), past(m, dut.length)
        m.d.comb += [Assume(dut.length >= 2), Assume(~dut.whole | ~dut.broken)]
        with m.If(held & ~freed):
            m.d.comb += [Assume(dut.whole), Assume(dut.length == length)]
        with m.If(freed):
            m.d.comb += Assume(~dut.whole)
        sending, started = past(m, dut.busy), past(m, dut.start)
        m.d.comb += [Assume(~started | dut.busy), Assume(started | sending | ~dut.busy)]

        # What the request is, and what was done for it.
        sequence, operation, read = Signal(8), Signal(8), Signal()  # the last: it was read up to its end
        acts, acted = Signal(), Signal()
        last, status, answer, session = Signal(8), Signal(2), Signal.like(dut.answer_length), Signal()
        owed = Signal()  # an answer to a broken frame
        empty = dut.answer_empty
        repeated = session & (operation == Operation.EXECUTE) & (sequence == last)
        m.d.comb += acts.eq(dut.access | dut.pixels_valid | dut.result_ready | dut.chip_reset)
        with m.If(state("SEQUENCE")):
            m.d.sync += sequence.eq(dut.request_byte)
        with m.If(state("OPERATION")):
            m.d.sync += operation.eq(dut.request_byte)
        with m.If(state("COMMAND") & dut._settled & dut._ended):
            m.d.sync += read.eq(1)
        with m.If(acts | dut.answer_write):
            m.d.sync += acted.eq(1)
            m.d.comb += [
                Assert(dut.whole),
                Assert(~dut.busy & ~dut.start),
                Assert(read),
                Assert(~repeated),
            ]
        with m.If(acts):
            m.d.comb += Assert(operation == Operation.EXECUTE)
        m.d.sync += owed.eq((owed & ~(dut.start & empty)) | dut.broken)
        m.d.comb += [Assert(dut.free == (dut.start & ~empty)), Assert(~dut.executed | read)]
        with m.If(dut.start):
            m.d.sync += [acted.eq(0), read.eq(0)]
            m.d.comb += Assert(~dut.busy)
            with m.If(empty):
                m.d.comb += [Assert(owed), Assert(dut.status == Status.BROKEN), Assert(~acted)]
                m.d.comb += Assert(dut.sequence_number == NO_SEQUENCE)
            with m.Else():
                good = dut.status == Status.OK
                m.d.comb += [Assert(dut.whole), Assert(dut.sequence_number == sequence)]
                m.d.comb += Assert(good | ((dut.status == Status.BAD) & (dut.answer_length == 0)))
                m.d.sync += [last.eq(sequence), status.eq(dut.status), answer.eq(dut.answer_length)]
                m.d.sync += session.eq(good & (operation == Operation.EXECUTE))
                with m.If(repeated):
                    m.d.comb += [Assert(~acted), Assert(dut.status == status), Assert(dut.answer_length == answer)]
        self.invariants(m, sequence, operation, read, acted, last, status, answer, session, owed, sending, started)
        done = dut.start & ~empty & (dut.status == Status.OK)
        reaches(
            m,
            bad_after_broken=in_turn(m, dut.start & empty, dut.start & (dut.status == Status.BAD)),
            repeated=in_turn(m, done, done & repeated),
        )
        return m

    def invariants(self, m, sequence, operation, read, acted, last, status, answer, session, owed, sending, started):
        dut, state = self.dut, self.inner.state
        between = state("IDLE") | state("SENDING")
        to_broken = state("SEND") & dut._answers_broken
        early = between | state("SEQUENCE") | state("OPERATION") | state("SEND")
        executing = ~early & ~dut._checking
        reads = state("COMMAND") | state("WORD") | state("NUMBERS") | state("DATA")
        is_execute = operation == Operation.EXECUTE
        m.d.comb += [
            Assert(self.inner.any_state),
            Assert(between | to_broken | dut.whole),
            Assert(between | (dut._answers_broken == to_broken)),
            Assert(state("SENDING") | ~(started | sending)),
            Assert(owed == (dut._broken | to_broken)),
            Assert(~(to_broken & dut._broken)),
            # What has been read and done.
            Assert(executing == (read & ~early)),
            Assert(~(early & ~state("SEND")) | (~read & ~acted)),
            Assert(~dut._checking | early | ~acted),
            Assert(~dut._checking | early | reads),
            Assert(~to_broken | (~acted & ~read)),
            Assert(~acted | read),
            # The request that is held.
            Assert(between | state("SEQUENCE") | to_broken | (dut._sequence == sequence)),
            Assert(early | (dut._hello_asked == (operation == Operation.HELLO))),
            Assert(early | is_execute | (operation == Operation.HELLO)),
            Assert(early | (dut._hello_asked == (dut._kind == 0)) | state("COMMAND")),
            Assert(early | ~dut._hello_asked | state("COMMAND") | state("WORD") | state("REPLY")),
            # The answer that is kept.
            Assert(early | (~dut._kept & (dut._status == Status.OK))),
            Assert(early | ~(session & is_execute & (sequence == last))),
        ]
        with m.If(between | to_broken | state("SEQUENCE") | state("OPERATION")):
            m.d.comb += Assert(dut._kept == session)
            with m.If(session):
                m.d.comb += [Assert(dut.answer_length == answer), Assert(dut._status == status), Assert(status == 0)]
                m.d.comb += Assert(state("OPERATION") | (dut._sequence == last))
        with m.If(state("OPERATION")):
            m.d.comb += Assert(self.inner._requests.same == (session & (sequence == last)))
        with m.If(state("SEND") & ~dut._answers_broken):
            again = session & is_execute & (sequence == last)
            fresh = ~again & (dut._kept == ((dut._status == 0) & is_execute))
            fresh &= (dut._status == 0) | (~dut._kept & (dut._status == Status.BAD) & (dut.answer_length == 0))
            kept = ~acted & dut._kept & (dut.answer_length == answer) & (dut._status == status) & (status == 0)
            m.d.comb += Assert(Mux(again, kept, fresh))


def spec(change: tuple[str, str] | None = None) -> Requests:
    kind = mutant(Executor, *change) if change else Executor
    return Requests(kind(hello=HELLO))


def test_proof() -> None:
    prove(spec(), "executor", depth=1, mode="prove", reach=24, skip=18)


@pytest.mark.parametrize(
    "change",
    [
        ("same.eq(self._kept & (self.request_byte == self._sequence))", "same.eq(0)"),
        ("matches(Command.WRITE, Command.FILL, Command.IMAGE)", "matches(Command.WRITE, Command.READ)"),
        ("self.free.eq(~self._answers_broken)", "self.free.eq(1)"),
    ],
    ids=["repeats", "reads while it checks", "frees at a broken frame"],
)
def test_mutants_fail(change: tuple[str, str]) -> None:
    assert_fails(spec(change), "executor_twin", depth=24)
