"""Address map of a crossbar emulator: who it is, its gain, and the way to its cells."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.emulator.cell_words import CELLS, GAIN, IMAGE_HIGH, KEY_0, KEY_1, POINTER, identity_words
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.interfaces.emulator_port import EmulatorBusSignature

__all__ = ["EmulatorRegisters"]


_NOISE_REGISTERS = {"key_0": (KEY_0, 32), "key_1": (KEY_1, 32), "image_high": (IMAGE_HIGH, 16)}
"""Address and bits."""


class EmulatorRegisters(wiring.Component):
    """Answers the load bus, and counts through the cells.

    `IDENTITY`, `GAIN`, `POINTER` and `CELLS` of `hw.emulator.cell_words` are the addresses. `POINTER` takes the number
    of a word of the memory; every access to `CELLS` then goes on by the cells of a host's word, and to the next word of
    the memory after the last. Cells can be read with a programmer only. Beyond the last word is no cell.

    Parameters
    ----------
    shape : EmulatorShape

    Members
    -------
    bus : In(EmulatorBusSignature)
    gain : Out(gain_bits), gain shift
    pointer : Out, word of the memory
    place : Out(range(load_words)), which of the host's words of it
    store : Out(1), write `bus.data` there, in this cycle or, with a programmer, until `taken`
    fetch : Out(1), read the cell there, until `taken`; only with a programmer
    taken : In(1), what `store` or `fetch` ask for is done; only with a programmer
    key_0, key_1 : Out(32), key of the noise, and image_high : Out(16), upper half of the images' numbers; only with
        noise
    fetched : In(32), with `taken` of a fetch: the host's word; only with a programmer

    Cycles
    ------
    A request is answered in its second cycle; with a programmer one for `CELLS` in the cycle after `taken`.
    """

    def __init__(self, *, shape: EmulatorShape) -> None:
        self._shape = shape
        reading = {"fetch": Out(1), "taken": In(1), "fetched": In(32)}
        super().__init__(
            {
                "bus": In(EmulatorBusSignature()),
                "gain": Out(shape.parameters.gain_bits),
                "pointer": Out(range(shape.depth + 1)),
                "place": Out(range(max(2, shape.load_words))),
                "store": Out(1),
                **(reading if shape.programmer else {}),
                **({name: Out(bits) for name, (_, bits) in _NOISE_REGISTERS.items()} if shape.noise else {}),
            }
        )

    @property
    def shape(self) -> EmulatorShape:
        """Structure, as it was given."""
        return self._shape

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        shape, bus = self._shape, self.bus
        request = Signal()
        cells = Signal()  # the cells, and the pointer is at some
        known = Signal()  # there is such a word in this direction
        moves = Signal()  # the pointer
        answer = Signal(32)
        asked = bus.address[2:]
        m.d.comb += [
            request.eq((bus.write | bus.read) & ~bus.done),
            cells.eq((asked == CELLS // 4) & (self.pointer < shape.depth)),
            self.store.eq(request & bus.write & cells),
        ]
        if shape.programmer:
            m.d.comb += [self.fetch.eq(request & bus.read & cells), moves.eq(self.taken)]
        else:
            m.d.comb += moves.eq(self.store)

        self._answer(m, asked, answer, known, cells)
        finished: Value = request
        if shape.programmer:
            finished = request & Mux(cells, self.taken, 1)
        m.d.sync += [
            bus.done.eq(finished),
            bus.error.eq(finished & ~known),
            bus.answer.eq(Mux(finished & bus.read & known, answer, 0)),
        ]
        write = finished & bus.write
        with m.If(write & (asked == POINTER // 4)):
            m.d.sync += [self.pointer.eq(bus.data), self.place.eq(0)]
        with m.Elif(moves):
            with m.If(self.place == shape.load_words - 1):
                m.d.sync += [self.place.eq(0), self.pointer.eq(self.pointer + 1)]
            with m.Else():
                m.d.sync += self.place.eq(self.place + 1)
        if shape.gain is None:
            with m.If(write & (asked == GAIN // 4)):
                m.d.sync += self.gain.eq(bus.data)
        else:
            m.d.comb += self.gain.eq(shape.gain)
        for name, (address, _) in _NOISE_REGISTERS.items() if shape.noise else ():
            with m.If(write & (asked == address // 4)):
                m.d.sync += getattr(self, name).eq(bus.data)
        return m

    def _answer(self, m: Module, asked: Value, answer: Signal, known: Signal, cells: Value) -> None:
        """The word that is read, and whether the address is there for this request."""
        shape, bus = self._shape, self.bus
        own = asked[4:] == 1
        with m.If(asked[4:] == 0):
            identity = identity_words(shape)
            m.d.comb += known.eq(bus.read & (asked[:4] < len(identity)))
            with m.Switch(asked[:4]):
                for number, word in enumerate(identity):
                    with m.Case(number):
                        m.d.comb += answer.eq(word)
        with m.Elif(own & (asked[:4] == GAIN // 4 % 16)):
            m.d.comb += [answer.eq(self.gain), known.eq(bus.read | (shape.gain is None))]
        with m.Elif(own & (asked[:4] == POINTER // 4 % 16)):
            m.d.comb += [answer.eq(self.pointer), known.eq(1)]
        for name, (address, _) in _NOISE_REGISTERS.items() if shape.noise else ():
            with m.Elif(asked == address // 4):
                m.d.comb += [answer.eq(getattr(self, name)), known.eq(1)]
        with m.Elif(cells):
            m.d.comb += known.eq(bus.write | shape.programmer)
            if shape.programmer:
                m.d.comb += answer.eq(self.fetched)
