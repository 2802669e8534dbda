"""Events of every part of the energy from the activity of layers and the widths of the hardware, written apart from
`sim.estimates`: for dense networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from spikeloom.hw.export.structure import structure
from spikeloom.hw.interfaces.activity import ACTIVITY_BITS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters

__all__ = ["expected_events"]


class Layer(NamedTuple):
    """A layer's shape, its mean activity of an image, and the steps that it ran and the words that passed it."""

    shape: LayerParameters
    activity: Mapping[str, float]
    runs: float
    words: float


def expected_events(
    layers: list[dict[str, Any]], parameters: NpuParameters, cycles: float | None, rule: str
) -> dict[str, list[float]]:
    """Mean events of an image of every part without an `activity` key, place by place.

    layers : of `summary.json`
    cycles : mean clock cycles of an image, if they are known
    rule : decision rule
    """
    found = []
    for shape, activity in zip(parameters.layers, layers, strict=True):
        runs = activity["neuron_updates"] / shape.outputs
        found.append(Layer(shape, activity, runs, runs * -(-shape.outputs // shape.lanes)))
    expected = {part: [count(layer) for layer in found] for part, count in _LAYERS.items()}
    p, steps, last = parameters, found[0].runs, found[-1].runs
    words = -(-p.inputs // p.encoder_lanes)
    vectors = steps + 1  # one has begun when the image is decided
    rate, even = Coding.RATE in p.codings, Coding.EVEN in p.codings
    word_bits = 8 * p.encoder_lanes
    score = max(p.count_bits + 1, p.layers[-1].membrane_bits)
    average, times = score + 1 + 4, max(1, (p.max_steps - 1).bit_length())
    stable = average + times * (average + times) + (average + times) if rule == "stable" else 0
    expected |= {
        "encoding": [vectors * words * (p.encoder_lanes * (rate * 9 + even * 18 + 1) + p.inputs.bit_length())],
        "decision": [last * (p.classes * (p.count_bits + score + score) + (score + 1) + (score + 1) + stable)],
        "spike counts": [last * p.classes * p.count_bits * 2],
        "pixels": [word_bits * (words + vectors * words + 2)],
        "error diffusion": [word_bits * ((words + 2) * (p.encoders == 2) + 2 * vectors * words)] if even else [],
        "pixels in": [word_bits * words],
    }
    return expected if cycles is None else expected | {"clock": [cycles * structure(parameters).flip_flops]}


def _neuron_bits(shape: LayerParameters) -> int:
    """Bias onto the sum, that onto the membrane, the threshold subtracted; leak and two comparisons with the clip where
    there are any.
    """
    current = max(shape.sum_bits, shape.bias_bits) + 1
    total = max(shape.membrane_bits, current + shape.phases - 1) + 1
    return current + sum([shape.leak]) * shape.membrane_bits + sum([True, True, shape.clip, shape.clip]) * total


def _cells(layer: Layer, kind: str, rows: int) -> float:
    """Cells along a wire of so many rows: two of each pair."""
    return layer.activity[kind] * rows * 2 * layer.shape.outputs / layer.shape.column_tiles


def _partial_sums(layer: Layer) -> float:
    adders = layer.shape.row_tiles - 1
    return layer.words * layer.shape.lanes * adders * (layer.shape.code_bits + adders.bit_length())


def _counters(layer: Layer) -> float:
    return layer.runs * 2 * ACTIVITY_BITS + layer.words * (3 * ACTIVITY_BITS + 2 * layer.shape.lanes)


_LAYERS: dict[str, Callable[[Layer], float]] = {
    "row wires": lambda a: _cells(a, "row_pulses", 1),
    "column wires": lambda a: _cells(a, "tile_reads", min(a.shape.tile_rows, a.shape.inputs)),
    "sample and hold": lambda a: 2 * a.activity["conversions"],
    "partial sums": _partial_sums,
    "neurons": lambda a: a.words * a.shape.lanes * _neuron_bits(a.shape),
    "activity counters": _counters,
    "membranes": lambda a: 2 * a.words * a.shape.lanes * a.shape.membrane_bits,
    "biases": lambda a: a.words * a.shape.lanes * a.shape.bias_bits,
    "row codes": lambda a: a.activity["row_pulses"] * a.shape.row_bits,
    "column codes": lambda a: a.activity["conversions"] * (a.shape.code_bits + 1),
    "spikes": lambda a: a.words * a.shape.lanes,
}
