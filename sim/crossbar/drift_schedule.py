"""A chip with drifting cells during a stream of images: its own crossbars, and counts of row pulses.

Places in the stream are numbers of images since the cells were programmed first. Conductances are renewed at every
multiple of `drift_every`. Before the image at every multiple of `refresh_every` but 0 all cells are programmed anew;
that renews them too, and where a stream ends there, it is put off until its next image comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.crossbar.array import CrossbarArray

__all__ = ["DriftSchedule", "check_drift"]


def check_drift(chip: ProgrammedChip, drift: DriftSnapshot) -> None:
    """ValueError unless the state is one of this chip's: whole numbers of pulses for every row of every layer."""
    if not chip.device.drifts:
        raise SpikeLoomError(f"Cells of kind '{chip.device.cell}' do not drift: drift must be None")
    shapes = [(shape.inputs,) for shape in chip.parameters.layers]
    fields = {"row_pulses": drift.row_pulses, "renewed": drift.renewed}
    if drift.earlier:
        fields["earlier"] = drift.earlier
    for name, counts in fields.items():
        if [array.shape for array in counts] != shapes or any(array.dtype != np.int64 for array in counts):
            given = [(str(array.dtype), array.shape) for array in counts]
            raise SpikeLoomError(f"The drift's {name} must be int64 of shapes {shapes}, not {given}")
    if drift.images < 0 or any(
        bool((now < 0).any() or (now > total).any()) for now, total in zip(drift.renewed, drift.row_pulses, strict=True)
    ):
        raise SpikeLoomError("The drift's counts must not be negative, nor the renewed pulses above the row pulses")
    if not 1 <= drift.programmings <= 1 << 32:
        raise SpikeLoomError(f"The drift's programmings must be in 1 .. 2^32, not {drift.programmings!r}")
    if any(bool((counts < 0).any() or (counts.any() and drift.programmings == 1)) for counts in drift.earlier):
        raise SpikeLoomError("The drift's earlier pulses must not be negative, and 0 before a second programming")


class DriftSchedule:
    """Crossbars that age block by block.

    Parameters
    ----------
    chip, arrays : the chip and its crossbars, which are not changed
    drift : where the cells are, checked; None for freshly programmed ones

    Attributes
    ----------
    arrays : crossbars as the images of the present block read them
    images : images since the first programming
    row_pulses : per layer, int64 [inputs], read pulses since the last programming
    programmings : how often the cells have been programmed
    earlier : per layer, int64 [inputs], read pulses before the last programming
    """

    def __init__(
        self, chip: ProgrammedChip, arrays: Sequence[CrossbarArray], drift: DriftSnapshot | None = None
    ) -> None:
        self._every, self._refresh = chip.device.drift_every, chip.device.refresh_every
        self.arrays = tuple(array.copy() for array in arrays)
        zeros = tuple(np.zeros(shape.inputs, np.int64) for shape in chip.parameters.layers)
        if drift is None:
            drift = DriftSnapshot(0, zeros, zeros)
        self.images = drift.images
        self.row_pulses = [pulses.copy() for pulses in drift.row_pulses]
        self.programmings = drift.programmings
        self.earlier = [pulses.copy() for pulses in drift.earlier or zeros]
        for array, pulses in zip(self.arrays, drift.renewed, strict=True):
            array.program(drift.programmings - 1)
            array.age(pulses)

    def blocks(self, count: int) -> Iterator[slice]:
        """The next `count` images, cut where conductances are renewed or cells programmed; `advance` after each."""
        start = 0
        while start < count:
            stop = min(count, start + self._every - self.images % self._every)
            if self._refresh:
                if self.images and self.images % self._refresh == 0:
                    self._program()
                stop = min(stop, start + self._refresh - self.images % self._refresh)
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

    def _program(self) -> None:
        """Program all cells anew."""
        for array, before, pulses in zip(self.arrays, self.earlier, self.row_pulses, strict=True):
            array.program(self.programmings)
            before += pulses
            pulses[:] = 0
        self.programmings += 1

    def state(self) -> DriftSnapshot:
        """Where the cells are now."""
        return DriftSnapshot(
            images=self.images,
            row_pulses=tuple(pulses.copy() for pulses in self.row_pulses),
            renewed=tuple(array.row_pulses.copy() for array in self.arrays),
            cells_S=tuple(
                array.cells_after(pulses) for array, pulses in zip(self.arrays, self.row_pulses, strict=True)
            ),
            programmings=self.programmings,
            earlier=tuple(pulses.copy() for pulses in self.earlier),
        )
