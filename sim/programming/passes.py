"""The passes of write-verify as planned by a host: targets, results, second starts.

pass 1    every cell, to the code of its level, 8 codes per level
pass 2    (fault-aware) partners of failed cells, and whatever else the Programmer does at the same starts
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.common.short_repr import short_repr

__all__ = ["Outcome", "ProgrammedCells", "compensate", "second_pass", "signed_weight", "starts_mask", "targets_of"]


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

    __repr__ = short_repr

    def updated(self, later: Outcome, mask: NDArray[np.bool_]) -> Outcome:
        """This outcome, but that of a later pass for the cells of `mask`."""
        return Outcome(
            np.where(mask, later.codes, self.codes),
            np.where(mask, later.pulses, self.pulses),
            np.where(mask, later.failed, self.failed),
        )


@dataclass(frozen=True, eq=False)
class ProgrammedCells:
    """The cells of a layer after programming, whoever drove the Programmer.

    Parameters
    ----------
    wanted, targets : uint16 [2, inputs, outputs], codes of the levels; and those of the last pass of each cell
    first, final : outcome of the first pass; and that of the last pass of each cell
    second : bool [tile_rows, groups], row in the tile and column group of the starts of the second pass; all false
        without one
    pulses, verify_reads : events of both passes
    """

    wanted: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    first: Outcome
    final: Outcome
    second: NDArray[np.bool_]
    pulses: int
    verify_reads: int

    __repr__ = short_repr


def targets_of(chip: ProgrammedChip, index: int) -> NDArray[np.uint16]:
    """Target codes of layer `index`, uint16 [2, inputs, outputs]: 8 codes per level."""
    layer = chip.layers[index]
    return np.stack([layer.positive, layer.negative]).astype(np.uint16) * np.uint16(CODES_PER_LEVEL)


def compensate(
    targets: NDArray[np.uint16], failed: NDArray[np.bool_], codes: NDArray[np.uint16], top: int
) -> NDArray[np.uint16]:
    """New targets, uint16 [2, inputs, outputs], that bring p - n of pairs with one failed cell to the weight.

    The failed cell's target becomes its code, its partner's the nearest to what is missing in 0 .. `top` (code of the
    top level). Pairs with two failed cells keep their targets.
    """
    weight = signed_weight(targets)
    reached = codes.astype(np.int64)
    positive, negative = failed[0] & ~failed[1], failed[1] & ~failed[0]
    p = np.where(positive, reached[0], np.where(negative, np.clip(reached[1] + weight, 0, top), targets[0]))
    n = np.where(negative, reached[1], np.where(positive, np.clip(reached[0] - weight, 0, top), targets[1]))
    return np.stack([p, n]).astype(np.uint16)


def second_pass(
    wanted: NDArray[np.uint16], targets: NDArray[np.uint16], parameters: LayerParameters
) -> NDArray[np.bool_]:
    """The starts at which a target has changed: bool [tile_rows, groups]."""
    changed = (wanted != targets).any(axis=0)
    starts = np.zeros((parameters.tile_rows, parameters.groups), np.bool_)
    rows, columns = np.nonzero(changed)
    starts[rows % parameters.tile_rows, columns // parameters.lanes] = True
    return starts


def starts_mask(starts: NDArray[np.bool_], parameters: LayerParameters) -> NDArray[np.bool_]:
    """The cells of starts, bool [tile_rows, groups] -> bool [2, inputs, outputs]: all row tiles, lanes and sides."""
    rows = np.arange(parameters.inputs) % parameters.tile_rows
    groups = np.arange(parameters.outputs) // parameters.lanes
    mask = starts[rows[:, None], groups[None, :]]
    return np.stack([mask, mask])


def signed_weight(codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    """p - n, int64 [inputs, outputs]."""
    weight: NDArray[np.int64] = codes[0].astype(np.int64) - codes[1].astype(np.int64)
    return weight
