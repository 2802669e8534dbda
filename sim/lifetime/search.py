"""Number of images that a chip with drifting cells classifies before its accuracy falls below a threshold.

Accuracy after N images is that of a set of test images on the chip as it is then, its cells frozen where they are.
There are two ways to N:

- `stream_lifetime` runs every image. Exact, and as slow as the reference; for accelerated drift. Refreshes are done as
  the device has them.
- `lifetime` runs the test images only, and takes the row pulses of N images as those of the test images times N / their
  number. Assumed: the images to come drive the rows as often as the test images do; and from one computed point to the
  next, they do so as at the first of the two. Any N costs the same, 1e9 reads too. Cells are not refreshed: how often
  they should be is a matter for `sim.lifetime.refresh`.

Both take the accuracy to fall once, and for good: a point under the threshold is the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import check_fraction, check_labels, check_progress, check_whole
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.images.pixels import take_images
from spikeloom.sim.reference.run import run_reference

__all__ = ["LIMIT", "Lifetime", "Point", "frozen", "lifetime", "run_frozen", "stream_lifetime"]

Progress = Callable[["Point"], None]

LIMIT = 10**12
"""Most images that a search looks ahead."""
_NEVER = 2**31 - 1


@dataclass(frozen=True)
class Point:
    """The chip after `images` images.

    Parameters
    ----------
    images : images since the cells were programmed first
    accuracy, steps_mean : of the test images; accuracy 0 .. 1
    pulses_max, pulses_mean : read pulses since the last programming, of the row that has had most, and in the mean over
        all rows of all layers
    reads_max, reads_mean : likewise, since the first programming
    """

    images: int
    accuracy: float
    steps_mean: float
    pulses_max: int
    pulses_mean: float
    reads_max: int
    reads_mean: float


@dataclass(frozen=True)
class Lifetime:
    """What a search has found.

    Parameters
    ----------
    threshold : accuracy, 0 .. 1
    images : images before the first point that is under the threshold; None if there is none up to the limit
    last_good : largest number of images known at which the accuracy is not under it; None if it never was
    points : all that were computed, by images
    """

    threshold: float
    images: int | None
    last_good: int | None
    points: tuple[Point, ...]

    __repr__ = short_repr

    @property
    def end(self) -> Point | None:
        """The point after `images` images, whose reads are the lifetime in reads; None if there is no end."""
        return next((point for point in self.points if point.images == self.images), None)


def frozen(chip: ProgrammedChip) -> ProgrammedChip:
    """The same chip with drift only at the end of a run, and without refreshes: its images leave the conductances
    alone.
    """
    return chip.with_device(chip.device.model_copy(update={"drift_every": _NEVER, "refresh_every": 0}))


def run_frozen(
    chip: ProgrammedChip,
    images: Any,
    row_pulses: Sequence[NDArray[np.int64]],
    arrays: tuple[CrossbarArray, ...] | None = None,
    programmings: int = 1,
) -> Result:
    """Run images on cells that stay where `row_pulses` since programming, int64 [inputs] of every layer, took them.

    `arrays` are those of `frozen(chip)`; `programmings` says how often the cells have been programmed. The result's
    `drift` counts the images' own pulses on top.
    """
    counts = tuple(np.asarray(pulses) for pulses in row_pulses)
    return run_reference(
        frozen(chip), images, arrays=arrays, drift=DriftSnapshot(0, counts, counts, programmings=programmings)
    )


class _Search:
    """Points that are computed on the way."""

    def __init__(
        self,
        chip: ProgrammedChip,
        images: Any,
        labels: Any,
        threshold: float,
        progress: Progress | None,
        arrays: tuple[CrossbarArray, ...] | None,
    ) -> None:
        if not chip.device.drifts:
            raise SpikeLoomError(
                f"A lifetime needs cells that drift, [device] cell {CELLS.drifting()}; this chip's [device] cell is "
                f"'{chip.device.cell}'"
            )
        check_fraction("threshold", threshold)
        check_progress(progress)
        self.chip = chip
        self.pixels = take_images(images, chip)
        self._labels = check_labels(labels, len(self.pixels), chip.parameters.classes)
        self._threshold = threshold
        self._progress = progress
        self._arrays = build_arrays(frozen(chip)) if arrays is None else arrays
        self.points: list[Point] = []

    def fresh(self, programmings: int = 1) -> DriftSnapshot:
        """Cells that have just been programmed so many times."""
        self._arrays = tuple(array.copy() for array in self._arrays)
        for array in self._arrays:
            array.program(programmings - 1)
        zeros = tuple(np.zeros(shape.inputs, np.int64) for shape in self.chip.parameters.layers)
        return DriftSnapshot(0, zeros, zeros, programmings=programmings)

    def good(self, images: int, drift: DriftSnapshot) -> tuple[bool, list[NDArray[np.int64]]]:
        """Compute a point: whether its accuracy is not under the threshold, and the row pulses of the test images."""
        result = run_frozen(self.chip, self.pixels, drift.row_pulses, self._arrays, drift.programmings)
        pulses, reads = (np.concatenate(counts) for counts in (drift.row_pulses, drift.total_pulses))
        point = Point(
            images,
            result.accuracy(self._labels),
            float(result.steps.mean()),
            int(pulses.max()),
            float(pulses.mean()),
            int(reads.max()),
            float(reads.mean()),
        )
        self.points.append(point)
        if self._progress is not None:
            self._progress(point)
        assert result.drift is not None
        own = [after - before for after, before in zip(result.drift.row_pulses, drift.row_pulses, strict=True)]
        return point.accuracy >= self._threshold, own

    def found(self, images: int | None, last_good: int | None) -> Lifetime:
        return Lifetime(self._threshold, images, last_good, tuple(sorted(self.points, key=lambda point: point.images)))


def lifetime(
    chip: ProgrammedChip,
    images: Any,
    labels: Any,
    threshold: float = 0.85,
    *,
    first: int = 1,
    growth: float = 2.0,
    tolerance: float = 0.02,
    limit: int = LIMIT,
    progress: Progress | None = None,
    programmings: int = 1,
    arrays: tuple[CrossbarArray, ...] | None = None,
) -> Lifetime:
    """Images until the accuracy is under the threshold, with row pulses scaled from those of the test images.

    Parameters
    ----------
    chip : the chip; its cells drift, `drift_every` and `refresh_every` have no meaning here
    images, labels : test images (see `sim.images.pixels.take_images`) and their classes, integers [images]
    threshold : accuracy, 0 .. 1
    first, growth : points are computed after `first` images, then `growth` times as many, and so on
    tolerance : the end is known when the last good and the first bad point are this share apart, or one image
    limit : largest number of images to search, at most 10^12
    progress : called with every point as it is computed
    programmings : how often the cells have been programmed when it begins; each time leaves an error of its own
    arrays : crossbars of `frozen(chip)`, if they are there already

    Raises `ValueError` for arguments out of range and cells that do not drift.
    """
    search = _Search(chip, images, labels, threshold, progress, arrays)
    for name, value in (("first", first), ("limit", limit), ("programmings", programmings)):
        check_whole(name, value)
    if not 1 <= first <= limit <= LIMIT:
        raise SpikeLoomError(f"first and limit must be 1 <= first <= limit <= 10^12, not {first!r} and {limit!r}")
    if not (growth > 1.0 and 0.0 < tolerance < 1.0):
        raise SpikeLoomError(f"growth must be above 1 and tolerance in 0 .. 1, not {growth!r} and {tolerance!r}")
    count = len(search.pixels)

    def later(now: DriftSnapshot, own: list[NDArray[np.int64]], more: int) -> DriftSnapshot:
        """The cells `more` images later; whole numbers of pulses, rounded down, without an overflow."""
        pulses = tuple(
            before + rate // count * more + rate % count * more // count
            for before, rate in zip(now.row_pulses, own, strict=True)
        )
        return replace(now, row_pulses=pulses)

    good, cells = 0, search.fresh(programmings)
    fine, own = search.good(good, cells)
    if not fine:
        return search.found(0, None)
    bad: int | None = None
    goal = first
    while bad is None or bad - good > max(1, int(tolerance * bad)):
        now = later(cells, own, goal - good)
        fine, rates = search.good(goal, now)
        if fine:
            good, cells, own = goal, now, rates
        else:
            bad = goal
        if bad is not None:
            goal = (good + bad) // 2
        elif good == limit:
            return search.found(None, good)
        else:
            goal = min(limit, max(good + 1, int(good * growth)))
    return search.found(bad, good)


def stream_lifetime(
    chip: ProgrammedChip,
    stream: Any,
    images: Any,
    labels: Any,
    threshold: float = 0.85,
    *,
    every: int = 1,
    limit: int = 10_000,
    progress: Progress | None = None,
) -> Lifetime:
    """Images of a stream until the accuracy of test images is under the threshold; every image of the stream is run.

    Parameters
    ----------
    chip : the chip; its cells drift, and are programmed anew as its `refresh_every` says
    stream : images that are classified one after another, from the first again after the last; image i of the stream
        has number i
    images, labels, threshold, progress : as for `lifetime`
    every : images of the stream from one point to the next: the resolution of the result
    limit : images at which the run ends

    Raises `ValueError` for arguments out of range and cells that do not drift.
    """
    search = _Search(chip, images, labels, threshold, progress, None)
    for name, value in (("every", every), ("limit", limit)):
        check_whole(name, value)
    pixels = take_images(stream, chip, what="Images of the stream")
    arrays = build_arrays(chip)
    drift = search.fresh()
    last_good = None
    while True:
        fine, _ = search.good(drift.images, drift)
        if not fine:
            return search.found(drift.images, last_good)
        last_good = drift.images
        if drift.images >= limit:
            return search.found(None, last_good)
        places = np.arange(drift.images, min(drift.images + every, limit))
        after = run_reference(chip, pixels[places % len(pixels)], ids=places, arrays=arrays, drift=drift).drift
        assert after is not None
        drift = replace(after, cells_S=None)
