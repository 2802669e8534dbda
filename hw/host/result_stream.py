"""Result frames: a result and its counters, as words of 64 bits that are stable until accepted."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import RESULT_LAYOUT, TAG_BITS

__all__ = ["ResultStream", "answer_layout", "result_word_layout"]


def answer_layout() -> data.StructLayout:
    """What a frame is made of: its first word, and the tag of the image."""
    return data.StructLayout({"word": RESULT_LAYOUT, "tag": TAG_BITS})


def result_word_layout() -> data.StructLayout:
    """A word of a frame, whether it is the last, and the tag of the image."""
    return data.StructLayout({"data": 64, "last": 1, "tag": TAG_BITS})


class ResultStream(wiring.Component):
    """Sends an answer as a frame: its word alone, or with `further` words of counters behind it.

    An answer is taken when the frame before it is sent but for a word that is taken in the same cycle; what it came
    from may go on at once. A word that is offered stays until it is taken, also through `clear`, which forgets
    everything else: no more words of that frame follow, and the frame has no last word unless that word was it.

    Parameters
    ----------
    further : words behind the first one, >= 1

    Members
    -------
    i : In(stream of answer_layout)
    more : In(1), the frame of an answer that is taken in this cycle has the further words
    counters : In(64 * further), those words, the first one lowest; stable from the cycle after an answer was taken
        until the next one is
    clear : In(1), soft reset
    o : Out(stream of result_word_layout), registers

    Cycles: an answer that is taken in cycle c is offered from cycle c + 1 on; a word per cycle.
    """

    def __init__(self, *, further: int) -> None:
        self._further = further
        super().__init__(
            {
                "i": In(stream.Signature(answer_layout())),
                "more": In(1),
                "counters": In(64 * further),
                "clear": In(1),
                "o": Out(stream.Signature(result_word_layout())),
            }
        )

    @property
    def further(self) -> int:
        """Words of a frame after the first, where it carries the activity."""
        return self._further

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        sending = Signal()  # further words of the frame are to be offered
        number = Signal(range(self._further + 1))  # of the next one
        is_free = Signal()
        word = self.o.payload
        m.d.comb += [is_free.eq(~self.o.valid | self.o.ready), self.i.ready.eq(is_free & ~sending & ~self.clear)]
        with m.If(is_free):
            m.d.sync += self.o.valid.eq((self.i.valid | sending) & ~self.clear)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                word.data.eq(self.i.payload.word),
                word.tag.eq(self.i.payload.tag),
                word.last.eq(~self.more),
                sending.eq(self.more),
                number.eq(0),
            ]
        with m.Elif(is_free & sending & ~self.clear):
            m.d.sync += [
                word.data.eq(self.counters.word_select(number, 64)),
                word.last.eq(number == self._further - 1),
                sending.eq(number != self._further - 1),
                number.eq(number + 1),
            ]
        with m.If(self.clear):
            m.d.sync += [sending.eq(0), number.eq(0)]
        return m
