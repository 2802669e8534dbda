"""A data set as it is read: images and labels, for training and for testing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.common.errors import DataError

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 [images, inputs] (0 .. 255, flat) and labels int64 [images], for training and for testing.

    Parameters
    ----------
    shape : of an image, (height, width) or (channels, height, width)
    classes : number of classes
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    shape: tuple[int, ...]
    classes: int

    __repr__ = short_repr

    @property
    def inputs(self) -> int:
        """Pixels of an image, all channels."""
        return int(self.train_images.shape[1])

    def split(self, validation: int) -> tuple[Dataset, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """The data set without its last `validation` training images, and those images with their labels.

        Raises `DataError` if no training image would be left.
        """
        kept = len(self.train_images) - validation
        if validation < 0 or kept < 1:
            raise DataError(
                f"Validation images must be 0 .. {len(self.train_images) - 1} of the {len(self.train_images)} training "
                f"images of '{self.name}', not {validation}"
            )
        held_out = self.train_images[kept:], self.train_labels[kept:]
        return replace(self, train_images=self.train_images[:kept], train_labels=self.train_labels[:kept]), held_out

    def checksum(self) -> str:
        """SHA-256 of all images and labels."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(str((array.shape, array.dtype)).encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
