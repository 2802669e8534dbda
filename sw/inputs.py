"""What a user hands to the Python API, checked at the door: images, labels, image numbers, kinds of trace."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim.reference import check_ids, check_images

__all__ = ["as_ids", "as_labels", "as_pixels", "as_trace"]


def as_pixels(images: Any, inputs: int) -> NDArray[np.uint8]:
    """Images as pixels, uint8 [images, inputs]; see `sim.reference.check_images`.

    Raises `TypeError` or `ValueError` for images of another type, shape or range, and for tensors and arrays that have
    no plain values (sparse, masked, on the meta device).
    """
    if hasattr(images, "detach") and hasattr(images, "layout"):
        if str(images.layout) != "torch.strided" or images.device.type == "meta" or images.is_quantized:
            what = "a quantised tensor" if images.is_quantized else f"on {images.device.type}, {images.layout}"
            raise TypeError(f"Images must be an ordinary tensor with values (torch.strided), not {what}")
        images = images.detach().cpu()
        images = (images.float() if str(images.dtype) == "torch.bfloat16" else images).numpy()
    if isinstance(images, np.ma.MaskedArray):
        raise TypeError("Images must be an array in which every pixel counts, not a masked array; use .filled(0)")
    return check_images(images, inputs)


def as_ids(ids: Any, count: int) -> NDArray[np.int64] | None:
    """Image numbers, int64 [count], or None if they are not given; see `sim.reference.check_ids`."""
    if ids is None:
        return None
    return check_ids(_array(ids, "Image numbers"), count)


def as_labels(labels: Any, count: int, classes: int) -> NDArray[np.int64]:
    """Labels, int64 [count] in 0 .. classes - 1.

    Raises `TypeError` for what are not integers, `ValueError` for another number of them or a class the chip lacks.
    """
    array = _array(labels, "Labels")
    if array.dtype.kind not in "iu":
        raise TypeError(f"Labels must be integers, one an image, not {array.dtype}")
    if array.shape != (count,):
        raise ValueError(f"Labels must have shape ({count},), one an image, not {array.shape}")
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if len(wrong):
        raise ValueError(
            f"Labels must lie in 0 .. {classes - 1}, the chip's classes, but that of image {wrong[0]} is "
            f"{array[wrong[0]]}"
        )
    return array.astype(np.int64)


def as_trace(trace: Any) -> Literal[False, True, "spikes", "full"]:
    """What to record. Raises `ValueError` for anything but False, True, "spikes" or "full"."""
    if not (isinstance(trace, bool) or (isinstance(trace, str) and trace in ("spikes", "full"))):
        raise ValueError(f"trace must be False, True, 'spikes' or 'full', not {trace!r}")
    return trace  # type: ignore[return-value]


def _array(values: Any, what: str) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise TypeError(f"{what} must be a list or array of integers, one an image, not {values!r:.60}") from error
