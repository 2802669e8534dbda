"""Flip-flops and memories that are counted in an elaborated unit, against Yosys."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.export.structure import structure, structure_of
from spikeloom.hw.export.synthesis import cell_counts, total_counts
from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
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


def test_the_page_on_codings_has_the_encoders_as_they_are() -> None:
    """Flip-flops and bits of memory of both encoders, by codings."""
    page = (Path(__file__).parents[3] / "docs" / "software.md").read_text(encoding="utf-8")
    rows = page.partition("<!-- encoders: begin -->\n")[2].partition("<!-- encoders: end -->")[0].splitlines()[2:]
    each = {"phase": Coding.PHASE, "rate": Coding.RATE, "even": Coding.EVEN, "analog": Coding.ANALOG}
    named = {"all": tuple(each.values()), **{name: (coding,) for name, coding in each.items()}}
    found = []
    for name, codings in named.items():
        layer = LayerParameters(
            inputs=784, outputs=10, lanes=2, max_gain_shift=3, max_theta=31, max_bias=63, max_steps=20,
            row_bits=8 if name == "analog" else 1,
        )  # fmt: skip
        row = name
        for number, encoder in ((2, EncoderPair), (1, SingleEncoder)):
            parameters = NpuParameters(
                layers=(layer,), max_steps=20, encoder_lanes=16, codings=codings, encoders=number
            )
            counted = structure_of(encoder(parameters=parameters))
            row += f" | {counted.flip_flops:,} | {sum(memory.bits for memory in counted.memories):,}"
        found.append(f"| {row} |")
    assert rows == found
