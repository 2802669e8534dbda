"""Operations per image and operations per joule, compared with published chips.

A multiplication and an addition are two operations, as is usual. Which of them count is a choice, so there are three:

- network: 2 * inputs * outputs * positions of every layer, once: what the source network would take for the image
- steps: the same for every step in which the layer ran, silent inputs included: what the reads stand for
- events: 2 * outputs for every driven row: what the spikes really asked for

Each is divided by the energy of the whole chip; `analog` is `steps` divided by the energy of `ANALOG` alone, which is
what published macros can be compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.energy_sums import ENDS, summed
from spikeloom.sim.estimates.energy_events import Events

__all__ = ["ANALOG", "PUBLISHED", "Published", "efficiency"]

ANALOG = ("crossbar", "wires", "sampling", "adc", "dac")
"""Components of `sim.estimates.energy_parts` that a macro of crossbars has."""


@dataclass(frozen=True)
class Published:
    """Another chip: TOPS/W as its authors, or a survey, give them; what it is, and at which level it was found."""

    name: str
    source: str
    tops_per_W: tuple[float, float]
    what: str
    level: str


PUBLISHED = (
    Published("ISAAC", "A. Shafiee et al., ISCA 2016", (0.36, 0.38), "memristors, 16-bit operations", "chip, modelled"),
    Published(
        "NeuRRAM", "W. Wan et al., Nature 608, 2022", (7.0, 43.0), "RRAM, 4-bit weights, inputs of 8 to 1 bits",
        "chip, measured",
    ),
    Published("Liu", "Q. Liu et al., ISSCC 2020, 33.2", (78.4, 78.4), "analog ReRAM", "chip, measured"),
    Published(
        "Xue", "C.-X. Xue et al., ISSCC 2020, 15.4", (28.0, 121.0), "ReRAM at 22 nm, several bits", "macro, measured"
    ),
    Published("Dong", "Q. Dong et al., ISSCC 2020, 15.3", (351.0, 351.0), "SRAM at 7 nm", "macro, measured"),
)  # fmt: skip
"""Numbers of the last three are in their titles, those of NeuRRAM from a list of such chips, which has 16 for inputs of
4 bits; ISAAC's are the energy efficiency of its balanced design points, before and after the authors' correction.
"""


def efficiency(
    chip: ProgrammedChip, result: Result, energies_J: Mapping[str, dict[str, float] | None]
) -> dict[str, Any]:
    """`operations` per image (means), `analog_J`, the energy of `ANALOG`, and `TOPS_per_W` of `network`, `steps`,
    `events` and `analog`, {"low", "typical", "high"} each.

    energies_J : of the components and the `total`, as from `sw.analysis.energy_counts.energy_table`; what has none has
        no TOPS/W
    """
    events = Events(chip, result)
    count = len(result)
    whole = [2 * shape.inputs * shape.outputs * shape.positions for shape in events.shapes]
    operations = {
        "network": float(sum(whole)),
        "steps": fsum(int(events.runs[:, n].sum()) * each / count for n, each in enumerate(whole)),
        "events": fsum(
            int(pulses.sum()) * 2 * shape.outputs / shape.column_tiles / count
            for shape, pulses in zip(events.shapes, events.activity("row_pulses"), strict=True)
        ),
    }
    parts = [energies_J[name] for name in ANALOG]
    analog_J = summed(part for part in parts if part is not None) if None not in parts else None
    whole_J = energies_J["total"]
    rates = {name: _tops_per_W(number, whole_J) for name, number in operations.items()}
    return {
        "operations": operations,
        "analog_J": analog_J,
        "TOPS_per_W": {**rates, "analog": _tops_per_W(operations["steps"], analog_J)},
    }


def _tops_per_W(operations: float, joules: dict[str, float] | None) -> dict[str, float] | None:
    """Most operations per joule at the lowest energy; None without an energy."""
    if joules is None or joules["low"] <= 0.0:
        return None
    return {end: operations / joules[cost] * 1e-12 for end, cost in zip(ENDS, reversed(ENDS), strict=True)}
