"""Currents in the arrays, and demands on wires, drivers and half-selected cells that exceed their limits.

The device model computes any conductance and any tile. Whether drivers and wires of a chip could carry the currents is
another question, answered here from the programmed levels of ideal cells, to first order and with all rows of a tile
driven at V_read, which is the worst case:

    row current      V_read * sum over the row's cells in a tile (p and n) of G
    column current   V_read * sum over the column's cells in a tile of G; p and n have columns of their own
    tile current     the sum over its cells, which the drivers of its rows give together
    loss of a cell   R * (sum over the row's cells i of min(i, i0) G_i
                          + sum over the column's cells j of min(j, j0) G_j)

The loss is a share of V_read, for R ohm per segment and the cell i0 = 1, 2, ... from the driver on and j0 = 1, 2, ...
from the ADC on: each current is taken as that of a cell with all of V_read, and on its way it shares min(i, i0)
segments of the row wire and min(j, j0) of the column wire with the current of the cell (the network is that of
`sim.devices.ir_drop`). A row wire is worst at its last cell, a column wire at the cell furthest from the ADC.

How near that is: no potential is outside of 0 .. V_read, so no cell conducts more than V_read G, and the true loss of
a cell is at most the first-order one. With L the largest first-order loss of a tile, no cell has less than (1 - L)
V_read, so true losses and currents are at least (1 - L) times the first-order ones, if L < 1.

Limits. A wire of 1 um x 0.5 um at 2 MA / cm^2, the order of what interconnect bears against electromigration [ITRS
2011, Interconnect], carries 10 mA; row drivers are sized for no more. With 1 ohm per segment, the order of narrow
copper at the pitch of such cells, a loss of a third is far beyond what calibration takes up. No wire of the array
carries the current of a tile: it is what the supply of the drivers has to give, and has no limit here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import LayerParameters
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer

__all__ = ["LOSS", "WIRE_A", "ArrayLoad", "array_loads", "array_problems", "half_selected_levels", "tile_losses"]

WIRE_A = 10e-3
"""Current that the wire of a row or a column, and the driver of a row, bear, amperes."""
LOSS = 1.0 / 3.0
"""Share of the read voltage that a cell may lose along its wires."""
_SEGMENT_OHM = 1.0
"""Resistance of a wire segment that ideal wires are judged with."""
_HALF_SELECTED = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ArrayLoad:
    """The heaviest row, column and tile of a layer, and its cell that loses most.

    Parameters
    ----------
    layer : its name
    row_A, column_A, tile_A : currents, amperes, with all rows driven
    row_loss, column_loss : shares of the read voltage that the last cell of the worst row, and the first of the worst
        column, lose along that wire with `ohm` per segment; above 1 where the first order says no more than that
        nothing is left
    loss : of the cell that loses most, along both of its wires
    ohm : of a segment; that of the configuration, or 1 where its wires are ideal
    """

    layer: str
    row_A: float
    column_A: float
    tile_A: float
    row_loss: float
    column_loss: float
    loss: float
    ohm: float


def tile_losses(g_S: Array, ohm: float) -> tuple[Array, Array]:
    """First-order losses of the cells of a tile along their rows and along their columns, shares of the read voltage.

    Parameters
    ----------
    g_S : float64 [rows, physical columns], siemens; drivers are left, ADCs below the last row
    ohm : of a wire segment
    """
    along_rows = np.cumsum(_beyond(g_S, 1), axis=1)
    along_columns = np.cumsum(_beyond(g_S[::-1], 0), axis=0)[::-1]
    return ohm * along_rows, ohm * along_columns


def _beyond(g_S: Array, axis: int) -> Array:
    """Conductance of all cells whose current a segment carries: those from its own on."""
    return np.flip(np.cumsum(np.flip(g_S, axis), axis=axis), axis)


def array_loads(chip: ProgrammedChip) -> tuple[ArrayLoad, ...]:
    """Currents and losses of every layer, by its levels on ideal cells."""
    return tuple(
        _load(layer, shape, chip.device) for layer, shape in zip(chip.layers, chip.parameters.layers, strict=True)
    )


def _load(layer: ProgrammedLayer, shape: LayerParameters, device: Device) -> ArrayLoad:
    """Of a layer: the largest of every figure over its tiles."""
    ohm = device.wire_ohm or _SEGMENT_OHM
    physical = np.stack([layer.positive, layer.negative], axis=2).reshape(shape.inputs, 2 * shape.outputs)
    figures = []
    for top in range(0, shape.inputs, shape.tile_rows):
        for left in range(0, 2 * shape.outputs, 2 * shape.tile_columns):
            levels = physical[top : top + shape.tile_rows, left : left + 2 * shape.tile_columns]
            g_S: Array = device.g_min_S + levels.astype(np.float64) * device.step_S
            rows, columns = tile_losses(g_S, ohm)
            currents = (g_S.sum(axis=1).max(), g_S.sum(axis=0).max(), g_S.sum())
            figures.append((*currents, rows.max(), columns.max(), (rows + columns).max()))
    row_S, column_S, tile_S, row_loss, column_loss, loss = np.max(figures, axis=0).tolist()
    volts = device.v_read_V
    return ArrayLoad(layer.name, volts * row_S, volts * column_S, volts * tile_S, row_loss, column_loss, loss, ohm)


def half_selected_levels(chip: ProgrammedChip) -> float | None:
    """Levels that one programming pulse at half the highest voltage moves a nominal cell, at most over all levels and
    both directions; None for cells of which it is not known: linear ones have no voltage in their equations.

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
    loads = array_loads(chip)
    yield from _current_problems(chip.device, loads)
    yield from _loss_problems(chip.device, max(loads, key=lambda load: load.loss))
    if chip.programming.method == "write-verify":
        yield from _programming_problems(chip)


