"""Carries out requests: checks each as a whole, has its accesses made, waits with a bound, and has it answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring

from spikeloom.hw.serial.executor_ports import executor_members
from spikeloom.hw.serial.protocol import (
    NO_SEQUENCE,
    Command,
    Hello,
    Operation,
    Status,
    Taking,
    Word,
    most_payload,
    result_bytes,
    result_words,
)

__all__ = ["Executor"]

_HELLO = 0
"""In the place of a command's kind: the request is a HELLO."""
_WORD_BYTES = 4
_READ_BYTES = 5  # of an answer
_RESULT_BYTES = 11  # of an answer: marker, tag, word


class Executor(wiring.Component):
    """A request is read twice: first to find its end, unknown commands and the length of its answer, then to carry it
    out, a byte in two cycles. So a request that is BAD has done nothing.

    Each whole request is answered once, and so is each broken frame, or several of them together. A request with the
    sequence number of the one before is not carried out again; its answer is sent as it was. A HELLO always is.

    Every wait has a bound: that of the command, or that of `AccessPort`. A word of an image that is not taken within it
    is withdrawn.

    Parameters
    ----------
    hello : what is answered to HELLO, but for the nonce

    Members
    -------
    whole, length, request_address, request_byte, free, broken : the other side of `FrameReceiver`
    answer_write, answer_address, answer_data, start, sequence_number, status, answer_length, answer_empty, busy :
        that of `FrameSender`
    access, access_write, access_address, access_data, access_done, access_response, access_read : that of `AccessPort`
    those of `hw.serial.executor_ports.stream_members`; `chip_reset` is up while a RESET is carried out
    idle : Out(1), no request is being carried out or answered
    executed : Out(1), a request has been carried out, for one cycle; greeted : Out(1), that was a HELLO
    """

    def __init__(self, *, hello: Hello) -> None:
        self._hello = hello
        depth = hello.buffer_bytes
        super().__init__(executor_members(depth, hello.encoder_lanes))
        # Registers
        self._checking = Signal()  # the request is read for the first time
        self._hello_asked = Signal()
        self._at = Signal(range(depth + 1))  # number of the byte at hand
        self._kind = Signal(4)
        self._word = Signal(32)  # address, or clock cycles that are left
        self._numbers = Signal(32)  # tag and number of words, as they come; the number is behind the tag
        self._data = Signal(max(32, 8 * hello.encoder_lanes))  # the word is at the upper end
        self._index = Signal(range(max(hello.encoder_lanes, Hello.BYTES)))  # of a byte in what is read or answered
        self._response = Signal(3)
        self._refused = Signal()  # an image of the request was
        self._first = Signal()  # no word of the result frame has been taken
        self._kept = Signal()  # the answer is that of a request with number `_sequence`
        self._sequence = Signal(8)
        self._status = Signal(2)
        self._answered = Signal(range(2 * depth))  # bytes of the answer
        self._broken = Signal()  # a frame was, and has not been answered
        self._answers_broken = Signal()  # the answer is that to it
        self._ended = Signal()  # there is no byte at hand: the request is read to its end
        self._settled = Signal()  # the byte at hand has come out of the memory
        # Within a cycle
        self._step = Signal()  # the byte at hand is taken
        self._rewind = Signal()
        self._looks = Signal()  # for a request, whose first byte is at hand
        self._holds = Signal()  # the index stays: nothing is taken
        self._shift = Signal()  # of the word: a byte from above
        self._waits = Signal()  # a cycle less is left
        self._expired = Signal()  # none is
        self._restart = Signal()  # of the index
        self._grows = Signal()  # the answer, by
        self._size = Signal(range(max(_READ_BYTES, result_bytes(hello.layers)) + 1))
        self._forgets = Signal()  # the answer
        self._known = Signal()  # it is the kind of a command

    @property
    def hello(self) -> Hello:
        """What is answered to HELLO."""
        return self._hello

    @property
    def _count(self) -> Signal:
        return self._numbers[16:]

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        following = Signal.like(self._at)
        m.d.comb += [
            following.eq(Mux(self._rewind, 2, Mux(self._step, self._at + 1, self._at))),
            self.request_address.eq(following),
            self._expired.eq(self._word == 0),
            self.access_address.eq(self._word),
            self.access_data.eq(self._data[-32:]),
            self.access_write.eq(self._kind != Command.READ),
            self.pixels_data.eq(self._data[len(self._data) - len(self.pixels_data) :]),
            self.pixels_last.eq(self._count == 1),
            self.pixels_tag.eq(self._numbers[:16]),
            self.greeted.eq(self.executed & self._hello_asked),
        ]
        m.d.sync += [
            self._at.eq(following),
            self._ended.eq(following == self.length),
            self._index.eq(Mux(self._restart, 0, self._index + ~self._holds)),
            self._settled.eq(~(self._step | self._rewind | self._looks)),
        ]
        with m.If(self._forgets):
            m.d.sync += self._answered.eq(0)
        with m.Elif(self._grows):
            m.d.sync += self._answered.eq(self._answered + self._size)
        with m.If(self.access & self.access_done & ~self.access_write):
            m.d.sync += self._word.eq(self.access_read)
        with m.Elif(self._shift):
            m.d.sync += self._word.eq(Cat(self._word[8:], self.request_byte))
        with m.Elif(self._waits):
            m.d.sync += self._word.eq(self._word - 1)
        m.d.comb += [
            self.sequence_number.eq(Mux(self._answers_broken, NO_SEQUENCE, self._sequence)),
            self.status.eq(Mux(self._answers_broken, Status.BROKEN, self._status)),
            self.answer_length.eq(self._answered),
            self.answer_empty.eq(self._answers_broken),
            self.answer_address.eq(self._answered),
            self.answer_data.eq(self._response),
            self._known.eq(~self._hello_asked & self.request_byte.matches(*Command)),
        ]
        with m.If(~self._checking | ~self._kind.matches(Command.READ, Command.RESULT)):
            m.d.comb += self._size.eq(1)
        with m.Elif(self._kind == Command.READ):
            m.d.comb += self._size.eq(_READ_BYTES)
        with m.Else():
            m.d.comb += self._size.eq(result_bytes(self._hello.layers))
        with m.If(self.broken):
            m.d.sync += self._broken.eq(1)
        with m.FSM():
            self._requests(m)
            self._commands(m)
            self._images(m)
            with m.State("ACCESS"):
                m.d.comb += self.access.eq(1)
                m.d.comb += self._restart.eq(1)
                with m.If(self.access_done):
                    m.d.sync += self._response.eq(self.access_response)
                    m.next = "REPLY"
                    with m.If(self._kind != Command.READ):
                        self._next_word(m)
            with m.State("WAIT"):
                interrupted = (self._kind == Command.INTERRUPT) & self.irq
                m.d.comb += [
                    self._waits.eq(1),
                    self._restart.eq(1),
                    self.chip_reset.eq((self._kind == Command.RESET) & ~self._expired),
                ]
                with m.If(interrupted | self._expired):
                    m.d.sync += self._response.eq(interrupted)
                    m.next = "REPLY"
            self._results(m)
            self._reply(m)
        return m

    @contextmanager
    def _reading(self, m: Module, name: str) -> Iterator[None]:
        """A state in which a byte of the request is taken, once it is there."""
        with m.State(name):
            with m.If(~self._settled):
                m.d.comb += self._holds.eq(1)
            with m.Else():
                yield

    def _requests(self, m: Module) -> None:
        """From a request's first byte to its commands, and from its end to its answer's."""
        same = Signal()
        with m.State("IDLE"):
            m.d.comb += [self.idle.eq(~self._broken & ~self.whole), self._looks.eq(1)]
            m.d.sync += self._answers_broken.eq(self._broken)
            with m.If(self._broken):
                m.d.sync += self._broken.eq(0)
                m.next = "SEND"
            with m.Elif(self.whole):
                m.next = "SEQUENCE"
        with self._reading(m, "SEQUENCE"):
            m.d.comb += self._step.eq(1)
            m.d.sync += [
                same.eq(self._kept & (self.request_byte == self._sequence)),
                self._sequence.eq(self.request_byte),
            ]
            m.next = "OPERATION"
        with self._reading(m, "OPERATION"):
            m.d.comb += [self._step.eq(1), self._restart.eq(1)]
            hello = self.request_byte == Operation.HELLO
            with m.If(same & (self.request_byte == Operation.EXECUTE)):
                m.next = "SEND"
            with m.Else():
                m.d.comb += self._forgets.eq(1)
                m.d.sync += [
                    self._checking.eq(1),
                    self._hello_asked.eq(hello),
                    self._kind.eq(_HELLO),
                    self._kept.eq(0),
                    self._status.eq(Status.OK),
                    self._refused.eq(0),
                ]
                with m.If(hello):
                    m.next = "WORD"
                with m.Elif(self.request_byte == Operation.EXECUTE):
                    m.next = "COMMAND"
                with m.Else():
                    self._refuse(m)
        with m.State("SEND"):
            m.d.comb += [self.start.eq(1), self.free.eq(~self._answers_broken)]
            m.next = "SENDING"
        with m.State("SENDING"):
            m.d.sync += self._at.eq(0)
            with m.If(~self.busy):
                m.next = "IDLE"

    def _refuse(self, m: Module) -> None:
        """The request is BAD."""
        m.d.comb += self._forgets.eq(1)
        m.d.sync += self._status.eq(Status.BAD)
        m.next = "SEND"

    def _commands(self, m: Module) -> None:
        """Kind, word and numbers of a command; the end of the request."""
        depth, layers = self._hello.buffer_bytes, self._hello.layers
        with self._reading(m, "COMMAND"):
            m.d.comb += [self._step.eq(1), self._restart.eq(1)]
            m.d.sync += [self._kind.eq(self.request_byte), self._response.eq(0), self._first.eq(1)]
            with m.If(self._checking & (self._answered > most_payload(depth))):
                self._refuse(m)
            with m.Elif(self._ended & self._checking):
                m.d.comb += [self._rewind.eq(1), self._forgets.eq(1)]
                m.d.sync += self._checking.eq(0)
                m.next = "COMMAND"
                with m.If(self._hello_asked):
                    m.d.sync += self._kind.eq(_HELLO)
                    m.next = "WORD"
            with m.Elif(self._ended):
                m.d.comb += self.executed.eq(1)
                m.d.sync += self._kept.eq(~self._hello_asked)
                m.next = "SEND"
            with m.Elif(self._known):
                m.next = "WORD"
            with m.Else():
                self._refuse(m)
        with self._reading(m, "WORD"):
            m.d.comb += [self._step.eq(1), self._shift.eq(1)]
            with m.If(self._ended):
                self._refuse(m)
            with m.If(~self._ended & (self._index == _WORD_BYTES - 1)):
                m.d.comb += self._restart.eq(1)
                with m.Switch(self._kind):
                    with m.Case(Command.WRITE):
                        m.d.sync += self._count.eq(1)
                        m.next = "DATA"
                    with m.Case(Command.FILL, Command.IMAGE):
                        m.next = "NUMBERS"
                    with m.Case(Command.READ):
                        m.next = "ACCESS"
                    with m.Case(Command.RESULT):
                        m.d.sync += self._count.eq(result_words(layers))
                        m.next = "RESULT"
                    with m.Case(_HELLO):
                        m.next = "REPLY"
                    with m.Default():
                        m.next = "WAIT"
                with m.If(self._checking):
                    m.d.comb += self._grows.eq(1)
                    with m.If(~self._kind.matches(Command.WRITE, Command.FILL, Command.IMAGE)):
                        m.next = "COMMAND"
        with self._reading(m, "NUMBERS"):
            m.d.comb += self._step.eq(1)
            m.d.sync += self._numbers.eq(Cat(self._numbers[8:], self.request_byte))
            with m.If(self._ended):
                self._refuse(m)
            is_image = self._kind == Command.IMAGE
            with m.If(~self._ended & (self._index == Mux(is_image, 3, 1))):
                m.d.comb += self._restart.eq(1)
                m.next = "DATA"
                with m.If(is_image & ~self._checking):
                    m.next = "ROOM"

    def _images(self, m: Module) -> None:
        """Words of a WRITE, FILL or IMAGE, and an image's way into the stream."""
        is_image = self._kind == Command.IMAGE
        with m.State("ROOM"):
            m.d.comb += self._restart.eq(1)
            with m.If(self._refused | (~self.pixels_ready & (self.result_valid | self._expired))):
                m.d.sync += [self._refused.eq(1), self._response.eq(Taking.FULL)]
                m.next = "DATA"
            with m.Elif(self.pixels_ready):
                m.next = "DATA"
            with m.Else():
                m.d.comb += self._waits.eq(1)
        with self._reading(m, "DATA"):
            m.d.comb += self._step.eq(1)
            m.d.sync += self._data.eq(Cat(self._data[8:], self.request_byte))
            with m.If(self._ended):
                self._refuse(m)
            last = Mux(is_image, self._hello.encoder_lanes - 1, _WORD_BYTES - 1)
            with m.If(~self._ended & (self._index == last)):
                m.d.comb += self._restart.eq(1)
                with m.If(self._checking | (self._response != 0)):
                    self._next_word(m)
                with m.Elif(is_image):
                    m.next = "OFFER"
                with m.Else():
                    m.next = "ACCESS"
        with m.State("OFFER"):
            m.d.comb += [self.pixels_valid.eq(1), self._restart.eq(1)]
            with m.If(self.pixels_ready):
                self._next_word(m)
            with m.Elif(self._expired):
                m.d.sync += [self._refused.eq(1), self._response.eq(Taking.STUCK)]
                self._next_word(m)
            with m.Else():
                m.d.comb += self._waits.eq(1)

    def _next_word(self, m: Module) -> None:
        """On to the next word of a WRITE, FILL or IMAGE, or behind the last."""
        m.d.sync += self._count.eq(self._count - 1)
        m.next = "DATA"
        with m.If(self._count == 1):
            m.next = "REPLY"
            with m.If(self._checking):
                m.next = "COMMAND"

    def _results(self, m: Module) -> None:
        """Wait for the next word of a result frame; there are no more than a frame may have."""
        with m.State("RESULT"):
            m.d.comb += self._restart.eq(1)
            with m.If(self.result_valid & (self._count != 0)):
                m.d.sync += self._response.eq(Mux(self.result_last, Word.LAST, Word.MORE))
                m.next = "REPLY"
            with m.Elif(self._expired | (self._count == 0)):
                m.d.sync += self._response.eq(Word.NONE)
                m.next = "REPLY"
            with m.Else():
                m.d.comb += self._waits.eq(1)

    def _reply(self, m: Module) -> None:
        """Bytes of the answer, one a cycle."""
        hello = Array(self._hello.pack())[self._index]
        with m.State("REPLY"):
            m.d.comb += [self.answer_write.eq(1), self._grows.eq(1)]
            with m.Switch(self._kind):
                with m.Case(Command.READ):
                    with m.If(self._index != 0):
                        m.d.comb += [self.answer_data.eq(self._word), self._shift.eq(1)]
                    with m.If(self._index == _READ_BYTES - 1):
                        m.next = "COMMAND"
                with m.Case(Command.RESULT):
                    self._reply_result(m)
                with m.Case(_HELLO):
                    m.d.comb += [
                        self.answer_data.eq(Mux(self._index < _WORD_BYTES, self._word, hello)),
                        self._shift.eq(1),
                    ]
                    with m.If(self._index == Hello.BYTES - 1):
                        m.next = "COMMAND"
                with m.Default():
                    m.next = "COMMAND"

    def _reply_result(self, m: Module) -> None:
        """Marker, tag before the first word, word; it is taken with its last byte."""
        marker = Cat(self._response, 0, 0, 0, 0, 0)
        m.d.comb += self.answer_data.eq(Cat(marker, self.result_tag, self.result_data).word_select(self._index[:4], 8))
        with m.If(self._index == 0):
            with m.If(self._response == Word.NONE):
                m.next = "COMMAND"
            with m.If(~self._first):
                m.d.sync += self._index.eq(3)
        with m.If(self._index == _RESULT_BYTES - 1):
            m.d.comb += self.result_ready.eq(1)
            m.d.sync += [self._first.eq(0), self._count.eq(self._count - 1)]
            m.next = "RESULT"
            with m.If(self._response == Word.LAST):
                m.next = "COMMAND"
