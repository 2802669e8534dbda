"""Reads with noise of the conversions: the plain integers, the same bits in a batch and alone, size and limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.adc_noise import amplitude, realised_sigma
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.common.random_words import Purpose, key
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.crossbar.conversion_noise import conversion_noise
from tests.fixtures.networks import random_chip
from tests.models.plain import plain_codes
from tests.sim.crossbar.test_array import layer_of, row_vectors

pytestmark = pytest.mark.filterwarnings("ignore:.*adc_sigma is ")
"""More than is usual, up to the most that there can be."""


def agrees(array: CrossbarArray, rng: np.random.Generator, images: int = 6) -> np.ndarray:
    """Codes of reads with random rows, after they were compared with the plain integers, and alone with the batch."""
    rows = row_vectors(rng, array, images)
    ids = rng.integers(0, 1 << 32, images)
    ids[-1] = 0xFFFFFFFF
    codes, over = array.convert(rows, ids, 9)
    for b in range(images):
        expected = plain_codes(array, array.gain_shift, rows[b].tolist(), int(ids[b]), 9)
        assert (codes[b].tolist(), over[b].tolist()) == expected
        for _ in range(2):  # the second has its sums already
            one, one_over = array.convert_one(rows[b], int(ids[b]), 9)
            assert np.array_equal(one, codes[b]) and np.array_equal(one_over, over[b])
    return codes


@pytest.mark.parametrize("read_sigma", [0.0, 0.1])
@pytest.mark.parametrize("adc_sigma", [0.0127, 0.5, 16.0])
@pytest.mark.parametrize(
    "shape", [{"adc_bits": 1}, {"adc_bits": 4}, {"adc_bits": 8, "row_bits": 8}, {"adc_bits": 16, "row_bits": 8}]
)
def test_codes_are_those_of_the_plain_integers(shape: dict[str, Any], adc_sigma: float, read_sigma: float) -> None:
    rng = np.random.default_rng(int(adc_sigma * 100) + shape["adc_bits"])
    weights = rng.integers(-15, 16, (23, 13))
    device = Device(adc_sigma=adc_sigma, read_sigma=read_sigma, device_sigma=0.1)
    for gain_shift, lanes in ((0, 4), (3, 13), (15, 5)):
        parameters = LayerParameters(inputs=23, outputs=13, tile_rows=9, lanes=lanes, max_gain_shift=15, **shape)
        agrees(CrossbarArray(2, layer_of(weights, gain_shift), parameters, device, 5), rng)


@pytest.mark.parametrize("cell", ["linear", "emulated", "tantalum"])
@pytest.mark.parametrize("method", ["direct", "write-verify"])
def test_every_kind_of_cells(cell: str, method: str) -> None:
    """Drifted cells, too: what a conversion adds does not depend on them."""
    rng = np.random.default_rng(4)
    range_S = {"g_min_S": 1e-4, "g_max_S": 0.025, "acceleration": 1e9} if cell == "tantalum" else {}
    device = Device(cell=cell, adc_sigma=0.7, device_sigma=0.1, **range_S)
    programming = Programming(method=method, tries=8)
    chip = random_chip(rng, sizes=[11, 9], device=device, programming=programming, row_bits=1, tile_rows=6)
    (array,) = build_arrays(chip)
    agrees(array, rng)
    if cell == "tantalum":
        before = array.current_grid
        array.age(np.full(11, 10**6, np.int64))
        assert not np.array_equal(array.current_grid, before)
        agrees(array, rng)


def test_ties_go_to_the_even_code() -> None:
    """Currents and noise of 1024ths of a code that meet half a code: sums of both decide, not each of them rounded."""
    weights = np.array([[1, 2, 3, -1, -2, -3]])
    parameters = LayerParameters(inputs=1, outputs=6, lanes=6, max_gain_shift=7)
    device = Device(adc_sigma=realised_sigma(512))  # half a code per unit of t
    assert amplitude(device.adc_sigma) == 512
    ties = 0
    for gain_shift in (0, 1, 2):
        array = CrossbarArray(0, layer_of(weights, gain_shift), parameters, device, 3)
        for read in range(1, 30):
            (t,) = conversion_noise(key(3, Purpose.CONVERT, 0), 8, read, 1, 1, 6).tolist()
            codes, _ = array.convert_one(np.ones(1, np.uint8), 8, read)
            exact = [w / 2**gain_shift + noise / 2 for w, noise in zip(weights[0].tolist(), t, strict=True)]
            assert codes[0].tolist() == [round(x) for x in exact]
            ties += sum(x % 1 == 0.5 for x in exact)
    assert ties > 100


@pytest.mark.parametrize(("row_bits", "gain_shift"), [(1, 0), (8, 2)])
def test_noise_has_the_size_that_was_asked_for(row_bits: int, gain_shift: int) -> None:
    """In codes, at any gain and any rows, without a shift of the mean; the 1/12 is that of rounding."""
    weights = np.tile([[3], [-7]], 64)
    parameters = LayerParameters(inputs=2, outputs=64, row_bits=row_bits, max_gain_shift=7)
    device = Device(adc_sigma=1.5)
    array = CrossbarArray(0, layer_of(weights, gain_shift), parameters, device, 0)
    rows = np.array([[255 if row_bits == 8 else 1, 0]] * 500, np.uint8)
    codes, _ = array.convert(rows, np.arange(500), 1)
    assert abs(codes.mean() - 3 / 2**gain_shift) < 5 * 1.53 / math.sqrt(codes.size)
    assert codes.std() == pytest.approx(math.sqrt(1.5**2 + 1 / 12), rel=0.02)


def test_silent_tiles_have_no_noise_and_every_position_its_own() -> None:
    parameters = LayerParameters(inputs=4, outputs=3, lanes=2, tile_rows=2, positions=2)
    array = CrossbarArray(0, layer_of(np.ones((4, 3), np.int64)), parameters, Device(adc_sigma=4.0), 0)
    rows = np.array([[0, 0, 0, 0], [1, 1, 0, 0]], np.uint8)
    codes, over = array.convert(rows, np.arange(2), 3)
    assert not codes[0].any() and not over.any() and not codes[1, 1].any() and codes[1, 0].any()
    several = {tuple(array.convert_one(rows[1], 1, read)[0][0].tolist()) for read in range(20)}
    assert len(several) > 10


def test_without_the_option_nothing_is_drawn() -> None:
    rng = np.random.default_rng(0)
    chip = random_chip(rng, sizes=[20, 9], device=Device(read_sigma=0.1), row_bits=1, programming=Programming())
    noisy, quiet = (build_arrays(chip.with_device(Device(read_sigma=0.1, adc_sigma=a)))[0] for a in (0.5, 0.0))
    (plain,) = build_arrays(chip)
    rows = row_vectors(rng, plain, 40)
    codes = [array.convert(rows, np.arange(40), 1)[0] for array in (plain, quiet, noisy)]
    assert np.array_equal(codes[0], codes[1]) and not np.array_equal(codes[0], codes[2])


@pytest.mark.parametrize(
    "sizes",
    [
        {"inputs": 4097, "outputs": 1, "lanes": 1, "tile_rows": 1},
        {"inputs": 1, "outputs": 1025, "lanes": 1},
        {"inputs": 1, "outputs": 1025, "lanes": 1025},
    ],
)
def test_layers_without_an_address_for_every_conversion_are_refused(sizes: dict[str, int]) -> None:
    weights = np.ones((sizes["inputs"], sizes["outputs"]), np.int64)
    parameters = LayerParameters(**sizes)
    CrossbarArray(1, layer_of(weights), parameters, Device(), 0)
    with pytest.raises(
        ValueError, match=r"^Layer 1 has .* and with \[device\] adc_sigma above 0 at most 4096, 1024 and"
    ):
        CrossbarArray(1, layer_of(weights), parameters, Device(adc_sigma=0.5), 0)


def test_sums_that_would_not_be_exact_with_noise_are_refused() -> None:
    """Cells of 2^28 steps, as many as fit 2^53 exactly; the noise at gain shift 15 comes on top."""
    weights = np.array([[1]])
    parameters = LayerParameters(inputs=1, outputs=1, lanes=1, row_bits=8, max_gain_shift=15)
    array = CrossbarArray(0, layer_of(weights, 15), parameters, Device(adc_sigma=16.0), 0)
    assert array.convert_one(np.full(1, 255, np.uint8), 0, 1)[0].shape == (1, 1)
    from spikeloom.sim.crossbar.grids import Grids, currents

    values = np.full((1, 1), float((1 << 28) - 1))
    assert Grids(0, parameters, Device(), None, 0).narrow(values, 1 << 24, currents)[1] is np.int64
    with pytest.raises(ValueError, match=r"^Layer 0: g_min_S .* column sums, counted in conductance steps, are not"):
        Grids(0, parameters, Device(), None, 1 << 30).narrow(values, 1 << 25, currents)


@pytest.mark.parametrize("sigma", [0.001, 0.0126])
def test_noise_below_its_step_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"adc_sigma must be 0\.0 \(no noise\) or at least 0\.0127 codes, the step in"):
        Device(adc_sigma=sigma)
    assert not Device().reads_noisy and Device(adc_sigma=0.5).reads_noisy and Device(read_sigma=0.1).reads_noisy
