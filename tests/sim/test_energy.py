"""Energy against sums over cells and events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.geometry import CrossbarStage, MapShape, Plan, Window
from hw.params import Coding, Rule
from sim.config import Device, Energy
from sim.crossbar import build_arrays
from sim.energy import energy
from sim.reference import run_reference
from tests.sim.networks import random_chip, random_pixels


@pytest.mark.parametrize("coding", [Coding.EVEN, Coding.ANALOG])
@pytest.mark.parametrize(("pulse", "settle"), [(4, 2), (1, 3)])
def test_crossbar_energy_is_v_squared_g_t(coding: Coding, pulse: int, settle: int) -> None:
    """One layer, one step: every cell of a driven row takes (V x / full scale)^2 * G * t, where t is the time that the
    hardware drives the row.
    """
    rng = np.random.default_rng(0)
    device = Device(device_sigma=0.1, v_read_V=0.3)
    image = random_chip(
        rng, sizes=[30, 12], coding=coding, even_start=254, device=device, row_bits=8 if coding == Coding.ANALOG else 1,
        t_max=1, rule=Rule.FIXED, skip=0, phases=1, pulse_cycles=pulse, settle_cycles=settle, clock_Hz=2e8,
    )  # fmt: skip
    pixels = random_pixels(rng, 6, 30)
    arrays = build_arrays(image)
    joules = energy(image, run_reference(image, pixels, arrays=arrays))["crossbar"]
    rows = pixels / 255.0 if coding == Coding.ANALOG else (pixels > 0).astype(float)
    expected = ((0.3 * rows) ** 2 @ arrays[0].g_S.sum(axis=(0, 2))) * max(pulse, settle) / 2e8
    np.testing.assert_allclose(joules, expected, rtol=1e-3)


def test_periphery_counts_events() -> None:
    rng = np.random.default_rng(1)
    coefficients = Energy(
        adc_J_per_conversion=1e-12, dac_J_per_pulse=2e-15, dac8_J_per_pulse=3e-13, neuron_J_per_update=5e-14,
        control_J_per_cycle=7e-13,
    )  # fmt: skip
    image = random_chip(
        rng, sizes=[30, 12, 5], row_bits=8, coding=Coding.ANALOG, energy=coefficients, t_max=6, max_steps=6, phases=2,
        skip=1, rule=Rule.FIXED, adc_bits=6,
    )  # fmt: skip
    result = run_reference(image, random_pixels(rng, 4, 30))
    joules = energy(image, result)
    activity = result.activity
    np.testing.assert_allclose(joules["adc"], activity["adc_conversions"].sum(axis=1) * 1e-12 / 4)
    np.testing.assert_allclose(
        joules["dac"], activity["row_pulses"][:, 0] * 3e-13 + activity["row_pulses"][:, 1] * 2e-15
    )
    np.testing.assert_allclose(joules["digital"], (6 * 12 + 4 * 5) * 5e-14)
    cycles = np.array([10, 20, 30, 40])
    with_cycles = energy(image, replace(result, cycles=cycles))
    np.testing.assert_allclose(with_cycles["digital"], joules["digital"] + cycles * 7e-13)
    assert all(value.shape == (4,) and value.dtype == np.float64 for value in joules.values())


def test_another_networks_result_is_refused() -> None:
    rng = np.random.default_rng(1)
    one, two = random_chip(rng, sizes=[9, 5]), random_chip(rng, sizes=[9, 5, 3])
    result = run_reference(one, random_pixels(rng, 2, 9))
    with pytest.raises(ValueError, match=r"^The result has 1 layers, but the chip image has 2$"):
        energy(two, result)


def test_neurons_work_at_every_position() -> None:
    """2 channels at 4 x 3 positions in every step, and the classes."""
    stages = (
        CrossbarStage(layer=0, windows=(Window(source=0, kernel=(2, 2)),)),
        CrossbarStage(layer=1, windows=(Window(source=1, kernel=(4, 3)),)),
    )
    plan = Plan(image=MapShape(channels=1, height=5, width=4), stages=stages, channels=(2, 5))
    image = random_chip(
        np.random.default_rng(1), plan=plan, energy=Energy(neuron_J_per_update=5e-14), coding=Coding.EVEN, row_bits=1,
        t_max=6, max_steps=6, phases=2, skip=1, rule=Rule.FIXED,
    )  # fmt: skip
    joules = energy(image, run_reference(image, np.zeros((1, 20), np.uint8)))
    np.testing.assert_allclose(joules["digital"], (6 * 2 * 12 + 4 * 5) * 5e-14)
