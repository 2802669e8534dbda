"""Calibration images that candidates of a conversion are compared on: evenly taken, so that classes and time steps are
those of the images that a chip will see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.ir.graph import Floats
from spikeloom.sw.ir.network import Network
from spikeloom.sw.passes.calibrate import evenly

__all__ = ["MeasuredImages", "measured_images"]


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


def measured_images(network: Network, images: NDArray[np.uint8], count: int) -> MeasuredImages:
    """So many of the images at most, evenly taken."""
    pixels = evenly(images, count)
    return MeasuredImages(pixels, network.outputs(pixels).astype(np.float64))
