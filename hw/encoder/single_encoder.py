"""One spike encoder for two images: it stores the next image while it encodes the current one."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring

from spikeloom.hw.encoder.encoder_pair import encoder_members
from spikeloom.hw.encoder.random_source import advance
from spikeloom.hw.encoder.spike_encoder import encode_word
from spikeloom.hw.interfaces.streams import TAG_BITS
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = ["SingleEncoder"]


class _State(enum.IntEnum):
    IDLE = 0  # no whole image
    FETCH = 1  # read the current image's first word
    ENCODE = 2  # a word per cycle
    OFFER = 3  # until the vector is taken


class SingleEncoder(wiring.Component):
    """Holds up to two images, like `EncoderPair`, and makes vectors of the older one only, the current image.

    It has what both images need twice, pixels and seed, and all else once: a register of row codes, sums of EVEN, and
    the logic of the codings (`encode_word`). The price is that the first vector of the next image is not begun before
    `restart`.

    Parameters
    ----------
    parameters : NpuParameters of the unit

    Members
    -------
    As of `EncoderPair`.

    Cycles
    ------
    With W = pixel_words: the first vector of an image is valid W + 2 cycles after its last word was accepted, or after
    the `restart` of the image before, whichever is later. All else is as in `EncoderPair`: after a vector is taken in
    cycle 0, the next one is valid in cycle W + 1; after a `restart` in cycle 0 that frees a place, words are accepted
    from cycle 1 on; between two images no cycle is lost.
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        bits, words = 8 * parameters.encoder_lanes, parameters.pixel_words
        self._image = memory.MemoryData(shape=bits, depth=2 * words, init=[])
        self._sums = memory.MemoryData(shape=bits, depth=words, init=[])
        super().__init__(encoder_members(parameters))

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        lanes, words = self._parameters.encoder_lanes, self._parameters.pixel_words
        last_lanes = self._parameters.inputs - (words - 1) * lanes
        m.submodules.image = image = memory.Memory(self._image)
        write = image.write_port()

        fed = Signal()  # half of the memory that gets words
        working = Signal()  # half with the current image, or the next one
        full = Signal(2)  # halves with a whole image
        coming = Signal(range(words))  # words of the image that comes
        seed = Signal(128)  # of the image that came last
        tags = [Signal(TAG_BITS, name=f"tag_{number}") for number in range(2)]
        taken, finished, forgotten, last = Signal(), Signal(), Signal(), Signal()
        padding = Mux(last, (1 << 8 * last_lanes) - 1, (1 << 8 * lanes) - 1)
        m.d.comb += [
            last.eq(coming == words - 1),
            forgotten.eq(self.drop | (self.restart & (fed == working))),
            self.pixels.ready.eq(~full.bit_select(fed, 1) & ~forgotten),
            taken.eq(self.pixels.valid & self.pixels.ready),
            finished.eq(taken & last),
            write.addr.eq(coming + Mux(fed, words, 0)),
            write.data.eq(Value.cast(self.pixels.payload.pixels) & padding),
            write.en.eq(taken),
        ]
        with m.If(taken):
            m.d.sync += coming.eq(coming + 1)
            with m.If(coming == 0):
                m.d.sync += [seed.eq(self.seed), Array(tags)[fed].eq(self.tag)]
        with m.If(finished):
            m.d.sync += [full.bit_select(fed, 1).eq(1), fed.eq(~fed), coming.eq(0)]
        with m.If(forgotten):
            m.d.sync += coming.eq(0)

        whole, other = full.bit_select(working, 1), full.bit_select(~working, 1)
        with m.If(self.restart & whole):
            m.d.sync += [full.bit_select(working, 1).eq(0), working.eq(~working)]
        part = coming != 0
        m.d.comb += [
            self.o_tag.eq(Mux(working, tags[1], tags[0])),
            self.empty.eq(~(full.any() | part)),
            self.current.eq(taken | (part & ~forgotten) | other | (whole & ~self.restart)),
        ]
        self._encode(m, image.read_port(), working, seed, begins=finished | other)
        return m

    def _encode(self, m: Module, read: memory.ReadPort, working: Value, seed: Value, begins: Value) -> None:
        """The current image's vectors; begins : when there is none, there is one in the next cycle."""
        lanes, words, layer = self._parameters.encoder_lanes, self._parameters.pixel_words, self._parameters.encoded
        m.submodules.sums = sums = memory.Memory(self._sums)
        sums_read, sums_write = sums.read_port(), sums.write_port()
        word = Signal(range(words))  # being encoded
        last = Signal()
        state = Signal(_State)
        encoding, offered = Signal(), Signal()
        phase = Signal(layer.phase_bits)
        first = Signal()
        count = Signal(layer.count_bits)
        random = Signal(128)

        pixels = [read.data.word_select(lane, 8) for lane in range(lanes)]
        before = Mux(first, self.even_start.replicate(lanes), sums_read.data)
        codes, sums_next = encode_word(
            m, self._parameters, self.coding, pixels=pixels, sums=before, phase=phase, random=random
        )
        active = Cat(code.any() for code in codes)
        rows = [Signal(lanes * layer.row_bits, name=f"row_word_{index}") for index in range(words)]
        for index, row_word in enumerate(rows):  # one condition each: a switch would be written out for every word
            with m.If(encoding & (word == index)):
                m.d.sync += row_word.eq(Cat(codes))
        with m.If(encoding):
            m.d.sync += [count.eq(Mux(word == 0, 0, count) + adder_tree(list(active))), random.eq(advance(random))]

        # The read ports are one word ahead, and rest while nothing is encoded; of an only word, the sums are read again
        # when they have been written.
        following = Mux(encoding & ~last, word + 1, 0)
        m.d.comb += [
            last.eq(word == words - 1),
            encoding.eq(state == _State.ENCODE),
            offered.eq(state == _State.OFFER),
            read.addr.eq(following + Mux(working, words, 0)),
            read.en.eq(encoding | (state == _State.FETCH)),
            sums_read.addr.eq(following),
            sums_read.en.eq(encoding | (offered if words == 1 else 0)),
            sums_write.addr.eq(word),
            sums_write.data.eq(Cat(sums_next)),
            sums_write.en.eq(encoding),
            self.o.valid.eq(offered),
            self.o.payload.rows.eq(Cat(rows)),
            self.o.payload.count.eq(count),
            self.o.payload.first.eq(first),
            self.o.payload.phase.eq(phase),
        ]
        with m.Switch(state):
            with m.Case(_State.IDLE):
                with m.If(begins):
                    m.d.sync += state.eq(_State.FETCH)
            with m.Case(_State.FETCH):
                m.d.sync += [state.eq(_State.ENCODE), first.eq(1), phase.eq(0), random.eq(Mux(seed == 0, 1, seed))]
            with m.Case(_State.ENCODE):
                m.d.sync += word.eq(word + 1)
                with m.If(last):
                    m.d.sync += [state.eq(_State.OFFER), word.eq(0)]
            with m.Case(_State.OFFER):
                with m.If(self.o.ready):
                    next_phase = Mux(phase == self._parameters.phases - 1, 0, phase + 1)
                    m.d.sync += [state.eq(_State.ENCODE), first.eq(0), phase.eq(next_phase)]
        with m.If(self.restart):
            m.d.sync += [state.eq(Mux(begins, _State.FETCH, _State.IDLE)), word.eq(0)]
