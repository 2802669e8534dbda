"""Clock cycles that emulated crossbars take for reads: more for more driven rows (`hw.emulator.cycles`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.emulator.cycles import convert_cycles, settle_cycles
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.hw.params.parameters import ceil_div
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.estimates.timing import Timing, timing
from spikeloom.sim.reference.run import run_reference

__all__ = ["board_run", "emulated_reads", "listed_entries"]

_TOGETHER = 500
"""Images of which the spikes are kept at once."""


def listed_entries(shape: EmulatorShape, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Entries of the list for each line, int64 [n, lines], of row codes [n, inputs]; the same as
    `hw.emulator.cycles.line_entries` of each.
    """
    p = shape.parameters
    parts: list[NDArray[np.int64]] = []
    before = np.zeros(len(rows), np.bool_)  # an earlier row tile is driven
    for start in range(0, p.inputs, p.tile_rows):
        driven: NDArray[np.bool_] = rows[:, start : min(start + p.tile_rows, p.inputs)].astype(np.bool_)
        words: NDArray[np.bool_] = np.any(_grouped(driven, shape.rows_per_cycle), axis=2)
        lines = _grouped(words, shape.line_words).sum(axis=2, dtype=np.int64)
        here: NDArray[np.bool_] = np.any(words, axis=1)
        ended = np.flatnonzero(here & before)
        lines[ended, words[ended].argmax(axis=1) // shape.line_words] += 1
        parts.append(lines)
        before |= here
    return np.concatenate(parts, axis=1)


def _grouped(values: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """[n, m] -> [n, ceil(m / size), size], with False at the end."""
    count = ceil_div(values.shape[1], size)
    return np.pad(values, ((0, 0), (0, count * size - values.shape[1]))).reshape(len(values), count, size)


def emulated_reads(
    shapes: Sequence[EmulatorShape], pulse_cycles: int, layer: int, rows: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cycles of drives and conversions of a layer's reads, for `sim.estimates.timing.timing`."""
    shape = shapes[layer]
    entries = listed_entries(shape, rows)
    settle = settle_cycles(shape, entries)
    counts, places = np.unique(entries.sum(axis=1), return_inverse=True)
    waits = np.array([convert_cycles(shape, count) for count in counts.tolist()], np.int64).reshape(len(counts), -1)
    return np.maximum(settle, pulse_cycles), waits[places] + 1


def board_run(
    chip: ProgrammedChip,
    shapes: Sequence[EmulatorShape],
    pixels: NDArray[np.uint8],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Result, Timing]:
    """Images uint8 [images, inputs], one after another, through the reference of a chip whose crossbars are emulated.

    shapes : of every layer's emulator
    progress : called with images done and images in all

    Returns
    -------
    the result, with `cycles`, and its timing. Every 500 images begin anew, which is a few cycles off where one image is
    stored while another runs.
    """

    def reads(layer: int, rows: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return emulated_reads(shapes, chip.parameters.pulse_cycles, layer, rows)

    arrays = build_arrays(chip)
    results: list[Result] = []
    ends: list[NDArray[np.int64]] = []
    alone: list[NDArray[np.int64]] = []
    before = 0
    for start in range(0, len(pixels), _TOGETHER):
        part = pixels[start : start + _TOGETHER]
        ids = np.arange(start, start + len(part))
        result = run_reference(chip, part, ids, trace="spikes", arrays=arrays)
        found = timing(chip, part, result, reads)
        results.append(replace(result, trace=None, cycles=found.cycles))
        ends.append(found.results + before)
        alone.append(found.alone)
        before = int(ends[-1][-1])
        if progress is not None:
            progress(start + len(part), len(pixels))
    whole = Result.concatenate(results)
    assert whole.cycles is not None
    return whole, Timing(whole.cycles, np.concatenate(ends), np.concatenate(alone))
