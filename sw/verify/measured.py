"""Results that record what they were measured on, and the check that they belong to a chip and to images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError
from spikeloom.sim.chip.origin import Origin, image_digests
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["check_measured", "check_result", "compared", "measured"]


def measured(
    result: Result,
    chip: ProgrammedChip,
    pixels: NDArray[np.uint8],
    simulator: str | None = None,
    through_bus: Mapping[str, Any] | None = None,
) -> Result:
    """The result with its origin: the chip, images uint8 [images, inputs], the simulator of the Verilog (None: the
    reference), and what a host found on the buses.
    """
    from spikeloom.sw.weight_image.file import chip_digest

    return replace(result, origin=Origin(chip_digest(chip), image_digests(pixels), simulator, through_bus))


def check_measured(
    chip: ProgrammedChip, pixels: NDArray[np.uint8], reference: Result | None, rtl: Result | None
) -> None:
    """Check results against a chip and images uint8 [images, inputs], which have the numbers 0, 1, 2, ...

    The reference's result must be of all of them in order, that of the Verilog of some of them.

    Raises `TypeError` for what are no results; `ValueError`, with the remedy, for results of another chip, of other
    images, or of the other kind.
    """
    from spikeloom.sw.weight_image.file import chip_digest

    digest = chip_digest(chip)
    digests = image_digests(pixels)
    for name, result, method in (("reference", reference, "predict"), ("rtl", rtl, "cosim")):
        if result is None:
            continue
        origin = _origin(name, result, method)
        if origin.chip != digest:
            raise SpikeLoomError(
                f"The result given as {name} is of another chip, or of this one before it was changed; run "
                f"chip.{method} on these images"
            )
        _check_images(name, result, origin, digests, chip.device.drifts)
    if reference is not None and len(reference) != len(pixels):
        raise SpikeLoomError(
            f"The result given as reference has {len(reference)} images, but the report is about {len(pixels)}; run "
            "chip.predict on all of them, or leave it out"
        )


def check_result(chip: ProgrammedChip, result: Any, pixels: NDArray[np.uint8] | None = None) -> None:
    """Hold one result, of whichever kind, to a chip, and to its images uint8 [images, inputs], row by row, if given.

    Raises `TypeError` for what is no result; `ValueError` for one of another chip or of other images.
    """
    from spikeloom.sw.weight_image.file import chip_digest

    if not isinstance(result, Result):
        raise ArgumentTypeError(f"result must be a result of chip.predict or chip.cosim, not {type(result).__name__}")
    origin = result.origin
    other = result.spikes.shape[1] != len(chip.layers) if origin is None else origin.chip != chip_digest(chip)
    if other:
        raise SpikeLoomError(
            "The result is of another chip, or of this one before it was changed; give what this chip's predict or "
            "cosim has returned"
        )
    if pixels is None:
        return
    if len(pixels) != len(result):
        raise SpikeLoomError(f"There are {len(pixels)} images, but the result has {len(result)}; give those it is of")
    if origin is not None:
        rows = np.flatnonzero((origin.images != image_digests(pixels)).any(axis=1))
        if len(rows):
            raise SpikeLoomError(
                f"The result is of other images: its row {rows[0]} is not image {rows[0]} of those given; give the "
                "images it is of, in their order"
            )


def _origin(name: str, result: Any, method: str) -> Origin:
    """What the result was measured on, if it is one of `method`."""
    if not isinstance(result, Result):
        raise ArgumentTypeError(f"{name} must be a result of chip.{method}, not {type(result).__name__}")
    if result.origin is None:
        raise SpikeLoomError(
            f"The result given as {name} does not say which images and chip it is of; give what chip.{method} returned"
        )
    if (result.origin.simulator is None) != (name == "reference"):
        kinds = ("the Verilog", "rtl") if name == "reference" else ("the integer reference", "reference")
        raise SpikeLoomError(f"The result given as {name} is of {kinds[0]}; give it as {kinds[1]}")
    return result.origin


def _check_images(name: str, result: Result, origin: Origin, digests: NDArray[np.uint8], drifts: bool) -> None:
    """Raise unless image i of the result is that of the report with the number `result.ids[i]`."""
    ids, count = result.ids, len(digests)
    rule = "images of a report have the numbers 0, 1, 2, ...; run a part of them with ids=range(first, last + 1)"
    outside = np.flatnonzero((ids < 0) | (ids >= count))
    if len(outside):
        raise SpikeLoomError(
            f"The result given as {name} has an image number {ids[outside[0]]}, but the report has {count} images; "
            f"{rule}"
        )
    if len(np.unique(ids)) < len(ids):
        raise SpikeLoomError(f"The result given as {name} has an image number twice; {rule}")
    other = np.flatnonzero((origin.images != digests[ids]).any(axis=1))
    if len(other):
        raise SpikeLoomError(
            f"The result given as {name} is of other images: its image number {ids[other[0]]} is not image "
            f"{ids[other[0]]} of the report; {rule}"
        )
    in_order = bool(np.array_equal(ids, np.arange(len(ids))))
    if name == "reference" and not in_order:
        raise SpikeLoomError(f"The result given as {name} must have the images in order; {rule}")
    if drifts and not (in_order and result.drift is not None and result.drift.images == len(ids)):
        raise SpikeLoomError(
            f"The result given as {name} must be one run of the report's first images: cells drift, so what an image "
            "gives depends on those before it"
        )


def compared(reference: Result, rtl: Result) -> tuple[int, int]:
    """Hold the Verilog's images to the reference's; how many values were compared, and of how many images every
    membrane.

    Raises `spikeloom.errors.Mismatch` at the first difference.
    """
    whole = len(rtl) == len(reference) and bool(np.array_equal(rtl.ids, reference.ids))
    # Where cells have drifted is known at the end of each run only.
    pair = (reference, rtl) if whole else (reference.part(rtl.ids), replace(rtl, drift=None))
    values = pair[0].compare(pair[1], ("the reference", "the Verilog"))
    traced = all(result.trace is not None and result.trace.membranes is not None for result in pair)
    return values, len(rtl) if traced else 0
