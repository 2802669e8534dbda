"""Co-simulation in chunks, each compared with the reference bit for bit and stored so that a run can be resumed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.threads import processors
from spikeloom.sw.common.errors import FileError
from spikeloom.sw.verify.bus_chunks import cosimulate_through_bus
from spikeloom.sw.verify.result_file import load_result, save_result

__all__ = ["CHUNK", "cosimulate"]

CHUNK = 2000
"""Images of a chunk; a run that was stopped loses at most one."""
SPLIT = 100
"""Where cells drift: least images of each of the simulators that share a chunk."""
QUICK = 100
"""Below so many images in all, the simulator is built without optimisation."""


def cosimulate(
    chip: ProgrammedChip,
    images: NDArray[np.uint8],
    *,
    simulator: str = "verilator",
    trace_images: int = 0,
    waves: Path | None = None,
    chunks: Path | None = None,
    through_bus: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Result, dict[str, Any]]:
    """Run images through the Verilog and hold every chunk to the reference's bits.

    Parameters
    ----------
    chip : the programmed chip
    images : uint8 [images, inputs]; image i has number i
    simulator : `verilator` or `icarus`
    trace_images : first images of which every membrane is compared too; of the others every spike is
    waves : folder for the waveforms of the traced images, at least one
    chunks : folder that keeps finished chunks, to go on from; None keeps nothing
    through_bus : over the host buses, see `sw.verify.bus_chunks`
    progress : told images done and images in all

    Returns
    -------
    The Verilog's result and {"images", "values_compared", "mismatches" (always 0), "traced_images", "simulator",
    "through_bus" (None, or what the host found)}

    Raises `spikeloom.errors.Mismatch` at the first difference, and `spikeloom.errors.ToolError` if a program is
    missing.
    """
    if through_bus:
        return cosimulate_through_bus(
            chip,
            images,
            simulator=simulator,
            trace_images=trace_images,
            waves=waves,
            quick=len(images) < QUICK,
            chunks=chunks,
            progress=progress,
        )
    from spikeloom.sim.cosim.run import run_cosim
    from spikeloom.sim.crossbar.array import build_arrays
    from spikeloom.sim.reference.run import run_reference

    arrays = build_arrays(chip)
    traced = min(len(images), max(trace_images, 1) if waves is not None else trace_images)
    parts, values = [], 0
    drift: DriftSnapshot | None = None
    for start, stop in _ranges(traced, len(images)):
        full = stop <= traced
        path = None if chunks is None else chunks / f"{'traced' if full else 'images'}_{start:06d}_{stop:06d}.npz"
        known = None if path is None or (full and waves is not None) else _known(path)
        if known is None:
            ids = np.arange(start, stop, dtype=np.int64)
            kind: Literal["spikes", "full"] = "full" if full else "spikes"
            splits = processors() if chip.device.drifts and not full else 1
            pieces = np.array_split(ids, max(1, min(splits, len(ids) // SPLIT)))
            expected_parts: list[Result] = []
            for piece in pieces:
                before = expected_parts[-1].drift if expected_parts else drift
                place = slice(int(piece[0]), int(piece[-1]) + 1)
                expected_parts.append(
                    run_reference(chip, images[place], ids=piece, trace=kind, arrays=arrays, drift=before)
                )
            expected = Result.concatenate(expected_parts)
            starts = [part.drift for part in expected_parts[:-1] if part.drift is not None]
            result = run_cosim(
                chip,
                images[start:stop],
                ids=ids,
                trace=kind,
                simulator=simulator,
                waves=full and waves is not None,
                folder=waves if full else None,
                arrays=arrays,
                quick=len(images) < QUICK,
                drift=drift,
                starts=starts,
                progress=None if progress is None else functools.partial(_shifted, progress, start, len(images)),
            )
            known = result, expected.compare(result, ("the reference", "the Verilog"))
            if path is not None:
                save_result(path, *known)
        parts.append(known[0])
        drift = known[0].drift
        values += known[1]
    if progress is not None:
        progress(len(images), len(images))
    joined = {
        "images": len(images),
        "values_compared": values,
        "mismatches": 0,
        "traced_images": traced,
        "simulator": simulator,
        "through_bus": None,
    }
    return Result.concatenate(parts), joined


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
