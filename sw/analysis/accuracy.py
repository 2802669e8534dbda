"""Data of the report beyond a run's results: curves, one traced image and conductance maps, computed on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.parameters import DecisionRule, Readout
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.programming.write_verify import ChipProgramming, program_chip
from spikeloom.sim.reference.decision import scores_by_step, top_two
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.labels import layer_label

__all__ = [
    "Example", "TileMap", "accuracy_by_steps", "conductance_map", "conductance_maps", "step_thresholds",
    "trace_example",
]  # fmt: skip

_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Example:
    """One image followed through the chip.

    Parameters
    ----------
    pixels : uint8 [inputs]
    label : its class, if known
    result : Result of this one image, with spikes and membranes of every step
    """

    pixels: NDArray[np.uint8]
    label: int | None
    result: Result

    __repr__ = short_repr


@dataclass(frozen=True, eq=False)
class TileMap:
    """Conductances of one tile, G+ - G-, siemens [rows, columns]."""

    title: str
    target_S: NDArray[np.float64]
    programmed_S: NDArray[np.float64]

    __repr__ = short_repr


def accuracy_by_steps(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    ids: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[float | None]:
    """Accuracy (0 .. 1) if every image were decided after step 1, 2, ... t_max; None before the output layer runs.

    One run of the reference with the fixed rule, in chunks that bound the memory of the traces; the decision of every
    step is recomputed from the last layer's trace. `progress` is called with images done and images in all.
    """
    fixed = replace(chip, rule=DecisionRule.FIXED)
    last = chip.parameters.layers[-1]
    phases, t_max = chip.parameters.phases, chip.t_max
    kind: Literal["spikes", "full"] = "full" if chip.readout == Readout.MEMBRANE else "spikes"
    neurons = sum(layer.neurons for layer in chip.parameters.layers)
    width = neurons * (4 if kind == "full" else 0) + neurons // 8 + 16 * last.outputs
    chunk = int(np.clip(_CHUNK_BYTES // (width * t_max), 1, 1000))
    arrays = build_arrays(fixed)
    numbers = np.arange(len(images), dtype=np.int64) if ids is None else ids
    right = np.zeros(t_max, np.int64)
    drift = None
    for start in range(0, len(images), chunk):
        part = slice(start, start + chunk)
        result = run_reference(fixed, images[part], ids=numbers[part], trace=kind, arrays=arrays, drift=drift)
        trace, drift = result.trace, result.drift
        assert trace is not None
        winners, _ = top_two(scores_by_step(chip, trace))
        right += (winners == np.asarray(labels)[part, None]).sum(axis=0)
        if progress is not None:
            progress(min(start + chunk, len(images)), len(images))
    before = chip.skip * phases
    return [None if step < before else float(right[step]) / len(images) for step in range(t_max)]


def trace_example(
    chip: ProgrammedChip, images: NDArray[np.uint8], labels: NDArray[np.integer] | None = None, index: int = 0
) -> Example:
    """Image number `index`, run through the reference with every spike and membrane recorded."""
    result = run_reference(
        chip, np.asarray(images[index : index + 1]), ids=np.array([index], dtype=np.int64), trace="full"
    )
    return Example(images[index], None if labels is None else int(labels[index]), result)


def step_thresholds(chip: ProgrammedChip, layer: int, steps: int) -> NDArray[np.int64]:
    """Threshold of a layer in each of the first steps, int64 [steps], in units of one conductance step."""
    phases = chip.parameters.phases
    return chip.layers[layer].theta << (phases - 1 - np.arange(steps, dtype=np.int64) % phases)


def conductance_maps(chip: ProgrammedChip, most: int = 4, programming: ChipProgramming | None = None) -> list[TileMap]:
    """The fullest-used tile of each of the first `most` layers: what was wanted and what the devices hold.

    `programming` is the chip's, if it is known; of a chip that is programmed by pulses it is found otherwise.
    """
    if programming is None and chip.programming.method == "write-verify":
        programming = program_chip(chip)
    return [conductance_map(chip, index, programming) for index in range(min(most, len(chip.layers)))]


def conductance_map(chip: ProgrammedChip, index: int, programming: ChipProgramming | None = None) -> TileMap:
    """That of layer `index`, see `conductance_maps`."""
    if programming is None and chip.programming.method == "write-verify":
        programming = program_chip(chip)
    layer, shape, device = chip.layers[index], chip.parameters.layers[index], chip.device
    held_S = None if programming is None else programming.layers[index].state.g_S
    array = CrossbarArray(index, layer, shape, device, chip.seed, programmed_S=held_S, read_s=chip.read_s)
    rows, columns = min(shape.inputs, shape.tile_rows), min(shape.outputs, shape.tile_columns)
    used = layer.weights != 0
    counts = np.add.reduceat(
        np.add.reduceat(used.astype(np.int64), np.arange(0, shape.inputs, shape.tile_rows), axis=0),
        np.arange(0, shape.outputs, shape.tile_columns),
        axis=1,
    )
    row, column = (int(v) for v in np.unravel_index(int(np.argmax(counts)), counts.shape))
    window = (
        slice(row * shape.tile_rows, row * shape.tile_rows + rows),
        slice(column * shape.tile_columns, column * shape.tile_columns + columns),
    )
    return TileMap(
        title=f"{layer_label(layer.name)}: row tile {row + 1} of {shape.row_tiles}, "
        f"column tile {column + 1} of {shape.column_tiles}",
        target_S=layer.weights[window].astype(np.float64) * device.step_S,
        programmed_S=(array.g_S[0] - array.g_S[1])[window],
    )
