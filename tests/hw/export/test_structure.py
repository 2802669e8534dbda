"""Flip-flops and memories that are counted in an elaborated unit, against Yosys."""

from __future__ import annotations

import pytest

from spikeloom.hw.export.structure import structure
from spikeloom.hw.export.synthesis import cell_counts, total_counts
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.parameters import NpuParameters
from tests.sim.estimates.test_energy import conv_parameters, dense_parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [dense_parameters((20, 6), 4), dense_parameters((64, 128, 64, 10), 8), conv_parameters()[0]],
    ids=["one layer", "digits", "convolutions"],
)
def test_bits_are_those_of_synthesis(parameters: NpuParameters) -> None:
    """Memories to the bit. In the exported text the read registers of memories are flip-flops, and what nothing reads
    is taken away: at most one bit in a hundred.
    """
    found, counted = structure(parameters), total_counts(cell_counts(export_verilog(parameters)))
    assert sum(memory.bits for memory in found.memories) == counted["memory"]
    flip_flops = sum(bits for kind, bits in counted.items() if "ff" in kind)
    bits = found.flip_flops + sum(memory.read_bits for memory in found.memories)
    assert flip_flops <= bits <= 1.01 * flip_flops


def test_a_structure_is_made_once() -> None:
    assert structure(dense_parameters((20, 6), 4)) is structure(dense_parameters((20, 6), 4))
