"""What a source repeats for every lane is a loop in the text of every component, however wide the lanes are."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from spikeloom.hw.export.verilog import export_component
from spikeloom.hw.npu import Npu
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters, Reset
from tests.hw.test_npu import unit

LEAST = 3
DIFFERENT = {"draw"}
"""Signals that have a number and differ in more than that: every lane's taps of the random source."""

_NUMBERED = re.compile(r"^  (?:wire|reg) +(?:signed )?(?:\[\d+:0\] )?(\w+?)_(\d+)(?= *[;=])", re.M)


def chip(coding: tuple[Coding, ...], *, encoders: int = 2, sizes: tuple[int, ...] = (64, 40, 10)) -> NpuParameters:
    """A unit as wide as that of the digits, with neurons that subtract only, or with all features for all codings."""
    only: dict[str, Any] = {"leak": False, "clip": False, "resets": (Reset.SUBTRACT,)} if len(coding) == 1 else {}
    layers = tuple(
        LayerParameters(inputs=a, outputs=b, lanes=8, tile_rows=32, tile_columns=16, max_steps=20, **only)
        for a, b in pairwise(sizes)
    )
    return NpuParameters(layers=layers, encoder_lanes=16, max_steps=20, encoders=encoders, codings=coding)


UNITS = {
    "one coding": chip((Coding.EVEN,)),
    "one encoder": chip((Coding.EVEN,), encoders=1, sizes=(60, 10)),
    "all codings": chip(tuple(CODINGS.unit), sizes=(64, 10)),
}


@pytest.mark.parametrize("name", UNITS)
def test_lanes_are_loops(name: str) -> None:
    for file, text in export_component(Npu(parameters=UNITS[name]), "npu").items():
        found: dict[str, set[int]] = {}
        for base, number in _NUMBERED.findall(text):
            found.setdefault(base, set()).add(int(number))
        written_out = {base for base, numbers in found.items() if len(numbers) >= LEAST} - DIFFERENT
        assert not written_out, f"{file}: {written_out}"
        code = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("//")]
        keys = [re.sub(r"\d+", "#", line) for line in code]
        for number, key in enumerate(keys[: 1 - LEAST]):
            alike = keys[number : number + LEAST] == [key] * LEAST
            assert not (alike and "<=" in key and "for (" not in key), f"{file}: {code[number]}"


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("encoders", [1, 2])
def test_every_signal_has_a_name(phases: int, encoders: int) -> None:
    """Also those that are made side by side, or only with some parameters."""
    parameters = replace(unit(phases=phases), encoders=encoders)
    for file, text in export_component(Npu(parameters=parameters), "npu").items():
        assert not re.search(r"\b(?:wire|reg) +(?:\[\d+:0\] )?signal(?:_\d+)?;", text), file
