"""User images as pixels, with the check used by every function that takes images; pixels as words of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.slips import warn
from spikeloom.sim.images.brightness import CalibrationFacts, doubt
from spikeloom.sim.images.layout import check_shape, image_shape

__all__ = ["as_array", "check_images", "pixel_words", "take_images"]

_KINDS = "uint8 (0 .. 255) or floating point (0 .. 1)"


def check_images(images: Any, shape: int | Sequence[int], what: str = "Images") -> NDArray[np.uint8]:
    """Images as pixels, uint8 [images, inputs], without a warning about their brightness.

    Parameters
    ----------
    images : a NumPy array or PyTorch tensor; uint8 pixels are taken as they are, floating-point ones, 0 .. 1, become
        round(255 x)
    shape : of an image, or its number of pixels; see `sim.images.layout.check_shape`
    what : how the sentences begin

    Raises
    ------
    TypeError : not an array with plain values, or numbers of another kind
    ValueError : another shape, no image, or a pixel that is not in 0 .. 1
    """
    return _taken(images, shape, what)[0]


def take_images(
    images: Any,
    chip: ProgrammedChip | int | Sequence[int],
    facts: CalibrationFacts | None = None,
    what: str = "Images",
    single: bool = False,
) -> NDArray[np.uint8]:
    """As `check_images`, and a `SpikeLoomWarning` for images that were surely scaled wrongly:
    `sim.images.brightness.doubt`.

    Parameters
    ----------
    chip : that the images are for, or the shape of an image
    facts : what the chip's calibration images looked like, if that is known
    """
    if isinstance(chip, ProgrammedChip):
        chip = image_shape(chip.parameters, () if facts is None else facts.shape)
    pixels, largest, floating = _taken(images, chip, what)
    sentence = doubt(pixels, largest, floating, facts, what, single)
    if sentence is not None:
        warn(sentence)
    return pixels


def _taken(images: Any, shape: int | Sequence[int], what: str) -> tuple[NDArray[np.uint8], float, bool]:
    """Pixels, the largest value as it was given, and whether it was floating point."""
    array = as_array(images, what)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    check_shape(array.shape, shape, what)
    if len(array) == 0:
        raise SpikeLoomError(f"{what} must be at least one, but the batch is empty")
    pixels = array.reshape(len(array), -1)
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels), float(pixels.max()), False
    bad = ~((pixels >= 0.0) & (pixels <= 1.0))
    if bad.any():
        image, pixel = (int(v) for v in np.argwhere(bad)[0])
        value = float(pixels[image, pixel])
        which = "Floating-point images" if what == "Images" else f"Floating-point {what[0].lower()}{what[1:]}"
        raise SpikeLoomError(
            f"{which} must lie in 0 .. 1, but pixel {pixel} of image {image} is {value!r}: {_in_range(pixels)}"
        )
    return np.rint(pixels.astype(np.float64) * 255.0).astype(np.uint8), float(pixels.max()), True


def as_array(images: Any, what: str = "Images") -> NDArray[Any]:
    """The values, uint8 or floating point, of an array or tensor; `TypeError` for anything else."""
    if hasattr(images, "detach") and hasattr(images, "layout"):
        if str(images.layout) != "torch.strided" or images.device.type == "meta" or images.is_quantized:
            kind = "a quantised tensor" if images.is_quantized else f"on {images.device.type}, {images.layout}"
            raise ArgumentTypeError(f"{what} must be an ordinary tensor with values (torch.strided), not {kind}")
        images = images.detach().cpu()
        known = ("torch.float16", "torch.float32", "torch.float64")
        images = images.float() if images.is_floating_point() and str(images.dtype) not in known else images
        images = images.numpy()
    if isinstance(images, np.ma.MaskedArray):
        raise ArgumentTypeError(
            f"{what} must be an array in which every pixel counts, not a masked array; use .filled(0)"
        )
    if not isinstance(images, np.ndarray):
        hint = ": numpy.asarray(images) makes one" if isinstance(images, list | tuple) else ""
        raise ArgumentTypeError(f"{what} must be a NumPy array or a PyTorch tensor, not {type(images).__name__}{hint}")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ArgumentTypeError(f"{what} must be {_KINDS}, not {images.dtype}{_as_kind(images)}")
    return images


def _as_kind(array: NDArray[Any]) -> str:
    """How numbers of another kind become pixels, as the end of a sentence; empty if nothing is likely."""
    if array.dtype.kind == "b":
        return ": images * 1.0 makes 0 and 1 in floating point"
    if array.dtype.kind not in "iu" or not array.size:
        return ""
    low, high = int(array.min()), int(array.max())
    if low < 0:
        return f": {_NORMALISED}"
    if high > 255:
        top = next(top for top in (1023, 4095, 16383, 65535, high) if high <= top)
        return f": images / {top} in floating point, if 0 .. {top} is what they can be"
    if high > 31:
        return ": images.to(torch.uint8), or images.astype('uint8') in NumPy, if they are 0 .. 255"
    return f": images / {max(1, high)} in floating point, if 0 .. {max(1, high)} is what they can be"


_NORMALISED = (
    "they seem to be normalised: give the original pixels, and fold mean and deviation into the model's first layer"
)


def _in_range(pixels: NDArray[Any]) -> str:
    """How values outside 0 .. 1 come into it."""
    if not np.isfinite(pixels).all():
        return "replace values that are NaN or infinite"
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0.0:
        return "use .clip(0, 1)" if low > -1e-3 and high < 1.001 else _NORMALISED
    if high < 1.001:
        return "use .clip(0, 1)"
    return (
        "divide by 255" if 31.0 < high <= 255.0 else f"divide by the largest value that they can have ({high:g} here)"
    )


def pixel_words(parameters: NpuParameters, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Words of images, uint8 [images, words, lanes], lane 0 first; the last word is filled up with 0."""
    p = parameters
    padded = np.zeros((len(pixels), p.pixel_words * p.encoder_lanes), np.uint8)
    padded[:, : p.inputs] = pixels
    return padded.reshape(len(pixels), p.pixel_words, p.encoder_lanes)
