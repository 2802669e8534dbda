"""Drift: a million read pulses and the programming of a 784 x 1000 layer, and the MNIST example on cells that every
image moves.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.network import Mnist
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.units import CODES_PER_LEVEL
from spikeloom.sim.cosim.run import run_cosim
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.devices.tantalum.age_curve import AgeCurve, ReadPulse
from spikeloom.sim.devices.tantalum.oxide import TantalumOxide
from spikeloom.sim.devices.tantalum.write_driver import write_driver
from spikeloom.sim.programming.cells import CellModel
from spikeloom.sim.programming.write_verify import program_cells
from spikeloom.sim.reference.run import run_reference

__all__ = ["drifting", "programming", "pulses"]

DEVICE = Device(
    cell="tantalum", g_min_S=1e-4, g_max_S=0.025, read_sigma=0.01, program_sigma=0.01, acceleration=1e4, drift_every=1
)


def pulses(rows: int = 784, columns: int = 1000, repeats: int = 5) -> dict[str, float]:
    """Best of `repeats`, in seconds: tabulating the curve, placing the layer's cells on it, a million pulses.

    Cells are 16 levels with a spread, rows differ in their number of pulses; 2 * rows * columns cells.
    """
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 16, (2, rows, columns)) / 15
    w = np.clip(levels * (1.0 + 0.05 * rng.standard_normal(levels.shape)), 0.0, 1.0)
    counts = rng.integers(500_000, 1_500_000, (rows, 1))
    times: dict[str, list[float]] = {"tabulate_s": [], "locate_s": [], "million_pulses_s": []}
    for _ in range(repeats + 1):  # the first round compiles
        start = time.perf_counter()
        curve = AgeCurve(TantalumOxide(), ReadPulse(0.2, 1e-8, 1e4))
        tabulated = time.perf_counter()
        age = curve.locate(w)
        located = time.perf_counter()
        curve.aged(w, age, counts)
        aged = time.perf_counter()
        for name, seconds in zip(times, (tabulated - start, located - tabulated, aged - located), strict=True):
            times[name].append(seconds)
    return {name: min(seconds[1:]) for name, seconds in times.items()}


def programming(rows: int = 784, columns: int = 1000, repeats: int = 5) -> dict[str, float]:
    """Best of `repeats`, in seconds: the write driver's tables, and write-verify of 2 * rows * columns cells.

    Half of the cells stay at level 0, the others go to a level of 0 .. 15; 10 % of spread in cells and in pulses.
    """
    rng = np.random.default_rng(0)
    shape = (2, rows, columns)
    targets = (CODES_PER_LEVEL * rng.integers(0, 16, shape) * (rng.random(shape) < 0.5)).astype(np.uint16)
    device = Device(cell="tantalum", g_min_S=1e-4, g_max_S=0.025, device_sigma=0.1, pulse_sigma=0.1)
    settings = Programming(method="write-verify", amplitude_max=15.0)
    times: dict[str, list[float]] = {"driver_tables_s": [], "verify_s": []}
    for number in range(repeats + 1):  # the first round compiles
        model = CellModel(device, rows, columns, 0, 0, 1e-7 + number * 1e-12)
        start = time.perf_counter()
        write_driver(device, model.pulse_s)
        tabulated = time.perf_counter()
        program_cells(model, model.fresh(), targets, settings)
        for name, seconds in zip(times, (tabulated - start, time.perf_counter() - tabulated), strict=True):
            times[name].append(seconds)
    return {name: min(seconds[1:]) for name, seconds in times.items()}


def drifting(mnist: Mnist, images: int = 500, runs: int = 3) -> dict[str, float]:
    """Images per second of the MNIST example on cells that drift: the reference with `drift_every` 1 and 10 and without
    renewing, and the Verilog in one simulator with 1 and without. Also seconds to reprogram all cells.
    """
    pixels = mnist.images[:images]
    out: dict[str, float] = {}
    for every in (1, 10, 2**31 - 1):
        chip = mnist.chip.with_device(DEVICE.model_copy(update={"drift_every": every}))
        name = f"every_{every}" if every < images else "held"
        arrays = build_arrays(chip)
        run_reference(chip, pixels[:20], arrays=arrays)  # compiles, and places the cells on their curve
        out[f"reference_{name}_images_per_s"] = images / _median(
            functools.partial(run_reference, chip, pixels, arrays=arrays), runs
        )
        if every != 10:
            run = functools.partial(run_cosim, chip, pixels, arrays=arrays, quick=False)
            run()  # builds
            out[f"rtl_{name}_images_per_s"] = images / _median(run, runs)
    array = build_arrays(mnist.chip.with_device(DEVICE))[0]
    driven = np.ones_like(array.row_pulses)
    numbers = iter(range(1, 2 + runs))

    def program() -> None:
        array.program(next(numbers))
        array.age(driven)  # the first time, which places the cells on their curve

    program()
    out["program_s"] = _median(program, runs)
    return out


def _median(work: Callable[[], Any], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
