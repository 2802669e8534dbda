"""Program and verify of whole layers: what the hardware's Programmer does to the cells, without the hardware.

A cell is read; while its code is further than the window from its target, and it has tries left, it gets a pulse
towards the target and is read again. Cells do not disturb one another and have draws of their own, so programming a
layer at once gives the bits that the Programmer gives row by row, lane by lane.

    pass 1    every cell, to the code of its level, 8 a level
    pass 2    (fault-aware) partners of failed cells, and whatever else the Programmer does at the same starts
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.cycles import programming_cycles
from hw.params import LayerParameters
from sim.cells import TOP_CODE, CellModel, CellState, program_rows
from sim.config import CODE, Programming
from sim.energy import programming_energy, summed
from sim.image import ChipImage
from sim.philox import normal_table
from sim.short_repr import short_repr
from sim.threads import in_order, processors

__all__ = [
    "ImageProgramming",
    "LayerProgramming",
    "Outcome",
    "compensate",
    "model_of",
    "program_cells",
    "program_image",
    "program_layer",
    "second_pass",
    "starts_mask",
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

    __repr__ = short_repr

    def updated(self, later: Outcome, mask: NDArray[np.bool_]) -> Outcome:
        """This outcome, but that of a later pass for the cells of `mask`."""
        return Outcome(
            np.where(mask, later.codes, self.codes),
            np.where(mask, later.pulses, self.pulses),
            np.where(mask, later.failed, self.failed),
        )


@dataclass(frozen=True, eq=False)
class LayerProgramming:
    """A layer after programming.

    Parameters
    ----------
    wanted, targets : uint16 [2, inputs, outputs], codes of the levels; and those of the last pass of each cell
    first, final : outcome of the first pass; and that of the last pass of each cell
    state : the cells afterwards
    second : bool [tile_rows, groups], row in the tile and column group of the starts of the second pass; all false
        without one
    pulses, verify_reads : events of both passes
    cycles : clock cycles that the layer's Programmer is busy
    energy_J : joules, `pulses`, `reads` and `adc`, each low, typical and high (`sim.energy.programming_energy`)
    window : codes
    """

    wanted: NDArray[np.uint16]
    targets: NDArray[np.uint16]
    first: Outcome
    final: Outcome
    state: CellState
    second: NDArray[np.bool_]
    pulses: int
    verify_reads: int
    cycles: int
    energy_J: dict[str, dict[str, float]]
    window: int

    __repr__ = short_repr

    @property
    def error(self) -> NDArray[np.int64]:
        """Weight reached less weight wanted, by the last verify reads: int64 [inputs, outputs], eighths of a level."""
        return _weight(self.final.codes) - _weight(self.wanted)

    @property
    def faulty(self) -> NDArray[np.bool_]:
        """Pairs with a cell that failed in a pass, bool [inputs, outputs]."""
        return np.any(self.first.failed | self.final.failed, axis=0)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Faulty pairs whose weight is further than two windows from the wanted one, bool [inputs, outputs]."""
        return self.faulty & (np.abs(self.error) > 2 * self.window)

    @property
    def compensated(self) -> NDArray[np.bool_]:
        """Faulty pairs whose weight is within two windows of the wanted one all the same, bool [inputs, outputs]."""
        return self.faulty & ~self.lost


@dataclass(frozen=True, eq=False)
class ImageProgramming:
    """A chip after programming; totals over its layers, which are programmed one after another."""

    layers: tuple[LayerProgramming, ...]

    __repr__ = short_repr

    @property
    def pulses(self) -> int:
        return sum(layer.pulses for layer in self.layers)

    @property
    def verify_reads(self) -> int:
        return sum(layer.verify_reads for layer in self.layers)

    @property
    def failed(self) -> int:
        """Cells that failed in the first pass."""
        return sum(int(layer.first.failed.sum()) for layer in self.layers)

    @property
    def compensated(self) -> int:
        return sum(int(layer.compensated.sum()) for layer in self.layers)

    @property
    def lost(self) -> int:
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


def targets_of(image: ChipImage, index: int) -> NDArray[np.uint16]:
    """Target codes of layer `index`, uint16 [2, inputs, outputs]: 8 a level."""
    layer = image.layers[index]
    return np.stack([layer.positive, layer.negative]).astype(np.uint16) * np.uint16(CODE)


