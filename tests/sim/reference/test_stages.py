"""Pooling units on numbers worked by hand, and against the contract in plain integers."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.hw.params.plan import MapShape, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage, PoolStage
from spikeloom.sim.reference.stages import REFERENCES, StageRun
from tests.models.plain import Map, plain_pool

PAIR = MapShape(channels=1, height=1, width=2)


def run_of(stage: PoolStage, source: MapShape, images: int) -> StageRun:
    """The reference of a stage."""
    make = REFERENCES[type(stage)]
    assert make is not None
    return make(stage, [source], images)


def pair(
    kind: type[PoolStage], steps: list[tuple[int, int]], shifts: list[int] | None = None, start: int = 0
) -> list[int]:
    """Spikes of one window of two inputs."""
    stage = kind(window=Window(source=0, kernel=(1, 2), stride=(1, 2)), start=start)
    pool = run_of(stage, PAIR, 1)
    shifts = shifts or [0] * len(steps)
    return [
        int(pool.step([np.array([spikes], np.uint8)], np.arange(1), shift)[0, 0])
        for spikes, shift in zip(steps, shifts, strict=True)
    ]


def test_max_passes_the_spikes_of_the_largest_sum_so_far() -> None:
    # sums 0 1 -> 0 2 -> 1 2 -> 2 2 (the first of equals) -> 2 3
    assert pair(MaxPoolStage, [(0, 1), (0, 1), (1, 0), (1, 0), (0, 1)]) == [1, 1, 0, 1, 1]


def test_max_weighs_spikes_by_their_phase() -> None:
    # sums 4 0 -> 4 2 -> 4 3, and the second of the two is ahead from 4 7 on
    assert pair(MaxPoolStage, [(1, 0), (0, 1), (0, 1), (0, 1)], [2, 1, 0, 2]) == [1, 0, 0, 1]


def test_average_fires_at_the_size_of_its_window() -> None:
    # v 1 -> 2 fires, 0 -> 2 fires, 0 -> 1
    assert pair(AveragePoolStage, [(1, 0), (0, 1), (1, 1), (1, 0)]) == [0, 1, 1, 0]
    assert pair(AveragePoolStage, [(1, 0), (0, 1), (1, 1), (1, 0)], start=1) == [1, 0, 1, 1]


def test_average_weighs_spikes_and_threshold_by_the_phase() -> None:
    # v 4 < 8 -> 6 >= 4 fires, 2 -> 2 >= 2 fires, 0
    assert pair(AveragePoolStage, [(1, 0), (1, 0), (0, 0)], [2, 1, 0]) == [0, 1, 1]


@pytest.mark.parametrize("kind", [MaxPoolStage, AveragePoolStage])
@pytest.mark.parametrize("seed", range(6))
def test_against_plain_integers(kind: type[PoolStage], seed: int) -> None:
    """Images keep their own sums; a rest of lines and columns belongs to no window."""
    rng = np.random.default_rng(seed)
    shape = MapShape(channels=int(rng.integers(1, 5)), height=int(rng.integers(3, 8)), width=int(rng.integers(3, 8)))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    start = int(rng.integers(kernel[0] * kernel[1])) if kind == AveragePoolStage else 0
    stage = kind(window=Window(source=0, kernel=kernel, stride=kernel), start=start)
    pool = run_of(stage, shape, 3)
    kept: list[Map] = [{}, {}, {}]
    height, width = stage.window.outputs(shape)
    for step in range(12):
        shift = 2 - step % 3
        live = np.flatnonzero(rng.random(3) < 0.8)
        codes = (rng.random((len(live), shape.size)) < 0.4).astype(np.uint8)
        out = pool.step([codes], live, shift)
        for row, chip in enumerate(live):
            values = codes[row].reshape(shape.height, shape.width, shape.channels)
            given = {(c, y, x): int(values[y, x, c]) for y, x, c in np.ndindex(values.shape)}
            expected = plain_pool(stage, shape, given, kept[chip], shift)
            found = out[row].reshape(height, width, shape.channels)
            assert {(c, y, x): int(found[y, x, c]) for y, x, c in np.ndindex(found.shape)} == expected
