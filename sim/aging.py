"""A chip whose cells drift, as a run over a stream of images uses it: its own crossbars, and counts of row pulses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.crossbar import CrossbarArray
from sim.drift_state import DriftState
from sim.image import ChipImage

__all__ = ["Aging", "check_drift"]


def check_drift(image: ChipImage, drift: DriftState) -> None:
    """ValueError unless the state is one of this chip's: whole numbers of pulses for every row of every layer."""
    if not image.device.drifts:
        raise ValueError("Cells of kind 'linear' do not drift: drift must be None")
    shapes = [(shape.inputs,) for shape in image.parameters.layers]
    for name, counts in (("row_pulses", drift.row_pulses), ("renewed", drift.renewed)):
        if [array.shape for array in counts] != shapes or any(array.dtype != np.int64 for array in counts):
            given = [(str(array.dtype), array.shape) for array in counts]
            raise ValueError(f"The drift's {name} must be int64 of shapes {shapes}, not {given}")
    if drift.images < 0 or any(
        bool((now < 0).any() or (now > total).any()) for now, total in zip(drift.renewed, drift.row_pulses, strict=True)
    ):
        raise ValueError("The drift's counts must not be negative, nor the renewed pulses above the row pulses")


class Aging:
    """Crossbars that age block by block.

    Parameters
    ----------
    image, arrays : the chip and its crossbars, which are not changed
    drift : where the cells are, checked; None for freshly programmed ones

    Attributes
    ----------
    arrays : crossbars as the images of the present block read them
    images : images since programming
    row_pulses : a layer each, int64 [inputs], read pulses since programming
    """

    def __init__(self, image: ChipImage, arrays: Sequence[CrossbarArray], drift: DriftState | None = None) -> None:
        self._every = image.device.drift_every
        self.arrays = tuple(array.copy() for array in arrays)
        if drift is None:
            zeros = tuple(np.zeros(shape.inputs, np.int64) for shape in image.parameters.layers)
            drift = DriftState(0, zeros, zeros)
        self.images = drift.images
        self.row_pulses = [pulses.copy() for pulses in drift.row_pulses]
        for array, pulses in zip(self.arrays, drift.renewed, strict=True):
            array.age(pulses)

    def blocks(self, count: int) -> Iterator[slice]:
        """The next `count` images, cut where conductances are renewed; `advance` after each."""
        start = 0
        while start < count:
            stop = min(count, start + self._every - self.images % self._every)
            yield slice(start, stop)
            start = stop

    def add(self, pulses: Sequence[NDArray[np.int64]]) -> None:
        """Count row pulses, int64 [inputs] of every layer."""
        for total, new in zip(self.row_pulses, pulses, strict=True):
            total += new

    def advance(self, images: int) -> None:
        """Count images that are done; where a block ends, the conductances are renewed."""
        self.images += images
        if self.images % self._every == 0:
            for array, pulses in zip(self.arrays, self.row_pulses, strict=True):
                array.age(pulses)

    def state(self) -> DriftState:
        """Where the cells are now."""
        return DriftState(
            images=self.images,
            row_pulses=tuple(pulses.copy() for pulses in self.row_pulses),
            renewed=tuple(array.row_pulses.copy() for array in self.arrays),
            cells_S=tuple(
                array.cells_after(pulses) for array, pulses in zip(self.arrays, self.row_pulses, strict=True)
            ),
        )
