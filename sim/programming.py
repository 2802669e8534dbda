"""Program and verify of whole layers: what the hardware's Programmer does to the cells, without the hardware.

A cell is read; while its code is further than the window from its target, and it has tries left, it gets a pulse
towards the target and is read again. Cells do not disturb one another and have draws of their own, so programming a
layer at once gives the bits that the Programmer gives row by row, lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.cells import CellModel, CellState
from sim.config import Programming
from sim.image import ChipImage

__all__ = [
    "ImageProgramming",
    "LayerProgramming",
    "Outcome",
    "compensate",
    "program_cells",
    "program_image",
    "program_layer",
    "targets_of",
]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a pass leaves a cell, as in the Programmer's results; arrays [2, inputs, outputs].

    Parameters
    ----------
    codes : uint16, code of the last verify read, eighths of a level above G_min, 0 .. 1023
    pulses : uint8, pulses of the pass
    failed : bool, out of tries
    """

    codes: NDArray[np.uint16]
    pulses: NDArray[np.uint8]
    failed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LayerProgramming:
    """A layer after programming.

    Parameters
    ----------
    wanted, targets : uint16 [2, inputs, outputs], codes of the levels; and those of the last pass of each cell
    first, final : outcome of the first pass; and that of the last pass of each cell
    state : the cells afterwards
    second : bool [tile_rows, groups], row in the tile and column group of the second pass; all false without
    cycles : clock cycles that the layer's Programmer is busy
    """

    wanted: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    first: Outcome
    final: Outcome
    state: CellState
    second: NDArray[np.bool_]
    cycles: int


@dataclass(frozen=True, eq=False)
class ImageProgramming:
    """A chip after programming; totals are properties."""

    layers: tuple[LayerProgramming, ...]


def targets_of(image: ChipImage, index: int) -> NDArray[np.uint16]:
    """Target codes of layer `index`, uint16 [2, inputs, outputs]: 8 a level."""
    raise NotImplementedError


def program_cells(
    model: CellModel,
    state: CellState,
    targets: NDArray[np.uint16],
    programming: Programming,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[CellState, Outcome]:
    """One pass over the cells of `mask` (default: all), bool [2, inputs, outputs]; `state` is left as it is.

    Cells outside the mask: code, pulses and failed are 0.
    """
    raise NotImplementedError


def compensate(
    targets: NDArray[np.uint16], failed: NDArray[np.bool_], codes: NDArray[np.uint16], top: int
) -> NDArray[np.uint16]:
    """New targets, uint16 [2, inputs, outputs], that bring p - n of pairs with one failed cell to the weight.

    The failed cell's target becomes its code, its partner's the nearest to what is missing in 0 .. `top` (code of the
    top level). Pairs with two failed cells keep their targets.
    """
    raise NotImplementedError


def program_layer(
    image: ChipImage, index: int, fault_aware: bool | None = None, state: CellState | None = None
) -> LayerProgramming:
    """Program layer `index` from fresh cells (or from `state`); fault_aware None takes the image's setting.

    Pass 1 is over all cells. With fault_aware, pass 2 is over every row in the tile and column group in which a target
    has changed (`compensate`), all its cells: that is what the Programmer does at a start.
    """
    raise NotImplementedError


def program_image(
    image: ChipImage,
    fault_aware: bool | None = None,
    states: Sequence[CellState] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageProgramming:
    """`program_layer` of every layer; `progress(done, total)` counts layers."""
    raise NotImplementedError
