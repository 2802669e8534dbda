"""Every device effect: its size, its order, its limits."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.devices.conductance import Cells, effective_conductance, effects, ideal_conductance
from spikeloom.sim.devices.effects import DeviceVariation, ProgrammingError, StuckCells
from spikeloom.sim.devices.ir_drop import IrDrop

SHAPE = (2, 300, 200)
PARAMETERS = LayerParameters(inputs=300, outputs=200, tile_rows=64, tile_columns=32)
CELLS = Cells(seed=1, layer=0)


def levels(seed: int = 0, top: int = 15) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top + 1, SHAPE).astype(np.uint8)


def test_ideal_levels() -> None:
    device = Device(bits=2, g_min_S=1e-6, g_max_S=1e-5)
    np.testing.assert_allclose(ideal_conductance(device, np.arange(4, dtype=np.uint8)), [1e-6, 4e-6, 7e-6, 1e-5])


def test_nothing_switched_on_is_ideal() -> None:
    device = Device()
    assert effects(device, PARAMETERS) == ()
    q = levels()
    assert np.array_equal(effective_conductance(device, q, PARAMETERS, 0, 0), ideal_conductance(device, q))


def test_variation_is_relative_and_fixed() -> None:
    g_S = np.full(SHAPE, 4e-6)
    out = DeviceVariation(0.1).apply(g_S, CELLS)
    assert out.std() == pytest.approx(4e-7, rel=0.02)
    assert out.mean() == pytest.approx(4e-6, rel=0.005)
    np.testing.assert_allclose(DeviceVariation(0.1).apply(2 * g_S, Cells(1, 0, programming=5)), 2 * out)


def test_variation_never_makes_a_conductance_negative() -> None:
    out = DeviceVariation(1.0).apply(np.full(SHAPE, 4e-6), CELLS)
    assert out.min() == 0.0


def test_programming_error_is_absolute_and_new_at_each_programming() -> None:
    g_S = ideal_conductance(Device(), levels())
    effect = ProgrammingError(0.01, 9e-6)
    first, second = effect.apply(g_S, CELLS), effect.apply(g_S, Cells(1, 0, programming=1))
    for part in (first - g_S, second - g_S):
        assert part.std() == pytest.approx(9e-8, rel=0.02)
    assert abs(np.corrcoef((first - g_S).ravel(), (second - g_S).ravel())[0, 1]) < 0.02
    assert ProgrammingError(1.0, 9e-6).apply(g_S, CELLS).min() == 0.0


def test_stuck_cells() -> None:
    g_S = np.full(SHAPE, 4e-6)
    out = StuckCells(0.1, 0.2, 1e-6, 1e-5).apply(g_S, CELLS)
    assert np.mean(out == 1e-5) == pytest.approx(0.1, abs=0.005)
    assert np.mean(out == 1e-6) == pytest.approx(0.2, abs=0.005)
    assert np.mean(out == 4e-6) == pytest.approx(0.7, abs=0.005)
    assert np.all(StuckCells(1.0, 0.0, 1e-6, 1e-5).apply(g_S, CELLS) == 1e-5)
    assert np.all(StuckCells(0.0, 1.0, 1e-6, 1e-5).apply(g_S, CELLS) == 1e-6)


def test_more_stuck_cells_contain_the_fewer() -> None:
    """The same chip with a larger share keeps the cells that were stuck: sweeps are monotone."""
    g_S = np.full(SHAPE, 4e-6)
    few, many = (StuckCells(share, 0.0, 1e-6, 1e-5).apply(g_S, CELLS) == 1e-5 for share in (0.02, 0.2))
    assert np.all(many[few])


def test_order_of_effects() -> None:
    device = Device(device_sigma=0.1, program_sigma=0.01, stuck_on=0.01, stuck_off=0.01, wire_ohm=1.0)
    chain = effects(device, PARAMETERS)
    assert [type(effect) for effect in chain] == [DeviceVariation, ProgrammingError, StuckCells, IrDrop]
    # A stuck cell is exactly at its limit in spite of variation, and programming error is not scaled by variation.
    q = levels()
    out = effective_conductance(device.model_copy(update={"wire_ohm": 0.0}), q, PARAMETERS, 1, 0)
    assert np.mean(out == device.g_max_S) == pytest.approx(0.01, abs=0.002)
    varied = DeviceVariation(0.1).apply(ideal_conductance(device, q), CELLS)
    expected = ProgrammingError(0.01, 9e-6).apply(varied, CELLS)
    free = (out != device.g_max_S) & (out != device.g_min_S)
    assert np.array_equal(out[free], expected[free])


def test_sides_layers_and_seeds_draw_apart() -> None:
    g_S = np.full(SHAPE, 4e-6)
    draws = [DeviceVariation(0.1).apply(g_S, Cells(seed, layer)) for seed in (0, 1) for layer in (0, 1)]
    flat = np.array([side.ravel() for draw in draws for side in draw])
    correlation = np.corrcoef(flat) - np.eye(len(flat))
    assert np.abs(correlation).max() < 0.02
