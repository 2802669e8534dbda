"""From a chip and a library to a calibration: netlist, its run against the reference, and the fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.verilog import export_verilog
from spikeloom.hw.standard_cells.gates import Gates, gates
from spikeloom.hw.standard_cells.liberty import Library
from spikeloom.sim.chip.energy_calibration import design_of
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sim.cosim.gate_run import run_gates
from spikeloom.sim.estimates.timing import timing
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.analysis.calibration import Fit, calibrate
from spikeloom.sw.analysis.calibration_images import activity_of, chosen_images
from spikeloom.sw.common.errors import SpikeLoomError

__all__ = ["IMAGES", "Calibrated", "check_images_asked", "run_calibration"]

IMAGES = 40
"""Images of a calibration where nothing else is asked for; the first and the last have no window."""
_LEAST = 32
_MOST_SEEN = 1000
"""Images among which those of different activity are chosen."""
_QUICK_CYCLES = 50_000
"""Up to so many clock cycles the simulator is built without optimisation."""

Advance = Callable[[str, int, int, str], None]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A fit, the gates that have run, the places of their images, and how many values were equal to the reference's."""

    fit: Fit
    gates: Gates
    places: NDArray[np.int64]
    values_compared: int

    __repr__ = short_repr


def check_images_asked(count: int, there: int = _MOST_SEEN, limit: int = 0) -> None:
    """Raise `ValueError` for too few images, and for more than there are.

    there : test images to choose from
    limit : the setting `data.test_limit`, where it holds for them; 0 without one
    """
    if count < _LEAST:
        raise SpikeLoomError(f"A calibration needs at least {_LEAST} images, 16 of them for its fit, not {count}")
    if count > _MOST_SEEN:
        raise SpikeLoomError(
            f"A calibration chooses among the first {_MOST_SEEN:,} test images, so that --images must be at most "
            f"{_MOST_SEEN:,}, not {count:,}"
        )
    if count > there:
        limited = limit == there
        fewer = [f"give at most {there} with --images"] if there >= _LEAST else []
        more = f"raise the limit with --set data.test_limit={count}" if limited else "name a larger set with --data-set"
        raise SpikeLoomError(
            f"A calibration of {count} images needs as many, and there are {there} test images"
            f"{', the limit data.test_limit' if limited else ''}: {' or '.join([*fewer, more])}"
        )


def run_calibration(
    chip: ProgrammedChip,
    pixels: NDArray[np.uint8],
    libraries: Sequence[Library],
    memory_bits: int,
    corner: str = "",
    count: int = IMAGES,
    clock_Hz: float | None = None,
    advance: Advance = lambda step, done, total, text: None,
) -> Calibrated:
    """Calibrate a chip's energies.

    Parameters
    ----------
    pixels : uint8 [images, inputs], among the first 1,000 of which `count` of different activity are chosen
    libraries, memory_bits, corner : as for `hw.standard_cells.cell_synthesis.synthesise`
    count : images to run, 32 at least
    clock_Hz : the chip's own if not given
    advance : called with a step's name, what is done of it, all of it (0: not known), and a text

    Raises
    ------
    SpikeLoomError, LibraryError, SynthesisError : see `hw.standard_cells.gates.gates`; too few images
    ToolError, SimulationError : see `sim.cosim.gate_run.run_gates`
    Mismatch : the gates do not give the bits of the reference
    """
    check_images_asked(count)
    chip = chip if clock_Hz is None else replace(chip, clock_Hz=clock_Hz)
    advance("images", 0, 0, "choosing images of different activity")
    seen = run_reference(chip, pixels[:_MOST_SEEN])
    places = chosen_images(activity_of(seen), count)
    files = export_verilog(chip.parameters)
    ports = json.loads(files["ports.json"])["ports"]
    found = gates(
        files, ports, "npu", libraries, chip.clock_Hz, memory_bits, corner,
        say=lambda text: advance("netlist", 0, 0, text),
    )  # fmt: skip
    reference = run_reference(chip, pixels[places], ids=places, trace="full")
    cycles = int(timing(chip, pixels[places], reference).cycles.sum())
    advance("simulation", 0, count, "building the simulator, then images")
    run = run_gates(
        chip, pixels[places], found.probes, found.models, places, quick=cycles <= _QUICK_CYCLES,
        progress=lambda done, total: advance("simulation", done, total, "images"),
    )  # fmt: skip
    compared = reference.compare(run.result, ("reference", "gates"))
    run = replace(run, result=run.result.counted_by(reference))
    advance("fit", 0, 0, "fitting energies to events")
    fit = calibrate(chip, run, found, libraries, memory_bits, design_of(chip.parameters))
    return Calibrated(fit, found, places, compared)
