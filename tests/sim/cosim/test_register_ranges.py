"""Every register at the ends of its range: the largest value works in the reference and in the Verilog, one more is
refused, as is one less than the smallest.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.interfaces.registers import GLOBAL_REGISTERS, LAYER_REGISTERS
from spikeloom.hw.params.parameters import Coding, DecisionRule, LayerParameters, Readout, Reset
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.reference.run import run_reference
from tests.conftest import SIMULATORS
from tests.fixtures.networks import random_chip, random_pixels

TOP = 2**31 - 1
SIZES = (9, 6, 3)


def chip() -> ProgrammedChip:
    """A chip whose registers are as wide as a write, or wider signals are behind them."""
    rng = np.random.default_rng(3)
    small = random_chip(
        rng, sizes=list(SIZES), lanes=4, tile_rows=5, tile_columns=4, phases=2, max_steps=6, t_max=6, row_bits=1,
        coding=Coding.EVEN, rule=DecisionRule.WINNER_K, readout=Readout.MEMBRANE, output_reset=Reset.NONE,
        reset=Reset.SUBTRACT, skip=0, device_sigma=0.0, read_sigma=0.0, wire_ohm=0.0, clip=0, leak=0, adc_bits=9,
        encoder_lanes=4, decision_rules="all",
    )  # fmt: skip
    shapes = tuple(replace(p, max_theta=TOP, max_bias=TOP, max_gain_shift=15) for p in small.parameters.layers)
    return replace(small, parameters=replace(small.parameters, layers=shapes))


CHIP = chip()
PIXELS = random_pixels(np.random.default_rng(4), 6, SIZES[0])
P = CHIP.parameters
LAYER = P.layers[0]


def of_layers(**fields: Any) -> ProgrammedChip:
    return replace(CHIP, layers=tuple(replace(layer, **fields) for layer in CHIP.layers))


def biased(value: int) -> ProgrammedChip:
    return replace(
        CHIP, layers=tuple(replace(layer, bias=np.full(len(layer.bias), value, np.int64)) for layer in CHIP.layers)
    )


UNIT_RANGES: dict[str, tuple[int, int]] = {
    "k": (1, 2**32 - 1),
    "stable_theta": (1, 2**32 - 1),
    "t_max": (1, P.max_steps),
    "skip": (0, (CHIP.t_max - 1) // P.phases),
    "even_start": (0, 254),
}
LAYER_RANGES: dict[str, tuple[int, int]] = {
    "theta": (1, TOP),
    "v0": (-(2**31), TOP),
    "clip": (0, 2**32 - 1),
    "leak": (0, 15),
    "gain_shift": (0, 15),
}
CHOICES = {"coding", "rule", "readout", "reset", "clear_flags"}
"""Registers that name one of a few things, which types hold."""


def test_every_register_has_its_range_here() -> None:
    names = {"gain": "gain_shift"}
    declared = {names.get(r.name, r.name) for r in (*GLOBAL_REGISTERS, *LAYER_REGISTERS)}
    assert declared == {*UNIT_RANGES, *LAYER_RANGES, *CHOICES}


def test_no_register_is_wider_than_a_write() -> None:
    assert P.margin_bits > 33 and LAYER.membrane_bits > 33 and LAYER.v0_bits > 32
    for parameters, registers in ((P, GLOBAL_REGISTERS), (LAYER, LAYER_REGISTERS)):
        for register in registers:
            low, high = register.range(parameters)
            assert register.width(parameters) <= 32 and -(2**31) <= low <= high < 2**32, register.name


def at_end(name: str, value: int) -> ProgrammedChip:
    return of_layers(**{name: value}) if name in LAYER_RANGES else replace(CHIP, **{name: value})


ENDS = [
    (name, end, step)
    for name, ends in {**UNIT_RANGES, **LAYER_RANGES}.items()
    for end, step in zip(ends, (-1, 1), strict=True)
]


@pytest.mark.parametrize(("name", "end", "step"), ENDS, ids=[f"{name}={end}" for name, end, _ in ENDS])
def test_one_past_the_end_is_refused(name: str, end: int, step: int) -> None:
    at_end(name, end)
    low, high = {**UNIT_RANGES, **LAYER_RANGES}[name]
    sentence = f"{name} must be in {low} .. {high}, not {end + step}"
    with pytest.raises(ValueError, match=re.escape(sentence) + "$"):
        at_end(name, end + step)


@pytest.mark.parametrize("value", [TOP + 1, -TOP - 1])
def test_a_bias_past_the_end_is_refused(value: int) -> None:
    biased(TOP if value > 0 else -TOP)
    with pytest.raises(ValueError, match=rf"largest bias must be in 0 \.\. {TOP}, not {TOP + 1}$"):
        biased(value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [("max_theta", TOP + 1, f"1 .. {TOP}"), ("max_bias", TOP + 1, f"0 .. {TOP}"), ("tile_rows", 65537, "1 .. 65536")],
)
def test_structure_that_no_register_could_hold_is_refused(name: str, value: int, allowed: str) -> None:
    values = {"inputs": 3, "outputs": 2, "lanes": 1}
    LayerParameters(**{**values, name: value - 1})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=re.escape(f"{name} must be in {allowed}, not {value}")):
        LayerParameters(**{**values, name: value})  # type: ignore[arg-type]


def agrees(programmed: ProgrammedChip, simulator: str = "verilator") -> None:
    run_reference(programmed, PIXELS, trace="full").compare(
        run_cosim(programmed, PIXELS, trace="full", simulator=simulator)
    )


def lively() -> dict[str, ProgrammedChip]:
    """All layers' and the unit's registers at one end each, where something still happens."""

    def ends(index: int, **others: Any) -> ProgrammedChip:
        layer = {name: ends[index] for name, ends in LAYER_RANGES.items() if name not in ("theta", "leak", "clip")}
        unit = {name: ends[index] for name, ends in UNIT_RANGES.items()}
        return replace(of_layers(**{**layer, "theta": 5, **others}), **unit)

    return {"top": ends(1), "bottom": ends(0), "top clip": ends(1, clip=2**32 - 1), "low theta": ends(0, theta=1)}


@pytest.mark.parametrize("name", ["top", "bottom"])
def test_all_at_their_ends_agree(name: str) -> None:
    agrees(lively()[name])


@pytest.mark.slow
@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(("name", "end"), [(name, end) for name, end, _ in ENDS])
def test_each_end_agrees(name: str, end: int, simulator: str) -> None:
    agrees(at_end(name, end), simulator)


@pytest.mark.slow
@pytest.mark.parametrize("programmed", [*lively().values(), biased(TOP), biased(-TOP)])
def test_ends_together_agree(programmed: ProgrammedChip) -> None:
    agrees(programmed)