def _current_problems(device: Device, loads: tuple[ArrayLoad, ...]) -> Iterator[str]:
    """Rows and columns that draw too much."""
    settings = f"[device] g_max_S ({device.g_max_S:g}) or v_read_V ({device.v_read_V:g})"
    row, column = max(loads, key=lambda load: load.row_A), max(loads, key=lambda load: load.column_A)
    if row.row_A > WIRE_A:
        yield (
            f"Rows of layer '{row.layer}' draw up to {_milli(row.row_A)} mA, but wires and drivers of a row bear some "
            f"{_milli(WIRE_A)} mA; lower {settings}, or [crossbar] tile_columns"
        )
    if column.column_A > WIRE_A:
        yield (
            f"Columns of layer '{column.layer}' carry up to {_milli(column.column_A)} mA where all rows are driven, "
            f"but the wire of a column bears some {_milli(WIRE_A)} mA; lower {settings}, or [crossbar] tile_rows"
        )


def _loss_problems(device: Device, worst: ArrayLoad) -> Iterator[str]:
    """A cell that its wires leave too little of the read voltage."""
    if worst.loss <= LOSS:
        return
    both = min(worst.row_loss, worst.column_loss) > LOSS / 2.0
    of_column = worst.column_loss >= worst.row_loss
    tile = "tile_rows and tile_columns" if both else "tile_rows" if of_column else "tile_columns"
    lost = (
        f"{_share(worst.loss)} of the read voltage (up to {_share(worst.row_loss)} along a row, "
        f"{_share(worst.column_loss)} along a column)"
    )
    lower = f"g_max_S ({device.g_max_S:g}) or [crossbar] {tile}"
    if device.wire_ohm == 0.0:
        yield (
            f"Wires are ideal ([device] wire_ohm 0), but with {worst.ohm:g} ohm per segment cells of layer "
            f"'{worst.layer}' would lose up to {lost}; set wire_ohm to see what that does, or lower {lower}"
        )
    else:
        yield (
            f"With wires of {worst.ohm:g} ohm per segment ([device] wire_ohm) cells of layer '{worst.layer}' lose "
            f"up to {lost}, to first order; lower wire_ohm, {lower}"
        )


def _programming_problems(chip: ProgrammedChip) -> Iterator[str]:
    """Pulses that wires, half-selected cells or reads do not go with."""
    device = chip.device
    pulse_A = device.v_program_V * device.g_max_S
    if pulse_A > WIRE_A:
        yield (
            f"Programming pulses drive up to {_milli(pulse_A)} mA through a cell, v_program_V ({device.v_program_V:g}) "
            f"times g_max_S ({device.g_max_S:g}), but its wires bear some {_milli(WIRE_A)} mA; lower one of them"
        )
    if device.v_program_V <= device.v_read_V:
        yield (
            f"Programming pulses are no stronger than reads: v_program_V is {device.v_program_V:g}, v_read_V "
            f"{device.v_read_V:g}, and the model takes it that a read does not program; raise v_program_V or lower "
            "v_read_V"
        )
    moved = half_selected_levels(chip)
    if moved is not None and moved > _HALF_SELECTED:
        beyond = moved > device.levels - 1
        how_far = "through its whole range" if beyond else f"by up to {moved:.2g} levels"
        yield (
            f"A programming pulse at half of v_program_V ({device.v_program_V:g} V) moves a cell {how_far}: "
            "the chip needs a transistor at every cell, which this model assumes, or a lower v_program_V"
        )


def _milli(amperes: float) -> str:
    return f"{amperes * 1e3:.3g}"


def _share(loss: float) -> str:
    return "all" if loss >= 1.0 else f"{loss:.0%}"
