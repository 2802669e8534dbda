"""Lifetime and refresh interval of a chip with drifting cells, as plain values for a report and a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.lifetime.refresh import refresh_interval
from spikeloom.sim.lifetime.search import Lifetime, Point, frozen
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.lifetime_section import LifetimeSection

__all__ = ["measure_lifetime"]


def measure_lifetime(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    section: LifetimeSection,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Search for the lifetime, and for the refresh interval that keeps the threshold.

    Parameters
    ----------
    chip : the chip; its cells drift
    images, labels : uint8 [images, inputs] and their classes; of them, the first `section.images` are used
    section : threshold, limit and so on; `measure` is not looked at
    progress : told a sentence for each point

    Returns plain values, documented in docs/drift.md. Raises `ValueError` for cells that do not drift, and for a rate
    of images that the chip cannot take.
    """
    count = min(section.images or len(images), len(images))
    pixels, classes = images[:count], labels[:count]

    def tell(number: int, point: Point) -> None:
        if progress is not None:
            once = "" if section.programmings == 1 else f", programming {number}"
            progress(f"accuracy {point.accuracy:.2%} after {point.images:,} images{once}")

    if not chip.device.drifts:
        raise SpikeLoomError(
            f"A lifetime needs cells that drift, [device] cell {CELLS.drifting()}; this chip's [device] cell is "
            f"'{chip.device.cell}'"
        )
    seconds, cycles = _pace(chip, pixels, section.images_per_s)
    refresh = refresh_interval(
        chip, pixels, classes, section.threshold, programmings=section.programmings, tolerance=section.tolerance,
        limit=section.limit, progress=tell,
    )  # fmt: skip
    first = refresh.lifetimes[0]
    end = first.end
    return {
        "threshold": section.threshold,
        "images": first.images,
        "last_good": first.last_good,
        "limit": section.limit,
        "reads_max": None if end is None else end.reads_max,
        "reads_mean": None if end is None else end.reads_mean,
        "seconds": None if first.images is None else first.images * seconds,
        "seconds_per_image": seconds,
        "images_per_s": section.images_per_s or None,
        "cycles_per_image": cycles,
        "test_images": count,
        "acceleration": chip.device.acceleration,
        "points": [dataclasses.asdict(point) for point in first.points],
        "refresh": {
            "every": chip.device.refresh_every,
            "interval": refresh.interval,
            "seconds": None if refresh.interval is None else refresh.interval * seconds,
            "programmings": [_programming(one) for one in refresh.lifetimes],
            "programming_s": None if refresh.cost is None else refresh.cost.time_s,
            "programming_J": None if refresh.cost is None else refresh.cost.energy_J,
            "time_share": refresh.time_share(seconds),
            "energy_per_image_J": refresh.energy_per_image_J(),
        },
    }


def _programming(found: Lifetime) -> dict[str, Any]:
    """What was found of one programming: images None where it lasted as long as was asked."""
    return {
        "images": found.images,
        "last_good": found.last_good,
        "points": [{"images": point.images, "accuracy": point.accuracy} for point in found.points],
    }


def _pace(chip: ProgrammedChip, pixels: NDArray[np.uint8], images_per_s: float) -> tuple[float, float]:
    """Seconds from an image to the next, and clock cycles with images back to back, on fresh cells."""
    fresh = frozen(chip)
    cycles = timing(fresh, pixels, run_reference(fresh, pixels, trace="spikes")).per_image
    seconds = cycles / chip.clock_Hz
    if images_per_s == 0.0:
        return seconds, cycles
    if images_per_s * seconds > 1.0:
        raise SpikeLoomError(
            f"[lifetime] images_per_s must be at most {1.0 / seconds:,.0f}, the rate of images back to back "
            f"({cycles:,.1f} clock cycles per image at {chip.clock_Hz:g} Hz), not {images_per_s:g}"
        )
    return 1.0 / images_per_s, cycles
