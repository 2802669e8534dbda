"""How far the cells of a chip have drifted, between two images of a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DriftState"]


@dataclass(frozen=True, eq=False)
class DriftState:
    """What a run leaves behind, and the next one goes on from.

    Parameters
    ----------
    images : images since the cells were programmed; the place in the stream of the image that comes next
    row_pulses : a layer each, int64 [inputs], read pulses that every cell of a row has had since it was programmed
    renewed : likewise, those of the time when the conductances were last renewed, which the next image reads with
    cells_S : a layer each, float64 [2, inputs, outputs], conductances after all `row_pulses`, siemens; None if they
        have not been worked out
    """

    images: int
    row_pulses: tuple[NDArray[np.int64], ...]
    renewed: tuple[NDArray[np.int64], ...]
    cells_S: tuple[NDArray[np.float64], ...] | None = None

    @property
    def values(self) -> int:
        """How many values `difference` compares."""
        arrays = (*self.row_pulses, *self.renewed, *(self.cells_S or ()))
        return sum(int(array.size) for array in arrays)

    def difference(self, other: DriftState, names: tuple[str, str] = ("this", "other")) -> str | None:
        """The first difference to the bit, as a sentence that names both values, or None; conductances are compared
        where both have them.
        """
        if self.images != other.images:
            return f"Cells have seen {self.images} images in {names[0]} and {other.images} in {names[1]}"
        pairs = [("row pulses", self.row_pulses, other.row_pulses), ("renewed row pulses", self.renewed, other.renewed)]
        for what, ours, theirs in pairs:
            if [array.shape for array in ours] != [array.shape for array in theirs]:
                return f"The {what} have other shapes in {names[0]} than in {names[1]}"
            for layer, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                where = np.flatnonzero(a != b)
                if len(where):
                    row = int(where[0])
                    return (
                        f"Layer {layer}, row {row}: {what} since programming are {int(a[row])} in {names[0]} "
                        f"and {int(b[row])} in {names[1]}"
                    )
        for layer, (g, h) in enumerate(zip(self.cells_S or (), other.cells_S or (), strict=False)):
            if g.shape != h.shape:
                return f"Layer {layer} has cells {g.shape} in {names[0]} and {h.shape} in {names[1]}"
            places = np.argwhere(g.view(np.int64) != h.view(np.int64))
            if len(places):
                side, row, column = (int(v) for v in places[0])
                values = f"{float(g[side, row, column])!r} S in {names[0]} and {float(h[side, row, column])!r} S"
                return f"Layer {layer}, {'pn'[side]} cell of row {row} and column {column}: {values} in {names[1]}"
        return None
