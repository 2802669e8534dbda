"""A complete simulated run over the chip's buses: load a weight image and run images, as a host would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import check_kinds
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import TraceKind, check_ids, check_progress, check_switch, check_trace, check_whole
from spikeloom.sim.cosim.host.simulator import build_host_simulator
from spikeloom.sim.cosim.job import read_trace
from spikeloom.sim.cosim.run import workplace
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.crossbar.drift_schedule import check_drift
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host, Method
from spikeloom.sw.host.load import LoadReport

__all__ = ["through_bus"]

_OPTIMISE_FROM = 100


def through_bus(
    chip: ProgrammedChip,
    images: Any,
    ids: Any = None,
    method: Method | None = None,
    *,
    workers: int = 1,
    fault_aware: bool | None = None,
    trace: TraceKind = "none",
    simulator: str = "verilator",
    stalls: bool = False,
    waves: bool = False,
    folder: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    arrays: Sequence[CrossbarArray] | None = None,
    quick: bool | None = None,
    drift: DriftSnapshot | None = None,
) -> tuple[Result, LoadReport]:
    """Load a chip over its bus and run images through its streams; the same result object as the reference's.

    Parameters
    ----------
    image, images, ids, trace, simulator, stalls, waves, folder, progress, arrays, quick, drift : as for
        `sim.cosim.run.run_cosim`; `arrays` and `drift` serve the fast load
    method, fault_aware : of the load, see `Host.load`
    workers : simulated chips at once, each loaded by itself, to the same bits; one where cells drift

    Returns
    -------
    result, with `cycles` and `gaps`, and the report of the load (of the first worker)

    Raises what `Host` and `CosimTransport` do, `ValueError` or `TypeError` for images or ids that do not fit.
    """
    pixels = check_images(images, image_shape(chip.parameters))
    numbers = check_ids(ids, len(pixels))
    trace = check_trace(trace)
    check_progress(progress)
    check_whole("workers", workers)
    for name, value in (("waves", waves), ("stalls", stalls)):
        check_switch(name, value)
    check_switch("quick", quick, optional=True)
    check_switch("fault_aware", fault_aware, optional=True)
    if drift is not None:
        check_drift(chip, drift)
    if chip.device.drifts:
        workers = 1
    quick = len(pixels) < _OPTIMISE_FROM if quick is None else quick
    parts = [part for part in np.array_split(np.arange(len(pixels)), 1 if waves else workers) if len(part)]
    if arrays is None and (method or ("pulses" if chip.programming.method == "write-verify" else "fast")) == "fast":
        arrays = build_arrays(chip)
    check_kinds(chip)
    build_host_simulator(chip, simulator, waves=waves, quick=quick)  # here, where an interruption ends it
    stop = threading.Event()
    counts = [0] * len(parts)
    guard = threading.Lock()

    def run(worker: int, base: Path) -> tuple[Result, LoadReport]:
        def shown(done: int, _: int) -> None:
            with guard:
                counts[worker] = done
                if progress is not None:
                    progress(sum(counts), len(pixels))

        part = parts[worker]
        transport = CosimTransport(
            chip, simulator=simulator, stalls=stalls, trace=trace, waves=waves, folder=base / f"job_{worker}",
            quick=quick, stop=stop,
        )  # fmt: skip
        with Host(transport) as host:
            host.connect()
            report = host.load(chip, method, fault_aware=fault_aware, arrays=arrays, drift=drift)
            result = host.infer(pixels[part], numbers[part], shown)
        if trace != "none":
            result = replace(result, trace=read_trace(transport.record, chip, len(part), trace))
        return result, report

    with workplace(folder) as base, ThreadPoolExecutor(len(parts)) as pool:
        try:
            done = list(pool.map(run, range(len(parts)), [base] * len(parts)))
        except BaseException:
            stop.set()  # or the pool would wait for the simulators to finish
            raise
    return Result.concatenate([result for result, _ in done]), done[0][1]
