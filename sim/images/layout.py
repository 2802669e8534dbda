"""The shape of images: whether it is the chip's, and the remedy if it is not.

Axes of length 1 change neither order nor number of the pixels, so that [n, 28, 28], [n, 1, 28, 28] and [n, 28, 28, 1]
are the same images. Flat images, [n, pixels], are taken in the order of the chip's shape.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["CHANNELS_LAST", "check_shape", "image_shape"]

Shape = tuple[int, ...]
_MOST_AXES = 5

CHANNELS_LAST = (
    "the channels seem to come last, and images.permute(0, 3, 1, 2), or images.transpose(0, 3, 1, 2) in NumPy, puts "
    "them first"
)
"""The remedy for images [images, height, width, channels]."""


def image_shape(parameters: NpuParameters, calibrated: Sequence[int] = ()) -> Shape:
    """Shape of an image: (channels, height, width), or (pixels,) where the hardware has nothing but a number of them.

    calibrated : shape of the calibration images, where it is known: a chip of dense layers takes images of that shape
    """
    image = parameters.plan.input
    mapped = (image.channels, image.height, image.width) if image.positions > 1 else (image.size,)
    known = tuple(calibrated)
    return known if math.prod(known) == image.size and len(_long(known)) > 1 else mapped


def check_shape(array_shape: Sequence[int], shape: Sequence[int], what: str = "Images") -> None:
    """Raise `ValueError`, naming both shapes and the remedy, if an array of shape `array_shape` is no batch of images.

    Images are [images, *shape], flat, or [images, *shape] with other axes of length 1. A flat `shape`, (pixels,), takes
    any with as many pixels.
    """
    array_shape, shape = tuple(array_shape), tuple(shape)
    size, own = math.prod(shape), array_shape[1:]
    if len(array_shape) >= 2 and math.prod(own) == size:
        if min(len(_long(own)), len(_long(shape))) <= 1 or _long(own) == _long(shape):
            return
    if len(_long(shape)) > 1:
        wanted = f"[images, {', '.join(map(str, shape))}], or flat [images, {size}]"
    else:
        wanted = f"[images, {size}] or as many pixels per image"
    remedy = _remedy(array_shape, shape)
    raise SpikeLoomError(f"{what} must have shape {wanted}, not {array_shape}{': ' if remedy else ''}{remedy}")


def _long(shape: Sequence[int]) -> Shape:
    """The shape without axes of length 1."""
    return tuple(n for n in shape if n != 1)


def _remedy(given: Shape, shape: Shape) -> str:
    """What makes such images of an array; empty if nothing is likely."""
    if len(given) > _MOST_AXES or not given:
        return ""
    targets = {shape, _long(shape)}
    orders = list(itertools.permutations(range(len(given))))  # the nearest to the present order first
    if math.prod(given) == math.prod(shape):
        if min(len(_long(given)), len(_long(shape))) <= 1 or _long(given) == _long(shape):
            return "a single image needs an axis of images in front, images[None]"
        for axes in orders:
            if tuple(given[axis] for axis in axes) in targets:
                return f"{_moved(axes, '[None]')} puts the axes of a single image in this order"
    for axes in orders:
        if tuple(given[axis] for axis in axes[1:]) in targets - {()}:
            return f"{_moved(axes)} puts the axes in this order"
    if len(shape) == 3 and given[1:] == shape[1:]:
        return f"the chip's images have {shape[0]} channels, these have none"
    if len(given) >= 2 and math.prod(given[1:]) == math.prod(shape):
        right = f"images.reshape({', '.join(map(str, (given[0], *shape)))})"
        return f"the number of pixels is right, and {right} arranges them so, if their order is right too"
    return ""


def _moved(axes: Sequence[int], after: str = "") -> str:
    order = ", ".join(map(str, axes))
    return f"images.permute({order}){after}, or images.transpose({order}){after} in NumPy,"
