"""The refresh interval: lifetimes of programmings, what it keeps in a stream, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.lifetime.refresh import ProgrammingCost, Refresh, programming_cost, refresh_interval
from spikeloom.sim.lifetime.search import Point, lifetime, stream_lifetime
from spikeloom.sim.programming.write_verify import program_chip
from tests.fixtures.host_chips import host_chip
from tests.sim.lifetime.test_search import CHIP, IMAGES, LABELS, THRESHOLD, a_task


def test_without_an_error_the_lifetime_is_the_interval() -> None:
    refresh = refresh_interval(CHIP, IMAGES, LABELS, THRESHOLD)
    assert refresh.lifetimes == (lifetime(CHIP, IMAGES, LABELS, THRESHOLD),)
    assert refresh.interval == refresh.lifetimes[0].last_good and refresh.threshold == THRESHOLD


def test_the_interval_is_that_of_the_worst_programming() -> None:
    chip, images, labels = a_task(program_sigma=0.02)
    seen: list[tuple[int, int]] = []

    def tell(number: int, point: Point) -> None:
        seen.append((number, point.images))

    refresh = refresh_interval(chip, images, labels, THRESHOLD, programmings=4, progress=tell)
    assert refresh.interval is not None
    alone = [lifetime(chip, images, labels, THRESHOLD, programmings=number) for number in range(1, 5)]
    least = min(one.last_good or 0 for one in alone)
    assert refresh.interval == pytest.approx(least, rel=0.1) and len(refresh.lifetimes) == 4
    assert [number for number, _ in seen] == sorted(number for number, _ in seen) and seen[-1][0] == 4
    lasting = [one for one in refresh.lifetimes if one.images is None]
    assert all(len(one.points) == 2 for one in lasting) and lasting  # fresh, and at the interval that is known
    refreshed = chip.with_device(chip.device.model_copy(update={"refresh_every": refresh.interval}))
    every, limit = refresh.interval, 4 * refresh.interval
    stream = stream_lifetime(refreshed, images, images, labels, THRESHOLD - 0.05, every=every, limit=limit)
    assert stream.images is None  # a little lower: the stream's images drive the rows as the points are held
    never = stream_lifetime(chip, images, images, labels, THRESHOLD - 0.05, every=every, limit=limit)
    assert never.images is not None


def test_ends_of_the_search() -> None:
    never = refresh_interval(CHIP, IMAGES, LABELS, 0.01, limit=30)
    assert never.interval is None and never.lifetimes[0].last_good == 30
    chip, images, labels = a_task(program_sigma=0.02)
    wrong = refresh_interval(chip, images, (labels + 2) % 10, THRESHOLD, programmings=3)
    assert wrong.interval == 0 and len(wrong.lifetimes) == 1
    linear = CHIP.with_device(CHIP.device.model_copy(update={"cell": "linear"}))
    with pytest.raises(ValueError, match="A lifetime needs cells that drift"):
        refresh_interval(linear, IMAGES, LABELS)


@pytest.mark.parametrize(
    ("device", "programmings", "sentence"),
    [
        ({}, 2, r"^programmings must be 1 without program_sigma, where all are the same, not 2$"),
        ({"program_sigma": 0.01}, 0, r"^programmings must be a positive integer, not 0$"),
    ],
)
def test_programmings_are_checked(device: dict[str, Any], programmings: int, sentence: str) -> None:
    chip = CHIP.with_device(Device(**{**CHIP.device.model_dump(), **device}))
    with pytest.raises(ValueError, match=sentence):
        refresh_interval(chip, IMAGES, LABELS, programmings=programmings)


def test_cost() -> None:
    """Pulses have a time and an energy; levels that are put straight into the cells have none that is known."""
    assert programming_cost(CHIP) is None
    chip = host_chip()
    cost, programming = programming_cost(chip), program_chip(chip)
    assert cost == ProgrammingCost(programming.cycles / chip.clock_Hz, programming.energy_J["total"])
    policy = Refresh(0.9, 300, (), ProgrammingCost(2.0, {"low": 3.0, "typical": 6.0, "high": 9.0}))
    assert policy.time_share(0.01) == pytest.approx(0.4)
    assert policy.energy_per_image_J() == pytest.approx({"low": 0.01, "typical": 0.02, "high": 0.03})
    for unknown in (Refresh(0.9, 300, (), None), Refresh(0.9, None, (), cost), Refresh(0.9, 0, (), cost)):
        assert unknown.time_share(0.01) is None and unknown.energy_per_image_J() is None


def test_refreshes_and_pulses_do_not_go_together() -> None:
    chip = host_chip()
    with pytest.raises(ValueError, match=r"Refreshing \(refresh_every\) is not supported yet with programming method"):
        chip.with_device(chip.device.model_copy(update={"refresh_every": 3}))
