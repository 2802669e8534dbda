"""Units of any size, for the export. Imports nothing but `hw`, so that memory can be measured."""

from __future__ import annotations

import itertools

from spikeloom.hw.params.parameters import LayerParameters, NpuParameters

__all__ = ["sized_unit"]


def sized_unit(synapses: int, lanes: int = 16) -> NpuParameters:
    """A unit 784-n-30-10 of about so many synapses, with the example's tiles and converters."""
    hidden = round((synapses - 300) / (784 + 30))
    sizes = (784, hidden, 30, 10)
    layers = tuple(
        LayerParameters(
            inputs=a, outputs=b, lanes=min(lanes, b), max_gain_shift=3, max_theta=31, max_bias=63, max_steps=20
        )
        for a, b in itertools.pairwise(sizes)
    )
    return NpuParameters(layers=layers, max_steps=20, encoder_lanes=16)
