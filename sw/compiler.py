"""`compile`: all passes in a row, from a PyTorch model to a programmed chip."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sim.image import ChipImage
from sw.chip import Chip
from sw.config import Config
from sw.errors import CalibrationError
from sw.graph import Network
from sw.import_torch import import_torch
from sw.inputs import as_pixels
from sw.passes.calibrate import calibrate_adc
from sw.passes.fold import fold
from sw.passes.map import map_to_chip
from sw.passes.normalise import normalise
from sw.passes.quantise import quantise

__all__ = ["Stages", "compile_model"]


@dataclass(frozen=True, eq=False)
class Stages:
    """The network before it became integers, for the waterfall: the model, after folding, after normalising."""

    model: nn.Module
    folded: Network
    normalised: Network


def compile_model(
    model: nn.Module,
    calibration_images: Any,
    config: Config | Mapping[str, Any] | str | os.PathLike[str] = "digits",
) -> Chip:
    """Convert a trained model; see `sw.compile`."""
    config = Config.load(config)
    folded = fold(import_torch(model))
    images = calibration_pixels(calibration_images, folded.inputs)
    normalised = normalise(folded, images, config.convert)
    phases = config.coding.phases
    factor = 1.0 / (1.0 - 2.0**-phases) if config.coding.input == "phase" and phases > 1 else 1.0
    levels = quantise(normalised, config.device.bits, config.convert.weight_scale, factor)
    wide = map_to_chip(levels, config, adc_bits=16)
    gains = calibrate_adc(wide, images, config.crossbar.adc_bits, config.convert.adc_quantile)
    image: ChipImage = map_to_chip(levels, config, gains)
    return Chip(image, config, Stages(model, folded, normalised))


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
