"""A unit's netlist for a run of gates: mapped with every memory as a module of its own, probed, with models and joules.

It has a few more cells than that of `hw.standard_cells.cell_synthesis`, since nothing is optimised across the edges of
memories: so what a memory takes is apart from the logic around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.export.constraints import sdc
from spikeloom.hw.export.yosys import SynthesisError
from spikeloom.hw.standard_cells.cell_mapping import MAPPING, CellMapper, Mapped
from spikeloom.hw.standard_cells.cell_models import cell_models
from spikeloom.hw.standard_cells.corners import check_options
from spikeloom.hw.standard_cells.liberty import Corner, Library, LibraryError
from spikeloom.hw.standard_cells.memories import models as memory_models
from spikeloom.hw.standard_cells.power import netlist_energy, netlist_probes
from spikeloom.hw.standard_cells.probes import NAME, Probes
from spikeloom.hw.standard_cells.switching import SwitchingEnergy
from spikeloom.hw.standard_cells.timing import opensta_version
from spikeloom.hw.standard_cells.timing_closure import map_for_clock

__all__ = ["Gates", "check_calibration", "gates"]

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Gates:
    """A netlist that can be run, and what its transitions take.

    Parameters
    ----------
    mapped : netlist and memories
    probes : the netlist with probes
    models : file name -> Verilog of cells, and of memories outside, for simulators
    energy : joules of nets and clock
    corner : operating conditions
    voltage_V : theirs
    """

    mapped: Mapped
    probes: Probes
    models: dict[str, str]
    energy: SwitchingEnergy
    corner: Corner
    voltage_V: float

    def accesses(self, transitions: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Path of every memory outside -> words read by clocked ports and written, int64 [images], of the transitions
        int64 [images, bits].
        """
        boxes = {memory.black_box for memory in self.mapped.black_boxes}
        starts = self.probes.starts
        return {
            path: transitions[:, starts[path] : starts[path] + self.probes.bits[module]].sum(axis=1)
            for path, module in self.probes.instances.items()
            if module in boxes
        }


def check_calibration(
    libraries: Sequence[Library], clock_Hz: float, memory_bits: int, corner: str = ""
) -> tuple[Corner, float]:
    """The corner asked for, and its voltage.

    Raises
    ------
    SpikeLoomError, LibraryError : see `hw.standard_cells.corners.check_options`; the corner has no voltage
    SynthesisError : OpenSTA is missing
    """
    found = check_options(libraries, clock_Hz, memory_bits, corner)
    if not found.voltage_V:
        raise LibraryError(
            f"The library {libraries[0].name} does not say the voltage of its corner, which energies need: give a "
            "library with operating conditions (voltage), or name others with --corner"
        )
    if opensta_version() is None:
        raise SynthesisError(
            "Energies of switching need OpenSTA (program sta; Debian: apt-get install opensta), which is not installed"
        )
    return found, found.voltage_V


def gates(
    files: Mapping[str, str],
    ports: Sequence[dict[str, Any]],
    top: str,
    libraries: Sequence[Library],
    clock_Hz: float,
    memory_bits: int,
    corner: str = "",
    say: Say = lambda text: None,
) -> Gates:
    """Map an exported unit and find out what its nets take; parameters as for `cell_synthesis.synthesise`.

    say : called with what is being done

    Raises
    ------
    SpikeLoomError, LibraryError, SynthesisError : see `check_calibration`, `CellMapper`, `switching_energy`
    """
    conditions, voltage_V = check_calibration(libraries, clock_Hz, memory_bits, corner)
    say(MAPPING)
    constraints = sdc(ports, clock_Hz, top)
    mapper = CellMapper(files, top, libraries, memory_bits, apart=True)
    mapped = map_for_clock(mapper, top, libraries, constraints, corner).mapped
    probes = netlist_probes(mapped, top, libraries)
    used = {instance.cell for cells in probes.cells.values() for instance in cells}
    models = {"cells.sv": cell_models(libraries, used)}
    if mapped.black_boxes:
        models["memories.sv"] = memory_models(mapped.black_boxes, NAME)
    say("slews and loads of the cells")
    energy = netlist_energy(mapped, probes, top, libraries, constraints, clock_Hz, voltage_V, corner)
    return Gates(mapped, probes, models, energy, conditions, voltage_V)
