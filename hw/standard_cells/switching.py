"""Energy of transitions: joules of every net of a netlist, and of the clock, from the library's tables.

A transition of a net takes the energies inside the cells that its pins belong to (`hw.standard_cells.power_tables`),
and C V^2 / 2 of all that the net's driver charges. A flip-flop's clock pin takes, in every cycle, the energies of two
transitions and C V^2 of its own capacitance, which belongs to no driver in the netlist. What is outside of the unit
drives its inputs, and is not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.standard_cells.conditions import Conditions
from spikeloom.hw.standard_cells.liberty import Cell, Library, LibraryError
from spikeloom.hw.standard_cells.power_tables import CellPower, read_power
from spikeloom.hw.standard_cells.probes import Probes

__all__ = ["SwitchingEnergy", "switching_energy"]

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SwitchingEnergy:
    """Energies of a netlist with probes.

    Parameters
    ----------
    probes : its nets
    net_J : float64 [bits], of a transition of each net, in the order of what is written (`Probes.starts`)
    clock_J : path -> joules of a clock cycle in which no net but the clock changes, without leakage
    leakage_W : path -> watts
    flip_flops : path -> number
    """

    probes: Probes
    net_J: Values
    clock_J: dict[str, float]
    leakage_W: dict[str, float]
    flip_flops: dict[str, int]

    def of_nets(self, transitions: NDArray[np.int64]) -> dict[str, Values]:
        """Path -> joules of the transitions int64 [images, bits] of an instance's nets, float64 [images]."""
        found = {}
        for path, start in self.probes.starts.items():
            end = start + self.probes.bits[self.probes.instances[path]]
            found[path] = transitions[:, start:end] @ self.net_J[start:end]
        return found


class _Kind:
    """All cells of one kind: where they are, one list entry for each."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.names: list[str] = []
        self.places: defaultdict[str, list[int]] = defaultdict(list)  # bits of a pin's nets, -1 for a constant


def switching_energy(
    probes: Probes, libraries: Sequence[Library], conditions: Conditions, voltage_V: float
) -> SwitchingEnergy:
    """Energies of all nets.

    Raises `LibraryError` for tables that cannot be read, or where no cell has any.
    """
    cells = {name: cell for library in reversed(libraries) for name, cell in library.cells.items()}
    kinds: defaultdict[str, _Kind] = defaultdict(_Kind)
    for path, start in probes.starts.items():
        for instance in probes.cells[probes.instances[path]]:
            kind, cell = kinds[instance.cell], cells[instance.cell]
            kind.paths.append(path)
            kind.names.append(f"{path}/{instance.name}" if path else instance.name)
            for pin in (*cell.inputs, *cell.functions):
                place = instance.pins.get(pin)
                kind.places[pin].append(-1 if place is None else start + place)
    power = read_power(libraries, kinds)
    if not any(pin.groups for each in power.values() for pin in each.pins.values()):
        raise LibraryError(
            f"The library {', '.join(library.name for library in libraries)} has no tables of internal power: "
            "give a library that has (internal_power)"
        )
    unit_fF = {name: library.capacitance_fF for library in reversed(libraries) for name in library.cells}
    net_J = np.zeros(probes.size)
    clock_J, leakage_W = dict.fromkeys(probes.instances, 0.0), dict.fromkeys(probes.instances, 0.0)
    flip_flops = dict.fromkeys(probes.instances, 0)
    for name, kind in kinds.items():
        of_nets, of_clock = _energies(kind, cells[name], power[name], conditions, voltage_V, unit_fF[name])
        for pin, joules in of_nets.items():
            places = np.array(kind.places[pin])
            np.add.at(net_J, places[places >= 0], joules[places >= 0])
        for path, cell_name, joules in zip(kind.paths, kind.names, of_clock, strict=True):
            clock_J[path] += joules
            leakage_W[path] += conditions.leakage_W[cell_name]
            flip_flops[path] += cells[name].kind == "flip-flop"
    return SwitchingEnergy(probes, net_J, clock_J, leakage_W, flip_flops)


def _energies(
    kind: _Kind, cell: Cell, power: CellPower, conditions: Conditions, voltage_V: float, unit_fF: float
) -> tuple[dict[str, Values], Values]:
    """Pin -> joules of a transition of its net, and joules of a clock cycle, float64 [cells] each."""
    slews = {
        pin: np.array([conditions.slew_ns.get(f"{name}/{pin}", 0.0) for name in kind.names]) for pin in cell.inputs
    }
    load_J = np.array([conditions.load_J[name] for name in kind.names]) / max(len(cell.functions), 1)
    load_fF = 2e15 * load_J / voltage_V**2
    of_nets, of_clock = {}, np.zeros(len(kind.names))
    for pin in (*cell.inputs, *cell.functions):
        own = {**slews, "": slews.get(pin, np.zeros(len(kind.names)))}
        joules = 1e-15 * power.pins[pin].energy_fJ(own, load_fF)
        if pin in power.clocks:
            of_clock += 2.0 * joules + 1e-15 * cell.inputs[pin] * unit_fF * voltage_V**2
        else:
            of_nets[pin] = joules + load_J if pin in cell.functions else joules
    return of_nets, of_clock
