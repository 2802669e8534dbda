"""The measurements, one function each; every one returns plain numbers."""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.network import Mnist
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.job import read_record, write_job
from spikeloom.sim.cosim.macro_model import programmed_models
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.cosim.simulator import Simulator
from spikeloom.sim.cosim.tools import simulator_environment
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.verify.bus_run import through_bus

__all__ = ["SYNAPSES", "bus", "export", "macro", "reference", "rtl"]

SYNAPSES = (100_000, 200_000, 400_000, 800_000, 1_600_000)

_EXPORT = """
import json, re, sys, time
from benchmarks.unit import sized_unit
from spikeloom.hw.export.verilog import export_verilog
unit = sized_unit(int(sys.argv[1]), int(sys.argv[2]))
def peak():  # not getrusage: that would count the parent at the fork
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
before = peak()
start, cpu = time.perf_counter(), time.process_time()
files = export_verilog(unit)
print(json.dumps({
    "synapses": sum(layer.inputs * layer.outputs for layer in unit.layers),
    "seconds": time.perf_counter() - start,
    "cpu_seconds": time.process_time() - cpu,
    "peak_MiB": peak(),
    "before_MiB": before,
    "verilog_KiB": sum(map(len, files.values())) / 1024,
}))
"""


def _median(work: Callable[[], Any], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _ideal(chip: ProgrammedChip) -> ProgrammedChip:
    device = chip.device.model_copy(update={"device_sigma": 0.0, "program_sigma": 0.0, "read_sigma": 0.0})
    return chip.with_device(device)


def reference(mnist: Mnist, images: int = 10_000, runs: int = 3) -> dict[str, float]:
    """Images per second of the integer reference, with noisy and with ideal devices; arrays programmed before."""
    pixels = mnist.images[:images]
    out: dict[str, float] = {}
    for name, chip in (("noisy", mnist.chip), ("ideal", _ideal(mnist.chip))):
        arrays = build_arrays(chip)
        result = run_reference(chip, pixels[:500], arrays=arrays)  # compiles the kernels
        seconds = _median(functools.partial(run_reference, chip, pixels, arrays=arrays), runs)
        out[f"{name}_images_per_s"] = len(pixels) / seconds
        out[f"{name}_mean_steps"] = float(result.steps.mean())
    return out


def rtl(mnist: Mnist, images: int = 2_000, runs: int = 3) -> dict[str, float]:
    """Images and clock cycles per second of the Verilog under Verilator, all workers, without the build."""
    pixels = mnist.images[:images]
    start = time.perf_counter()
    chip = Simulator.build(mnist.chip)
    build = time.perf_counter() - start
    result = run_cosim(mnist.chip, pixels)
    assert result.cycles is not None
    seconds = _median(lambda: run_cosim(mnist.chip, pixels), runs)
    out = {
        "build_s": build,
        "images_per_s": len(pixels) / seconds,
        "cycles_per_s": float(result.cycles.sum()) / seconds,
        "layer_reads_per_s": float((result.steps.sum() * len(mnist.chip.layers)) / seconds),
        "cycles_per_image": float(result.cycles.mean()),
    }
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job"
        ids = np.arange(len(pixels), dtype=np.int64)
        write_job(job, mnist.chip, programmed_models(mnist.chip), pixels, ids)
        with simulator_environment():
            start = time.perf_counter()
            chip.run(job)
            alone = time.perf_counter() - start
        read_record(job, mnist.chip, ids, "none")
    out["one_worker_images_per_s"] = len(pixels) / alone
    return out


def bus(chip: ProgrammedChip, pixels: NDArray[np.uint8], runs: int = 3) -> dict[str, float]:
    """The same images with one worker each through the unit's own ports and through its buses, side by side.

    Seconds are of whole runs, the simulator's start and the load of the registers in them, builds not; the cells are
    loaded fast. Runs of the two kinds take turns, so that whatever else the machine does meets both.
    """
    arrays = build_arrays(chip)
    seconds: dict[str, list[float]] = {"direct": [], "bus": []}
    for run in range(runs + 1):  # the first builds
        start = time.perf_counter()
        direct = run_cosim(chip, pixels, workers=1, arrays=arrays, quick=False)
        middle = time.perf_counter()
        result, _ = through_bus(chip, pixels, method="fast", workers=1, arrays=arrays, quick=False)
        end = time.perf_counter()
        if run:
            seconds["direct"].append(middle - start)
            seconds["bus"].append(end - middle)
    direct.compare(result, ("direct", "through the bus"))
    assert result.cycles is not None and result.gaps is not None
    pauses = result.gaps[1:]  # the first image has none before it
    return {
        "images": len(pixels),
        "direct_images_per_s": len(pixels) / statistics.median(seconds["direct"]),
        "bus_images_per_s": len(pixels) / statistics.median(seconds["bus"]),
        "cycles_per_image": float(result.cycles.mean()),
        "idle_cycles_mean": float(pauses.mean()) if len(pauses) else 0.0,
        "idle_cycles_most": int(pauses.max(initial=0)),
    }


def macro(mnist: Mnist, reads: int = 300) -> dict[str, float]:
    """Microseconds of Python per layer read of the first layer (a fifth of the rows driven), noise on and off."""
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(["0", "1"], 784, p=[0.8, 0.2])) for _ in range(reads)]
    out = {}
    for name, chip in (("noisy", mnist.chip), ("ideal", _ideal(mnist.chip))):
        model = programmed_models(dataclasses.replace(chip))[0]
        model.answer(rows[0], 0, 1, 0)
        start = time.perf_counter()
        for index, text in enumerate(rows):
            model.answer(text, index, 1, index)
        out[f"{name}_us_per_read"] = (time.perf_counter() - start) / reads * 1e6
    return out


def export(synapses: int, lanes: int = 16) -> dict[str, float]:
    """Seconds and memory to generate the Verilog of a 784-n-30-10 unit, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", _EXPORT, str(synapses), str(lanes)], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(run.stdout)
    return figures
