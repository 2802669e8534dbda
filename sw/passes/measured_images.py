"""Calibration images that candidates of a conversion are compared on: those that the model is least sure of.

Of an image with a clear winner every candidate makes the same, and the images of a training set have clearer winners
than those that a chip will see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.short_repr import short_repr
from sw.graph import Floats
from sw.network import Network
from sw.passes.calibrate import evenly

__all__ = ["MeasuredImages", "measured_images"]

_IMAGES = 400


@dataclass(frozen=True, eq=False)
class MeasuredImages:
    """Images uint8 [images, inputs], and what the model makes of them, float64 [images, classes].

    sums : of the first layer, for each step of each batch, if they are known; for candidates with the same first layer
    """

    __repr__ = short_repr

    pixels: NDArray[np.uint8]
    outputs: Floats
    sums: dict[tuple[bytes, int], list[NDArray[np.floating]]] = field(default_factory=dict)

    def every(self, which: int) -> MeasuredImages:
        """Every which of them."""
        return MeasuredImages(self.pixels[::which], self.outputs[::which])

    def first_sums(self, layer: bytes, start: int) -> list[NDArray[np.floating]]:
        """Sums of the batch that starts there; those of another layer are forgotten."""
        if any(known != layer for known, _ in self.sums):
            self.sums.clear()
        return self.sums.setdefault((layer, start), [])


def measured_images(network: Network, images: NDArray[np.uint8], evenly_taken: bool) -> MeasuredImages:
    """400 of the images, or all if there are not more: by the lead of the first output, or evenly taken."""
    if evenly_taken or len(images) <= _IMAGES:
        pixels = evenly(images, _IMAGES)
        return MeasuredImages(pixels, network.outputs(pixels).astype(np.float64))
    outputs = network.outputs(images).astype(np.float64)
    lead = np.abs(outputs[:, 0])  # a single output is compared with 0
    if outputs.shape[1] > 1:
        top = np.partition(outputs, -2, axis=1)
        lead = top[:, -1] - top[:, -2]
    unsure = np.sort(np.argsort(lead, kind="stable")[:_IMAGES])
    return MeasuredImages(images[unsure], outputs[unsure])
