"""How a run over the Verilog is made, and what it leaves behind; results do not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikeloom.sim.common.arguments import TraceKind, check_progress, check_switch, check_trace, check_whole
from spikeloom.sim.cosim.waves import check_folder

__all__ = ["CosimOptions"]

_OPTIMISE_FROM = 100


@dataclass(frozen=True)
class CosimOptions:
    """Options of a co-simulation, checked; of the unit alone and of the chip behind its buses.

    Parameters
    ----------
    trace : "spikes" records every spike, "full" every membrane too
    simulator : `verilator` or `icarus`
    waves : leave `job_0/waves.vcd` (Icarus: `waves.fst`) and a grouped `waves.gtkw` in `folder`; one worker
    folder : where jobs run; a temporary folder if not given, which waves cannot be left in
    progress : called with images done and images in all
    workers : simulators at once; if not given, the number of processors, and one behind the buses
    stalls : random stalls and back-pressure on every interface; cycles depend on it
    netlist : simulate the gates that Yosys synthesises from the unit's Verilog; for small designs, not behind the buses
    quick : build without the C++ compiler's optimisation; for fewer than 100 images if not given

    Raises `ValueError` or `TypeError` for what is not allowed.
    """

    trace: TraceKind = "none"
    simulator: str = "verilator"
    waves: bool = False
    folder: Path | str | None = None
    progress: Callable[[int, int], None] | None = None
    workers: int | None = None
    stalls: bool = False
    netlist: bool = False
    quick: bool | None = None

    def __post_init__(self) -> None:
        check_trace(self.trace)
        check_progress(self.progress)
        for name in ("waves", "stalls", "netlist"):
            check_switch(name, getattr(self, name))
        check_switch("quick", self.quick, optional=True)
        check_folder(self.waves, self.folder)
        if self.workers is not None:
            check_whole("workers", self.workers)

    @classmethod
    def of(cls, options: CosimOptions | None, changes: dict[str, Any]) -> CosimOptions:
        """These options (None: the defaults) with changes, by the names of the fields."""
        return replace(cls() if options is None else options, **changes)

    @property
    def membranes(self) -> bool:
        """Whether every membrane is recorded."""
        return self.trace == "full"

    def quickly(self, images: int) -> bool:
        """Whether the simulator of a run of so many images is built without optimisation."""
        return images < _OPTIMISE_FROM if self.quick is None else self.quick
