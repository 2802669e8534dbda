"""Checks of the images passed to `compile`: for calibration, and for learning and tuning."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.arguments import is_whole, plain_numbers
from spikeloom.sim.images.brightness import CalibrationFacts, sameness
from spikeloom.sim.images.pixels import as_array
from spikeloom.sw.common.errors import ArgumentTypeError, CalibrationError, ConfigError, SpikeLoomError, warn
from spikeloom.sw.config.config import Config
from spikeloom.sw.datasets.pixels import as_labels, as_pixels
from spikeloom.sw.ir.network import Network

__all__ = [
    "calibration_pixels",
    "check_calibration",
    "check_validation",
    "image_shape",
    "needs_validation",
    "validation_set",
]


def image_shape(images: Any, input_shape: Any = None) -> tuple[int, ...] | None:
    """Shape of an image: as said, or as the images have it; None if they have none.

    Raises `TypeError` or `ValueError` for an invalid `input_shape`.
    """
    if input_shape is None:
        shape = getattr(images, "shape", None)
        return None if shape is None or len(shape) < 2 else tuple(int(size) for size in shape[1:])
    sizes = plain_numbers(input_shape)
    if not isinstance(sizes, tuple | list) or not all(is_whole(size) for size in sizes):
        raise ArgumentTypeError(
            f"input_shape must be whole numbers, such as (channels, height, width), not {input_shape!r}"
        )
    if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
        raise SpikeLoomError(f"input_shape must be one to three positive numbers, not {input_shape!r}")
    return tuple(sizes)


def check_calibration(images: Any) -> None:
    """Raise `CalibrationError` if there are no calibration images, `TypeError` if they are none; shapes come later."""
    if _is_empty(images):
        raise CalibrationError(
            "The calibration set is empty; normalisation and ADC calibration need at least one image: give typical ones"
        )
    as_array(images, "Calibration images")


def calibration_pixels(
    images: Any, takes: tuple[int, ...], asked: tuple[int, ...] | None
) -> tuple[NDArray[np.uint8], CalibrationFacts]:
    """Calibration images as uint8 [images, inputs], and what they look like; `CalibrationError` if they do not fit
    or show nothing.

    takes, asked : shape of an image as the model takes it, (pixels,) if any with as many; and as `image_shape` says
    """
    shape = asked if len(takes) == 1 and asked is not None and math.prod(asked) == takes[0] else takes
    pixels = _pixels(images, shape, "calibration")
    if not pixels.any():
        raise CalibrationError(
            f"The calibration images are all black (every pixel of {len(pixels)} images is 0 of 255), so activations "
            "and currents cannot be measured; give typical images, uint8 (0 .. 255) or floating point (0 .. 1)"
        )
    return pixels, CalibrationFacts.of(pixels, shape)


def needs_validation(config: Config) -> bool:
    """Whether something is to be found with validation images."""
    return config.decision.strategy != "given" or config.convert.tune


def check_validation(config: Config, available: bool, remedy: str) -> None:
    """Raise `ConfigError` if validation images are needed and not there; `remedy` says where they come from."""
    if needs_validation(config) and not available:
        strategy = config.decision.strategy
        what = f"[decision] strategy {strategy!r}" if strategy != "given" else "[convert] tune true"
        raise ConfigError(config.name, [f"{what} needs labelled validation images: {remedy}"])


def validation_set(
    validation: Any, config: Config, network: Network, facts: CalibrationFacts
) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Validation images uint8 [images, inputs] and labels int64 [images]; None if nothing needs them.

    facts : what the calibration images look like, which validation images must be like

    Raises `ConfigError` if they are missing, or given and not needed; `CalibrationError`, `ValueError` or `TypeError`
    if they do not fit.
    """
    check_validation(config, validation is not None, "give spikeloom.compile validation=(images, labels)")
    if validation is None:
        return None
    if not needs_validation(config):
        raise ConfigError(
            config.name,
            [
                "validation images are given, but nothing uses them with [decision] strategy 'given' and [convert] "
                "tune false; leave validation out, or set [decision] strategy 'learned' or 'allowed_loss', or "
                "[convert] tune true"
            ],
        )
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise ArgumentTypeError(f"validation must be a pair (images, labels), not {type(validation).__name__}")
    images, labels = validation
    if _is_empty(images):
        raise CalibrationError(
            "The validation set is empty; learning and tuning need at least one image: give labelled ones"
        )
    pixels = _pixels(images, facts.shape, "validation", facts)
    return pixels, as_labels(labels, len(pixels), network.layers[-1].outputs, "Validation labels")


def _is_empty(images: Any) -> bool:
    try:
        return len(images) == 0
    except TypeError:
        return False


def _pixels(images: Any, shape: tuple[int, ...], kind: str, facts: CalibrationFacts | None = None) -> NDArray[np.uint8]:
    what = f"{kind.capitalize()} images"
    try:
        pixels = as_pixels(images, shape, facts, what, single=facts is None)
    except ArgumentTypeError:
        raise
    except SpikeLoomError as error:
        raise CalibrationError(str(error)) from error
    sentence = sameness(pixels, what) if pixels.any() else None  # black ones have been reported
    if sentence is not None:
        warn(sentence)
    return pixels
