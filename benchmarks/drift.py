"""Time of a million read pulses of a 784 x 1000 layer: `python -m benchmarks.drift`."""

from __future__ import annotations

import time

import numpy as np

from sim.age_curve import AgeCurve, ReadPulse
from sim.tantalum_oxide import TantalumOxide

__all__ = ["measure_drift"]


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


if __name__ == "__main__":
    for name, seconds in measure_drift().items():
        print(f"{name:>16}: {seconds * 1e3:8.1f} ms")
