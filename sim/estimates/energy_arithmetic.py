"""Bits of additions, subtractions and comparisons per image, derived from the components of `hw`.

Adders work whether or not their sum is used: the clip of a neuron that has one is computed with `clip` 0, too, the
error diffusion of a pixel with any coding. What is not built does not count. Each is counted once for every word that
passes, as if all of its bits switched.
"""

from __future__ import annotations

from spikeloom.hw.interfaces.activity import ACTIVITY_BITS
from spikeloom.hw.params.codings import Coding
from spikeloom.hw.params.decision_rules import unit_rule
from spikeloom.sim.estimates.energy_events import Count, Events
from spikeloom.sim.estimates.stages import stage_memories

__all__ = ["counting", "decision", "encoding", "neurons", "partial_sums", "pooling"]


def partial_sums(events: Events) -> list[Count]:
    """Codes of the row tiles of a column (`hw.layer.adc_readout`): one adder fewer than tiles, as wide as their sum."""
    bits = [
        shape.lanes * (shape.row_tiles - 1) * (shape.code_bits + (shape.row_tiles - 1).bit_length())
        for shape in events.shapes
    ]
    return events.by_layer([events.words(index) * each for index, each in enumerate(bits)])


def neurons(events: Events) -> list[Count]:
    """Of a lane (`hw.layer.neuron_array`): bias, sum, and theta subtracted, which is the comparison with it as well;
    where they are built, a leak, and two comparisons with the clip.
    """
    bits = []
    for shape in events.shapes:
        current = max(shape.sum_bits, shape.bias_bits) + 1
        total = max(shape.membrane_bits, current + shape.phases - 1) + 1
        wide = 2 + 2 * int(shape.clip)
        bits.append(shape.lanes * (current + int(shape.leak) * shape.membrane_bits + wide * total))
    return events.by_layer([events.words(index) * each for index, each in enumerate(bits)])


def encoding(events: Events) -> list[Count]:
    """Of a pixel and vector (`hw.encoder.spike_encoder`): two additions of its error diffusion and the rate's
    comparison, of 9 bits each, where they are built; and the count of the word's active rows.
    """
    p = events.parameters
    sums = 2 * (Coding.EVEN in p.codings) + (Coding.RATE in p.codings)
    word = p.encoder_lanes * (sums * 9 + 1) + p.encoded.count_bits
    return [Count("encoder", events.vectors * (p.pixel_words * word))]


def pooling(events: Events) -> list[Count]:
    """Of the stages that are no crossbars (`sim.estimates.stages`)."""
    return [Count(f"stage {number}", events.steps * kept.bits) for number, kept in stage_memories(events)]


def decision(events: Events) -> list[Count]:
    """Of a class: spike count (`hw.decision.spike_counter`), comparisons with the best two (`hw.decision.terminator`);
    of a step: margin, comparison with k, and what the chip's rule adds.
    """
    p = events.parameters
    bits = p.classes * (p.count_bits + 2 * p.score_bits) + 2 * p.margin_bits
    bits += unit_rule(events.chip.rule).added_bits(p)
    return [Count("classes", events.runs[:, -1] * bits)]


def counting(events: Events) -> list[Count]:
    """Activity counters (`hw.layer.layer_core`), where there are any: two for a vector, three for a word, and the
    counts of spikes of a word's lanes, here and where they are collected.
    """
    if not events.parameters.activity_counters:
        return []
    counted = []
    for index, shape in enumerate(events.shapes):
        vectors = events.runs[:, index] * shape.positions
        counted.append(vectors * (2 * ACTIVITY_BITS) + events.words(index) * (3 * ACTIVITY_BITS + 2 * shape.lanes))
    return events.by_layer(counted)
