"""What the emulator is loaded with; its arithmetic on these integers gives the reference's cells and weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.emulated_cells import EmulatedCells, emulated_cells, emulated_weights
from spikeloom.sim.programming.write_verify import program_chip
from tests.fixtures.emulated import EMULATED
from tests.fixtures.networks import random_chip

FAULTY = Device(**{**EMULATED, "device_sigma": 0.2, "stuck_on": 0.05, "stuck_off": 0.05})
VERIFY = Programming(method="write-verify", tries=12)


def chip_of(seed: int, device: Device = FAULTY, programming: Programming = VERIFY, **overrides: Any) -> ProgrammedChip:
    overrides = {"sizes": [13, 8, 5], "coding": Coding.EVEN, "row_bits": 1, "tile_rows": 5} | overrides
    return random_chip(np.random.default_rng(seed), device=device, programming=programming, **overrides)


def write_verified(cells: EmulatedCells, targets: np.ndarray, programming: Programming, top: int) -> np.ndarray:
    """G after write-verify of each cell in Python's integers, [2, inputs, outputs]."""
    numbers = cells.numbers.astype(object)
    smallest, largest = programming.amplitude_codes
    for place in np.ndindex(numbers.shape):
        number, factor, target = int(numbers[place]), int(cells.factors[place]), int(targets[place])
        for pulse in range(programming.tries + 1):
            distance = min(number + 64 >> 7, 1023) - target
            if abs(distance) <= programming.tolerance_code or pulse == programming.tries:
                break
            step = min(max(abs(distance), smallest), largest) * factor
            number = max(number - step, 0) if distance > 0 else min(number + step, top)
        numbers[place] = number
    return numbers


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(1, 6),
    sigma=st.sampled_from([0.0, 0.1, 0.6]),
    stuck=st.sampled_from([(0.0, 0.0), (0.1, 0.0), (0.05, 0.2)]),
    ends=st.sampled_from([(1e-6, 1e-5), (3.3e-7, 9.1e-6), (9.99e-6, 1e-5)]),
    tolerance=st.sampled_from([0.0, 0.25, 1.0]),
    amplitudes=st.sampled_from([(0.125, 0.25), (0.25, 1.0), (0.125, 31.875)]),
)
@pytest.mark.filterwarnings("ignore:.*usual values are")
def test_loaded_cells_programmed_in_integers_are_those_of_the_reference(
    seed: int,
    bits: int,
    sigma: float,
    stuck: tuple[float, float],
    ends: tuple[float, float],
    tolerance: float,
    amplitudes: tuple[float, float],
) -> None:
    device = Device(
        cell="emulated", bits=bits, device_sigma=sigma, stuck_on=stuck[0], stuck_off=stuck[1], g_min_S=ends[0],
        g_max_S=ends[1],
    )  # fmt: skip
    programming = Programming(
        method="write-verify", tries=9, tolerance=tolerance, amplitude_min=amplitudes[0], amplitude_max=amplitudes[1]
    )
    chip = chip_of(seed, device, programming, sizes=[seed % 11 + 1, seed % 7 + 1])
    (fresh,), (done,) = emulated_cells(chip), program_chip(chip).layers
    wanted = write_verified(fresh, done.wanted, programming, (device.levels - 1) * 1024)
    (after,) = emulated_cells(chip, [done.state])
    assert np.array_equal(after.numbers, wanted) and np.array_equal(after.factors, fresh.factors)
    assert np.array_equal(done.state.g_S, device.g_min_S + after.numbers * (device.step_S / 1024))
    (weights,) = emulated_weights(chip)
    assert np.array_equal(weights, after.weights)
    assert after.weights.dtype == after.numbers.dtype == np.int32 and after.factors.dtype == np.uint8


def test_fresh_cells_are_at_the_bottom_but_for_those_stuck_at_the_top() -> None:
    chip = chip_of(3, bits=4, sizes=[40, 30, 5])
    for cells, shape in zip(emulated_cells(chip), chip.parameters.layers, strict=True):
        assert cells.numbers.shape == cells.factors.shape == (2, shape.inputs, shape.outputs)
        on = cells.numbers > 0
        assert (cells.numbers[on] == 15 * 1024).all() and not cells.factors[on].any()
        assert 0 < on.sum() < (cells.factors == 0).sum() < cells.factors.size / 5
    first, second = emulated_cells(chip)
    assert first.factors[0, :30, :5].tolist() != second.factors[0].tolist()


@pytest.mark.parametrize("cell", ["linear", "emulated"])
def test_weights_of_a_frozen_chip_have_every_effect_in_them(cell: str) -> None:
    """As reads see them: steps of 2^-10 level of the difference, wires included."""
    effects = {"device_sigma": 0.2, "program_sigma": 0.03, "stuck_on": 0.05, "stuck_off": 0.05, "wire_ohm": 20.0}
    chip = chip_of(4, Device(cell=cell, **effects), Programming())
    arrays = build_arrays(chip)
    for weights, again, array in zip(emulated_weights(chip), emulated_weights(chip, arrays), arrays, strict=True):
        p, n = array.g_S / chip.device.step_S
        assert np.array_equal(weights, np.rint((p - n) * 1024)) and np.array_equal(weights, again)
        assert weights.dtype == np.int64
    ideal = emulated_weights(chip_of(4, Device(cell=cell), Programming()))
    assert all((a != b).mean() > 0.9 for a, b in zip(ideal, emulated_weights(chip), strict=True))
    assert np.array_equal(ideal[1], chip_of(4, Device(cell=cell), Programming()).layers[1].weights * 1024)


def test_noise_of_conversions_leaves_weights_and_cells_as_they_are() -> None:
    quiet, noisy = (chip_of(3, FAULTY.model_copy(update={"adc_sigma": sigma})) for sigma in (0.0, 0.5))
    for weights, others in zip(emulated_weights(quiet), emulated_weights(noisy), strict=True):
        assert np.array_equal(weights, others)
    for cells, other in zip(emulated_cells(quiet), emulated_cells(noisy), strict=True):
        assert np.array_equal(cells.numbers, other.numbers) and np.array_equal(cells.factors, other.factors)


def test_what_the_emulator_does_not_have_is_refused() -> None:
    chip = chip_of(5, programming=Programming())
    noisy = chip.with_device(Device(read_sigma=0.1))
    for asked in (emulated_weights, emulated_cells):
        with pytest.raises(
            ValueError,
            match=r"^The emulator's cells have no read noise: \[device\] read_sigma must be 0.0, not 0.1; the noise "
            r"that its reads can have is adc_sigma$",
        ):
            asked(noisy)
    drifting = chip.with_device(Device(cell="tantalum", g_min_S=1e-4, g_max_S=0.025))
    with pytest.raises(ValueError, match=r"^The emulator's cells do not drift, and those of \[device\] cell 'tantalum"):
        emulated_weights(drifting)
    with pytest.raises(
        ValueError, match=r"^The emulator can program cells that hold whole numbers, and those of .devi"
    ):
        emulated_cells(chip.with_device(Device()))
    with pytest.raises(ValueError, match=r"^Cells that the emulator programs do not have the effect of .* wire_ohm; "):
        emulated_cells(chip.with_device(FAULTY.model_copy(update={"wire_ohm": 5.0})))
    with pytest.raises(ValueError, match=r"^Array 0 was programmed for another seed: "):
        emulated_weights(chip, build_arrays(replace(chip, seed=chip.seed ^ 1)))
