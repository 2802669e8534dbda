"""Clock cycles by formula, compared with the Verilog's counters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.networks import random_chip, random_pixels
from tests.fixtures.plans import random_plan

IMAGES = 20


# One step per image, several; waiting for pixels, and not; two encoders, one.
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 6, 7))])
def test_cycles_are_those_of_the_verilog(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chip = random_chip(rng, encoders=2 - seed % 2)
    pixels = random_pixels(rng, IMAGES, chip.parameters.inputs)
    ids = rng.integers(0, 1000, IMAGES)
    result = run_reference(chip, pixels, ids, trace="spikes")
    verilog = run_cosim(chip, pixels, ids, workers=1)
    assert verilog.cycles is not None
    found = timing(chip, pixels, result)
    assert found.cycles.tolist() == verilog.cycles.tolist()
    assert found.results[0] == verilog.cycles[0] and (np.diff(found.results) >= found.cycles[1:]).all()
    assert found.per_image == pytest.approx(found.results[-1] / IMAGES)
    for one in (0, 1, IMAGES - 1):  # a latency: of an image that has the unit for itself
        lone = run_cosim(chip, pixels[one : one + 1], ids[one : one + 1], workers=1)
        assert lone.cycles is not None and lone.cycles[0] == found.alone[one]
    assert found.alone[0] == found.cycles[0] and (found.alone >= found.cycles).all()
    assert chip.parameters.encoders == 1 or found.alone.mean() > found.cycles.mean()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3, 4, 5))])
def test_cycles_of_maps_are_those_of_the_verilog(seed: int) -> None:
    """Windows, pooling, residual additions and replicas; all-zero windows take less."""
    rng = np.random.default_rng(seed)
    plan = random_plan(rng)
    chip = random_chip(rng, plan=plan, row_bits=1, coding=Coding.RATE, max_steps=8, encoders=2 - seed % 2)
    pixels = random_pixels(rng, 6, chip.parameters.inputs) // 3
    result = run_reference(chip, pixels, trace="spikes")
    verilog = run_cosim(chip, pixels, workers=1)
    assert verilog.cycles is not None
    found = timing(chip, pixels, result)
    assert found.cycles.tolist() == verilog.cycles.tolist()
    lone = run_cosim(chip, pixels[3:4], np.array([3]), workers=1)
    assert lone.cycles is not None and lone.cycles[0] == found.alone[3]


def test_images_wait_for_their_pixels() -> None:
    """One word per pixel and one step per image: a result every 2 W + 1 cycles, however long a step takes."""
    chip = random_chip(
        np.random.default_rng(0), sizes=[30, 3], t_max=1, skip=0, encoder_lanes=1, phases=1, coding=Coding.EVEN
    )
    pixels = np.full((9, 30), 200, np.uint8)
    found = timing(chip, pixels, run_reference(chip, pixels, trace="spikes"))
    pairs = found.results[2:] - found.results[:-2]
    assert (pairs[1:] == pairs[1]).all() and pairs[1] >= 2 * 30 + 1
    wide = replace(chip, parameters=replace(chip.parameters, encoder_lanes=30))
    quick = timing(wide, pixels, run_reference(wide, pixels, trace="spikes"))
    assert quick.per_image < found.per_image


def test_what_is_missing_is_said() -> None:
    chip = random_chip(np.random.default_rng(0))
    pixels = random_pixels(np.random.default_rng(0), 3, chip.parameters.inputs)
    with pytest.raises(ValueError, match="The result has no trace"):
        timing(chip, pixels, run_reference(chip, pixels))
    with pytest.raises(ValueError, match="There are 2 images, but 3 results"):
        timing(chip, pixels[:2], run_reference(chip, pixels, trace="spikes"))
