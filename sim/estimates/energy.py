"""Energy per image: events times coefficients.

An image's energy is the sum over the parts of `sim.estimates.energy_parts` of events * scale * coefficient.
Coefficients are intervals [low, typical, high] of `sim.chip.device_config.Energy`: figures of the literature for other
designs in other processes, meant to be replaced by those of your own circuits. All of them at their low ends, or at
their high ends, at once give the ends of a sum: the widest interval, not a likely one. docs/energy.md has every part,
with its source.

Crossbar, with R = sum over columns of (Gp + Gn) of a row in units of dG / 1024, and S = 255 for 8-bit row codes, or 1:

    E = V_read^2 * t_read * dG * 2^-10 / S^2 * sum over row pulses of x^2 * R

that is V^2 * G * t of every cell of a driven row, with t_read the time that the hardware drives rows,
`ProgrammedChip.read_s`. With IR drop the conductances are the effective ones, so E is V_read times the charge that
reaches the ADCs, and what flows off into silent rows comes on top (`sim.crossbar.stray`): together they are what the
drivers give, all that cells and wires dissipate.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.energy_sums import ENDS
from spikeloom.sim.estimates.energy_events import Events
from spikeloom.sim.estimates.energy_parts import COMPONENTS, PARTS, coefficient

__all__ = ["energy", "neuron_updates"]


def neuron_updates(chip: ProgrammedChip, result: Result) -> NDArray[np.int64]:
    """Updates of neurons, int64 [images, layers]: outputs of a layer at all its positions, in each step it ran."""
    neurons = np.array([shape.neurons for shape in chip.parameters.layers], np.int64)
    updates: NDArray[np.int64] = Events(chip, result).runs * neurons
    return updates


def energy(
    chip: ProgrammedChip, result: Result, end: Literal["low", "typical", "high"] = "typical"
) -> dict[str, NDArray[np.float64]]:
    """Joules per image, float64 [images], for each of `sim.estimates.energy_parts.COMPONENTS`, with all coefficients at
    one end.

    `control` is there only where the result counts clock cycles: that of the Verilog does, the reference's does not.
    """
    events = Events(chip, result)
    found = {name: np.zeros(len(result)) for name in COMPONENTS}
    for part in PARTS:
        joules = coefficient(part, chip.energy)[ENDS.index(end)]
        for count in part.count(events):
            if count.events is None:
                found.pop(part.component, None)
            elif part.component in found:
                found[part.component] += count.events * (joules * count.scale)
    return found
