"""What the FPGA's crossbar emulator is loaded with: the weights of a frozen chip, or cells that it programs by pulses.

    without programmer    W = rint((Gp - Gn) / dG 2^10) of every pair, which reads see (`sim.crossbar.grids.currents`)
    with programmer       G and D of every cell (`sim.devices.integer_cells`); its W is Gp - Gn

Cells of the emulator have no read noise, and they do not drift; its conversions may have noise (`adc_sigma`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays, check_arrays
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sim.devices.integer_cells import grid_numbers
from spikeloom.sim.programming.cells import CellState
from spikeloom.sim.programming.write_verify import model_of

__all__ = ["EmulatedCells", "emulated_cells", "emulated_weights"]


@dataclass(frozen=True, eq=False)
class EmulatedCells:
    """The cells of a layer in the emulator, [2, inputs, outputs], side 0 the p and 1 the n cell.

    Parameters
    ----------
    numbers : int32, G, steps of 2^-10 level above g_min, 0 .. (levels - 1) * 1024
    factors : uint8, D, 128 is 1; 0 for a stuck cell
    """

    numbers: NDArray[np.int32]
    factors: NDArray[np.uint8]

    __repr__ = short_repr

    @property
    def weights(self) -> NDArray[np.int32]:
        """W of these cells, int32 [inputs, outputs]."""
        weights: NDArray[np.int32] = self.numbers[0] - self.numbers[1]
        return weights


def emulated_weights(
    chip: ProgrammedChip, arrays: Sequence[CrossbarArray] | None = None
) -> tuple[NDArray[np.int64], ...]:
    """W of every layer's pairs, int64 [inputs, outputs], as the reference reads them; cells of any kind that stay.

    Variation, stuck cells, errors of programming and IR drop are all in them. `arrays` are the chip's crossbars, if
    they are there already. Raises ValueError for a chip whose cells have read noise, or drift.
    """
    _check_reads(chip)
    if arrays is None:
        arrays = build_arrays(chip)
    check_arrays(chip, arrays)
    return tuple(array.current_grid for array in arrays)


def emulated_cells(chip: ProgrammedChip, states: Sequence[CellState] | None = None) -> tuple[EmulatedCells, ...]:
    """The cells of every layer: fresh ones, or those of `states` (`sim.programming.cells.CellState`).

    Raises ValueError for a chip whose cells hold no whole numbers, or that has effects the emulator's cells have not.
    """
    _check_reads(chip)
    device = chip.device
    if device.kind.grid(device) is None:
        raise SpikeLoomError(
            f"The emulator can program cells that hold whole numbers, and those of [device] cell {device.cell!r} do "
            "not; set cell 'emulated', or load the weights of the programmed chip into an emulator without programmer"
        )
    for entry in EFFECTS:
        if entry.where in ("cells", "array") and entry.write_verify is not None and entry.on(device):
            raise SpikeLoomError(
                f"Cells that the emulator programs do not have the effect of [device] {' and '.join(entry.fields)}; "
                "leave it out, or load the weights of the programmed chip into an emulator without programmer"
            )
    given = [None] * len(chip.layers) if states is None else states
    return tuple(_layer(chip, index, state) for index, state in zip(range(len(chip.layers)), given, strict=True))


def _layer(chip: ProgrammedChip, index: int, state: CellState | None) -> EmulatedCells:
    """The cells of layer `index`."""
    model = model_of(chip, index)
    grid = model.grid
    assert grid is not None
    return EmulatedCells(grid_numbers((model.fresh() if state is None else state).g_S, grid), model.factors())


def _check_reads(chip: ProgrammedChip) -> None:
    """SpikeLoomError for reads that the emulator does not have."""
    if chip.device.read_sigma > 0.0:
        raise SpikeLoomError(
            "The emulator's cells have no read noise: [device] read_sigma must be 0.0, not "
            f"{chip.device.read_sigma!r}; the noise that its reads can have is adc_sigma"
        )
    if chip.device.drifts:
        raise SpikeLoomError(
            f"The emulator's cells do not drift, and those of [device] cell {chip.device.cell!r} do; set another cell"
        )
