"""The table of calibrations carried over in energy.md: `python -m docs.pictures.carried LIBRARY.lib tiny digits`.

Every named preset is trained (`NAME:N` with one hidden layer of N neurons), and calibrated in the library with all
memories as flip-flops; then each calibration predicts what the netlists of the others take. The table is written
between its marks on the page, and printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docs.pictures.three_chips import PAGE
from spikeloom.hw.standard_cells.liberty import Library, read_library
from spikeloom.sim.chip.energy_margins import CLOCKS
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.calibration import Fit, predicted_energies, with_calibration
from spikeloom.sw.analysis.calibration_run import run_calibration
from spikeloom.sw.common.marked_text import between_marks
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip, load_run_images
from spikeloom.sw.flow.steps import make_flow

__all__ = ["BEGIN", "END", "Network", "errors", "renewed", "shape", "table"]

BEGIN, END = "<!-- carried over: begin -->\n", "<!-- carried over: end -->"
_ALL_BITS = 10**6


@dataclass(frozen=True)
class Network:
    """A chip that was calibrated, with the result of its images, clock cycles included."""

    chip: ProgrammedChip
    result: Result
    fit: Fit


def network_of(chip: ProgrammedChip, pixels: NDArray[np.uint8], fit: Fit) -> Network:
    """With the images of the fit, of uint8 [images, inputs]."""
    result = run_reference(chip, pixels[fit.images], ids=fit.images, trace="spikes")
    return Network(chip, replace(result, cycles=timing(chip, pixels[fit.images], result).cycles), fit)


def errors(of: Network, by: Network) -> tuple[float, float, float]:
    """Signed relative errors of the mean image of one network by the calibration of another: of logic and memories, of
    clock and leakage, of all.
    """
    found = predicted_energies(with_calibration(of.chip, by.fit.calibration), of.result)
    clocks_J = sum(float(found[name].mean()) for name in CLOCKS if name in found)
    data_J = sum(float(values.mean()) for name, values in found.items() if name not in CLOCKS)
    own_data_J, own_J = float(of.fit.data_J.mean()), float(of.fit.simulated_J.mean())
    return data_J / own_data_J - 1.0, clocks_J / (own_J - own_data_J) - 1.0, (clocks_J + data_J) / own_J - 1.0


def table(networks: dict[str, Network]) -> str:
    """Markdown: a row for each pair of networks."""
    lines = ["| calibrated on | used for | logic and memories | clock and leakage | all |", "|---|---|---|---|---|"]
    for by, calibrated in networks.items():
        for of, other in networks.items():
            cells = " | ".join(f"{100 * error:+.1f} %" for error in errors(other, calibrated))
            lines.append(f"| {by} | {'itself' if of == by else of} | {cells} |")
    return "\n".join(lines) + "\n"


def renewed(page: str, text: str) -> str:
    """The page with another table. Raises `ValueError` for one without its marks."""
    return between_marks(page, "carried over", text)


def _calibrated(name: str, libraries: Sequence[Library], data: Path | None) -> tuple[str, Network]:
    """The shape of a network, and what was found of it."""
    preset, _, hidden = name.partition(":")
    config = Config.load(preset)
    if hidden:
        config = config.updated({"train": {"hidden": [int(hidden)]}})
    with tempfile.TemporaryDirectory() as folder:
        flow = make_flow(config, Path(folder), data)
        flow.run(stop="convert")
        chip, pixels = load_chip(flow).programmed, load_run_images(flow).images
    print(name, file=sys.stderr, flush=True)
    return shape(chip), network_of(chip, pixels, run_calibration(chip, pixels, libraries, _ALL_BITS).fit)


def shape(chip: ProgrammedChip) -> str:
    """Its neurons, layer by layer, and its lanes."""
    layers = chip.parameters.layers
    sizes = "-".join(str(size) for size in (chip.parameters.inputs, *(layer.outputs for layer in layers)))
    return f"{sizes}, {max(layer.lanes for layer in layers)} lanes"


def main(arguments: list[str]) -> None:
    """Train, calibrate, write and print."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures.carried")
    parser.add_argument("library", type=Path)
    parser.add_argument("names", nargs="+")
    given = parser.parse_args(arguments)
    libraries, data = [read_library(given.library)], os.environ.get("SPIKELOOM_DATA")
    networks = dict(_calibrated(name, libraries, Path(data) if data else None) for name in given.names)
    text = table(networks)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
