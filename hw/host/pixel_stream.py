"""Image frames: exactly the well-formed ones become images."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikeloom.hw.interfaces.streams import SEED_BYTES, TAG_BITS, pixels_layout, seed_words
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["PixelStream", "frame_layout"]


def frame_layout(parameters: NpuParameters) -> data.StructLayout:
    """A word of an image frame: `encoder_lanes` bytes, whether it is the last, and with the first word the tag."""
    return data.StructLayout({"data": 8 * parameters.encoder_lanes, "last": 1, "tag": TAG_BITS})


class PixelStream(wiring.Component):
    """Takes frames apart: seed, words of the image, tag; drops what is no image.

    A frame is an image if `last` comes with its last word, neither before nor after, and `open` is up with its first
    word. Any other gives no result:

    - `last` too early: the image is dropped, and the next word begins a new frame
    - no `last` where it belongs: that word is not passed on, the image is dropped, and so is all up to `last`
    - not `open`: nothing of the frame is passed on
    - `timeout` cycles in a row without a word inside of a frame: it ends there, the image is dropped

    With `seeds` up at a frame's first word, its first ceil(16 / encoder_lanes) words hold the seed, lowest byte first;
    bytes past the 16th are ignored. A unit without rate coding has no seeds, and no frame begins with one.

    Parameters
    ----------
    parameters : NpuParameters

    Members
    -------
    i : In(stream of frame_layout)
    open : In(1), a frame whose first word is taken in this cycle may be an image
    seeds : In(1), a frame whose first word is taken in this cycle begins with a seed; only with rate coding
    default_seed : In(128), seed of the others; only with rate coding
    timeout : In(32), clock cycles, 0 is off
    pixels : Out(stream of pixels_layout), `pixel_words` words per image, or fewer and then `drop`
    seed : Out(128), tag : Out(16), of the image whose words are on `pixels`; the seed only with rate coding
    drop : Out(1), the words received so far are not an image; no word is passed on in this cycle. May come up also
        before the first word
    begun : Out(1), a part of a frame that may be an image has been received
    wrong_frame, unloaded, timed_out : Out(1), causes of error flags, in the cycle they happen, each once per frame

    `i.ready` depends on the word that is offered: words that are not passed on are taken at once.
    """

    def __init__(self, *, parameters: NpuParameters) -> None:
        self._parameters = parameters
        bits = 8 * SEED_BYTES
        seeds = {"seeds": In(1), "default_seed": In(bits), "seed": Out(bits)} if parameters.draws_seeds else {}
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(parameters))),
                "open": In(1),
                **seeds,
                "timeout": In(32),
                "pixels": Out(stream.Signature(pixels_layout(parameters))),
                "tag": Out(TAG_BITS),
                "drop": Out(1),
                "begun": Out(1),
                "wrong_frame": Out(1),
                "unloaded": Out(1),
                "timed_out": Out(1),
            }
        )

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters, as they were given."""
        return self._parameters

    def elaborate(self, platform: object) -> Module:
        """The circuit."""
        m = Module()
        p = self._parameters
        before = seed_words(p) if p.draws_seeds else 0
        inside = Signal()  # a part of a frame has been received
        # of the frame that has begun
        skip_held = Signal()
        tag_held = Signal(TAG_BITS)
        position = Signal(range(before + p.pixel_words))
        quiet = Signal(32)  # cycles inside of a frame without a word
        longer = quiet + 1

        # What the word is that is offered now.
        skip = Signal()
        is_last = Signal()
        wrong = Signal()
        taken = Signal()
        end: ValueLike = p.pixel_words - 1
        kept, passed = skip | wrong, self.i.valid & ~skip & ~wrong
        if p.draws_seeds:
            is_seed, end = self._seeds(m, inside, position, taken)
            kept, passed = kept | is_seed, passed & ~is_seed
        m.d.comb += [
            skip.eq(Mux(inside, skip_held, ~self.open)),
            is_last.eq(position == end),
            wrong.eq(self.i.valid & ~skip & (self.i.payload.last != is_last)),
            self.i.ready.eq(kept | self.pixels.ready),
            taken.eq(self.i.valid & self.i.ready),
            self.pixels.valid.eq(passed),
            Value.cast(self.pixels.payload).eq(self.i.payload.data),
            self.tag.eq(Mux(inside, tag_held, self.i.payload.tag)),
            self.timed_out.eq(inside & ~self.i.valid & (self.timeout != 0) & (longer >= self.timeout)),
            self.drop.eq(wrong | (self.timed_out & ~skip_held)),
            self.begun.eq(inside & ~skip_held),
            self.wrong_frame.eq(wrong),
            self.unloaded.eq(taken & ~inside & ~self.open),
        ]

        with m.If(taken):
            m.d.sync += [
                inside.eq(~self.i.payload.last),
                skip_held.eq(skip | wrong),
                tag_held.eq(self.tag),
                position.eq(Mux(self.i.payload.last | skip | wrong, 0, position + 1)),
            ]
        with m.If(self.timed_out):
            m.d.sync += [inside.eq(0), position.eq(0)]
        m.d.sync += quiet.eq(longer)
        with m.If(self.i.valid | ~inside):
            m.d.sync += quiet.eq(0)
        return m

    def _seeds(self, m: Module, inside: Signal, position: Signal, taken: Signal) -> tuple[Signal, Value]:
        """Store the seed of a frame that begins with one; whether the word is one of a seed, and the number of the
        frame's last word.
        """
        before, words, bits = seed_words(self._parameters), self._parameters.pixel_words, len(self.i.payload.data)
        seeds_held = Signal()  # of the frame that has begun
        seed = Signal(8 * SEED_BYTES)
        seeds = Signal()
        is_seed = Signal()
        m.d.comb += [
            seeds.eq(Mux(inside, seeds_held, self.seeds)),
            is_seed.eq(seeds & (position < before)),
            self.seed.eq(Mux(seeds, seed, self.default_seed)),
        ]
        with m.If(taken):
            m.d.sync += seeds_held.eq(seeds)
            with m.If(is_seed):
                with m.Switch(position):
                    for index in range(before):
                        with m.Case(index):
                            m.d.sync += seed[bits * index : bits * (index + 1)].eq(self.i.payload.data)
        return is_seed, Mux(seeds, before + words - 1, words - 1)
