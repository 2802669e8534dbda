"""Compiled loops give what NumPy's operations give."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.plan import MapShape
from spikeloom.sw.ir.neuron_steps import count_shifts, fire
from spikeloom.sw.ir.stages import pool_blocks, pool_max


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("subtract", "zero"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("clip", [0.0, 3.0])
def test_fire(dtype: type, subtract: bool, zero: bool, clip: float) -> None:
    rng = np.random.default_rng(0)
    v, sums = (rng.normal(0.0, 3.0, size=(5, 40)).astype(dtype) for _ in range(2))
    biases, gain, theta = rng.normal(size=40).astype(dtype), dtype(4.0), dtype(1.7)
    wanted = v + (sums + biases) * gain
    if clip:
        wanted = np.clip(wanted, -dtype(clip), dtype(clip))
    spikes = wanted >= theta
    if subtract:
        wanted = np.where(spikes, wanted - theta, wanted)
    if zero:
        wanted = np.where(spikes, dtype(0.0), wanted)
    fired = np.empty(v.shape, np.float32)
    fire(v, sums, biases, gain, dtype(clip), theta, subtract, zero, fired)
    np.testing.assert_array_equal(fired, spikes.astype(np.float32))
    np.testing.assert_array_equal(v, wanted)
    assert 0 < spikes.sum() < spikes.size


@pytest.mark.parametrize("kernel", [(2, 2), (3, 2), (1, 4)])
def test_pool_max(kernel: tuple[int, int]) -> None:
    """Sums are small whole numbers, so that many are equal: the first of them counts."""
    rng = np.random.default_rng(1)
    shape = MapShape(channels=3, height=7, width=9)
    state = rng.integers(0, 3, size=(4, shape.size)).astype(np.float32)
    spikes = rng.integers(0, 2, size=(4, shape.size)).astype(np.float32)
    summed = state + spikes * np.float32(2.0)
    blocks, inputs = (pool_blocks(values, shape, kernel) for values in (summed, spikes))
    largest = np.argmax(blocks, axis=3)
    wanted = np.take_along_axis(inputs, largest[:, :, :, None], axis=3).reshape(4, -1)
    fired = np.empty(wanted.shape, np.float32)
    pool_max(state, spikes, np.float32(2.0), shape.height, shape.width, *kernel, fired)
    np.testing.assert_array_equal(fired, wanted)
    np.testing.assert_array_equal(state, summed)


@pytest.mark.parametrize(("high", "low"), [(1.5, 1.5), (3.5, 4.5), (127.5, 128.5)])
def test_count_shifts(high: float, low: float) -> None:
    currents = np.random.default_rng(2).integers(-4000, 4000, size=(50, 20)).astype(np.float32)
    currents[0, :4] = high * 4, -low * 4, high * 2.0**12, -1e9
    needed = np.zeros(16, np.int64)
    count_shifts(currents, high, low, needed)
    wanted = np.zeros(16, np.int64)
    for current in currents.ravel().tolist():
        fits = [shift for shift in range(15) if -low * 2.0**shift <= current < high * 2.0**shift]
        wanted[min(fits, default=15)] += 1
    np.testing.assert_array_equal(needed, wanted)
