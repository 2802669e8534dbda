"""What the converters of a crossbar do to its currents, counted while the reference runs
(`sim.reference.layer.Observe`).

Counted are currents without their noise, I = u * 2^-10 / S in units of dG (`sim.crossbar.adc`), and codes as they are.
The error of a code is 2^g code - I: of rounding inside the converter's range, of clipping outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.common.kernels import kernel
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.grids import Grid
from spikeloom.sim.crossbar.sums import RowSums

__all__ = ["ConverterCounts", "Observer"]

_CURRENT_LSB = 2.0**-CURRENT_BITS
_SMALLEST = 0.5
"""Currents below half a conductance step count as none: variation of the cells leaves such rests of sums that are 0."""


class _Counted(NamedTuple):
    """Counts of a layer.

    numbers : int64 [4], conversions, currents that are not 0, those of them that round to code 0, driven reads
    powers : float64 [3], sums of the squares of currents, rounding errors, clipping errors
    columns : float64 [columns], sums of the squares of a read's whole column currents
    used : bool [codes], which codes there were
    """

    numbers: NDArray[np.int64]
    powers: NDArray[np.float64]
    columns: NDArray[np.float64]
    used: NDArray[np.bool_]


@kernel(nogil=True)
def _count(
    units: NDArray[np.int64],
    u: Grid,
    source: NDArray[np.int64],
    codes: NDArray[np.int16],
    full_scale: float,
    lsb: float,
    limits: tuple[float, float],
    counted: _Counted,
) -> None:
    """Add up the codes int16 [reads, row tiles, columns] of the images `source`, and their currents.

    limits : lowest and highest code
    counted : a `_Counted`; added to
    """
    low, high = limits
    numbers, powers, columns, used = counted
    positions = codes.shape[0] // source.shape[0]
    total = np.empty(codes.shape[2], np.float64)
    for read in range(codes.shape[0]):
        at = source[read // positions] * positions + read % positions
        total[:] = 0.0
        driven = False
        for tile in range(codes.shape[1]):
            if units[at, tile] == 0:
                continue
            driven = True
            factor = np.float64(units[at, tile]) * _CURRENT_LSB / full_scale
            numbers[0] += codes.shape[2]
            for i in range(codes.shape[2]):
                current = np.float64(u[at, tile, i]) * factor
                rounded = np.rint(current / lsb)
                limited = min(max(rounded, low), high)
                error = limited * lsb - current
                powers[0] += current * current
                powers[1 if rounded == limited else 2] += error * error
                if abs(current) >= _SMALLEST:
                    numbers[1] += 1
                    numbers[2] += int(limited == 0.0)
                used[codes[read, tile, i] - np.int64(low)] = True
                total[i] += current
        if driven:
            numbers[3] += 1
            for i in range(codes.shape[2]):
                columns[i] += total[i] * total[i]


@dataclass(frozen=True, eq=False)
class ConverterCounts:
    """Of one layer, over all images.

    Parameters
    ----------
    reads, driven : windows that were looked at, and those with a driven row
    conversions, nonzero, to_zero : codes; currents of at least dG / 2; those of them that round to code 0
    power, rounding, clipping : sums of the squares of currents and of both errors, dG^2
    columns : float64 [outputs], sums of the squares of a column's current, all row tiles together, dG^2
    codes : codes that there were
    fired : int64 [outputs], spikes of every channel
    """

    __repr__ = short_repr

    reads: int
    driven: int
    conversions: int
    nonzero: int
    to_zero: int
    power: float
    rounding: float
    clipping: float
    columns: NDArray[np.float64]
    codes: int
    fired: NDArray[np.int64]


class Observer:
    """Counts what `sim.reference.run.run_reference` tells it; several threads may do so at a time."""

    def __init__(self, chip: ProgrammedChip) -> None:
        self._chip = chip
        self._parts: list[tuple[int, _Counted, int, NDArray[np.int64]]] = []

    def __call__(
        self,
        layer: int,
        products: RowSums,
        source: NDArray[np.int64],
        codes: NDArray[np.int16],
        spikes: NDArray[np.uint8],
    ) -> None:
        """Count the reads of a layer in one step; the arguments are those of `sim.reference.layer.Observe`."""
        shape = self._chip.parameters.layers[layer]
        counted = _Counted(
            np.zeros(4, np.int64),
            np.zeros(3, np.float64),
            np.zeros(shape.outputs, np.float64),
            np.zeros(shape.code_max - shape.code_min + 1, bool),
        )
        full_scale = 255.0 if shape.row_bits == 8 else 1.0
        lsb = 2.0 ** self._chip.layers[layer].gain_shift
        limits = float(shape.code_min), float(shape.code_max)
        _count(products.unit, products.current, source, codes, full_scale, lsb, limits, tuple(counted))
        fired = spikes.reshape(-1, shape.outputs).sum(axis=0, dtype=np.int64)
        self._parts.append((layer, counted, len(codes), fired))

    def counts(self, layers: Sequence[int]) -> ConverterCounts:
        """Sums over layers of the unit that are replicas of each other."""
        parts = [part for part in self._parts if part[0] in layers]
        outputs = self._chip.parameters.layers[layers[0]].outputs
        numbers = sum((counted[0] for _, counted, _, _ in parts), np.zeros(4, np.int64))
        powers = sum((counted[1] for _, counted, _, _ in parts), np.zeros(3, np.float64))
        used = [counted[3] for _, counted, _, _ in parts]
        return ConverterCounts(
            sum(reads for _, _, reads, _ in parts),
            int(numbers[3]),
            int(numbers[0]),
            int(numbers[1]),
            int(numbers[2]),
            float(powers[0]),
            float(powers[1]),
            float(powers[2]),
            sum((counted[2] for _, counted, _, _ in parts), np.zeros(outputs, np.float64)),
            int(np.count_nonzero(np.any(used, axis=0))) if used else 0,
            sum((fired for _, _, _, fired in parts), np.zeros(outputs, np.int64)),
        )
