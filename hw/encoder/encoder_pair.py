"""Two spike encoders that alternate: one stores and prepares the next image while the other encodes the current one."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.encoder.spike_encoder import SpikeEncoder
from spikeloom.hw.interfaces.registers import encoder_registers
from spikeloom.hw.interfaces.streams import TAG_BITS, pixels_layout, vector_layout
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["EncoderPair", "encoder_members"]


def encoder_members(parameters: NpuParameters) -> dict[str, wiring.Member]:
    """Members of a unit's encoder of two images; `EncoderPair` says what they mean."""
    return {
        "pixels": In(stream.Signature(pixels_layout(parameters))),
        **({"seed": In(128)} if parameters.draws_seeds else {}),
        "tag": In(TAG_BITS),
        **{own.name: In(own.bits(parameters)) for own in encoder_registers(parameters)},
        "restart": In(1),
        "drop": In(1),
        "o": Out(stream.Signature(vector_layout(parameters.encoded))),
        "o_tag": Out(TAG_BITS),
        "empty": Out(1),
        "current": Out(1),
    }


class EncoderPair(wiring.Component):
    """Holds up to two images; gives the vectors of the older one, the current image, until `restart`.

    Images go to the two encoders in turn, and are worked on in turn, so they come out in the order in which they came.
    A whole image makes its first vector at once, also while the other one is being processed.

    Parameters
    ----------
    parameters : NpuParameters of the unit

    Members
    -------
    pixels : In(stream of pixels_layout), images in `pixel_words` words each; accepted while an encoder is free
    seed : In(128), sampled with an image's first word; see SpikeEncoder; only with RATE
    tag : In(16), sampled with an image's first word
    coding, even_start : In, see SpikeEncoder; changed only while `empty`; there where the unit has the registers
    restart : In(1), forget the current image and its vectors; the other image, if there is one, is the current one from
        the next cycle on. No effect while `empty`
    drop : In(1), forget the image whose words are still coming; no effect if there is none. No word is accepted in
        this cycle, so the next word is an image's first
    o : Out(stream of vector_layout of the first layer), of the current image
    o_tag : Out(16), tag of the current image
    empty : Out(1), there is no image, not even a part of one
    current : Out(1), in the next cycle there is an image, or a part of one: `empty` is down

    `restart` and `drop` may come in any cycle, also together; `restart` also forgets a current image that has only
    partly arrived.

    Cycles
    ------
    With W = pixel_words: an image whose last word is accepted in cycle 0 has its first vector made in cycle W + 2. It
    is offered then, or in the cycle after the `restart` of the image before, whichever is later. After a vector is
    taken in cycle 0, the next one is valid in cycle W + 1. After a `restart` in cycle 0 that frees an encoder, words
    are accepted from cycle 1 on; between two images no cycle is lost.
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        super().__init__(encoder_members(parameters))

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.even = even = SpikeEncoder(parameters=self._parameters)
        m.submodules.odd = odd = SpikeEncoder(parameters=self._parameters)
        pair = [even, odd]

        fed = Signal()  # number of the encoder that gets words
        working = Signal()  # of the one with the current image, or the next one
        full = [Signal(name=f"full_{number}") for number in range(2)]  # an encoder holds a whole image
        part = Signal()  # the encoder that gets words holds a part of an image
        tags = [Signal(TAG_BITS, name=f"tag_{number}") for number in range(2)]
        taken, finished, dropped = Signal(), Signal(), Signal()
        m.d.comb += [
            self.pixels.ready.eq(Mux(fed, odd.pixels.ready, even.pixels.ready)),
            taken.eq(self.pixels.valid & self.pixels.ready),
            finished.eq(taken & Mux(fed, odd.last, even.last)),
            dropped.eq(part & (self.drop | (self.restart & (fed == working)))),
            self.o.valid.eq(Mux(working, odd.o.valid, even.o.valid)),
            self.o.payload.eq(Mux(working, odd.o.payload, even.o.payload)),
            self.o_tag.eq(Mux(working, tags[1], tags[0])),
            self.empty.eq(~(full[0] | full[1] | part)),
        ]
        for number, encoder in enumerate(pair):
            mine = Signal(name=f"feeds_{number}")
            works = Signal(name=f"works_{number}")
            m.d.comb += [
                mine.eq(fed == number),
                works.eq(working == number),
                encoder.pixels.payload.eq(self.pixels.payload),
                encoder.pixels.valid.eq(self.pixels.valid & mine),
                *(getattr(encoder, r.name).eq(getattr(self, r.name)) for r in encoder_registers(self._parameters)),
                encoder.restart.eq((self.restart & works) | (self.drop & mine & ~full[number])),
                encoder.o.ready.eq(self.o.ready & works),
            ]
            if self._parameters.draws_seeds:
                m.d.comb += encoder.seed.eq(self.seed)
            with m.If(mine & taken & ~part):
                m.d.sync += tags[number].eq(self.tag)
            with m.If(mine & finished):
                m.d.sync += full[number].eq(1)
            with m.If(works & self.restart):
                m.d.sync += full[number].eq(0)

        with m.If(taken):
            m.d.sync += part.eq(~finished)
        with m.If(dropped):
            m.d.sync += part.eq(0)
        with m.If(finished):
            m.d.sync += fed.eq(~fed)
        whole = Array(full)[working]
        with m.If(self.restart & whole):
            m.d.sync += working.eq(~working)
        other = Array(full)[~working]
        m.d.comb += self.current.eq(taken | (part & ~dropped) | other | (whole & ~self.restart))
        return m