def model_of(image: ChipImage, index: int) -> CellModel:
    """The cells of layer `index`."""
    shape = image.parameters.layers[index]
    return CellModel(image.device, shape.inputs, shape.outputs, image.seed, index, image.pulse_s)


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
            raise ValueError(f"Layer {model.layer}: {name} have shape {array.shape}, but the cells have {shape}")
    if int(targets.max()) > TOP_CODE:
        raise ValueError(f"Layer {model.layer}: a target must be in 0 .. {TOP_CODE}, not {int(targets.max())}")
    after = state.copy()
    chosen = np.ones(shape, np.bool_) if mask is None else mask
    outcome = Outcome(np.zeros(shape, np.uint16), np.zeros(shape, np.uint8), np.zeros(shape, np.bool_))
    smallest, largest = programming.amplitude_codes
    driver = model.driver

    def rows(start: int) -> None:
        program_rows(
            start, min(start + _ROWS, model.inputs), targets, chosen, programming.window_code, programming.tries,
            smallest, largest, model.keys, model.constants, normal_table(), driver, *after.arrays,
            outcome.codes, outcome.pulses, outcome.failed,
        )  # fmt: skip

    for _ in in_order(rows, range(0, model.inputs, _ROWS), processors()):
        pass
    return after, outcome


_ROWS = 64
"""Rows that a thread programs at once."""


def compensate(
    targets: NDArray[np.uint16], failed: NDArray[np.bool_], codes: NDArray[np.uint16], top: int
) -> NDArray[np.uint16]:
    """New targets, uint16 [2, inputs, outputs], that bring p - n of pairs with one failed cell to the weight.

    The failed cell's target becomes its code, its partner's the nearest to what is missing in 0 .. `top` (code of the
    top level). Pairs with two failed cells keep their targets.
    """
    weight = _weight(targets)
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


def program_layer(
    image: ChipImage, index: int, fault_aware: bool | None = None, state: CellState | None = None
) -> LayerProgramming:
    """Program layer `index` from fresh cells (or from `state`); fault_aware None takes the image's setting.

    Pass 1 is over all cells. With fault_aware, pass 2 is over every row in the tile and column group in which a target
    has changed (`compensate`), all its cells: that is what the Programmer does at a start.
    """
    parameters, programming = image.parameters.layers[index], image.programming
    model = model_of(image, index)
    before = model.fresh() if state is None else state
    wanted = targets_of(image, index)
    after, first = program_cells(model, before, wanted, programming)
    targets, final = wanted, first
    starts = np.zeros((parameters.tile_rows, parameters.groups), np.bool_)
    every = np.broadcast_to((np.arange(parameters.tile_rows) < parameters.inputs)[:, None], starts.shape)
    cycles = _cycles(image, index, first, every)
    if programming.fault_aware if fault_aware is None else fault_aware:
        targets = compensate(wanted, first.failed, first.codes, (image.device.levels - 1) * CODE)
        starts = second_pass(wanted, targets, parameters)
        if starts.any():
            mask = starts_mask(starts, parameters)
            after, again = program_cells(model, after, targets, programming, mask)
            final = first.updated(again, mask)
            cycles += _cycles(image, index, again, starts)
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
        energy_J=programming_energy(image, load, read_load, reads),
        window=programming.window_code,
    )


def program_image(
    image: ChipImage,
    fault_aware: bool | None = None,
    states: Sequence[CellState] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageProgramming:
    """`program_layer` of every layer, from fresh cells or from `states`; `progress(done, total)` counts layers."""
    layers = []
    for index in range(len(image.layers)):
        layers.append(program_layer(image, index, fault_aware, None if states is None else states[index]))
        if progress is not None:
            progress(index + 1, len(image.layers))
    return ImageProgramming(tuple(layers))


def _weight(codes: NDArray[np.uint16]) -> NDArray[np.int64]:
    """p - n, int64 [inputs, outputs]."""
    return codes[0].astype(np.int64) - codes[1].astype(np.int64)


def _cycles(image: ChipImage, index: int, outcome: Outcome, starts: NDArray[np.bool_]) -> int:
    """Cycles of the layer's Programmer in a pass, its starts bool [tile_rows, groups]: row tiles go in lockstep."""
    parameters = image.parameters.layers[index]
    tiles, tile_rows = parameters.row_tiles, parameters.tile_rows
    pulses = np.zeros((2, tiles * tile_rows, parameters.outputs), np.uint8)
    pulses[:, : parameters.inputs] = outcome.pulses
    slowest = pulses.reshape(2, tiles, tile_rows, parameters.outputs).max(axis=1)
    widths = np.minimum(parameters.lanes, parameters.outputs - np.arange(parameters.groups) * parameters.lanes)
    return programming_cycles(
        parameters,
        columns=int((starts * widths).sum()),
        rounds=int(slowest.sum()),
        pulse_cycles=image.program_cycles,
        verify_cycles=image.settle_cycles + image.adc_cycles,
        starts=int(starts.sum()),
    )
