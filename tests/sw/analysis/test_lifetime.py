"""Lifetime and refresh as plain values, compared with the searches that they come from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.lifetime.refresh import programming_cost
from spikeloom.sim.lifetime.search import frozen, lifetime
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.lifetime import measure_lifetime
from spikeloom.sw.cli.lifetime_rows import lifetime_rows
from spikeloom.sw.config.lifetime_section import LifetimeSection
from tests.sim.lifetime.test_search import CHIP, IMAGES, LABELS, THRESHOLD, a_task

SECTION = LifetimeSection(measure=True, threshold=THRESHOLD, images=100)


def test_values_are_those_of_the_search() -> None:
    told: list[str] = []
    found = measure_lifetime(CHIP, IMAGES, LABELS, SECTION, told.append)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    expected = lifetime(CHIP, IMAGES[:100], LABELS[:100], THRESHOLD)
    end = expected.end
    assert end is not None and (found["images"], found["last_good"]) == (expected.images, expected.last_good)
    assert (found["reads_max"], found["reads_mean"]) == (end.reads_max, end.reads_mean)
    assert found["refresh"]["interval"] == expected.last_good and found["refresh"]["every"] == 0
    assert len(told) == len(found["points"]) == len(expected.points) and told[0] == "accuracy 100.00% after 0 images"
    fresh = run_reference(frozen(CHIP), IMAGES[:100], trace="spikes")
    cycles = timing(CHIP, IMAGES[:100], fresh).per_image
    assert found["cycles_per_image"] == cycles and found["images_per_s"] is None and found["test_images"] == 100
    assert found["seconds"] == pytest.approx(expected.images * cycles / CHIP.clock_Hz)
    assert found["refresh"]["programming_s"] is None and found["refresh"]["time_share"] is None
    rows = lifetime_rows(found)
    assert rows["lifetime, images"] == str(expected.images) and rows["programming, energy (modelled)"] == "not counted"


def test_a_rate_gives_another_time_and_must_be_possible() -> None:
    slow = measure_lifetime(CHIP, IMAGES, LABELS, SECTION.model_copy(update={"images_per_s": 30.0}))
    assert slow["seconds"] == pytest.approx(slow["images"] / 30.0) and slow["images_per_s"] == 30.0
    assert "lifetime, 30 images per second" in lifetime_rows(slow)
    with pytest.raises(ValueError, match=r"^\[lifetime\] images_per_s must be at most [\d,]+, the rate of images back"):
        measure_lifetime(CHIP, IMAGES, LABELS, SECTION.model_copy(update={"images_per_s": 1e9}))


def test_no_end_and_no_start() -> None:
    endless = measure_lifetime(
        CHIP, IMAGES, LABELS, SECTION.model_copy(update={"threshold": 0.01, "limit": 40, "images": 0})
    )
    assert endless["images"] is None and endless["seconds"] is None and endless["reads_max"] is None
    assert endless["refresh"]["interval"] is None and endless["test_images"] == len(IMAGES)
    assert lifetime_rows(endless)["refresh every"] == "never: not within 40 images"
    wrong = measure_lifetime(CHIP, IMAGES, (LABELS + 2) % 10, SECTION)
    assert wrong["images"] == 0 and wrong["last_good"] is None and wrong["seconds"] == 0.0
    assert "not possible" in lifetime_rows(wrong)["refresh every"]
    linear = CHIP.with_device(CHIP.device.model_copy(update={"cell": "linear"}))
    with pytest.raises(ValueError, match="A lifetime needs cells that drift"):
        measure_lifetime(linear, IMAGES, LABELS, SECTION)


def test_every_programming_is_told() -> None:
    chip, images, labels = a_task(program_sigma=0.02)
    told: list[str] = []
    found = measure_lifetime(chip, images, labels, SECTION.model_copy(update={"programmings": 2}), told.append)
    assert len(found["refresh"]["programmings"]) == 2 and told[-1].endswith("programming 2")


def test_pulses_have_a_cost() -> None:
    """Programming by pulses: its time and energy, in the share that the refresh interval leaves them."""
    chip = replace(CHIP, programming=Programming(method="write-verify", tries=30))
    labels = run_reference(frozen(chip), IMAGES).classes
    found = measure_lifetime(chip, IMAGES, labels, SECTION)
    cost, refresh = programming_cost(chip), found["refresh"]
    assert cost is not None and (refresh["programming_s"], refresh["programming_J"]) == (cost.time_s, cost.energy_J)
    work_s = refresh["interval"] * found["seconds_per_image"]
    assert refresh["time_share"] == pytest.approx(cost.time_s / (cost.time_s + work_s)) and refresh["time_share"] > 0.0
    assert refresh["energy_per_image_J"] == pytest.approx(
        {end: joules / refresh["interval"] for end, joules in cost.energy_J.items()}
    )
    assert "time spent programming" in lifetime_rows(found) and np.isfinite(refresh["time_share"])
