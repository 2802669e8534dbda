# amaranth: UnusedElaboratable=no
"""What the exported text says above ports is what the docstrings say of members, also of those inside signatures."""

from __future__ import annotations

import re

from amaranth.lib.wiring import Component

from spikeloom.hw.encoder.encoder_pair import EncoderPair
from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.layer.programmer import Programmer
from tests.hw.test_npu import unit


def said_above(component: Component) -> dict[str, str]:
    """Port -> the comment above it, on one line; "" without one."""
    text = export_component(component, "unit")["unit.sv"]
    ports = re.findall(r"((?:^ +//.*\n)*)^ +(?:input|output) .*?(\w+),?\n", text, re.M)
    return {port: " ".join(line.strip(" /") for line in lines.splitlines()) for lines, port in ports}


def test_members_of_signatures_are_described_in_both_directions() -> None:
    """The programmer's host and settings are `In`, which flips the signature; its crossbar port is `Out`."""
    said = said_above(Programmer(parameters=unit().layers[0]))
    assert said["host__target_write__index"].startswith("target_write: write port of the buffer of targets")
    assert said["host__target_write__value"] == "", "said above the index"
    assert "includes a cell from two cycles after its result is stored" in said["host__pulses"]
    assert said["host__clear_counts"].startswith("clear_counts: start over with what is stored in this cycle")
    assert said["settings__window"].startswith("window: tolerance, ")
    assert said["settings__tries"] == "tries: most pulses a cell gets; 0 only reads"
    assert said["xbar__program_side"].startswith("program_side: 0 the cell of the positive array")
    described = [port for port, text in said.items() if text and port.startswith(("host__", "settings__"))]
    told_before = {"target_write__value", "target_write__enable", "verify_reads", "failed_cells"}
    assert len(described) == 13 + 4 - len(told_before) - 1, "all but those, and amplitude_max"


def test_a_seed_is_spoken_of_at_its_own_port_only() -> None:
    """Most units have the port `tag` without the port `seed`."""
    said = said_above(EncoderPair(parameters=unit()))
    assert said["seed"] == "sampled with an image's first word; see SpikeEncoder; only with RATE"
    assert said["tag"] == "sampled with an image's first word"
