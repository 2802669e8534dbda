"""Emulated cells: pulses and verify reads in integers, conductances on their grid, and what they do not have."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeloom
from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.conductance import ideal_conductance
from spikeloom.sim.devices.integer_cells import cell_grid, code_of, factor_of, grid_numbers, pulse_on_grid
from spikeloom.sim.programming.cells import CellModel, CellState
from spikeloom.sw.common.errors import ConfigError
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip

RANGES = [(1e-6, 1e-5), (3.3e-7, 7.7e-5), (9.999e-6, 1e-5), (1e-4, 0.025)]
"""Lowest and highest conductance, siemens."""


def emulated(**values: Any) -> Device:
    return Device(**{**EMULATED, **values})


@settings(max_examples=200, deadline=None)
@given(
    bits=st.integers(1, 6),
    ends=st.sampled_from(RANGES),
    place=st.floats(0.0, 1.0),
    up=st.booleans(),
    amplitude=st.integers(1, 255),
    factor=st.integers(0, 255),
)
def test_a_pulse_and_a_read_are_integers(
    bits: int, ends: tuple[float, float], place: float, up: bool, amplitude: int, factor: int
) -> None:
    device = emulated(bits=bits, g_min_S=ends[0], g_max_S=ends[1])
    grid, top = cell_grid(device), ((1 << bits) - 1) * 1024
    assert grid.top == top
    number = round(place * top)
    g_S = grid.low_S + number * grid.unit_S
    assert code_of(g_S, grid) == min(number + 64 >> 7, 1023)
    moved = min(number + amplitude * factor, top) if up else max(number - amplitude * factor, 0)
    assert grid_numbers(np.array(pulse_on_grid(g_S, up, amplitude, factor, grid)), grid) == moved


@pytest.mark.parametrize("ends", RANGES)
def test_every_number_is_a_conductance_and_levels_are_the_ideal_ones(ends: tuple[float, float]) -> None:
    device = emulated(bits=6, g_min_S=ends[0], g_max_S=ends[1])
    grid = cell_grid(device)
    numbers = np.arange(grid.top + 1)
    assert np.array_equal(grid_numbers(grid.low_S + numbers * grid.unit_S, grid), numbers)
    levels = np.arange(64, dtype=np.uint8)
    assert np.array_equal(grid.low_S + levels.astype(int) * 1024 * grid.unit_S, ideal_conductance(device, levels))


def test_beside_the_grid_cells_are_the_nearest_on_it() -> None:
    device = emulated(bits=2, g_min_S=2**-20, g_max_S=2**-18)
    grid = cell_grid(device)
    given = (1.0 + np.array([-300.0, -0.4, 0.6, 2000.4, 3072.7, 9999.0]) / 1024) * 2**-20
    assert grid_numbers(given, grid).tolist() == [0, 0, 1, 2000, 3072, 3072]
    assert [code_of(g, grid) for g in given] == [0, 0, 0, 16, 24, 24]


def test_codes_are_rounded_half_up_and_factors_half_to_even() -> None:
    grid = cell_grid(emulated(bits=3, g_min_S=2**-20, g_max_S=2**-17))
    codes = {number: code_of((1.0 + number / 1024) * 2**-20, grid) for number in (0, 63, 64, 191, 192, 7168)}
    assert codes == {0: 0, 63: 0, 64: 1, 191: 1, 192: 2, 7168: 56}
    spreads = {0.0: 0, 0.5 / 128: 0, 1.5 / 128: 2, 1.0: 128, 1.1: 141, 254.4 / 128: 254, 1.999: 255, 5.3: 255}
    assert {spread: factor_of(spread) for spread in spreads} == spreads


def test_pulses_go_by_the_cells_own_factor() -> None:
    """D of 8 bits: at 1.1 of a step the cell moves by 141 / 128 of the amplitude, and not at all at 0."""
    model = CellModel(emulated(device_sigma=0.3, stuck_on=0.1, stuck_off=0.1), 30, 20, 5, 0)
    factors, grid = model.factors(), model.grid
    assert grid is not None and factors.dtype == np.uint8 and len(np.unique(factors)) > 50
    state = model.fresh()
    before = grid_numbers(state.g_S, grid)
    assert set(np.unique(before)) == {0, grid.top} and not factors[before == grid.top].any()
    assert 0.15 < (factors == 0).mean() < 0.26
    for cell in np.ndindex(state.g_S.shape):
        model.pulse(state, *cell, True, 12)
        model.pulse(state, *cell, False, 5)
    moved = grid_numbers(state.g_S, grid)
    assert np.array_equal(moved, before + 7 * factors.astype(int))
    assert (state.pulses == 2).all()


def test_without_spread_all_factors_are_128() -> None:
    assert (CellModel(emulated(), 4, 9, 5, 0).factors() == 128).all()


def test_noise_that_is_set_all_the_same_does_nothing_to_pulses_and_verify_reads() -> None:
    """An unchecked device, as the accuracy breakdown makes them."""
    plain = emulated(device_sigma=0.2)
    ends = []
    for device in (plain, plain.model_copy(update={"read_sigma": 0.2, "pulse_sigma": 0.5, "soft_bounds": 0.5})):
        model = CellModel(device, 6, 5, 9, 1)
        state = CellState.at(np.full((2, 6, 5), 4e-6))
        codes = []
        for cell in np.ndindex(state.g_S.shape):
            model.pulse(state, *cell, True, 9)
            codes.append(model.verify(state, *cell))
        ends.append((state.g_S.tolist(), codes))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("wire_ohm", [0.0, 5.0])
def test_programmed_directly_they_are_linear_cells(wire_ohm: float) -> None:
    effects = {"device_sigma": 0.2, "program_sigma": 0.02, "stuck_on": 0.05, "stuck_off": 0.05, "wire_ohm": wire_ohm}
    linear = Device(**effects)
    chip = random_chip(np.random.default_rng(2), sizes=[9, 7, 4], coding=Coding.EVEN, row_bits=1, device=linear)
    same = chip.with_device(emulated(**effects))
    for ours, theirs in zip(build_arrays(same), build_arrays(chip), strict=True):
        assert np.array_equal(ours.g_S, theirs.g_S) and np.array_equal(ours.current_grid, theirs.current_grid)


PULSES = {"programming": {"method": "write-verify"}}


@pytest.mark.parametrize(
    ("device", "others", "sentence"),
    [
        (
            {"read_sigma": 0.1},
            {},
            "[device] read_sigma must be 0.0 with cell 'emulated', whose reads have no other noise "
            "than adc_sigma, not 0.1",
        ),
        (
            {"pulse_sigma": 0.1},
            PULSES,
            "[device] pulse_sigma must be 0.0 with cell 'emulated', whose pulses have no noise, not 0.1",
        ),
        *(
            (
                {name: 0.5},
                PULSES,
                f"[device] {name} must be {default} with cell 'emulated', whose steps are the same up and down, "
                "anywhere, not 0.5; leave",
            )
            for name, default in (("pulse_up", 1.0), ("pulse_down", 1.0), ("soft_bounds", 0.0))
        ),
        (
            {"drift_every": 2},
            {},
            "[device] drift_every must be 1 with cell 'emulated', which does not drift, not 2",
        ),
        (
            {"wire_ohm": 5.0},
            PULSES,
            "[device] wire_ohm must be 0.0 with cell 'emulated' and with [programming] method 'write-verify', whose "
            "weights are differences of two cells, without wires, not 5.0; leave wire_ohm out, set cell 'linear' or "
            "'tantalum' or set [programming] method 'direct'",
        ),
        (
            {"g_min_S": 9.9999999999e-6},
            {},
            "g_min_S (9.9999999999e-06) is too near g_max_S (1e-05) for cell 'emulated', whose g_max_S is at most 2^30 "
            "conductance steps; lower g_min_S",
        ),
    ],
)
def test_what_they_do_not_have_is_refused(device: dict[str, Any], others: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        spikeloom.Config.load({"device": {"cell": "emulated", **device}, **others})


def test_what_they_have_is_allowed() -> None:
    effects = {"device_sigma": 0.1, "stuck_on": 0.01, "stuck_off": 0.01}
    spikeloom.Config.load({"device": {"cell": "emulated", **effects}, **PULSES})
    spikeloom.Config.load({"device": {"cell": "emulated", "wire_ohm": 5.0, **effects}})


def test_a_chip_of_pulsed_cells_with_wires_is_refused() -> None:
    device = emulated(wire_ohm=5.0)
    chip = random_chip(np.random.default_rng(2), sizes=[9, 4], coding=Coding.EVEN, row_bits=1, device=device)
    sentence = (
        "^wire_ohm must be 0.0 with cell 'emulated' and programming method 'write-verify', whose weights are "
        "differences of two cells, without wires, not 5.0; leave it out, or set method 'direct'$"
    )
    with pytest.raises(ValueError, match=sentence):
        replace(chip, programming=Programming(method="write-verify"))
