"""Numbers of images, which address their random draws: a warning where they are used again for other images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.params import Coding
from sim.image import ChipImage
from sw.errors import warn

__all__ = ["ImageNumbers"]


class ImageNumbers:
    """Which images have had the numbers 0, 1, 2, ... that images get where the caller gives none.

    An image's read noise, and its spikes with rate coding, are drawn at its number: a loop over batches that leaves the
    numbers out draws the same noise for every batch, and the accuracy of all of them together spreads too widely.
    """

    def __init__(self) -> None:
        self._seen: NDArray[np.uint8] = np.empty((0, 0), np.uint8)

    def used(self, image: ChipImage, digests: NDArray[np.uint8]) -> None:
        """Take down images that were run without numbers of their own, by their digests, uint8 [images, bytes].

        Warns (`sw.errors.SpikeLoomWarning`) if other images had their numbers before and the chip draws at random. The
        same images again are no slip: they are run again to see the same.
        """
        seen, both = self._seen, min(len(self._seen), len(digests))
        if image.device.read_sigma > 0.0 or image.coding == Coding.RATE:
            others = int((seen[:both] != digests[:both]).any(axis=1).sum()) if both else 0
            if others:
                start = len(seen)
                warn(
                    f"{others} of these {len(digests)} images have the numbers, and so the random draws, of other "
                    "images that this chip has run: numbers begin with 0 in every call. For draws of their own give "
                    f"ids, here ids=range({start}, {start + len(digests)})"
                )
        if len(digests) > len(seen):
            self._seen = np.concatenate([seen.reshape(-1, digests.shape[1]), digests[len(seen) :]])
