"""Encodes an image's pixels as the first layer's row codes, step by step."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.encoder.random_source import advance, random_lanes
from spikeloom.hw.interfaces.registers import encoder_registers
from spikeloom.hw.interfaces.streams import pixels_layout, vector_layout
from spikeloom.hw.params.codings import Coding
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.hw.primitives.adder_tree import adder_tree

__all__ = [
    "SpikeEncoder",
    "active_rows",
    "coding_of",
    "encode_word",
    "goes",
    "held",
    "phase_register",
    "read_ahead",
    "row_registers",
    "without_padding",
]


class _State(enum.IntEnum):
    LOAD = 0  # store the image's words
    FETCH = 1  # the first word comes out of its memory
    ENCODE = 2  # a word per cycle
    OFFER = 3  # until the vector is taken


class SpikeEncoder(wiring.Component):
    """Stores one image, and makes from it the first layer's input vector of step 1, 2, 3, ... until `restart`.

    The codings, for a pixel x in 0 .. 255 and phase p:

    - PHASE: bit 7 - p of x, most significant first; 0 for p > 7 [WS 4.1]
    - RATE: 1 with probability (x + (x >> 7)) / 256: when that is above the lane's 8-bit random number
    - EVEN: error diffusion, a += x, and when a >= 255: 1, a -= 255; a starts at `even_start`
    - ANALOG: x itself, for the DACs of row_bits 8; with row_bits 1 nothing (0)

    With row_bits 8, a spike of the first three is the code 255. The random numbers of RATE come from one xorshift128
    and a phase shifter (`hw.encoder.random_source`); the generator starts at `seed` and moves on once per word.

    Only the codings of `parameters.codings` are built: the random numbers with RATE, the sums with EVEN. Without a
    register of a coding there is no port for it, as where there is a single coding.

    Pixel j is lane j % encoder_lanes of word j // encoder_lanes. The lanes past the last pixel are ignored.

    Parameters
    ----------
    parameters : NpuParameters of the unit

    Members
    -------
    pixels : In(stream of pixels_layout), an image in `pixel_words` words; accepted only while there is none
    seed : In(128), start of the random numbers; sampled with the image's first word; only with RATE
    coding : In(2), see `hw.params.codings`; changed only while there is no image
    even_start : In(8), start of EVEN's sums, 0 .. 254; sampled with each word
    restart : In(1), forget the image and its vectors, and accept the next image from the next cycle on
    o : Out(stream of vector_layout of the first layer)
    last : Out(1), the word that is accepted next is the image's last

    `restart` may come in any cycle. It is the one thing that withdraws a vector, so it belongs between a vector that
    was taken and the next one that is let through.

    Cycles
    ------
    An image's last word that is accepted in cycle 0 makes the vector of step 1 valid in cycle W + 2, W = pixel_words.
    After a vector is taken in cycle 0, the next one is valid in cycle W + 1. It is made while the layers work.
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        lanes, words = parameters.encoder_lanes, parameters.pixel_words
        self._image = memory.MemoryData(shape=8 * lanes, depth=words, init=[])
        self._sums = memory.MemoryData(shape=8 * lanes, depth=words, init=[])  # of EVEN
        super().__init__(
            {
                "pixels": In(stream.Signature(pixels_layout(parameters))),
                **({"seed": In(128)} if parameters.draws_seeds else {}),
                **{own.name: In(own.bits(parameters)) for own in encoder_registers(parameters)},
                "restart": In(1),
                "o": Out(stream.Signature(vector_layout(parameters.encoded))),
                "last": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        lanes, words = self._parameters.encoder_lanes, self._parameters.pixel_words
        layer = self._parameters.encoded

        m.submodules.image = image = memory.Memory(self._image)
        write = image.write_port()
        read = image.read_port(transparent_for=(write,) if words == 1 else ())

        word = Signal(range(words))  # being stored, or being encoded
        last = Signal()
        state = Signal(_State)
        loading, fetching, encoding, offered = Signal(), Signal(), Signal(), Signal()
        phase = phase_register(self._parameters)
        first = Signal()
        random = Signal(128, name="random") if Coding.RATE in self._parameters.codings else None
        m.d.comb += [
            last.eq(word == words - 1),
            loading.eq(state == _State.LOAD),
            fetching.eq(state == _State.FETCH),
            encoding.eq(state == _State.ENCODE),
            offered.eq(state == _State.OFFER),
        ]

        # The words are read two ahead, and rest while nothing is encoded: what the memories give is in registers when
        # it is encoded. The sums of an only word are there a cycle later than those of the first of several.
        following = Signal(range(words))
        ahead = read_ahead(m, following, words, starts=loading, follows=fetching | encoding)
        moves = fetching | encoding | (offered if words == 1 else 0)
        pixel_word = held(m, read.data, moves, "pixel_word")
        sums_word = None  # with EVEN
        if Coding.EVEN in self._parameters.codings:
            m.submodules.sums = sums = memory.Memory(self._sums)
            sums_write = sums.write_port()
            sums_read = sums.read_port(transparent_for=(sums_write,) if words <= 2 else ())
            sums_word = held(m, sums_read.data, moves, "sums_word")

        # What one word becomes.
        pixels = [pixel_word.word_select(lane, 8) for lane in range(lanes)]
        codes, sums_next = encode_word(
            m, self._parameters, coding_of(self), pixels=pixels, sums=sums_word, phase=phase, random=random
        )
        count, silent = active_rows(m, codes, encoding, word, layer.count_bits)

        rows = row_registers(m, Cat(codes), encoding, word, words)
        if random is not None:
            with m.If(encoding):
                m.d.sync += random.eq(advance(random))

        m.d.comb += [
            read.addr.eq(ahead),
            read.en.eq((write.en & last) | fetching | encoding),
            write.addr.eq(word),
            write.data.eq(without_padding(self._parameters, self.pixels.payload.pixels, last)),
            write.en.eq(self.pixels.valid & self.pixels.ready),
            self.pixels.ready.eq(loading & ~self.restart),
            self.last.eq(last & loading),
            self.o.valid.eq(offered),
            self.o.payload.rows.eq(Cat(rows)),
            self.o.payload.count.eq(count),
            self.o.payload.silent.eq(silent),
            self.o.payload.first.eq(first),
            self.o.payload.phase.eq(phase),
        ]

        if sums_word is not None:
            m.d.comb += [
                sums_read.addr.eq(read.addr),
                sums_read.en.eq(read.en),
                sums_write.addr.eq(word),
                sums_write.data.eq(Mux(loading, self.even_start.replicate(lanes), Cat(sums_next))),
                sums_write.en.eq(write.en | encoding),
            ]
        self._follow(m, state, word, last, first, phase, random)
        return m

    def _follow(
        self, m: Module, state: Signal, word: Signal, last: Signal, first: Signal, phase: Value, random: Signal | None
    ) -> None:
        """From state to state: words are stored, then encoded step by step, until `restart`."""
        with m.Switch(state):
            with m.Case(_State.LOAD):
                with m.If(self.pixels.valid):
                    m.d.sync += word.eq(word + 1)
                    if random is not None:
                        with m.If(word == 0):
                            m.d.sync += random.eq(Mux(self.seed == 0, 1, self.seed))
                    with m.If(last):
                        m.d.sync += [state.eq(_State.FETCH), word.eq(0), first.eq(1), *goes(phase, 0)]
            with m.Case(_State.FETCH):
                m.d.sync += state.eq(_State.ENCODE)
            with m.Case(_State.ENCODE):
                m.d.sync += word.eq(word + 1)
                with m.If(last):
                    m.d.sync += [state.eq(_State.OFFER), word.eq(0)]
            with m.Case(_State.OFFER):
                with m.If(self.o.ready):
                    next_phase = Mux(phase == self._parameters.phases - 1, 0, phase + 1)
                    m.d.sync += [state.eq(_State.ENCODE), first.eq(0), *goes(phase, next_phase)]
        with m.If(self.restart):
            m.d.sync += [state.eq(_State.LOAD), word.eq(0)]


def phase_register(parameters: NpuParameters) -> Value:
    """Register of the phase; the number 0 where there is one phase."""
    bits = parameters.encoded.phase_bits
    return Signal(bits, name="phase") if parameters.phases > 1 else Const(0, bits)


def goes(phase: Value, to: Value | int) -> list[Any]:
    """The statement by which a `phase_register` changes, none where there is one phase."""
    return [phase.eq(to)] if isinstance(phase, Signal) else []


def without_padding(parameters: NpuParameters, word: Any, last: Value) -> Value:
    """A word of pixels with 0 past the last pixel of an image; `last` if it is the image's last word."""
    lanes = parameters.encoder_lanes
    last_lanes = parameters.inputs - (parameters.pixel_words - 1) * lanes
    pixels = Value.cast(word)
    if last_lanes == lanes:
        return pixels
    padding = Mux(last, (1 << 8 * last_lanes) - 1, (1 << 8 * lanes) - 1)
    return pixels & padding


def read_ahead(m: Module, following: Signal, words: int, *, starts: Value, follows: Value) -> Value:
    """Address that is read: 0 in a cycle of `starts`, the next word's with each of `follows`, after the last 0 again.

    `following` is a register for the address after it.
    """
    ahead = Signal(range(words), name="ahead")
    m.d.comb += ahead.eq(Mux(starts, 0, following))
    with m.If(starts | follows):
        m.d.sync += following.eq(Mux(ahead == words - 1, 0, ahead + 1))
    return ahead


def held(m: Module, value: Value, moves: Value, name: str) -> Signal:
    """Register that takes `value` in every cycle of `moves`."""
    register = Signal.like(value, name=name)
    with m.If(moves):
        m.d.sync += register.eq(value)
    return register


def row_registers(m: Module, codes: Value, encoding: Value, word: Value, words: int) -> list[Signal]:
    """Registers of a vector's words; `codes` are those of word number `word`.

    The word that was encoded last is in a register of its own, and goes to its place with the next one; the last word
    of a vector stays there. So what the memories give has a short way.
    """
    latest = Signal(len(codes), name="latest")
    earlier = [Signal(len(codes), name=f"row_word_{index}") for index in range(words - 1)]
    with m.If(encoding):
        m.d.sync += latest.eq(codes)
    for index, row_word in enumerate(earlier):  # one condition each: a switch would be written out for every word
        with m.If(encoding & (word == index + 1)):
            m.d.sync += row_word.eq(latest)
    return [*earlier, latest]


def active_rows(m: Module, codes: Sequence[Value], encoding: Value, word: Value, bits: int) -> tuple[Signal, Signal]:
    """How many rows of a vector are not 0, and whether all are, from the cycle on after its last word was encoded.

    Rows of a word are counted four at a time in one clock cycle, and the counts added up in the next.
    """
    active = [code.any() for code in codes]
    parts = [active[n : n + 4] for n in range(0, len(active), 4)]
    recent = [Signal(range(len(part) + 1), name=f"recent_{n}") for n, part in enumerate(parts)]
    count = Signal(bits, name="count")
    silent = Signal(name="silent")
    before: Value = Const(0)
    if len(word):  # there are several words
        before = counted = Signal(bits, name="counted")  # active rows before the word that was encoded last
        with m.If(encoding):
            m.d.sync += counted.eq(Mux(word == 0, 0, count))
    m.d.comb += count.eq(before + adder_tree(recent))
    with m.If(encoding):
        m.d.sync += silent.eq(((word == 0) | silent) & ~Cat(codes).any())
    for sum_of, part in zip(recent, parts, strict=True):
        with m.If(encoding):  # a process each, of which the export makes a loop
            m.d.sync += sum_of.eq(adder_tree(part))
    return count, silent


def encode_word(
    m: Module,
    parameters: NpuParameters,
    coding: Value,
    *,
    pixels: list[Value],
    sums: Value | None,
    phase: Value,
    random: Value | None,
) -> tuple[list[Value], list[Value]]:
    """Row codes of one word of pixels, and EVEN's sums after it, as logic of `m`, of the codings that are built.

    Parameters
    ----------
    m : module of the encoder
    parameters : NpuParameters of the unit
    coding : register `coding`, or the only coding's number
    pixels : of the word, 8 bits per lane
    sums : EVEN's sums of the word before this step, 8 bits per lane; None without EVEN
    phase : of the step
    random : state of the random numbers, 128 bits; None without RATE
    """
    row_bits, built = parameters.encoded.row_bits, parameters.codings
    codes = [Signal(row_bits, name=f"code_{lane}") for lane in range(len(pixels))]
    sums_next = [] if sums is None else [Signal(8, name=f"sum_{lane}") for lane in range(len(pixels))]
    draws = [] if random is None else [Signal(8, name=f"draw_{lane}") for lane in range(len(pixels))]
    if random is not None:
        m.d.comb += [draw.eq(bits) for draw, bits in zip(draws, random_lanes(random, len(pixels)), strict=True)]

    for lane, (pixel, code) in enumerate(zip(pixels, codes, strict=True)):
        spikes: dict[Coding, Value] = {}
        if Coding.PHASE in built:
            bits = [pixel[7 - p] if p < 8 else Const(0) for p in range(parameters.phases)]
            spikes[Coding.PHASE] = Cat(bits).bit_select(phase, 1)
        if draws:
            spikes[Coding.RATE] = Cat(Const(0), draws[lane]) < Cat(pixel[7], pixel)  # draw < x + x[7]
        if sums is not None:
            total = Signal(8, name=f"total_{lane}")  # sum so far + pixel, where that is below 255
            raised = Signal(10, name=f"raised_{lane}")  # 2 (sum so far + pixel + 1): bit 0 of the adder makes the carry
            before = sums.word_select(lane, 8)
            m.d.comb += [
                total.eq(before + pixel),
                raised.eq(Cat(Const(1), before) + Cat(Const(1), pixel)),
                sums_next[lane].eq(Mux(raised[9], raised[1:9], total)),  # less 255 is one more without the carry
            ]
            spikes[Coding.EVEN] = raised[9]
        if spikes:
            spike = Signal(name=f"spike_{lane}")
            m.d.comb += code.eq(spike.replicate(row_bits))
            if len(built) == 1:
                m.d.comb += spike.eq(*spikes.values())
            else:
                with m.Switch(coding):
                    for kind, of_kind in spikes.items():
                        with m.Case(int(kind)):
                            m.d.comb += spike.eq(of_kind)
        if row_bits == 8 and Coding.ANALOG in built:
            analog = code.eq(pixel)
            if len(built) == 1:
                m.d.comb += analog
            else:
                with m.If(coding == int(Coding.ANALOG)):
                    m.d.comb += analog
    return codes, sums_next


def coding_of(encoder: Any) -> Value:
    """What an encoder's codes follow: its port `coding`, or the number of the only coding that it is built for."""
    built: tuple[Coding, ...] = encoder.parameters.codings
    found: Value = Const(int(built[0])) if len(built) == 1 else encoder.coding
    return found
