"""Co-simulation in chunks, each compared with the reference bit for bit and stored so that a run can be resumed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.threads import processors
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.verify.bus_chunks import cosimulate_through_bus
from spikeloom.sw.verify.result_file import load_result, save_result

if TYPE_CHECKING:
    from spikeloom.sim.crossbar.array import CrossbarArray

__all__ = ["CHUNK", "cosimulate"]

CHUNK = 2000
"""Images of a chunk; a run that was stopped loses at most one."""
SPLIT = 100
"""Where cells drift: least images of each of the simulators that share a chunk."""


def cosimulate(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    options: CosimOptions | None = None,
    *,
    trace_images: int = 0,
    waves: Path | None = None,
    chunks: Path | None = None,
    through_bus: bool = False,
    **changes: Any,
) -> tuple[Result, dict[str, Any]]:
    """Run images through the Verilog and compare every chunk with the reference, bit for bit.

    Parameters
    ----------
    chip : the programmed chip
    images : uint8 [images, inputs]; image i has number i
    options, changes : of the simulation, see `sim.cosim.run.run_cosim`; `trace`, `waves` and `folder` follow from the
        next two
    trace_images : first images of which every membrane is compared too; of the others every spike is
    waves : folder for the waveforms of the traced images, at least one
    chunks : folder that keeps finished chunks, to resume from; None keeps nothing
    through_bus : over the host buses, see `sw.verify.bus_chunks`

    Returns
    -------
    The Verilog's result and {"images", "values_compared", "mismatches" (always 0), "traced_images", "simulator",
    "through_bus" (None, or what the host found), "counts_compared"}. Without activity counters the result has the
    reference's counts, and they are not compared

    Raises `spikeloom.errors.Mismatch` at the first difference, and `spikeloom.errors.ToolError` if a program is
    missing.
    """
    options = CosimOptions.of(options, changes)
    options = replace(options, quick=options.quickly(len(images)))
    if through_bus:
        return cosimulate_through_bus(chip, images, options, trace_images=trace_images, waves=waves, chunks=chunks)
    from spikeloom.sim.crossbar.array import build_arrays

    arrays = build_arrays(chip)
    traced = min(len(images), max(trace_images, 1) if waves is not None else trace_images)
    parts: list[Result] = []
    values = 0
    for start, stop in _ranges(traced, len(images)):
        full = stop <= traced
        recorded = waves if full else None
        path = None if chunks is None else chunks / f"{'traced' if full else 'images'}_{start:06d}_{stop:06d}.npz"
        known = None if path is None or recorded is not None else _known(path)
        if known is None:
            tell = options.progress
            chunk = replace(
                options,
                trace="full" if full else "spikes",
                waves=recorded is not None,
                folder=recorded,
                progress=None if tell is None else functools.partial(_shifted, tell, start, len(images)),
            )
            ids = np.arange(start, stop, dtype=np.int64)
            known = _compared(chip, images, ids, chunk, arrays, parts[-1].drift if parts else None)
            if path is not None:
                save_result(path, *known)
        parts.append(known[0])
        values += known[1]
    if options.progress is not None:
        options.progress(len(images), len(images))
    joined = {
        "images": len(images),
        "values_compared": values,
        "mismatches": 0,
        "traced_images": traced,
        "simulator": options.simulator,
        "through_bus": None,
        "counts_compared": chip.parameters.activity_counters,
    }
    return Result.concatenate(parts), joined


def _compared(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    ids: NDArray[np.int64],
    options: CosimOptions,
    arrays: tuple[CrossbarArray, ...],
    drift: DriftSnapshot | None,
) -> tuple[Result, int]:
    """A chunk's result of the Verilog, and values compared with the reference's; `drift` is before its images."""
    from spikeloom.sim.cosim.run import run_cosim
    from spikeloom.sim.reference.run import run_reference

    splits = processors() if chip.device.drifts and not options.membranes else 1
    expected_parts: list[Result] = []
    for piece in np.array_split(ids, max(1, min(splits, len(ids) // SPLIT))):
        before = expected_parts[-1].drift if expected_parts else drift
        place = slice(int(piece[0]), int(piece[-1]) + 1)
        expected_parts.append(
            run_reference(chip, images[place], ids=piece, trace=options.trace, arrays=arrays, drift=before)
        )
    starts = [part.drift for part in expected_parts[:-1] if part.drift is not None]
    place = slice(int(ids[0]), int(ids[-1]) + 1)
    result = run_cosim(chip, images[place], ids=ids, options=options, arrays=arrays, drift=drift, starts=starts)
    expected = Result.concatenate(expected_parts)
    values = expected.compare(result, ("the reference", "the Verilog"))
    return result.counted_by(expected), values


def _ranges(traced: int, count: int) -> Iterator[tuple[int, int]]:
    """The traced images, then chunks that end at multiples of `CHUNK`."""
    start = 0
    while start < count:
        stop = traced if start < traced else min(count, (start // CHUNK + 1) * CHUNK)
        yield start, stop
        start = stop


def _shifted(progress: Callable[[int, int], None], start: int, total: int, done: int, _part: int) -> None:
    progress(start + done, total)


def _known(path: Path) -> tuple[Result, int] | None:
    """A chunk that was saved, if it is there and whole."""
    try:
        return load_result(path)
    except FileError:
        return None
