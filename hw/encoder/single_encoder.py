"""One spike encoder for two images: it stores the next image while it encodes the current one."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring

from spikeloom.hw.encoder.encoder_pair import encoder_members
from spikeloom.hw.encoder.random_source import advance
from spikeloom.hw.encoder.spike_encoder import (
    active_rows,
    coding_of,
    encode_word,
    goes,
    held,
    phase_register,
    read_ahead,
    row_registers,
    without_padding,
)
from spikeloom.hw.interfaces.streams import TAG_BITS
from spikeloom.hw.params.codings import Coding
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["SingleEncoder"]


class _State(enum.IntEnum):
    IDLE = 0  # no whole image
    FETCH = 1  # the current image's first word comes out of its memory
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
        words = self._parameters.pixel_words
        m.submodules.image = image = memory.Memory(self._image)
        write = image.write_port()

        fed = Signal()  # half of the memory that gets words
        working = Signal()  # half with the current image, or the next one
        full = Signal(2)  # halves with a whole image
        coming = Signal(range(words))  # words of the image that comes
        seed = Signal(128, name="kept_seed") if Coding.RATE in self._parameters.codings else None  # of the last image
        tags = [Signal(TAG_BITS, name=f"tag_{number}") for number in range(2)]
        taken, finished, forgotten, last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(coming == words - 1),
            forgotten.eq(self.drop | (self.restart & (fed == working))),
            self.pixels.ready.eq(~full.bit_select(fed, 1) & ~forgotten),
            taken.eq(self.pixels.valid & self.pixels.ready),
            finished.eq(taken & last),
            write.addr.eq(coming + Mux(fed, words, 0)),
            write.data.eq(without_padding(self._parameters, self.pixels.payload.pixels, last)),
            write.en.eq(taken),
        ]
        with m.If(taken):
            m.d.sync += coming.eq(coming + 1)
            with m.If(coming == 0):
                m.d.sync += Array(tags)[fed].eq(self.tag)
                if seed is not None:
                    m.d.sync += seed.eq(self.seed)
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
        read = image.read_port(transparent_for=(write,) if words == 1 else ())
        self._encode(m, read, working ^ (self.restart & whole), seed, begins=finished | other)
        return m

    def _encode(self, m: Module, read: memory.ReadPort, half: Value, seed: Value | None, begins: Value) -> None:
        """The current image's vectors.

        Parameters
        ----------
        m : module of the encoder
        read : port of the image's words
        half : of the memory, with the image that is the current one in the next cycle
        seed : of that image, with RATE
        begins : when there is no current image, there is one in the next cycle
        """
        lanes, words, layer = self._parameters.encoder_lanes, self._parameters.pixel_words, self._parameters.encoded
        word = Signal(range(words))  # being encoded
        last = Signal(name="last_encoded")  # beside the last word that comes
        state = Signal(_State)
        fetching, encoding, offered, begun = Signal(), Signal(), Signal(), Signal()
        phase = phase_register(self._parameters)
        first = Signal()
        random = None if seed is None else Signal(128, name="random")

        # As in SpikeEncoder; the sums of the first vector are not read.
        following = Signal(range(words))
        ahead = read_ahead(m, following, words, starts=begun, follows=fetching | encoding)
        moves = fetching | encoding | (offered if words == 1 else 0)
        pixel_word = held(m, read.data, moves, "pixel_word")
        before = None  # sums of the word, with EVEN
        if Coding.EVEN in self._parameters.codings:
            m.submodules.sums = sums = memory.Memory(self._sums)
            sums_write = sums.write_port()
            sums_read = sums.read_port(transparent_for=(sums_write,) if words <= 2 else ())
            sums_word = held(m, sums_read.data, moves, "sums_word")
            before = Signal.like(sums_word, name="before")
            m.d.comb += before.eq(Mux(first, self.even_start.replicate(lanes), sums_word))

        pixels = [pixel_word.word_select(lane, 8) for lane in range(lanes)]
        codes, sums_next = encode_word(
            m, self._parameters, coding_of(self), pixels=pixels, sums=before, phase=phase, random=random
        )
        count, silent = active_rows(m, codes, encoding, word, layer.count_bits)
        rows = row_registers(m, Cat(codes), encoding, word, words)
        if random is not None:
            with m.If(encoding):
                m.d.sync += random.eq(advance(random))

        m.d.comb += [
            last.eq(word == words - 1),
            begun.eq(begins & (self.restart | (state == _State.IDLE))),
            fetching.eq(state == _State.FETCH),
            encoding.eq(state == _State.ENCODE),
            offered.eq(state == _State.OFFER),
            read.addr.eq(ahead + Mux(half, words, 0)),
            read.en.eq(begun | fetching | encoding),
            self.o.valid.eq(offered),
            self.o.payload.rows.eq(Cat(rows)),
            self.o.payload.count.eq(count),
            self.o.payload.silent.eq(silent),
            self.o.payload.first.eq(first),
            self.o.payload.phase.eq(phase),
        ]
        if before is not None:
            m.d.comb += [
                sums_read.addr.eq(ahead),
                sums_read.en.eq(encoding),
                sums_write.addr.eq(word),
                sums_write.data.eq(Cat(sums_next)),
                sums_write.en.eq(encoding),
            ]
        self._follow(m, state, word, last, first, phase, random, seed, begins)

    def _follow(
        self,
        m: Module,
        state: Signal,
        word: Signal,
        last: Signal,
        first: Signal,
        phase: Value,
        random: Signal | None,
        seed: Value | None,
        begins: Value,
    ) -> None:
        """From state to state: images are encoded step by step, each until `restart`."""
        with m.Switch(state):
            with m.Case(_State.IDLE):
                with m.If(begins):
                    m.d.sync += state.eq(_State.FETCH)
            with m.Case(_State.FETCH):
                m.d.sync += [state.eq(_State.ENCODE), first.eq(1), *goes(phase, 0)]
                if seed is not None and random is not None:
                    m.d.sync += random.eq(Mux(seed == 0, 1, seed))
            with m.Case(_State.ENCODE):
                m.d.sync += word.eq(word + 1)
                with m.If(last):
                    m.d.sync += [state.eq(_State.OFFER), word.eq(0)]
            with m.Case(_State.OFFER):
                with m.If(self.o.ready):
                    next_phase = Mux(phase == self._parameters.phases - 1, 0, phase + 1)
                    m.d.sync += [state.eq(_State.ENCODE), first.eq(0), *goes(phase, next_phase)]
        with m.If(self.restart):
            m.d.sync += [state.eq(Mux(begins, _State.FETCH, _State.IDLE)), word.eq(0)]
