"""Time of programming a 784 x 1000 layer, and of a million read pulses: `python -m benchmarks.drift`."""

from __future__ import annotations

import time

import numpy as np

from sim.age_curve import AgeCurve, ReadPulse
from sim.cells import CellModel
from sim.config import CODE, Device, Programming
from sim.programming import program_cells
from sim.tantalum_driver import write_driver
from sim.tantalum_oxide import TantalumOxide

__all__ = ["measure_drift", "measure_programming"]


def measure_drift(rows: int = 784, columns: int = 1000, repeats: int = 5) -> dict[str, float]:
    """Best of `repeats`, in seconds: tabulating the curve, placing the layer's cells on it, a million pulses.

    Cells are 16 levels with a spread, rows differ in their number of pulses; 2 * rows * columns cells.
    """
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 16, (2, rows, columns)) / 15
    w = np.clip(levels * (1.0 + 0.05 * rng.standard_normal(levels.shape)), 0.0, 1.0)
    pulses = rng.integers(500_000, 1_500_000, (rows, 1))
    times: dict[str, list[float]] = {"tabulate": [], "locate": [], "million pulses": []}
    for _ in range(repeats + 1):  # the first round compiles
        start = time.perf_counter()
        curve = AgeCurve(TantalumOxide(), ReadPulse(0.2, 1e-8, 1e4))
        tabulated = time.perf_counter()
        age = curve.locate(w)
        located = time.perf_counter()
        curve.aged(w, age, pulses)
        aged = time.perf_counter()
        for name, seconds in zip(times, (tabulated - start, located - tabulated, aged - located), strict=True):
            times[name].append(seconds)
    return {name: min(seconds[1:]) for name, seconds in times.items()}


def measure_programming(rows: int = 784, columns: int = 1000, repeats: int = 5) -> dict[str, float]:
    """Best of `repeats`, in seconds: the write driver's tables, and program and verify of 2 * rows * columns cells.

    Half of the cells stay at level 0, the others go to a level of 0 .. 15; 10 % of spread in cells and in pulses.
    """
    rng = np.random.default_rng(0)
    shape = (2, rows, columns)
    targets = (CODE * rng.integers(0, 16, shape) * (rng.random(shape) < 0.5)).astype(np.uint16)
    device = Device(cell="tantalum", g_min_S=1e-4, g_max_S=0.025, device_sigma=0.1, pulse_sigma=0.1)
    programming = Programming(method="verify", amplitude_max=15.0)
    times: dict[str, list[float]] = {"driver's tables": [], "programming": []}
    for number in range(repeats + 1):  # the first round compiles
        model = CellModel(device, rows, columns, 0, 0, 1e-7 + number * 1e-12)
        start = time.perf_counter()
        write_driver(device, model.pulse_s)
        tabulated = time.perf_counter()
        program_cells(model, model.fresh(), targets, programming)
        for name, seconds in zip(times, (tabulated - start, time.perf_counter() - tabulated), strict=True):
            times[name].append(seconds)
    return {name: min(seconds[1:]) for name, seconds in times.items()}


if __name__ == "__main__":
    for name, seconds in (measure_programming() | measure_drift()).items():
        print(f"{name:>16}: {seconds * 1e3:8.1f} ms")
