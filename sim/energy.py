"""Energy of every image, and of programming: events times coefficients.

An image's energy is the sum over the parts of `sim.energy_parts` of events * scale * coefficient. Coefficients are
intervals [low, typical, high] of `sim.config.Energy`: figures of the literature for other designs in other processes,
meant to be replaced by those of your own circuits. All of them at their low ends, or at their high ends, at once give
the ends of a sum: the widest interval, not a likely one. docs/energy.md has every part, with its source.

Crossbar, with R = sum over columns of (Gp + Gn) of a row in units of dG / 1024, and S = 255 for 8-bit row codes, or 1:

    E = V_read^2 * t_read * dG * 2^-10 / S^2 * sum over row pulses of x^2 * R

that is V^2 * G * t of every cell of a driven row, with t_read the time that the hardware drives rows,
`ChipImage.read_s`. With IR drop the conductances are the effective ones, so E is V_read times the charge that reaches
the ADCs, and what flows off into silent rows comes on top (`sim.stray`): together they are what the drivers give, all
that cells and wires dissipate.

Programming, with L the sum of (V / V_program)^2 G / dG * 1024 over the pulses, L' that of G / dG * 1024 over the verify
reads (`sim.cells`). A linear cell's pulse has V = V_program and the conductance before it, at any amplitude; a tantalum
cell's has the voltage that the driver gave it, and the mean conductance, at that voltage, of the way that it went:

    pulses    V_program^2 * program_cycles / clock_Hz * dG * 2^-10 * L
    reads     V_read^2 * t_verify * dG * 2^-10 * L'
    adc       verify reads * adc_J_per_conversion * 2^(10 - 8)            verify codes have 10 bits
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.energy_events import Events
from sim.energy_parts import COMPONENTS, PARTS, coefficient
from sim.image import ChipImage
from sim.kernels import CURRENT_BITS
from sim.result import Result

__all__ = ["ENDS", "energy", "neuron_updates", "programming_energy", "summed"]

ENDS = ("low", "typical", "high")
"""Values of a coefficient, and of what is made of it."""

_VERIFY_BITS = 10
"""Bits of a verify read's code."""


def neuron_updates(image: ChipImage, result: Result) -> NDArray[np.int64]:
    """Updates of neurons, int64 [images, layers]: outputs of a layer at all its positions, in each step it ran."""
    return Events(image, result).runs * np.array([shape.neurons for shape in image.parameters.layers])


def energy(
    image: ChipImage, result: Result, end: Literal["low", "typical", "high"] = "typical"
) -> dict[str, NDArray[np.float64]]:
    """Joules an image, float64 [images], for each of `sim.energy_parts.COMPONENTS`, with all coefficients at one end.

    `control` is there only where the result counts clock cycles: that of the Verilog does, the reference's does not.
    """
    events = Events(image, result)
    found = {name: np.zeros(len(result)) for name in COMPONENTS}
    for part in PARTS:
        joules = coefficient(part, image.energy)[ENDS.index(end)]
        for count in part.count(events):
            if count.events is None:
                found.pop(part.component, None)
            elif part.component in found:
                found[part.component] += count.events * (joules * count.scale)
    return found


def programming_energy(image: ChipImage, load: int, read_load: int, verify_reads: int) -> dict[str, dict[str, float]]:
    """Joules of programming: `pulses`, `reads` (cells), `adc` (converters of the verify reads), each with its `ENDS`.

    Pulses and reads follow from conductances alone, so theirs are equal.

    load, read_load : sums over pulses and over verify reads, see `sim.cells.CellState`
    """
    device = image.device
    cell_S = device.step_S * 2.0**-CURRENT_BITS
    pulses_J = device.v_program_V**2 * image.pulse_s * cell_S * load
    reads_J = device.v_read_V**2 * image.verify_s * cell_S * read_load
    adc_J = [verify_reads * each * 2.0 ** (_VERIFY_BITS - 8) for each in image.energy.adc_J_per_conversion]
    return {
        "pulses": dict.fromkeys(ENDS, pulses_J),
        "reads": dict.fromkeys(ENDS, reads_J),
        "adc": dict(zip(ENDS, adc_J, strict=True)),
    }


def summed(energies: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums of energies with `ENDS`, end by end, exact before they are rounded (`math.fsum`)."""
    found = list(energies)
    return {end: fsum(each[end] for each in found) for end in ENDS}
