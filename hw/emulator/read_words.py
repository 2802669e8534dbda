"""The random words of a read: one block of Threefry-2x32 with 20 rounds."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["READY_CYCLE", "ReadWords"]

_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15), (26, 6), (17, 29), (16, 24))
_INJECTIONS = 5

READY_CYCLE = 3 + 3 * _INJECTIONS
"""First cycle of a read with `ready`; its first one is cycle 1."""


class ReadWords(wiring.Component):
    """Draws two words for a read from its address: the same two whenever it is read.

    Threefry-2x32-20 of the counter (image, read) and the key, a block cipher of additions, rotations and XORs
    [J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011]; the same as
    `sim.common.threefry`. Two rounds are done in a cycle; before them and after every four, the key is added in another
    cycle.

    Members
    -------
    start : In(1), the first cycle of a read
    image, read : In(32), counter, looked at with `start`
    key_0, key_1 : In(32), key, stable from `start` to `ready`
    word_0, word_1 : Out(32), valid while `ready`
    ready : Out(1), from the cycle READY_CYCLE of a read on, until the next `start`; low before the first read
    """

    def __init__(self) -> None:
        words = ("image", "read", "key_0", "key_1")
        super().__init__(
            {
                "start": In(1),
                **{name: In(32) for name in words},
                "word_0": Out(32),
                "word_1": Out(32),
                "ready": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        turn = Signal(range(3))  # two cycles of rounds, and one that adds the key
        count = Signal(range(_INJECTIONS + 1))  # additions of the key before the next one
        active = Signal()
        adds = Signal()
        m.d.comb += adds.eq(turn == 2)

        keys = (self.key_0, self.key_1, Signal(32, name="key_2"))
        m.d.comb += keys[2].eq(self.key_0 ^ self.key_1 ^ _PARITY)
        steps = range(_INJECTIONS + 1)
        first = Array(keys[step % 3] for step in steps)[count]
        second = Array(keys[(step + 1) % 3] for step in steps)[count]

        low, high = self.word_0, self.word_1
        pair = Signal(range(len(_ROTATIONS)))  # of rounds: its rotations
        for place in range(2):
            mixed_low, mixed_high = Signal(32, name=f"low_{place}"), Signal(32, name=f"high_{place}")
            turned = Array(high.rotate_left(rotations[place]) for rotations in _ROTATIONS)[pair]
            m.d.comb += [mixed_low.eq(low + high), mixed_high.eq(turned ^ mixed_low)]
            low, high = mixed_low, mixed_high

        with m.If(self.start):
            m.d.sync += [
                self.word_0.eq(self.image),
                self.word_1.eq(self.read),
                active.eq(1),
                self.ready.eq(0),
                turn.eq(2),
                pair.eq(0),
                count.eq(0),
            ]
        with m.Elif(active):
            m.d.sync += [
                self.word_0.eq(Mux(adds, self.word_0 + first, low)),
                self.word_1.eq(Mux(adds, self.word_1 + second + count, high)),
                turn.eq(Mux(adds, 0, turn + 1)),
                pair.eq(pair + ~adds),
                count.eq(count + (adds & (count != _INJECTIONS))),
            ]
            with m.If(adds & (count == _INJECTIONS)):
                m.d.sync += [active.eq(0), self.ready.eq(1)]
        return m
