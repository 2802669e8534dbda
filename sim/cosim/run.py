"""Co-simulation: the generated Verilog in Verilator or Icarus, with the device model in place of the analog array.

The images of a run are independent (every random draw is addressed by image number), so they are split over worker
processes, each a simulator of its own. Where cells drift they are not: one simulator takes them all in order, or each
of several begins where the reference says that the one before ends, and is held to that.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import check_kinds
from spikeloom.sim.chip.result import Mismatch, Result
from spikeloom.sim.common.arguments import TraceKind, check_ids, check_progress, check_switch, check_trace, check_whole
from spikeloom.sim.common.threads import processors
from spikeloom.sim.cosim.job import read_record, write_job
from spikeloom.sim.cosim.macro_model import programmed_models
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import SimulationError, simulator_environment
from spikeloom.sim.cosim.waves import check_folder, gtkw_text, wave_file
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays, check_arrays
from spikeloom.sim.crossbar.drift_schedule import check_drift
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images

__all__ = ["run_cosim", "workplace"]

_MINIMUM_PER_WORKER = 16
_OPTIMISE_FROM = 100


def run_cosim(
    programmed: ProgrammedChip,
    images: ArrayLike,
    ids: ArrayLike | None = None,
    trace: TraceKind = "none",
    simulator: str = "verilator",
    waves: bool = False,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    stalls: bool = False,
    netlist: bool = False,
    arrays: Sequence[CrossbarArray] | None = None,
    quick: bool | None = None,
    drift: DriftSnapshot | None = None,
    starts: Sequence[DriftSnapshot] = (),
) -> Result:
    """Run images through the generated Verilog with the device model; the same result object as the reference's.

    Parameters
    ----------
    programmed : the programmed chip
    images : uint8 [images, inputs], or float in 0..1
    ids : number of each image, which addresses its random draws; 0, 1, 2, ... if not given
    trace : "spikes" adds every spike, "full" every membrane too
    simulator : `verilator` or `icarus`
    waves : leave `job_0/waves.vcd` (Icarus: `waves.fst`) and a grouped `waves.gtkw` in `folder`; one worker
    folder : where jobs run; a temporary folder if not given, which waves cannot be left in
    progress : called with images done and images in all
    workers : simulators at once; the number of processors if not given
    stalls : random stalls and back-pressure on every interface; results stay the same, cycles do not
    netlist : simulate the gates that Yosys synthesises from the unit's Verilog; for small designs
    arrays : the chip's crossbars, if they are programmed already (`sim.crossbar.array.build_arrays`)
    quick : build without the C++ compiler's optimisation; for fewer than 100 images if not given
    drift : where cells that drift are before the first image, see `sim.reference.run.run_reference`
    starts : where they are before later images, by the reference: a further simulator at once begins at each

    Raises
    ------
    ToolError, SimulationError : a program is missing, or did not finish
    Mismatch : the cells have not drifted to where one of `starts` is
    ValueError, TypeError : images or ids of wrong shape, type or range, arrays or drift of another chip, or a coding
        or rule that the unit does not have
    """
    pixels = check_images(images, image_shape(programmed.parameters))
    numbers = check_ids(ids, len(pixels))
    trace = check_trace(trace)
    check_progress(progress)
    for name, value in (("waves", waves), ("stalls", stalls), ("netlist", netlist)):
        check_switch(name, value)
    check_switch("quick", quick, optional=True)
    check_folder(waves, folder)
    if workers is not None:
        check_whole("workers", workers)
    if arrays is not None:
        check_arrays(programmed, arrays)
    states = [drift, *starts]
    for state in states:
        if state is not None:
            check_drift(programmed, state)
    before = [0 if state is None else state.images for state in states]
    edges = [place - before[0] for place in before] + [len(pixels)]
    if any(stop <= start for start, stop in pairwise(edges)):
        raise SpikeLoomError(f"Places where simulators begin and end must rise, not {edges}")
    quick = len(pixels) < _OPTIMISE_FROM if quick is None else quick
    check_kinds(programmed)
    chip = Simulator.build(programmed, simulator, waves=waves, quick=quick, netlist=netlist)
    if waves and starts:
        raise SpikeLoomError("Waves are recorded of one simulator: starts must be empty")
    built = build_arrays(programmed) if arrays is None else arrays
    available = workers or processors()
    count = 1 if waves or programmed.device.drifts else max(1, min(available, len(pixels) // _MINIMUM_PER_WORKER))
    with workplace(folder) as base:
        parts = [part for part in np.array_split(np.arange(len(pixels)), count) if len(part)]
        if starts:
            parts = [np.arange(start, stop) for start, stop in pairwise(edges)]
        begins = states if starts else [drift] * len(parts)
        models = [programmed_models(programmed, built, state) for state in begins]
        jobs = [base / f"job_{index}" for index in range(len(parts))]
        for job in jobs:
            shutil.rmtree(job, ignore_errors=True)
        with simulator_environment(), ThreadPoolExecutor(len(jobs)) as pool:
            for job, part, devices in zip(jobs, parts, models, strict=True):
                write_job(job, programmed, devices, pixels[part], numbers[part])
            if waves:
                (jobs[0] / "waves.gtkw").write_text(gtkw_text(programmed.parameters, wave_file(simulator)))
            full = trace == "full"
            stop = threading.Event()
            futures = [pool.submit(chip.run, job, membranes=full, stalls=stalls, stop=stop) for job in jobs]
            try:
                _wait(futures, jobs, len(pixels), progress)
            except BaseException:
                stop.set()  # or the pool would wait for the other simulators to finish
                raise
        results = [read_record(job, programmed, numbers[part], trace) for job, part in zip(jobs, parts, strict=True)]
    for result, start in zip(results, starts, strict=False):
        difference = start.difference(result.drift, ("the reference", "the Verilog")) if result.drift else None
        if difference is not None:
            raise Mismatch(difference)
    return Result.concatenate(results)


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
