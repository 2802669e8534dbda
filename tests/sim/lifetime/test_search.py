"""Lifetime under drift: the search, its scaling of row pulses against a stream that is really run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.lifetime.search import frozen, lifetime, run_frozen, stream_lifetime
from spikeloom.sim.reference.run import run_reference
from tests.fixtures.drifting import drifting_device
from tests.fixtures.models import make_chip, make_images

THRESHOLD = 0.7


def a_task(**device: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """A chip, images, and as labels what it says of them when its cells are fresh."""
    convert = {"normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network"}
    chip = make_chip(64, 24, 10, convert=convert).programmed
    chip = chip.with_device(drifting_device(**{"read_polarity": "negative", "acceleration": 2.5e7, **device}))
    images = make_images(120, 64)
    return (
        chip,
        images,
        run_frozen(chip, images, [np.zeros(p.inputs, np.int64) for p in chip.parameters.layers]).classes,
    )


CHIP, IMAGES, LABELS = a_task()


def test_cells_are_held() -> None:
    counts = [np.full(shape.inputs, 500, np.int64) for shape in CHIP.parameters.layers]
    result = run_frozen(CHIP, IMAGES, counts)
    result.compare(run_frozen(CHIP, IMAGES, counts))
    one = [run_frozen(CHIP, image[None], counts).classes[0] for image in IMAGES[:1]]
    assert one == result.classes[:1].tolist()
    assert frozen(CHIP).device.drift_every > 10**9 and frozen(CHIP).with_device(CHIP.device) is not CHIP
    fresh = run_reference(frozen(CHIP), IMAGES)
    assert fresh.drift is not None and result.drift is not None
    assert (result.drift.renewed[0] == 500).all() and not fresh.drift.renewed[0].any()


def test_scaled_and_streamed_lifetimes_agree() -> None:
    seen: list[int] = []
    scaled = lifetime(CHIP, IMAGES, LABELS, THRESHOLD, progress=lambda point: seen.append(point.images))
    assert scaled.images is not None and scaled.last_good is not None and 100 < scaled.images
    assert 0 < scaled.images - scaled.last_good <= max(1, 0.02 * scaled.images)
    by_images = {point.images: point for point in scaled.points}
    assert sorted(by_images) == [point.images for point in scaled.points] and set(seen) == set(by_images)
    assert by_images[scaled.images].accuracy < THRESHOLD <= by_images[scaled.last_good].accuracy
    assert by_images[0].accuracy == 1.0 and by_images[0].pulses_max == 0
    every = max(1, scaled.images // 25)
    streamed = stream_lifetime(CHIP, IMAGES, IMAGES, LABELS, THRESHOLD, every=every, limit=10 * scaled.images)
    assert streamed.images is not None and streamed.last_good == streamed.images - every
    assert streamed.images == pytest.approx(scaled.images, rel=0.15)
    end = streamed.points[-1]
    assert end.pulses_mean == pytest.approx(by_images[scaled.images].pulses_mean, rel=0.2)


def test_slow_drift_lasts_longer_in_proportion() -> None:
    """The real rate: 2.5 10^7 times slower, and the same number of points of the search costs the same."""
    slow = CHIP.with_device(CHIP.device.model_copy(update={"acceleration": 1.0}))
    fast = lifetime(CHIP, IMAGES, LABELS, THRESHOLD)
    real = lifetime(slow, IMAGES, LABELS, THRESHOLD, first=10**6)
    assert fast.images is not None and real.images is not None and real.images > 10**9
    assert real.images == pytest.approx(2.5e7 * fast.images, rel=0.1)
    assert max(point.pulses_max for point in real.points) > 10**9


def test_a_programming_has_a_lifetime_of_its_own() -> None:
    chip, images, labels = a_task(program_sigma=0.02)
    first, second = (lifetime(chip, images, labels, THRESHOLD, programmings=number) for number in (1, 2))
    assert first.points[0].accuracy == 1.0 > second.points[0].accuracy and first.images != second.images
    arrays = build_arrays(frozen(chip))
    assert lifetime(chip, images, labels, THRESHOLD, programmings=2, arrays=arrays) == second
    assert all(array.programming == 0 and not array.row_pulses.any() for array in arrays)
    assert first.end is not None and first.end.images == first.images and first.end.reads_max == first.end.pulses_max


def test_a_stream_is_refreshed() -> None:
    """Cells that are refreshed at half their lifetime last, and the counts tell programmings apart."""
    scaled = lifetime(CHIP, IMAGES, LABELS, THRESHOLD)
    assert scaled.images is not None
    interval, limit = scaled.images // 2, 3 * scaled.images
    chip = CHIP.with_device(CHIP.device.model_copy(update={"refresh_every": interval}))
    kept = stream_lifetime(chip, IMAGES, IMAGES, LABELS, THRESHOLD, every=interval, limit=limit)
    assert kept.images is None and kept.last_good == limit and kept.end is None
    lost = stream_lifetime(CHIP, IMAGES, IMAGES, LABELS, THRESHOLD, every=interval, limit=limit)
    assert lost.images is not None and lost.end is not None
    for point in kept.points[1:]:  # each just before the cells are programmed
        assert point.pulses_max < 1.2 * kept.points[1].pulses_max
    last = kept.points[-1]
    assert last.reads_max > 5 * last.pulses_max and last.reads_mean > 5 * last.pulses_mean
    assert lifetime(chip, IMAGES, LABELS, THRESHOLD).images == scaled.images


def test_limits() -> None:
    never = lifetime(CHIP, IMAGES, LABELS, 0.01, limit=50)
    assert never.images is None and never.last_good == 50
    at_once = lifetime(CHIP, IMAGES, (LABELS + 2) % 10, THRESHOLD)
    assert at_once.images == 0 and at_once.last_good is None and len(at_once.points) == 1
    short = stream_lifetime(CHIP, IMAGES, IMAGES, LABELS, 0.01, every=4, limit=10)
    assert short.images is None and short.last_good == 10 and [p.images for p in short.points] == [0, 4, 8, 10]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"threshold": 0.0}, "threshold must be above 0"),
        ({"limit": 10**13}, "first <= limit <= 10"),
        ({"first": 0}, "first must be a positive integer, not 0"),
        ({"first": 9, "limit": 8}, "first and limit must be"),
        ({"threshold": 85}, "threshold must be above 0 and at most 1, not 85: 0.85 is 85 %"),
        ({"growth": 1.0}, "growth must be above 1"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        lifetime(CHIP, IMAGES, LABELS, **arguments)


def test_cells_must_drift() -> None:
    linear = CHIP.with_device(CHIP.device.model_copy(update={"cell": "linear"}))
    with pytest.raises(ValueError, match="A lifetime needs cells that drift"):
        lifetime(linear, IMAGES, LABELS)
