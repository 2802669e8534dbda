"""The table of calibrated energies in energy.md: `python -m docs.pictures.switching LIBRARY.lib digits [mnist ...]`.

Every named network of `docs.pictures.three_chips` is trained and converted as its example says, and calibrated in the
library where its images take few enough clock cycles for a run of gates; else the calibration of the first one is
carried over. The table is written between its marks on the page, and printed: default coefficients against calibrated
ones, of the mean image. `--memory-bits N` as for `spikeloom calibrate`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from docs.pictures.three_chips import CHIPS, PAGE, Measured, measure_with_images
from spikeloom.hw.standard_cells.liberty import Library, read_library
from spikeloom.sim.chip.device_config import Energy
from spikeloom.sim.chip.energy_calibration import Calibration, design_of
from spikeloom.sim.estimates.energy import EnergyRow, energy_rows
from spikeloom.sim.estimates.energy_parts import PARTS
from spikeloom.sw.analysis.calibration_run import run_calibration
from spikeloom.sw.common.marked_text import between_marks
from spikeloom.sw.common.readable import si, span

__all__ = ["BEGIN", "END", "column", "renewed", "table"]

BEGIN, END = "<!-- switching: begin -->\n", "<!-- switching: end -->"
_MOST_CYCLES = 10_000
"""Mean clock cycles of an image up to which its network is run as gates: minutes for 40 images."""
_DIGITAL = ("arithmetic", "memory", "control")
_LOGIC = ("neurons", "encoding", "pooling", "decision", "activity counters", "partial sums")
_LOGIC_ONLY = ("column readout", "row drivers' logic", "spike collectors", "map logic", "other logic")


class Column(NamedTuple):
    """A chip measured, and the calibration that it is shown with."""

    measured: Measured
    calibration: Calibration


def _sum(rows: Sequence[EnergyRow], parts: Sequence[str]) -> dict[str, float]:
    mine = [row.energy_J for row in rows if row.part.name in parts]
    return {end: sum(each[end] for each in mine) for end in ("low", "typical", "high")}


def _events(rows: Sequence[EnergyRow], parts: Sequence[str]) -> float:
    return sum(sum(row.means) for row in rows if row.part.name in parts)


def column(found: Column) -> dict[str, str]:
    """Text of every row by its title."""
    (chip, result), calibration = found
    before, _ = energy_rows(replace(chip, energy=Energy()), result)
    after, _ = energy_rows(replace(chip, energy=Energy(calibration=calibration)), result)
    own = calibration.design == design_of(chip.parameters)
    cells = {
        "calibrated on": "itself" if own else f"{calibration.chip}, carried over",
        "library, corner": calibration.said,
        "memories of flip-flops, bits": f"up to {calibration.memory_bits:,}",
        "images in the fit, not in it": f"{calibration.images}, {calibration.images_checked}",
        "largest error of these: of all, without clock and leakage": f"{100 * calibration.error:.2f} %, "
        f"{100 * calibration.error_of_data:.1f} %",
    }
    for component in _DIGITAL:
        names = [part.name for part in PARTS if part.component == component]
        cells[f"{component}, default"] = span(_sum(before, names), "J")
        cells[f"{component}, calibrated"] = span(_sum(after, names), "J")
    for part in PARTS:
        mine = [row for row in after if row.part is part and row.counts[0].calibrated]
        if part.name in calibration.parts and mine:
            low, typical, high = calibration.parts[part.name]
            cells[f"- {part.name}, per event"] = span({"low": low, "typical": typical, "high": high}, "J")
    logic_J = _sum(after, (*_LOGIC, *_LOGIC_ONLY))["typical"]
    cells["all logic, per bit added: `adder_J_per_bit`"] = si(logic_J / _events(before, _LOGIC), "J")
    memories = [row for row in after if row.part.component == "memory" and row.counts[0].calibrated]
    bits = sum(sum(row.means) for row in memories)
    if bits:
        joules = sum(row.energy_J["typical"] for row in memories)
        cells["memories of flip-flops, per bit, without their clock"] = si(joules / bits, "J")
    cells["clock: `flip_flop_J_per_cycle`"] = si(calibration.parts["clock"][1], "J")
    return cells


def table(columns: dict[str, dict[str, str]]) -> str:
    """Markdown, with every row that one of the columns has."""
    titles = list(dict.fromkeys(title for cells in columns.values() for title in cells))
    order = sorted(titles, key=lambda title: (title.startswith("- "), "`" in title or "per bit, without" in title))
    lines = [f"| | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    lines += [f"| {title} | {' | '.join(cells.get(title, '') for cells in columns.values())} |" for title in order]
    return "\n".join(lines) + "\n"


def renewed(page: str, text: str) -> str:
    """The page with another table. Raises `ValueError` for one without its marks."""
    return between_marks(page, "switching", text)


def _calibrated(
    name: str, measured: Measured, pixels: NDArray[np.uint8], libraries: list[Library], bits: int
) -> Calibration:
    def advance(step: str, done: int, total: int, text: str) -> None:
        if done == 0:
            print(f"{name}: {step}: {text}", file=sys.stderr, flush=True)

    return run_calibration(measured.chip, pixels, libraries, bits, advance=advance).fit.calibration


def main(arguments: list[str]) -> None:
    """Measure, calibrate, write and print."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures.switching")
    parser.add_argument("library", type=Path)
    parser.add_argument("names", nargs="+", choices=[*CHIPS])
    parser.add_argument("--memory-bits", type=int, default=1024)
    given = parser.parse_args(arguments)
    libraries = [read_library(given.library)]
    data = os.environ.get("SPIKELOOM_DATA")
    first: Calibration | None = None
    columns = {}
    for name in given.names:
        with tempfile.TemporaryDirectory() as folder:
            measured, pixels = measure_with_images(name, Path(folder), Path(data) if data else None)
        cycles = measured.result.cycles
        assert cycles is not None
        if first is None or cycles.mean() <= _MOST_CYCLES:
            calibration = _calibrated(name, measured, pixels, libraries, given.memory_bits)
            first = calibration if first is None else first
        else:
            calibration = first
        columns[CHIPS[name].title] = column(Column(measured, calibration))
    text = table(columns)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
