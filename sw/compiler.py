"""`compile`: all passes in a row, from a PyTorch model to a programmed chip."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sim.image import ChipImage
from sw.chip import Chip
from sw.config import Config
from sw.errors import CalibrationError
from sw.import_check import check_same
from sw.import_torch import import_torch
from sw.inputs import as_pixels
from sw.network import Network
from sw.nir_dynamics import check_dynamics, with_threshold
from sw.nir_import import NirModel
from sw.passes.calibrate import calibrate_adc
from sw.passes.fold import fold
from sw.passes.map import map_to_chip
from sw.passes.normalise import normalise
from sw.passes.quantise import quantise

__all__ = ["Stages", "compile_model"]


@dataclass(frozen=True, eq=False)
class Stages:
    """The network before it became integers, for the waterfall: the model, after folding, after normalising.

    The model takes images of shape `folded.input_shape`.
    """

    model: nn.Module
    folded: Network
    normalised: Network


def compile_model(
    model: nn.Module | NirModel,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] = "digits",
    input_shape: tuple[int, ...] | None = None,
) -> Chip:
    """Convert a trained model; see `sw.compile`."""
    config = Config.load(config)
    if isinstance(model, NirModel):
        return _spiking_chip(model, calibration_images, config)
    folded = fold(import_torch(model, image_shape(calibration_images, input_shape)), config.convert.average_pooling)
    images = calibration_pixels(calibration_images, folded.inputs)
    check_same(model, folded, images[:4])
    normalised = normalise(folded, images, config.convert)
    return Chip(_programmed(normalised, images, config, lambda image: image), config, Stages(model, folded, normalised))


def _spiking_chip(model: NirModel, calibration_images: Any, config: Config) -> Chip:
    """The chip of a network that is of spiking neurons already; its thresholds are 1 without normalisation."""
    check_dynamics(model, config)
    network = fold(model.graph, "weights")
    images = calibration_pixels(calibration_images, network.inputs)
    return Chip(_programmed(network, images, config, lambda image: with_threshold(image, model)), config)


def _programmed(
    network: Network, images: NDArray[np.uint8], config: Config, finish: Callable[[ChipImage], ChipImage]
) -> ChipImage:
    """Quantise, calibrate and map a network whose thresholds are 1; `finish` has the last word on its neurons."""
    phases = config.coding.phases
    factor = 1.0 / (1.0 - 2.0**-phases) if config.coding.input == "phase" and phases > 1 else 1.0
    levels = quantise(network, config.device.bits, config.convert.weight_scale, factor)
    wide = finish(map_to_chip(levels, config, adc_bits=16, plan=network.plan))
    gains = calibrate_adc(wide, images, config.crossbar.adc_bits, config.convert.adc_quantile)
    return finish(map_to_chip(levels, config, gains, plan=network.plan))


def image_shape(images: Any, input_shape: Any = None) -> tuple[int, ...] | None:
    """Shape of an image: as said, or as the images have it; None if they have none.

    Raises `TypeError` or `ValueError` for an `input_shape` that is none.
    """
    if input_shape is None:
        shape = getattr(images, "shape", None)
        return None if shape is None or len(shape) < 2 else tuple(int(size) for size in shape[1:])
    if not isinstance(input_shape, tuple | list) or not all(
        isinstance(size, int) and not isinstance(size, bool) for size in input_shape
    ):
        raise TypeError(f"input_shape must be whole numbers, such as (channels, height, width), not {input_shape!r}")
    if not 1 <= len(input_shape) <= 3 or min(input_shape) < 1:
        raise ValueError(f"input_shape must be one to three positive numbers, not {input_shape!r}")
    return tuple(input_shape)


def calibration_pixels(images: Any, inputs: int) -> NDArray[np.uint8]:
    """Calibration images as uint8 [images, inputs]; `CalibrationError` if there are none, or they do not fit or show
    nothing.
    """
    try:
        empty = len(images) == 0
    except TypeError:
        empty = False
    if empty:
        raise CalibrationError(
            "The calibration set is empty; normalisation and ADC calibration need at least one image"
        )
    try:
        pixels = as_pixels(images, inputs)
    except TypeError as error:
        raise TypeError(str(error).replace("Images must", "Calibration images must", 1)) from error
    except ValueError as error:
        raise CalibrationError(f"The calibration images do not fit the model: {error}") from error
    if not pixels.any():
        raise CalibrationError(
            f"The calibration images are all black (every pixel of {len(pixels)} images is 0), so activations and "
            "currents cannot be measured; give typical images"
        )
    return pixels
