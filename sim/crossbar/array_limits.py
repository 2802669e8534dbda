"""Currents in the arrays, and demands on wires, drivers and half-selected cells that exceed their limits.

The device model computes any conductance and any tile. Whether drivers and wires of a chip could carry the currents is
another question, answered here from the programmed levels, to first order:

    row current     V_read * sum over the row's cells in a tile (p and n) of G
    tile current    the sum of its rows' currents, all driven at once
    loss            R * sum over the row's cells of j G_j, j = 1, 2, ... from the driver on: the share of V_read that is
                    lost along the row at its last cell, for R ohm per segment (superposition of the undisturbed
                    currents)

Limits. A wire of 1 um x 0.5 um at 2 MA / cm^2, the order of what interconnect bears against electromigration [ITRS
2011, Interconnect], carries 10 mA; row drivers are sized for no more. With 1 ohm per segment, the order of narrow
copper at the pitch of such cells, a loss of a third is far beyond what calibration takes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikeloom.sim.chip.programmed_chip import ProgrammedChip

__all__ = ["ROW_A", "ArrayLoad", "array_loads", "array_problems", "half_selected_levels"]

ROW_A = 10e-3
"""Current that a row's wire and driver bear, amperes."""
_SEGMENT_OHM = 1.0
"""Resistance of a wire segment that ideal wires are judged with."""
_LOSS = 1.0 / 3.0
_HALF_SELECTED = 0.5


@dataclass(frozen=True)
class ArrayLoad:
    """The heaviest row and tile of a layer.

    Parameters
    ----------
    layer : its name
    row_A, tile_A : currents, amperes
    loss : share of the read voltage that the last cell of the worst row loses, with `ohm` per segment; above 1 where
        the first order says no more than that nothing is left
    ohm : that of the configuration, or 1 where its wires are ideal
    """

    layer: str
    row_A: float
    tile_A: float
    loss: float
    ohm: float


def array_loads(chip: ProgrammedChip) -> tuple[ArrayLoad, ...]:
    """Currents and losses of every layer, by its levels on ideal cells."""
    device = chip.device
    ohm = device.wire_ohm or _SEGMENT_OHM
    found = []
    for layer, shape in zip(chip.layers, chip.parameters.layers, strict=True):
        pairs = layer.positive.astype(np.int64) + layer.negative
        starts = np.arange(0, shape.outputs, shape.tile_columns)
        cells = 2 * np.diff([*starts, shape.outputs])
        rows_S = np.add.reduceat(pairs, starts, axis=1) * device.step_S + cells * device.g_min_S
        tiles_S = np.add.reduceat(rows_S, np.arange(0, shape.inputs, shape.tile_rows), axis=0)
        places = 2.0 * (np.arange(shape.outputs) % shape.tile_columns) + 1.5  # the mean of both cells of a pair
        weighted_S = np.add.reduceat((pairs * device.step_S + 2.0 * device.g_min_S) * places, starts, axis=1)
        volts = device.v_read_V
        found.append(
            ArrayLoad(
                layer.name,
                volts * float(rows_S.max()),
                volts * float(tiles_S.max()),
                ohm * float(weighted_S.max()),
                ohm,
            )
        )
    return tuple(found)


def half_selected_levels(chip: ProgrammedChip) -> float | None:
    """Levels that one programming pulse at half the highest voltage moves a nominal cell, at most over all levels and
    both directions; None for cells of which it is not known (linear ones).

    A cell in the row or column of the one that is programmed sees half the voltage where no transistor cuts it off.
    """
    device = chip.device
    levels_S = np.asarray(device.g_min_S + np.arange(device.levels) * device.step_S, np.float64)
    after_S = device.kind.half_selected_S(device, levels_S, chip.pulse_s)
    if after_S is None:
        return None
    return float(np.abs([each_S - levels_S for each_S in after_S]).max()) / device.step_S


def array_problems(chip: ProgrammedChip) -> Iterator[str]:
    """A sentence for everything that the arrays of a chip would not bear, with the remedy."""
    device, loads = chip.device, array_loads(chip)
    worst = max(loads, key=lambda load: load.row_A)
    if worst.row_A > ROW_A:
        yield (
            f"Rows of layer '{worst.layer}' draw up to {worst.row_A * 1e3:.3g} mA and a tile up to {worst.tile_A:.3g} "
            f"A, but wires and drivers of a row bear some {ROW_A * 1e3:.0f} mA; lower [device] g_max_S "
            f"({device.g_max_S:g}) or v_read_V ({device.v_read_V:g}), or [crossbar] tile_columns"
        )
    far = max(loads, key=lambda load: load.loss)
    if device.wire_ohm == 0.0 and far.loss > _LOSS:
        share = "all" if far.loss >= 1.0 else f"{far.loss:.0%}"
        yield (
            f"Wires are ideal ([device] wire_ohm 0), but with {far.ohm:g} ohm per segment the last cells of a row of "
            f"layer '{far.layer}' would lose {share} of the read voltage; set wire_ohm to see what that does, or lower "
            f"g_max_S ({device.g_max_S:g}) or [crossbar] tile_columns"
        )
    moved = half_selected_levels(chip) if chip.programming.method == "write-verify" else None
    if moved is not None and moved > _HALF_SELECTED:
        beyond = moved > device.levels - 1
        how_far = "through its whole range" if beyond else f"by up to {moved:.2g} levels"
        yield (
            f"A programming pulse at half of v_program_V ({device.v_program_V:g} V) moves a cell {how_far}: "
            "the chip needs a transistor at every cell, which this model assumes, or a lower v_program_V"
        )
