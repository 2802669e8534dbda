"""Images that are valid but almost certainly a mistake: nearly black, all alike, or unlike the calibration images.

The bounds rest on all 151,797 images of digits, MNIST, Fashion-MNIST and the first batch of CIFAR-10: the largest pixel
of the darkest one is 111 of 255. A single image may be dark, a set of them is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DARK", "CalibrationFacts", "doubt", "sameness"]

DARK = 31
"""Largest pixel of a set that is surely not 0 .. 255: images of 0 and 1, 0 .. 16, 0 .. 31, or scaled twice."""
_TIMES = 4
"""Ratio of the largest pixels of two sets that were surely not scaled alike."""
_MANY = 20
"""Images whose mean tells inverted ones: of any class of the data sets above, so many stay on their own side."""
_CONTRAST = 96
"""Least distance of the calibration images' mean from its inverse: near middle grey both look alike."""


@dataclass(frozen=True)
class CalibrationFacts:
    """What calibration images looked like, as plain values.

    Parameters
    ----------
    images : how many
    maximum : largest pixel, 0 .. 255
    mean : mean pixel, 0 .. 255
    shape : of an image as it was given, such as (channels, height, width) or (pixels,); empty if it is not known
    """

    images: int
    maximum: int
    mean: float
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], shape: Sequence[int] = ()) -> CalibrationFacts:
        """Of uint8 pixels [images, inputs]."""
        return cls(len(pixels), int(pixels.max()), float(pixels.mean()), tuple(shape))

    def plain(self) -> dict[str, Any]:
        """As values for JSON."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> CalibrationFacts:
        """What `plain` gave. Raises `TypeError`, `KeyError` or `ValueError` for anything else."""
        shape = tuple(int(size) for size in values.get("shape", ()))
        return cls(int(values["images"]), int(values["maximum"]), float(values["mean"]), shape)


def doubt(
    pixels: NDArray[np.uint8],
    largest: float,
    floating: bool,
    facts: CalibrationFacts | None = None,
    what: str = "Images",
    single: bool = False,
) -> str | None:
    """A sentence, with the remedy, on images that were surely scaled wrongly; None for all others.

    Parameters
    ----------
    pixels : uint8 [images, inputs], as the chip sees them
    largest, floating : the largest value that was given, and whether values are 0 .. 1 instead of 0 .. 255
    facts : of the chip's calibration images, if they are known
    single : whether a single image is looked at like a set (a calibration set of one is one)
    """
    count, top = len(pixels), int(pixels.max())
    if count > 1 or single:
        if top == 0 and single:
            return None  # an error of `compile`
        if top <= DARK:
            return _dark(count, top, largest, floating, what)
        if facts is not None and top * _TIMES <= facts.maximum:
            return (
                f"{what} are dark: the largest pixel of {count} is {top} of 255, and that of the calibration images "
                f"{facts.maximum}; scale both alike"
            )
    if facts is None:
        return None
    if facts.maximum * _TIMES <= top:
        return (
            f"{what} are brighter than all that the chip was made for: their largest pixel is {top} of 255, and that "
            f"of the {facts.images} calibration images {facts.maximum}; scale both alike, or calibrate with typical "
            "images"
        )
    inverse, mean = 255.0 - facts.mean, float(pixels.mean())
    if (
        min(count, facts.images) >= _MANY
        and abs(inverse - facts.mean) >= _CONTRAST
        and (mean - facts.mean) / (inverse - facts.mean) >= 0.75
    ):
        return (
            f"{what} look inverted: their mean pixel is {mean:.0f} of 255, and that of the calibration images "
            f"{facts.mean:.0f}; give 255 - images (1 - images in floating point) if black and white are exchanged"
        )
    return None


def sameness(pixels: NDArray[np.uint8], what: str = "Images") -> str | None:
    """A sentence, with the remedy, on images to convert with, uint8 [images, inputs], that say nothing of others: each
    without contrast, or all the same; None for all others.
    """
    count, inputs = pixels.shape
    flat = inputs > 1 and bool((pixels == pixels[:, :1]).all())
    same = count > 1 and bool((pixels == pixels[0]).all())
    if not (flat or same):
        return None
    number = f"All {count} {what.lower()}" if count > 1 else f"The only one of the {what.lower()}"
    if flat:
        verb = "have" if count > 1 else "has"
        text = f"{number} {verb} no contrast: all {inputs} pixels of an image are the same"
    else:
        text = f"{number} are the same image"
    return f"{text}; what is measured on them fits no others, so give images such as the chip will see"


def _dark(count: int, top: int, largest: float, floating: bool, what: str) -> str:
    scale = "floating-point images reach 1" if floating else "uint8 images reach 255"
    text = f"the largest pixel of {count} is {largest:.3g}, and {scale}"
    if top == 0 and not largest:
        return f"{what} are black: every pixel of {count} is 0; give images with content"
    if not floating:
        remedy = f"multiply by 255 / {top}, or give images / {top} in floating point"
    elif top == 1 and abs(255.0 * largest - 1.0) < 0.02:
        remedy = "multiply by 255, since they seem to have been divided by 255 twice"
    elif top and abs(255.0 * largest - top) < 0.02:
        remedy = f"multiply by 255 / {top}, if 0 .. {top} was divided by 255"
    else:
        remedy = f"multiply by {1.0 / largest:.4g}, so that the largest is 1"
    return f"{what} are {'nearly ' * (top > 0)}black: {text}; {remedy}"
