"""Crossbar reads: exact sums on ideal cells, the plain twin, and the same bits in a batch and alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from spikeloom.hw.params.parameters import LayerParameters, Reset
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedLayer
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from tests.fixtures.networks import random_chip
from tests.models.plain import plain_codes


def layer_of(weights: np.ndarray, gain_shift: int = 0) -> ProgrammedLayer:
    return ProgrammedLayer(
        "dense", np.maximum(weights, 0).astype(np.uint8), np.maximum(-weights, 0).astype(np.uint8),
        np.zeros(weights.shape[1], np.int32), 1, 0, 0, 0, Reset.SUBTRACT, gain_shift, 1.0,
    )  # fmt: skip


def row_vectors(rng: np.random.Generator, array: CrossbarArray, batch: int) -> np.ndarray:
    """Spikes, 8-bit codes, silent vectors and silent tiles."""
    p = array.parameters
    codes = (rng.random((batch, p.inputs)) < rng.random((batch, 1))).astype(np.uint8)
    if p.row_bits == 8:
        codes[: batch // 3] *= 255
        codes[batch // 3 :] *= rng.integers(0, 256, codes[batch // 3 :].shape).astype(np.uint8)
    codes[0] = 0
    codes[1, : p.tile_rows] = 0
    return codes


@pytest.mark.parametrize("row_bits", [1, 8])
def test_ideal_cells_sum_exactly(row_bits: int) -> None:
    """Ideal cells, no clipping: the codes' sum is sum w s."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-15, 16, (100, 37))
    shape = LayerParameters(inputs=100, outputs=37, row_bits=row_bits, tile_rows=33, adc_bits=12)
    array = CrossbarArray(0, layer_of(weights), shape, Device(), 0)
    spikes = rng.integers(0, 2, (50, 100))
    codes, over = array.convert((spikes * (255 if row_bits == 8 else 1)).astype(np.uint8), np.arange(50), 1)
    assert codes.shape == (50, 4, 37)
    assert np.array_equal(codes.sum(axis=1), spikes @ weights)
    assert not over.any()


def test_ideal_analog_rows_round_half_to_even() -> None:
    """8-bit codes are fractions of 255; the gain shift divides; ties go to the even code."""
    weights = np.arange(-15, 16)[None, :]
    shape = LayerParameters(inputs=1, outputs=31, row_bits=8)
    for gain_shift in (0, 1, 2):
        array = CrossbarArray(0, layer_of(weights, gain_shift), shape, Device(), 0)
        for x in (0, 1, 51, 85, 127, 128, 255):
            codes, _ = array.convert_one(np.array([x], np.uint8), 0, 1)
            assert codes[0].tolist() == [round(x * int(w) / 255 / 2**gain_shift) for w in weights[0]]


def test_sense_amplifier_and_clipping() -> None:
    weights = np.array([[15, -15, 0, 1]])
    array = CrossbarArray(0, layer_of(weights), LayerParameters(inputs=1, outputs=4, lanes=1, adc_bits=1), Device(), 0)
    codes, over = array.convert_one(np.ones(1, np.uint8), 0, 1)
    assert codes.tolist() == [[1, -1, 0, 1]] and over.tolist() == [[True, True, False, False]]
    array = CrossbarArray(0, layer_of(weights), LayerParameters(inputs=1, outputs=4, lanes=1, adc_bits=4), Device(), 0)
    codes, over = array.convert_one(np.ones(1, np.uint8), 0, 1)
    assert codes.tolist() == [[7, -8, 0, 1]] and over.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("seed", range(12))
def test_against_plain_integers_and_one_by_one(seed: int) -> None:
    """Every device effect: batch == plain twin == one by one, in any order and any company."""
    rng = np.random.default_rng(seed)
    chip = random_chip(rng, depth=2, phases=1)
    arrays = build_arrays(chip)
    for array, layer in zip(arrays, chip.layers, strict=True):
        rows = row_vectors(rng, array, 9)
        ids = rng.integers(0, 1 << 32, 9)
        codes, over = array.convert(rows, ids, 5)
        for b in (0, 1, 4, 8):
            expected = plain_codes(array, layer.gain_shift, rows[b].tolist(), int(ids[b]), 5)
            assert codes[b].tolist() == expected[0] and over[b].tolist() == expected[1]
        for b in rng.permutation(9):
            one = array.convert_one(rows[b], int(ids[b]), 5)
            assert np.array_equal(one[0], codes[b]) and np.array_equal(one[1], over[b])
        part = rng.permutation(9)[:4]
        again = array.convert(rows[part], ids[part], 5)
        assert np.array_equal(again[0], codes[part]) and np.array_equal(again[1], over[part])


def test_kept_sums_follow_the_rows_and_the_noise_the_step() -> None:
    """The same rows again give other noise in another step or image, and the same bits at the same address."""
    rng = np.random.default_rng(2)
    chip = random_chip(rng, sizes=[60, 40], device=Device(read_sigma=0.2), adc_bits=9, row_bits=8, gain_shift=0)
    (array,) = build_arrays(chip)
    a, b = rng.integers(0, 256, (2, 60)).astype(np.uint8)
    first = array.convert_one(a, 1, 1)[0]
    assert not np.array_equal(array.convert_one(a, 1, 2)[0], first)
    assert not np.array_equal(array.convert_one(a, 2, 1)[0], first)
    array.convert_one(b, 1, 1)
    assert np.array_equal(array.convert_one(a, 1, 1)[0], first)


