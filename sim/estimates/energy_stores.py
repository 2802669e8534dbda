"""The memories of the accelerator, and the number of words of each that are read and written per image.

Every memory of the elaborated hardware (`hw.export.structure`) is here or in `NOT_BOOKED`, with its size: the tests
compare the list with it, so that none can be forgotten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikeloom.hw.params.codings import Coding
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.estimates.energy_events import Count, Counts, Events, words_inside
from spikeloom.sim.estimates.stages import stage_memories

__all__ = ["NOT_BOOKED", "Store", "counts_of", "flip_flops", "stores"]

NOT_BOOKED = {
    "programmer.target_memory": "targets of the programmer, read when cells are programmed",
    "programmer.result_memory": "results of the programmer, written when cells are programmed",
}
"""Memories that an image does not use, by the end of their names, and what they are for."""

_SMALL_BITS = 8 * 1024 * 8
"""Up to this size a bit costs the same; beyond, as the root of the size: bit and word lines grow with the edges."""


@dataclass(frozen=True, eq=False)
class Store:
    """A memory, or several that share one job.

    Parameters
    ----------
    part : the part that books it, see `sim.estimates.energy_parts`
    place : where it is, for people
    paths, depths : its memories in the hardware's hierarchy, and words of each
    width : bits of a word
    accesses : int64 [images], words read and words written, of all of them together
    layer : number of the layer it belongs to
    """

    part: str
    place: str
    paths: tuple[str, ...]
    depths: tuple[int, ...]
    width: int
    accesses: Counts
    layer: int | None = None

    __repr__ = short_repr

    @property
    def bits(self) -> int:
        """Bits of the largest of its memories."""
        return self.width * max(self.depths)

    @property
    def scale(self) -> float:
        """What a bit costs more than in a small memory: the root of the size, beyond 8 KiB."""
        return math.sqrt(max(1.0, self.bits / _SMALL_BITS))


def counts_of(events: Events, part: str) -> list[Count]:
    """Bits that move in and out of the memories of a part; those of flip-flops have no scale."""
    found = []
    for store in stores(events):
        if store.part == part:
            inside = flip_flops(events, store.bits)
            scale = 1.0 if inside else store.scale
            found.append(Count(store.place, store.accesses * store.width, scale, store.layer, inside))
    return found


def flip_flops(events: Events, bits: int) -> bool:
    """Whether a memory of so many bits is made of flip-flops, as the chip's calibration says."""
    return events.calibration is not None and bits <= events.calibration.memory_bits


def stores(events: Events) -> tuple[Store, ...]:
    """All memories that an image uses."""
    return (*_encoder(events), *_neurons(events), *_maps(events), *_pools(events))


def _encoder(events: Events) -> list[Store]:
    """An image's pixels are written once and read for every vector; so are its sums, where EVEN is built, which are
    written anew each time, whatever the coding. Two words are read before the first vector: reads are two ahead. A
    single encoder has both images in one memory, and does not write or read the sums before the first vector.
    """
    p = events.parameters
    words, width, read = p.pixel_words, 8 * p.encoder_lanes, events.vectors * p.pixel_words + 2
    changed = 2 * events.vectors * words  # sums
    if p.encoders == 1:
        found = [
            Store("pixels", "encoder", ("encoder.image",), (2 * words,), width, words + read),
            Store("error diffusion", "encoder", ("encoder.sums",), (words,), width, changed),
        ]
    else:
        sides = [f"encoder.{side}" for side in ("even", "odd")]  # images take turns
        images, sums = (tuple(f"{side}.{name}" for side in sides) for name in ("image", "sums"))
        found = [
            Store("pixels", "encoder", images, (words, words), width, words + read),
            Store("error diffusion", "encoder", sums, (words, words), width, words + 2 + changed),
        ]
    return found if Coding.EVEN in p.codings else found[:1]


def _neurons(events: Events) -> list[Store]:
    found = []
    for index, (layer, shape) in enumerate(zip(events.chip.layers, events.shapes, strict=True)):
        words, place = events.words(index), f"layer_{index}.neuron_array"
        depth = shape.positions * shape.groups
        lanes = shape.lanes
        membranes, biases = (f"{place}.membranes",), (f"{place}.biases",)
        found += [
            Store("membranes", layer.name, membranes, (depth,), lanes * shape.membrane_bits, 2 * words, index),
            Store("biases", layer.name, biases, (shape.groups,), lanes * shape.bias_bits, words, index),
        ]
    p = events.parameters
    counts = Store(
        "spike counts", "classes", ("counter.counts",), (p.classes,), p.count_bits, 2 * p.classes * events.runs[:, -1]
    )
    return [*found, counts]


def _maps(events: Events) -> list[Store]:
    """A word per position: written once per step, read as the windows of all stages go over it."""
    p = events.parameters
    plan = p.plan
    if plan.is_dense_chain:
        return []
    found = []
    for number, shape in enumerate(plan.maps[:-1]):
        made_by = plan.stages[number - 1] if number else None
        banks = made_by.replicas if made_by is not None else 1
        read = sum(
            words_inside(window, shape) for stage in plan.stages for window in stage.windows if window.source == number
        )
        written = events.steps if number else events.images_written
        names = [f"words_{bank}" for bank in range(banks)] if banks > 1 else ["words"]
        found.append(
            Store(
                "maps",
                f"map {number}",
                tuple(f"map_{number}.{name}" for name in names),
                tuple(len(range(bank, shape.positions, banks)) for bank in range(banks)),
                shape.channels * (p.encoded.row_bits if number == 0 else 1),
                written * shape.positions + events.steps * read,
            )
        )
    return found


def _pools(events: Events) -> list[Store]:
    """Sums of the stages that are no crossbars."""
    return [
        Store("pooling sums", f"stage {number}", (kept.path,), (kept.depth,), kept.width, kept.accesses * events.steps)
        for number, kept in stage_memories(events)
    ]
