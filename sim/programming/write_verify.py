"""Write-verify of whole layers: the effect of the hardware's Programmer on the cells, without the hardware.

A cell is read; while its code is further than the tolerance from its target, and it has tries left, it gets a pulse
towards the target and is read again. Cells do not disturb one another and have draws of their own, so programming a
layer at once gives the bits that the Programmer gives row by row, lane by lane. The
passes are those of `sim.programming.passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.cycles import programming_cycles
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CODES_PER_LEVEL, MAX_VERIFY_CODE
from spikeloom.sim.common.energy_sums import summed
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.common.threads import in_order, processors
from spikeloom.sim.programming.cell_records import WriteRule, Written
from spikeloom.sim.programming.cells import CellModel, CellState, program_rows
from spikeloom.sim.programming.energy import programming_energy
from spikeloom.sim.programming.passes import (
    Outcome,
    ProgrammedCells,
    compensate,
    second_pass,
    signed_weight,
    starts_mask,
    targets_of,
)

__all__ = [
    "ChipProgramming",
    "LayerProgramming",
    "model_of",
    "program_cells",
    "program_chip",
    "program_layer",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerProgramming(ProgrammedCells):
    """A layer after programming.

    Parameters
    ----------
    state : the cells afterwards
    cycles : clock cycles that the layer's Programmer is busy
    energy_J : joules, `pulses`, `reads` and `adc`, each low, typical and high (`sim.programming.energy`)
    tolerance : largest distance of a code from its target that is accepted, codes
    """

    state: CellState
    cycles: int
    energy_J: dict[str, dict[str, float]]
    tolerance: int

    __repr__ = short_repr

    @property
    def error(self) -> NDArray[np.int64]:
        """Weight reached less weight wanted, by the last verify reads: int64 [inputs, outputs], eighths of a level."""
        return signed_weight(self.final.codes) - signed_weight(self.wanted)

    @property
    def faulty(self) -> NDArray[np.bool_]:
        """Pairs with a cell that failed in a pass, bool [inputs, outputs]."""
        pairs: NDArray[np.bool_] = np.any(self.first.failed | self.final.failed, axis=0)
        return pairs

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Faulty pairs whose weight is further than twice the tolerance from the wanted one, bool [inputs, outputs]."""
        return self.faulty & (np.abs(self.error) > 2 * self.tolerance)

    @property
    def compensated(self) -> NDArray[np.bool_]:
        """Faulty pairs whose weight is still within twice the tolerance of the wanted one, bool [inputs, outputs]."""
        return self.faulty & ~self.lost


