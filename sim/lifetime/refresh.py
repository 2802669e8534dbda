"""Refreshing a chip with drifting cells: the longest interval between programmings, and its cost.

An interval of N images keeps the accuracy if it is not under the threshold N images after a programming, when the
cells are worst. Programming without an error gives the same cells each time, so that one lifetime says it. Programming
with an error draws other cells each time: the interval is the least of those of several programmings, and says nothing
certain about those that were not looked at.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.arguments import check_fraction, check_progress, check_whole
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.lifetime.search import LIMIT, Lifetime, Point, frozen, lifetime
from spikeloom.sim.programming.write_verify import program_chip

__all__ = ["ProgrammingCost", "Refresh", "programming_cost", "refresh_interval"]


@dataclass(frozen=True)
class ProgrammingCost:
    """What programming all cells of a chip takes: seconds, the host's not in it, and joules (low, typical,
    high).
    """

    time_s: float
    energy_J: dict[str, float]


@dataclass(frozen=True)
class Refresh:
    """A policy of refreshes.

    Parameters
    ----------
    threshold : accuracy, 0 .. 1, that is kept
    interval : most images from one programming to the next; 0 where not even fresh cells are good enough, None where
        they are good up to the limit of the search
    lifetimes : of every programming that was looked at, the first one first
    cost : of a programming; None where it is not known
    """

    threshold: float
    interval: int | None
    lifetimes: tuple[Lifetime, ...]
    cost: ProgrammingCost | None

    __repr__ = short_repr

    def time_share(self, seconds_per_image: float) -> float | None:
        """Share of its time, 0 .. 1, that the chip is programmed instead of at work; None where it is not known."""
        if self.cost is None or not self.interval:
            return None
        return self.cost.time_s / (self.cost.time_s + self.interval * seconds_per_image)

    def energy_per_image_J(self) -> dict[str, float] | None:
        """Joules of programming per image: low, typical and high; None where they are not known."""
        if self.cost is None or not self.interval:
            return None
        return {end: joules / self.interval for end, joules in self.cost.energy_J.items()}


def programming_cost(chip: ProgrammedChip) -> ProgrammingCost | None:
    """Time and energy of programming fresh cells; None with method "direct", whose pulses are not modelled.

    Cells that have drifted are nearer to their levels than fresh ones, and should need less.
    """
    if chip.programming.method != "write-verify":
        return None
    programming = program_chip(chip)
    return ProgrammingCost(programming.cycles / chip.clock_Hz, programming.energy_J["total"])


def refresh_interval(
    chip: ProgrammedChip,
    images: Any,
    labels: Any,
    threshold: float = 0.85,
    *,
    programmings: int = 1,
    tolerance: float = 0.02,
    limit: int = LIMIT,
    progress: Callable[[int, Point], None] | None = None,
) -> Refresh:
    """The largest number of images after which cells that are programmed anew still were good enough.

    Parameters
    ----------
    image, images, labels, threshold, tolerance, limit : as for `sim.lifetime.search.lifetime`
    programmings : how many programmings are looked at, for an error that each draws anew; 1 where there is none
    progress : told the number of the programming, from 1, and every point as it is computed

    Raises `ValueError` for arguments out of range and cells that do not drift.
    """
    check_progress(progress)
    check_fraction("threshold", threshold)
    check_whole("programmings", programmings)
    if programmings > 1 and chip.device.program_sigma == 0.0:
        raise SpikeLoomError(
            f"programmings must be 1 without program_sigma, where all are the same, not {programmings!r}"
        )
    arrays = build_arrays(frozen(chip)) if chip.device.drifts else None
    found: list[Lifetime] = []
    interval: int | None = None
    for number in range(1, programmings + 1):
        if interval == 0:
            break
        # once there is an interval, it only matters whether this programming lasts as long
        first, most = (1, limit) if interval is None else (interval, interval)
        tell = None if progress is None else functools.partial(progress, number)
        found.append(
            lifetime(
                chip, images, labels, threshold, first=first, tolerance=tolerance, limit=most, progress=tell,
                programmings=number, arrays=arrays,
            )
        )  # fmt: skip
        if found[-1].images is not None:
            interval = found[-1].last_good or 0
    return Refresh(threshold, interval, tuple(found), programming_cost(chip))
