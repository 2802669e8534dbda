"""Co-simulation: the generated Verilog in Verilator or Icarus, with the device model in place of the analog array.

The images of a run are independent (every random draw is addressed by image number), so they are split over worker
processes, each with a simulator of its own. Where cells drift they are not: one simulator takes them all in order, or
each of several begins where the reference says that the one before ends, and is checked against that.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import check_kinds
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.common.arguments import check_ids
from spikeloom.sim.common.threads import processors
from spikeloom.sim.cosim.job import read_record, write_job
from spikeloom.sim.cosim.macro_model import programmed_models
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import SimulationError, simulator_environment
from spikeloom.sim.cosim.waves import gtkw_text, wave_file
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays, check_arrays
from spikeloom.sim.crossbar.drift_schedule import check_drift
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images

__all__ = ["run_cosim", "workplace"]

_MINIMUM_PER_WORKER = 16


def run_cosim(
    programmed: ProgrammedChip,
    images: ArrayLike,
    ids: ArrayLike | None = None,
    options: CosimOptions | None = None,
    *,
    arrays: Sequence[CrossbarArray] | None = None,
    drift: DriftSnapshot | None = None,
    starts: Sequence[DriftSnapshot] = (),
    **changes: Any,
) -> Result:
    """Run images through the generated Verilog with the device model; the same result object as the reference's.

    Parameters
    ----------
    programmed : the programmed chip
    images : uint8 [images, inputs], or float in 0..1
    ids : number of each image, which addresses its random draws; 0, 1, 2, ... if not given
    options, changes : how it is run; fields of `CosimOptions` may be given by name
    arrays : the chip's crossbars, if they are programmed already (`sim.crossbar.array.build_arrays`)
    drift : where cells that drift are before the first image, see `sim.reference.run.run_reference`
    starts : where they are before later images, by the reference: a further simulator at once begins at each

    Raises
    ------
    ToolError, SimulationError : a program is missing, or did not finish
    Mismatch : the cells have not drifted to where one of `starts` is
    ValueError, TypeError : images or ids of wrong shape, type or range, arrays or drift of another chip, or a coding
        or rule that the unit does not have
    """
    options = CosimOptions.of(options, changes)
    pixels = check_images(images, image_shape(programmed.parameters))
    numbers = check_ids(ids, len(pixels))
    if arrays is not None:
        check_arrays(programmed, arrays)
    if options.waves and starts:
        raise SpikeLoomError("Waves are recorded of one simulator: starts must be empty")
    parts, begins = _shares(programmed, len(pixels), options, drift, starts)
    check_kinds(programmed)
    chip = Simulator.build(
        programmed, options.simulator, waves=options.waves, quick=options.quickly(len(pixels)), netlist=options.netlist
    )
    built = build_arrays(programmed) if arrays is None else arrays
    with workplace(options.folder) as base:
        models = [programmed_models(programmed, built, state) for state in begins]
        jobs = [base / f"job_{index}" for index in range(len(parts))]
        for job, part, devices in zip(jobs, parts, models, strict=True):
            shutil.rmtree(job, ignore_errors=True)
            write_job(job, programmed, devices, pixels[part], numbers[part])
        if options.waves:
            (jobs[0] / "waves.gtkw").write_text(gtkw_text(programmed.parameters, wave_file(options.simulator)))
        _run(chip, jobs, len(pixels), options)
        results = [
            read_record(job, programmed, numbers[part], options.trace) for job, part in zip(jobs, parts, strict=True)
        ]
    for result, start in zip(results, starts, strict=False):
        difference = start.difference(result.drift, ("the reference", "the Verilog")) if result.drift else None
        if difference is not None:
            raise Mismatch(difference)
    return Result.concatenate(results)


def _shares(
    programmed: ProgrammedChip,
    count: int,
    options: CosimOptions,
    drift: DriftSnapshot | None,
    starts: Sequence[DriftSnapshot],
) -> tuple[list[NDArray[np.int64]], list[DriftSnapshot | None]]:
    """The images of each simulator, and where its cells are before them."""
    states = [drift, *starts]
    for state in states:
        if state is not None:
            check_drift(programmed, state)
    before = [0 if state is None else state.images for state in states]
    edges = [place - before[0] for place in before] + [count]
    if any(stop <= start for start, stop in pairwise(edges)):
        raise SpikeLoomError(f"Places where simulators begin and end must rise, not {edges}")
    if starts:
        return [np.arange(start, stop) for start, stop in pairwise(edges)], states
    available = options.workers or processors()
    at_once = 1 if options.waves or programmed.device.drifts else max(1, min(available, count // _MINIMUM_PER_WORKER))
    parts = [part for part in np.array_split(np.arange(count), at_once) if len(part)]
    return parts, [drift] * len(parts)


def _run(chip: Simulator, jobs: list[Path], total: int, options: CosimOptions) -> None:
    """Run all jobs at once; the first failure ends the others and is raised."""
    stop = threading.Event()
    run = functools.partial(chip.run, membranes=options.membranes, stalls=options.stalls, stop=stop)
    with simulator_environment(), ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            _wait(futures, jobs, total, options.progress)
        except BaseException:
            stop.set()  # or the pool would wait for the other simulators to finish
            raise


def _wait(
    futures: list[Future[None]], jobs: list[Path], total: int, progress: Callable[[int, int], None] | None
) -> None:
    """Wait for the workers, counting finished images in their records; the first failure is raised."""
    positions = dict.fromkeys(jobs, 0)
    done = 0
    running: set[Future[None]] = set(futures)
    while running:
        finished, running = wait(running, timeout=0.5, return_when=FIRST_EXCEPTION)
        for future in finished:
            future.result()
        for job in jobs:
            record = job / "record.txt"
            if progress is not None and record.exists():
                with record.open("rb") as file:
                    file.seek(positions[job])
                    text = file.read()
                positions[job] += len(text)
                done += text.count(b"\nr ")
                progress(min(done, total), total)
    if progress is not None:
        progress(total, total)


@contextlib.contextmanager
def workplace(folder: Path | str | None) -> Iterator[Path]:
    """Where jobs run: the folder, or a temporary one that goes unless an error's message sends the user there."""
    if folder is not None:
        yield Path(folder).resolve()
        return
    temporary = Path(tempfile.mkdtemp(prefix="spikeloom-"))
    try:
        yield temporary
    except SimulationError:
        raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(temporary, ignore_errors=True)