@dataclass(frozen=True, eq=False)
class ChipProgramming:
    """A chip after programming; totals over its layers, which are programmed one after another."""

    layers: tuple[LayerProgramming, ...]

    __repr__ = short_repr

    @property
    def pulses(self) -> int:
        """Programming pulses of all layers."""
        return sum(layer.pulses for layer in self.layers)

    @property
    def verify_reads(self) -> int:
        """Verify reads of all layers."""
        return sum(layer.verify_reads for layer in self.layers)

    @property
    def failed(self) -> int:
        """Cells that failed in the first pass."""
        return sum(int(layer.first.failed.sum()) for layer in self.layers)

    @property
    def compensated(self) -> int:
        """Pairs with a failed cell whose weight was reached all the same."""
        return sum(int(layer.compensated.sum()) for layer in self.layers)

    @property
    def lost(self) -> int:
        """Pairs with a failed cell whose weight was not reached."""
        return sum(int(layer.lost.sum()) for layer in self.layers)

    @property
    def cycles(self) -> int:
        """Clock cycles that the Programmers are busy; the host's are not in it."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def energy_J(self) -> dict[str, dict[str, float]]:
        """Joules of `pulses`, `reads`, `adc` and `total`, each low, typical and high."""
        parts = {part: summed(layer.energy_J[part] for layer in self.layers) for part in self.layers[0].energy_J}
        return {**parts, "total": summed(parts.values())}


def model_of(chip: ProgrammedChip, index: int) -> CellModel:
    """The cells of layer `index`."""
    shape = chip.parameters.layers[index]
    return CellModel(chip.device, shape.inputs, shape.outputs, chip.seed, index, chip.pulse_s)


def program_cells(
    model: CellModel,
    state: CellState,
    targets: NDArray[np.uint16],
    programming: Programming,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[CellState, Outcome]:
    """One pass over the cells of `mask` (default: all), bool [2, inputs, outputs]; `state` is left as it is.

    targets : uint16 [2, inputs, outputs]. Cells outside the mask: code and pulses are 0, and they did not fail.
    """
    shape = (2, model.inputs, model.outputs)
    for name, array in (("targets", targets), ("conductances", state.g_S), ("flags of the mask", mask)):
        if array is not None and array.shape != shape:
            raise SpikeLoomError(f"Layer {model.layer}: {name} have shape {array.shape}, but the cells have {shape}")
    if int(targets.max()) > MAX_VERIFY_CODE:
        raise SpikeLoomError(
            f"Layer {model.layer}: a target must be in 0 .. {MAX_VERIFY_CODE}, not {int(targets.max())}"
        )
    after = state.copy()
    chosen = np.ones(shape, np.bool_) if mask is None else mask
    outcome = Outcome(np.zeros(shape, np.uint16), np.zeros(shape, np.uint8), np.zeros(shape, np.bool_))
    written = tuple(Written(outcome.codes, outcome.pulses, outcome.failed))
    rule = tuple(WriteRule(programming.tolerance_code, programming.tries, *programming.amplitude_codes))
    driver, grid, cells = model.driver, model.grid, tuple(after.arrays)

    def rows(start: int) -> None:
        stop = min(start + _ROWS, model.inputs)
        program_rows(start, stop, targets, chosen, rule, model.constants, driver, grid, cells, written)

    for _ in in_order(rows, range(0, model.inputs, _ROWS), processors()):
        pass
    return after, outcome


_ROWS = 64
"""Rows that a thread programs at once."""


def program_layer(
    chip: ProgrammedChip, index: int, fault_aware: bool | None = None, state: CellState | None = None
) -> LayerProgramming:
    """Program layer `index` from fresh cells (or from `state`); fault_aware None takes the chip's setting.

    Pass 1 is over all cells. With fault_aware, pass 2 is over every row in the tile and column group in which a target
    has changed (`compensate`), all its cells: that is what the Programmer does at a start.
    """
    parameters, programming = chip.parameters.layers[index], chip.programming
    model = model_of(chip, index)
    before = model.fresh() if state is None else state
    wanted = targets_of(chip, index)
    after, first = program_cells(model, before, wanted, programming)
    targets, final = wanted, first
    starts = np.zeros((parameters.tile_rows, parameters.groups), np.bool_)
    every = np.broadcast_to((np.arange(parameters.tile_rows) < parameters.inputs)[:, None], starts.shape)
    cycles = _cycles(chip, index, first, every)
    if programming.fault_aware if fault_aware is None else fault_aware:
        targets = compensate(wanted, first.failed, first.codes, (chip.device.levels - 1) * CODES_PER_LEVEL)
        starts = second_pass(wanted, targets, parameters)
        if starts.any():
            mask = starts_mask(starts, parameters)
            after, again = program_cells(model, after, targets, programming, mask)
            final = first.updated(again, mask)
            cycles += _cycles(chip, index, again, starts)
    pulses, reads, load, read_load = (
        int((b - a).sum()) for a, b in zip(before.arrays[1:5], after.arrays[1:5], strict=True)
    )
    return LayerProgramming(
        wanted=wanted,
        targets=targets,
        first=first,
        final=final,
        state=after,
        second=starts,
        pulses=pulses,
        verify_reads=reads,
        cycles=cycles,
        energy_J=programming_energy(chip, load, read_load, reads),
        tolerance=programming.tolerance_code,
    )


def program_chip(
    chip: ProgrammedChip,
    fault_aware: bool | None = None,
    states: Sequence[CellState] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ChipProgramming:
    """`program_layer` of every layer, from fresh cells or from `states`; `progress(done, total)` counts layers."""
    layers = []
    for index in range(len(chip.layers)):
        layers.append(program_layer(chip, index, fault_aware, None if states is None else states[index]))
        if progress is not None:
            progress(index + 1, len(chip.layers))
    return ChipProgramming(tuple(layers))


def _cycles(chip: ProgrammedChip, index: int, outcome: Outcome, starts: NDArray[np.bool_]) -> int:
    """Cycles of the layer's Programmer in a pass, its starts bool [tile_rows, groups]: row tiles go in lockstep."""
    parameters = chip.parameters.layers[index]
    tiles, tile_rows = parameters.row_tiles, parameters.tile_rows
    pulses = np.zeros((2, tiles * tile_rows, parameters.outputs), np.uint8)
    pulses[:, : parameters.inputs] = outcome.pulses
    slowest = pulses.reshape(2, tiles, tile_rows, parameters.outputs).max(axis=1)
    widths = np.minimum(parameters.lanes, parameters.outputs - np.arange(parameters.groups) * parameters.lanes)
    return programming_cycles(
        parameters,
        columns=int((starts * widths).sum()),
        rounds=int(slowest.sum()),
        pulse_cycles=chip.program_cycles,
        verify_cycles=chip.settle_cycles + chip.adc_cycles,
        starts=int(starts.sum()),
    )
