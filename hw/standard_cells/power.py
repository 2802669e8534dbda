"""Power of a mapped netlist at one activity of all nets, from the joules of its transitions.

The joules are those of `hw.standard_cells.switching`, which calibrations use with the measured activity of every net.
The clock has its own: every flip-flop takes it in every cycle, whatever the activity. OpenSTA's sum is not used: 2.0.17
adds the internal energies of both edges for one transition (`search/Power.cc`), about twice too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spikeloom.hw.standard_cells.cell_mapping import Mapped
from spikeloom.hw.standard_cells.conditions import cell_conditions
from spikeloom.hw.standard_cells.liberty import Library
from spikeloom.hw.standard_cells.probes import Probes, probed
from spikeloom.hw.standard_cells.switching import SwitchingEnergy, switching_energy

__all__ = ["ACTIVITY", "Power", "netlist_energy", "netlist_probes", "power_of"]

ACTIVITY = 0.1
"""Transitions of every net per clock cycle that power is computed for; a common assumption, not a measurement."""


@dataclass(frozen=True)
class Power:
    """Watts, and what they hold for.

    Parameters
    ----------
    clock_Hz : clock
    activity : transitions of every net but the clock per cycle
    clock_W : what the clock takes in flip-flops, without a tree
    nets_W : what transitions of all other nets take, inside the cells and in loads
    leakage_W : of all cells
    total_W : the sum
    """

    clock_Hz: float
    activity: float
    clock_W: float
    nets_W: float
    leakage_W: float
    total_W: float


def netlist_probes(mapped: Mapped, top: str, libraries: Sequence[Library]) -> Probes:
    """Nets of every module; black boxes have a probe of accesses."""
    pins = {
        name: frozenset(cell.inputs) | frozenset(cell.functions)
        for library in libraries
        for name, cell in library.cells.items()
    }
    boxes = {memory.black_box: sum(memory.clocked) + memory.writes for memory in mapped.black_boxes}
    return probed(mapped.netlist, top, pins, boxes)


def netlist_energy(
    mapped: Mapped,
    probes: Probes,
    top: str,
    libraries: Sequence[Library],
    constraints: str,
    clock_Hz: float,
    voltage_V: float,
    corner: str = "",
) -> SwitchingEnergy:
    """Joules of a netlist's nets and clock, at the slews and loads that OpenSTA finds under the constraints.

    Raises `LibraryError`, `SynthesisError`: see `switching_energy` and `cell_conditions`.
    """
    found = cell_conditions(mapped.netlist, top, mapped.liberty(libraries), constraints, clock_Hz, corner)
    return switching_energy(probes, libraries, found, voltage_V)


def power_of(energy: SwitchingEnergy, clock_Hz: float, activity: float = ACTIVITY) -> Power:
    """Power where every net but the clock has so many transitions per clock cycle."""
    clock_W = clock_Hz * float(sum(energy.clock_J.values()))
    nets_W = clock_Hz * activity * float(energy.net_J.sum())
    leakage_W = float(sum(energy.leakage_W.values()))
    return Power(clock_Hz, activity, clock_W, nets_W, leakage_W, clock_W + nets_W + leakage_W)
