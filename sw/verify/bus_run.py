"""A complete simulated run over the chip's buses: load a weight image and run images, as a host would."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.register_writes import check_kinds
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import check_ids, check_switch
from spikeloom.sim.cosim.host.simulator import build_host_simulator
from spikeloom.sim.cosim.job import read_trace
from spikeloom.sim.cosim.options import CosimOptions
from spikeloom.sim.cosim.run import workplace
from spikeloom.sim.crossbar.array import CrossbarArray, build_arrays
from spikeloom.sim.crossbar.drift_schedule import check_drift
from spikeloom.sim.images.layout import image_shape
from spikeloom.sim.images.pixels import check_images
from spikeloom.sw.host.cosim_transport import CosimTransport
from spikeloom.sw.host.driver import Host, Method
from spikeloom.sw.host.load import LoadReport

__all__ = ["through_bus"]


def through_bus(
    chip: ProgrammedChip,
    images: Any,
    ids: Any = None,
    method: Method | None = None,
    options: CosimOptions | None = None,
    *,
    fault_aware: bool | None = None,
    arrays: Sequence[CrossbarArray] | None = None,
    drift: DriftSnapshot | None = None,
    **changes: Any,
) -> tuple[Result, LoadReport]:
    """Load a chip over its bus and run images through its streams; the same result object as the reference's.

    Parameters
    ----------
    image, images, ids, arrays, drift, options, changes : as for `sim.cosim.run.run_cosim`; `arrays` and `drift` serve
        the fast load. Every worker is a simulated chip, loaded by itself, to the same bits; one where cells drift
    method, fault_aware : of the load, see `Host.load`

    Returns
    -------
    result, with `cycles` and `gaps`, and the report of the load (of the first worker)

    Raises what `Host` and `CosimTransport` do, `ValueError` or `TypeError` for images or ids that do not fit.
    """
    pixels = check_images(images, image_shape(chip.parameters))
    numbers = check_ids(ids, len(pixels))
    options = CosimOptions.of(options, changes)
    options = replace(options, quick=options.quickly(len(pixels)))
    check_switch("fault_aware", fault_aware, optional=True)
    if drift is not None:
        check_drift(chip, drift)
    workers = 1 if chip.device.drifts or options.waves else options.workers or 1
    parts = [part for part in np.array_split(np.arange(len(pixels)), workers) if len(part)]
    if arrays is None and (method or ("pulses" if chip.programming.method == "write-verify" else "fast")) == "fast":
        arrays = build_arrays(chip)
    check_kinds(chip)
    # here, where an interruption ends it
    build_host_simulator(chip, options.simulator, waves=options.waves, quick=bool(options.quick))
    stop = threading.Event()
    counts = [0] * len(parts)
    guard = threading.Lock()

    def run(worker: int, base: Path) -> tuple[Result, LoadReport]:
        def shown(done: int, _: int) -> None:
            with guard:
                counts[worker] = done
                if options.progress is not None:
                    options.progress(sum(counts), len(pixels))

        part = parts[worker]
        transport = CosimTransport(chip, replace(options, folder=base / f"job_{worker}"), stop=stop)
        with Host.connect(transport) as host:
            report = host.load(chip, method, fault_aware=fault_aware, arrays=arrays, drift=drift)
            result = host.infer(pixels[part], numbers[part], shown)
        if options.trace != "none":
            result = replace(result, trace=read_trace(transport.record, chip, len(part), options.trace))
        return result, report

    with workplace(options.folder) as base, ThreadPoolExecutor(len(parts)) as pool:
        try:
            done = list(pool.map(run, range(len(parts)), [base] * len(parts)))
        except BaseException:
            stop.set()  # or the pool would wait for the simulators to finish
            raise
    return Result.concatenate([result for result, _ in done]), done[0][1]
