"""Columns of the tables of three chips in energy.md: `python -m docs.pictures.three_chips digits [mnist net2_max]`.

Every named network is trained and converted as its example says, its images run through the reference, and its column
of both tables is written anew. MNIST and Net2 need the data set ($SPIKELOOM_DATA), and their networks differ a little
between processors; that of digits does not, and a test compares its column with the page.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.structure import structure
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.estimates.energy import energy_rows, sums_of_rows
from spikeloom.sim.estimates.energy_parts import COMPONENTS, PARTS
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.costs import with_cycles
from spikeloom.sw.analysis.efficiency import efficiency
from spikeloom.sw.analysis.energy_counts import activity_means
from spikeloom.sw.common.readable import number, si, span
from spikeloom.sw.config.config import Config
from spikeloom.sw.flow.run_folder import load_chip, load_run_images
from spikeloom.sw.flow.steps import make_flow

__all__ = ["CHIPS", "PAGE", "Measured", "cells", "measure", "measure_with_images", "measured", "renewed"]

PAGE = Path(__file__).parent.parent / "energy.md"


class _Chip(NamedTuple):
    """A column: its title, and how many test images it is of (None: all)."""

    title: str
    images: int | None


CHIPS = {"digits": _Chip("digits", None), "mnist": _Chip("MNIST", None), "net2_max": _Chip("Net2, max pooling", 500)}
"""Columns by the names of their examples."""

_SHOWN = {"adc": "ADC", "dac": "DAC"}
_DETAILED = ("wires", "arithmetic", "memory", "transport")
_RATES = {"network": "network", "steps": "steps", "events": "events", "analog": "steps, of the analog part alone"}
_OPERATIONS = {
    "network": "operations of the source network, once",
    "steps": "operations of every step",
    "events": "operations of driven rows",
}

ADC_J, PULSE_J, UPDATE_J, CYCLE_J, PULSE_s = 2e-12, 25e-15, 1e-13, 1e-12, 1e-8
"""The earlier model: joules of a conversion, a row pulse, a neuron update, a clock cycle, and its length of a pulse."""


class Measured(NamedTuple):
    """A chip, and its result with clock cycles."""

    chip: ProgrammedChip
    result: Result


def measure(name: str, folder: Path, data: Path | None = None) -> Measured:
    """Train, convert and run a network of `CHIPS` in a folder; data : folder of the data sets."""
    return measure_with_images(name, folder, data)[0]


def measure_with_images(name: str, folder: Path, data: Path | None = None) -> tuple[Measured, NDArray[np.uint8]]:
    """The same, and the images that were run."""
    config = Config.load(Path(__file__).parents[2] / "examples" / f"{name}.toml")
    flow = make_flow(config, folder, data)
    flow.run(stop="convert")
    pixels = load_run_images(flow).images[: CHIPS[name].images]
    return measured(load_chip(flow).programmed, pixels), pixels


def measured(chip: ProgrammedChip, pixels: NDArray[np.uint8]) -> Measured:
    """A chip's result on images uint8 [images, inputs], by the reference, with clock cycles of the formula."""
    return Measured(chip, with_cycles(chip, run_reference(chip, pixels, trace="spikes"), pixels)[0])


def cells(chip: ProgrammedChip, result: Result) -> dict[str, str]:
    """A column: the text of every row of both tables, by the row's title."""
    assert result.cycles is not None
    rows, unknown = energy_rows(chip, result)
    sums = sums_of_rows(rows, unknown)
    found = {
        "images, mean steps, mean clock cycles": f"{len(result):,}, {result.steps.mean():.2f}, "
        f"{result.cycles.mean():,.0f}",
        "flip-flops, bits": f"{structure(chip.parameters).flip_flops:,}",
        **_before(chip, result),
    }
    for component in COMPONENTS:
        found[_SHOWN.get(component, component)] = span(sums[component], "J")
        for part in (part for part in PARTS if part.component == component in _DETAILED):
            mine = [row.energy_J for row in rows if row.part is part]
            joules = {end: sum(each[end] for each in mine) for end in ("low", "typical", "high")}
            found[f"- {part.name}"] = span(joules, "J") if mine else ""
    found["**total**"] = f"**{span(sums['total'], 'J')}**"
    rates = efficiency(chip, result, {key: value for key, value in sums.items()})
    found |= {title: number(rates["operations"][name]) for name, title in _OPERATIONS.items()}
    for name, title in _RATES.items():
        low, typical, high = (f"{rates['TOPS_per_W'][name][end]:.3g}" for end in ("low", "typical", "high"))
        found[f"TOPS/W, {title}"] = f"{typical} ({low} .. {high})"
    return found


def _before(chip: ProgrammedChip, result: Result) -> dict[str, str]:
    """The earlier model: with its own pulse of 10 ns, as it was published, and with the pulse that the hardware has."""
    assert result.cycles is not None
    means = {name: sum(values) for name, values in activity_means(chip, result).items()}
    (crossbar_J,) = (row.energy_J["typical"] for row in energy_rows(chip, result)[0] if row.part.name == "cells")
    short_J = crossbar_J * PULSE_s / chip.read_s
    adc_J, dac_J = means["conversions"] * ADC_J, means["row_pulses"] * PULSE_J
    neurons_J, control_J = means["neuron_updates"] * UPDATE_J, float(result.cycles.mean()) * CYCLE_J
    rest_J = adc_J + dac_J + neurons_J + control_J
    return {
        "before: crossbar, ADC, DAC": ", ".join(si(joules, "J") for joules in (short_J, adc_J, dac_J)),
        "before: neurons, control": ", ".join(si(joules, "J") for joules in (neurons_J, control_J)),
        "**before, all**": f"**{si(short_J + rest_J, 'J')}**",
        "before, with pulses of 40 ns: crossbar, all": f"{si(crossbar_J, 'J')}, {si(crossbar_J + rest_J, 'J')}",
    }


def renewed(page: str, name: str, column: dict[str, str]) -> str:
    """The page with a column of both tables as it is now. Raises `ValueError` for a row that the page does not have."""
    lines, left = page.splitlines(), dict(column)
    number_of = 1 + [*CHIPS].index(name)
    for index, line in enumerate(lines):
        fields = [field.strip() for field in line.strip("|").split("|")]
        if len(fields) == 1 + len(CHIPS) and fields[0] in left:
            fields[number_of] = left.pop(fields[0])
            lines[index] = f"| {' | '.join(fields)} |"
    if left:
        raise ValueError(f"The page has no row {', '.join(map(repr, left))}")
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> None:
    """Measure the networks and write their columns."""
    data = os.environ.get("SPIKELOOM_DATA")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            column = cells(*measure(name, Path(folder), Path(data) if data else None))
        PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), name, column), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or ["digits"])
