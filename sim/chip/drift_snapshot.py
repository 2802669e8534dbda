"""State of a chip's drifting cells between two images of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.common.short_repr import short_repr

__all__ = ["DriftSnapshot"]


@dataclass(frozen=True, eq=False)
class DriftSnapshot:
    """What a run leaves behind, and the next one continues from.

    Parameters
    ----------
    images : images since the cells were programmed first; the place in the stream of the image that comes next
    row_pulses : per layer, int64 [inputs], read pulses that every cell of a row has had since it was programmed last
    renewed : likewise, those of the time when the conductances were last renewed, which the next image reads with
    cells_S : per layer, float64 [2, inputs, outputs], conductances after all `row_pulses`, siemens; None if they have
        not been computed
    programmings : how often the cells have been programmed, the first time included
    earlier : per layer, int64 [inputs], read pulses of every row before the cells were programmed last; empty for
        none
    """

    images: int
    row_pulses: tuple[NDArray[np.int64], ...]
    renewed: tuple[NDArray[np.int64], ...]
    cells_S: tuple[NDArray[np.float64], ...] | None = None
    programmings: int = 1
    earlier: tuple[NDArray[np.int64], ...] = ()

    __repr__ = short_repr

    @property
    def total_pulses(self) -> tuple[NDArray[np.int64], ...]:
        """Per layer, int64 [inputs]: read pulses of every row since the cells were programmed first."""
        if not self.earlier:
            return self.row_pulses
        return tuple(before + now for before, now in zip(self.earlier, self.row_pulses, strict=True))

    @property
    def values(self) -> int:
        """How many values `difference` compares."""
        arrays = (*self.row_pulses, *self.renewed, *self.total_pulses, *(self.cells_S or ()))
        return sum(int(array.size) for array in arrays)

    def difference(self, other: DriftSnapshot, names: tuple[str, str] = ("this", "other")) -> str | None:
        """The first difference to the bit, as a sentence that names both values, or None; conductances are compared
        where both have them.
        """
        if self.images != other.images:
            return f"Cells have seen {self.images} images in {names[0]} and {other.images} in {names[1]}"
        if self.programmings != other.programmings:
            values = f"{self.programmings} in {names[0]} and {other.programmings} in {names[1]}"
            return f"The number of programmings is {values}"
        pairs = [
            ("row pulses since programming", self.row_pulses, other.row_pulses),
            ("renewed row pulses since programming", self.renewed, other.renewed),
            ("row pulses since the first programming", self.total_pulses, other.total_pulses),
        ]
        for what, ours, theirs in pairs:
            if [array.shape for array in ours] != [array.shape for array in theirs]:
                return f"The {what} have other shapes in {names[0]} than in {names[1]}"
            for layer, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                where = np.flatnonzero(a != b)
                if len(where):
                    row = int(where[0])
                    values = f"{int(a[row])} in {names[0]} and {int(b[row])} in {names[1]}"
                    return f"Layer {layer}, row {row}: {what} are {values}"
        for layer, (g, h) in enumerate(zip(self.cells_S or (), other.cells_S or (), strict=False)):
            if g.shape != h.shape:
                return f"Layer {layer} has cells {g.shape} in {names[0]} and {h.shape} in {names[1]}"
            places = np.argwhere(g.view(np.int64) != h.view(np.int64))
            if len(places):
                side, row, column = (int(v) for v in places[0])
                values = f"{float(g[side, row, column])!r} S in {names[0]} and {float(h[side, row, column])!r} S"
                return f"Layer {layer}, {'pn'[side]} cell of row {row} and column {column}: {values} in {names[1]}"
        return None