def test_noise_has_the_size_of_independent_cells() -> None:
    """Variance of a column: sigma^2 * sum (Gp^2 + Gn^2), in units of dG^2."""
    weights = np.random.default_rng(0).integers(-15, 16, (50, 40))
    shape = LayerParameters(inputs=50, outputs=40, adc_bits=16)
    device = Device(read_sigma=0.3)
    array = CrossbarArray(0, layer_of(weights), shape, device, 3)
    codes, _ = array.convert(np.ones((4000, 50), np.uint8), np.arange(4000), 1)
    spread = codes[:, 0].astype(float).std(axis=0)
    g = array.g_S / device.step_S
    np.testing.assert_allclose(spread, 0.3 * np.sqrt((g**2).sum(axis=(0, 1))), rtol=0.06)
    np.testing.assert_allclose(codes[:, 0].mean(axis=0), weights.sum(axis=0), atol=3.0)
    assert abs(np.corrcoef(codes[:, 0, 0], codes[:, 0, 1])[0, 1]) < 0.06


@pytest.mark.parametrize("row_bits", [1, 8])
@pytest.mark.parametrize("bits", [1, 4, 6])
def test_noise_of_small_conductances_is_right(bits: int, row_bits: int) -> None:
    """Of columns of zeros too, whose cells are all at the lowest conductance, a fraction of a step."""
    weights = np.zeros((200, 6), int)
    weights[::7, 3:] = (1 << bits) - 1
    device = Device(bits=bits, g_min_S=1e-6, g_max_S=1e-6 + 3e-6 * ((1 << bits) - 1), read_sigma=0.1)
    array = CrossbarArray(
        0, layer_of(weights), LayerParameters(inputs=200, outputs=6, lanes=6, row_bits=row_bits), device, 0
    )
    p, n = array.g_S / device.step_S
    powers = (p**2 + n**2).sum(axis=0)
    found = array.noise_grid.sum(axis=0) * 2.0**-array.noise_bits
    np.testing.assert_allclose(found, powers, rtol=1e-3)
    assert powers[0] == pytest.approx(200 * 2 / 9) and 8 <= array.noise_bits <= 12


def test_noise_of_large_conductances_has_fraction_bits() -> None:
    """Cells of 1,000 steps, of which a step is little: as many bits as sums and cells leave room for, not none."""
    device = Device(bits=1, g_min_S=1e-5, g_max_S=1.001e-5, read_sigma=0.1)
    array = CrossbarArray(0, layer_of(np.eye(2, dtype=int)), LayerParameters(inputs=2, outputs=2, lanes=2), device, 0)
    p, n = array.g_S / device.step_S
    found = array.noise_grid * 2.0**-array.noise_bits
    np.testing.assert_allclose(found, p**2 + n**2, rtol=1e-6)
    assert array.noise_bits == 8  # (1,000^2 + 1,000^2) * 2^9 needs more than 29 bits


def test_counts() -> None:
    rng = np.random.default_rng(4)
    chip = random_chip(rng, sizes=[50, 30], row_bits=8, tile_rows=13, device_sigma=0.1)
    (array,) = build_arrays(chip)
    rows = row_vectors(rng, array, 8)
    products = array.products(rows)
    for b, codes in enumerate(rows):
        load = np.rint(array.g_S.sum(axis=0) / array.device.step_S * 1024).astype(np.int64).sum(axis=1)
        tiles = len({j // 13 for j in range(50) if codes[j]})
        expected = (int((codes > 0).sum()), tiles, int((codes.astype(np.int64) ** 2 * load).sum()))
        assert (products.rows[b], products.tiles[b], products.conductance[b]) == expected


def test_wide_sums_are_exact() -> None:
    """6-bit cells on 8-bit rows of one tall tile: sums beyond 32 bits."""
    rng = np.random.default_rng(6)
    weights = rng.choice([-63, 63], (2000, 3))
    shape = LayerParameters(inputs=2000, outputs=3, row_bits=8, tile_rows=2000, lanes=1, adc_bits=16)
    device = Device(bits=6, g_min_S=1e-6, g_max_S=1.2e-6, read_sigma=0.01)
    array = CrossbarArray(0, layer_of(weights, 3), shape, device, 0)
    rows = np.stack([np.full(2000, 255), rng.integers(0, 256, 2000)]).astype(np.uint8)
    codes, over = array.convert(rows, np.arange(2), 1)
    for b in range(2):
        expected = plain_codes(array, 3, rows[b].tolist(), b, 1)
        assert codes[b].tolist() == expected[0] and over[b].tolist() == expected[1]
        assert np.array_equal(array.convert_one(rows[b], b, 1)[0], codes[b])


def test_single_reads_are_fast() -> None:
    """A read of 784 x 1000, a fifth of the rows driven, noise on: tens of microseconds (the bound leaves much room)."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-15, 16, (784, 1000))
    array = CrossbarArray(
        0, layer_of(weights, 3), LayerParameters(inputs=784, outputs=1000), Device(read_sigma=0.05), 0
    )
    rows = (rng.random((100, 784)) < 0.2).astype(np.uint8)
    array.convert_one(rows[0], 0, 1)
    start = time.process_time()
    for index, codes in enumerate(rows):
        array.convert_one(codes, index, 1)
    assert (time.process_time() - start) / len(rows) < 300e-6


def test_conductances_too_near_for_exact_sums_are_refused() -> None:
    device = Device(bits=6, g_min_S=9.999e-6, g_max_S=1e-5, read_sigma=0.01)
    message = r"^Layer 0: g_min_S \(9.999e-06\) is so near g_max_S \(1e-05\) that cells, .* are not exact$"
    with pytest.raises(ValueError, match=message):
        CrossbarArray(0, layer_of(np.ones((3, 2), int)), LayerParameters(inputs=3, outputs=2, lanes=1), device, 1)
