"""What an observer counts, against the reference's own counters and against plain NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.hw.params.parameters import Coding
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.converter_counts import Observer
from spikeloom.sim.reference.encoder import encoder_of
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.models import make_chip

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 20)).astype(np.uint8)
NOISY = {"device_sigma": 0.1, "read_sigma": 0.05}


def chip(adc_bits: int, coding: str = "even") -> ProgrammedChip:
    return make_chip(crossbar={"adc_bits": adc_bits, "tile_rows": 8}, coding={"input": coding}, device=NOISY).programmed


@pytest.mark.parametrize("adc_bits", [1, 3, 8])
@pytest.mark.parametrize("threads", [1, 2])
def test_counters_are_those_of_the_result(adc_bits: int, threads: int) -> None:
    programmed = chip(adc_bits)
    observer = Observer(programmed)
    result = run_reference(programmed, IMAGES, chunk=7, threads=threads, observe=observer)
    for layer in range(3):
        counts = observer.counts([layer])
        assert counts.fired.sum() == result.spikes[:, layer].sum()
        assert counts.conversions == result.activity["conversions"][:, layer].sum()
        assert counts.reads == result.steps.sum()
        assert 1 <= counts.codes <= (1 << adc_bits) + (adc_bits == 1)
    again = run_reference(programmed, IMAGES)
    np.testing.assert_array_equal(again.spikes, result.spikes)


@pytest.mark.parametrize("coding", ["even", "analog"])
@pytest.mark.parametrize("adc_bits", [1, 3, 8])
def test_currents_and_errors_of_the_first_layer(adc_bits: int, coding: str) -> None:
    """All of them again, in plain NumPy, from the row codes and the currents of the cells."""
    programmed = replace(chip(adc_bits, coding), k=5)
    observer = Observer(programmed)
    result = run_reference(programmed, IMAGES, observe=observer)
    counts = observer.counts([0])
    grid, shape = build_arrays(programmed)[0].current_grid / 1024.0, programmed.parameters.layers[0]
    full, lsb = (255.0 if programmed.coding == Coding.ANALOG else 1.0), 2.0 ** programmed.layers[0].gain_shift
    encoder = encoder_of(programmed, IMAGES, np.arange(len(IMAGES)))
    currents, totals = [], []
    for step in range(1, int(result.steps.max()) + 1):
        live = np.flatnonzero(result.steps >= step)
        rows = encoder.step(live, step).astype(np.float64) / full
        parts = [rows[:, start : start + 8] for start in range(0, 20, 8)]
        sums = [part @ grid[start : start + 8] for part, start in zip(parts, range(0, 20, 8), strict=True)]
        currents += [s[part.any(axis=1)].ravel() for part, s in zip(parts, sums, strict=True)]
        totals.append(sum(sums)[rows.any(axis=1)])
    current, total = np.concatenate(currents), np.concatenate(totals)
    code = np.clip(np.rint(current / lsb), shape.code_min, shape.code_max)
    inside = code == np.rint(current / lsb)
    error = (code * lsb - current) ** 2
    large = np.abs(current) >= 0.5
    assert (counts.conversions, counts.driven) == (current.size, len(total))
    assert (counts.nonzero, counts.to_zero) == (large.sum(), (large & (code == 0)).sum())
    assert counts.power == pytest.approx((current**2).sum())
    assert counts.rounding == pytest.approx(error[inside].sum())
    assert counts.clipping == pytest.approx(error[~inside].sum(), abs=1e-9)
    np.testing.assert_allclose(counts.columns, (total**2).sum(axis=0))
